"""The webhook view: `python manage.py test`. The inbox needs ttsq's tables, which Django's test database lacks."""

import base64
import hashlib
import hmac
import json
import tempfile
import time
import uuid
from pathlib import Path

from django.test import Client, TestCase, override_settings

from announcements.models import Announcement

SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes now").decode()


class SpeechWebhookTest(TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        path = Path(folder.name) / "secrets.txt"
        path.write_text(SECRET, encoding="utf-8")
        changed = override_settings(SPEECH_WEBHOOK_SECRETS=path)
        changed.enable()
        self.addCleanup(changed.disable)
        self.row = Announcement.objects.create(text="Mind the gap.", job_id=uuid.uuid4())

    def send(self, data: dict[str, object], secret: str = SECRET) -> int:
        body = json.dumps({"type": f"job.{data['status']}", "timestamp": "x", "data": data}).encode()
        stamp = str(int(time.time()))
        key = base64.b64decode(secret.removeprefix("whsec_"))
        mac = hmac.digest(key, f"evt_1.{stamp}.".encode() + body, hashlib.sha256)
        headers = {
            "webhook-id": "evt_1",
            "webhook-timestamp": stamp,
            "webhook-signature": "v1," + base64.b64encode(mac).decode(),
        }
        client = Client(enforce_csrf_checks=True)
        reply = client.post("/webhooks/speech/", body, content_type="application/json", headers=headers)
        self.row.refresh_from_db()
        return reply.status_code

    def test_a_success_is_stored_once(self) -> None:
        data = {"id": str(self.row.job_id), "status": "succeeded", "audio": {"url": "/v1/jobs/1/audio"}}
        for _ in range(2):
            self.assertEqual(self.send(data), 204)
            self.assertEqual((self.row.status, self.row.audio_url), ("succeeded", "/v1/jobs/1/audio"))

    def test_a_failure_is_stored_with_its_reason(self) -> None:
        data = {"id": str(self.row.job_id), "status": "failed", "audio": None, "message": "The audio is silent."}
        self.assertEqual(self.send(data), 204)
        self.assertEqual((self.row.status, self.row.message), ("failed", "The audio is silent."))

    def test_another_signature_is_refused(self) -> None:
        other = "whsec_" + base64.b64encode(bytes(32)).decode()
        self.assertEqual(self.send({"id": str(self.row.job_id), "status": "succeeded", "audio": None}, other), 401)
        self.assertEqual(self.row.status, "queued")

    def test_an_empty_form_is_refused(self) -> None:
        self.assertEqual(Client().post("/announcements/", {"text": " "}).status_code, 400)
