"""An announcement and its audio."""

from django.db import models


class Announcement(models.Model):
    text = models.TextField(max_length=2_000)
    job_id = models.UUIDField(unique=True)
    status = models.CharField(max_length=20, default="queued")
    audio_url = models.CharField(max_length=500, blank=True)
    message = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.text[:80]
