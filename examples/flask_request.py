"""A web request that stores an order and has its confirmation spoken, in one transaction.

    flask --app examples/flask_request.py run

Neither exists without the other: if the order can't be stored, nothing is spoken, and no spoken order is ever missing.
Django is the same with the connection of a SQLAlchemy engine on the same database.
"""

from __future__ import annotations

import os

from flask import Flask, Response, jsonify, request
from sqlalchemy import create_engine, text
from sqlalchemy.orm import sessionmaker

from api_models.speech import JobRequest
from worker.producer import KeyReusedError, enqueue

ORDERS = "CREATE TABLE IF NOT EXISTS orders (number INTEGER PRIMARY KEY, customer TEXT NOT NULL, speech TEXT NOT NULL)"

engine = create_engine(os.environ.get("TTSQ_DATABASE_URL", "sqlite:///.ttsq/ttsq.db"))
new_session = sessionmaker(engine)
app = Flask(__name__)

with engine.begin() as connection:
    connection.execute(text(ORDERS))


@app.post("/orders/<int:number>")
def order(number: int) -> tuple[Response, int]:
    """Given twice, the same order is stored and spoken once."""
    customer = request.get_json()["customer"]
    words = JobRequest(text=f"Thank you, {customer}. Your order {number} is on its way.", priority=10)
    try:
        with new_session.begin() as session:
            job = enqueue(session, words, idempotency_key=f"order-{number}")
            session.execute(
                text("INSERT INTO orders VALUES (:number, :customer, :speech) ON CONFLICT DO NOTHING"),
                {"number": number, "customer": customer, "speech": str(job)},
            )
    except KeyReusedError:
        return jsonify(error=f"order {number} belongs to another customer"), 409
    return jsonify(order=number, speech=str(job)), 202
