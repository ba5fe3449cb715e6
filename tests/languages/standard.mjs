// The Standard Webhooks library for JavaScript: `verify` what came in on standard input, or `sign` it.
import { createRequire } from "node:module";

const { Webhook } = createRequire(process.env.MODULES)("standardwebhooks");
let input = "";
for await (const part of process.stdin) input += part;
const { secret, headers, body, id, seconds } = JSON.parse(input);
const webhook = new Webhook(secret);
if (process.argv[2] === "verify") {
  console.log(JSON.stringify(webhook.verify(body, headers)));
} else {
  console.log(JSON.stringify(webhook.sign(id, new Date(seconds * 1000), body)));
}
