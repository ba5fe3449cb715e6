"""Announcements in, speech out: a row and its job in one transaction, and the webhook that brings the result."""

from django.conf import settings
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from announcements.models import Announcement
from ttsq_client import Inbox, Webhook, WebhookError

SHOWN = ("id", "text", "job_id", "status", "audio_url", "message")


@require_http_methods(["GET", "POST"])
def announcements(request: HttpRequest) -> HttpResponse:
    """List announcements, or make one from the form field `text`."""
    if request.method == "GET":
        return JsonResponse({"announcements": list(Announcement.objects.order_by("id").values(*SHOWN))})
    text = request.POST.get("text", "").strip()
    if not text:
        return JsonResponse({"error": "text: is missing"}, status=400)
    made = announce(text)
    return JsonResponse({"id": made.pk, "job_id": str(made.job_id)}, status=202)


def announce(text: str) -> Announcement:
    """Store an announcement and submit its text: both happen, or neither."""
    address = {"webhook_url": settings.SPEECH_WEBHOOK_URL} if settings.SPEECH_WEBHOOK_URL else {}
    with transaction.atomic():
        job_id = Inbox(connection).submit(text, tags=["announcement"], **address)
        return Announcement.objects.create(text=text, job_id=job_id)


@csrf_exempt  # the signature takes the place of the token
@require_POST
def speech_webhook(request: HttpRequest) -> HttpResponse:
    """Store the result of a job. Repeating a message changes nothing."""
    secrets = settings.SPEECH_WEBHOOK_SECRETS.read_text(encoding="utf-8").split()
    try:
        message = Webhook(secrets).verify(request.body, request.headers)
    except WebhookError:
        return HttpResponse(status=401)
    if message.type.startswith("job."):
        data = message.data
        audio = data.get("audio") or {}
        Announcement.objects.filter(job_id=data["id"]).update(
            status=data["status"], audio_url=audio.get("url", ""), message=data.get("message") or ""
        )
    return HttpResponse(status=204)
