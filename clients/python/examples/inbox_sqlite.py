"""The inbox: a job that exists exactly if the row beside it does. On PostgreSQL, connect with psycopg instead."""

import os
import sqlite3
from contextlib import closing

from ttsq_client import Client, Inbox

with closing(sqlite3.connect(os.environ["TTSQ_DATABASE"], timeout=30)) as database:
    database.execute("CREATE TABLE IF NOT EXISTS orders (number INTEGER PRIMARY KEY, speech TEXT)")
    with database:  # one transaction: both, or neither
        job_id = Inbox(database).submit("Your order 17 is on its way.", idempotency_key="order-17")
        database.execute("INSERT INTO orders VALUES (17, ?)", (str(job_id),))

# The row becomes a job within moments of the commit; until then the gateway knows no such job.
with Client.from_environment() as ttsq:
    job = ttsq.wait(str(job_id), timeout=120, appears_within=60)
    print(job.status, job.text)
