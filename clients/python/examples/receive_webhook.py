"""A webhook: have the end of one job sent to this program, and verify the message."""

import os
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from ttsq_client import Client, Webhook, WebhookError

# The secret of callbacks: GET /v1/endpoints names the endpoint, GET /v1/endpoints/{id}/secret shows it.
SECRETS = Path(os.environ["TTSQ_WEBHOOK_SECRETS"])


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            message = Webhook(SECRETS.read_text().split()).verify(body, self.headers)
        except WebhookError as error:
            print(error)
            self.send_error(401)
            return
        print(message.type, message.content["audio_url"])
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Print messages only."""


with HTTPServer(("127.0.0.1", 0), Receiver) as server, Client.from_environment() as ttsq:
    server.timeout = 120
    ttsq.submit("Your parcel has arrived.", webhook_url=f"http://127.0.0.1:{server.server_port}/speech")
    server.handle_request()
