"""Many texts: quote them, submit them once however often this is started, write all audio to a folder."""

from ttsq_client import Client, JobRequest

TEXTS = ["Platform one is closed today.", "Platform two is open.", "Mind the gap."]

jobs: list[JobRequest] = [
    {"text": text, "custom_id": f"platform-{number:02}", "tags": ["station"]}
    for number, text in enumerate(TEXTS, start=1)
]

with Client.from_environment() as ttsq:
    quote = ttsq.quote(jobs)
    print(f"{quote.calls} of {quote.texts} texts to buy, about {quote.cost} dollars")
    for submitted in ttsq.submit_many(jobs, name="station", idempotency_key="station-2026-12-01", max_cost="1.00"):
        batch = ttsq.wait_batch(submitted, timeout=300)
        paths = ttsq.download_batch(batch, "station")
        print(f"{batch.name}: {batch.counts['succeeded']} of {batch.total} spoken for {batch.cost} dollars")
        print(*sorted(path.name for path in paths))
