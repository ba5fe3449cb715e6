"""The table of announcements."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Announcement",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("text", models.TextField(max_length=2_000)),
                ("job_id", models.UUIDField(unique=True)),
                ("status", models.CharField(default="queued", max_length=20)),
                ("audio_url", models.CharField(blank=True, max_length=500)),
                ("message", models.TextField(blank=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
    ]
