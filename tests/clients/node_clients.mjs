// Speaks one text with OpenAI's SDK for Node and with the AI SDK; prints what each returned as JSON.
import { createHash } from "node:crypto";
import { createOpenAI } from "@ai-sdk/openai";
import { experimental_generateSpeech as generateSpeech } from "ai";
import OpenAI from "openai";

const [baseURL, apiKey, input] = process.argv.slice(2);
const seen = (bytes) => ({ bytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") });
const answers = {};

const client = new OpenAI({ baseURL, apiKey });
for (const response_format of ["mp3", "opus", "aac", "flac", "wav", "pcm"]) {
  const spoken = await client.audio.speech.create({ model: "tts-1", voice: "alloy", input, response_format });
  answers[`openai_${response_format}`] = {
    ...seen(Buffer.from(await spoken.arrayBuffer())),
    type: spoken.headers.get("content-type"),
  };
}
const events = await client.audio.speech.create({ model: "tts-1", voice: "alloy", input, stream_format: "sse" });
const pieces = (await events.text()).trim().split("\n\n").map((line) => JSON.parse(line.slice("data: ".length)));
answers.openai_events = seen(Buffer.concat(pieces.filter((one) => one.audio).map((one) => Buffer.from(one.audio, "base64"))));
try {
  await client.audio.speech.create({ model: "tts-1", voice: "aloy", input });
} catch (error) {
  answers.openai_error = { name: error.constructor.name, param: error.param, status: error.status };
}
answers.openai_models = [];
for await (const model of client.models.list()) answers.openai_models.push(model.id);

const provider = createOpenAI({ baseURL, apiKey });
const spoken = await generateSpeech({ model: provider.speech("tts-1"), voice: "alloy", text: input });
answers.ai_sdk = { ...seen(Buffer.from(spoken.audio.uint8Array)), type: spoken.audio.mediaType };
console.log(JSON.stringify(answers));
