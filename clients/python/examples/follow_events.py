"""Events: continue where this program stopped the last time, and end with the batch."""

from pathlib import Path

from ttsq_client import Client

POSITION = Path("position.txt")

with Client.from_environment() as ttsq:
    after = int(POSITION.read_text()) if POSITION.exists() else 0
    (batch,) = ttsq.submit_many(["Doors are closing.", "Doors are open."], name="doors")
    for event in ttsq.events(after=after, types=["job.succeeded", "batch.finished"]):
        print(event.type, event.subject)
        POSITION.write_text(str(event.id))  # after it was handled: what was not is sent again
        if event.type == "batch.finished" and event.subject == batch.id:
            break
