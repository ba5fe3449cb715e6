"""One text: submit it, wait for it, write its audio to a file."""

from ttsq_client import Client

with Client.from_environment() as ttsq:
    job = ttsq.submit("The ferry leaves at ten past four.", voice_1="Kore", format="mp3", idempotency_key="ferry-1610")
    job = ttsq.wait(job, timeout=120)
    path = ttsq.download(job, "ferry.mp3")
    print(f"{path}: {job.cost} dollars, {path.stat().st_size} bytes")
