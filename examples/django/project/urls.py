"""The addresses of this example."""

from announcements import views
from django.urls import path

urlpatterns = [
    path("announcements/", views.announcements),
    path("webhooks/speech/", views.speech_webhook),
]
