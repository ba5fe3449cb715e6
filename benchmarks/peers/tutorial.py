"""The tutorial pattern: one Celery task that calls the API, puts the audio into the bucket and keeps a row up to date.

Worker: `celery -A benchmarks.peers.tutorial worker --pool POOL --concurrency N --loglevel INFO`.
Producer: `python -c "from benchmarks.peers.tutorial import submit; submit(JOBS)"`.
"""

from __future__ import annotations

from celery import Celery

from benchmarks.peers import work

app = Celery("tutorial", broker=work.BROKER_URL)


@app.task(autoretry_for=work.TROUBLE, retry_backoff=True, max_retries=work.RETRIES)
def speak(speech_id: int, words: str) -> None:
    """The task."""
    work.perform(speech_id, words)


def submit(jobs: int) -> None:
    """All rows in one statement, then a message for each."""
    for speech_id, words in work.enter(jobs):
        speak.delay(speech_id, words)
