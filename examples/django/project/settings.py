"""The settings: Django's tables stand beside those of ttsq, in one database and therefore in one transaction."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

SECRET_KEY = os.environ["DJANGO_SECRET_KEY"]
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
ROOT_URLCONF = "project.urls"
INSTALLED_APPS = ["announcements"]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware", "django.middleware.csrf.CsrfViewMiddleware"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True


def database(url: str) -> dict[str, object]:
    """Return the entry of `DATABASES` for the address in TTSQ_DATABASE_URL."""
    parts = urlsplit(url)
    if parts.scheme.startswith("sqlite"):
        options = {"timeout": 30, "transaction_mode": "IMMEDIATE"}
        return {"ENGINE": "django.db.backends.sqlite3", "NAME": parts.path.removeprefix("/"), "OPTIONS": options}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.removeprefix("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": str(parts.port or 5432),
    }


DATABASES = {"default": database(os.environ["TTSQ_DATABASE_URL"])}

SPEECH_WEBHOOK_URL = os.environ.get("SPEECH_WEBHOOK_URL", "")
"""Where ttsq reaches `announcements.views.speech_webhook`; empty sends no webhooks."""
SPEECH_WEBHOOK_SECRETS = Path(os.environ.get("SPEECH_WEBHOOK_SECRETS", os.devnull))
"""A file with the secrets of callbacks, one a line; two while they are rotated."""
