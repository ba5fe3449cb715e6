"""v2 response bodies. Amounts are exact numbers."""

from __future__ import annotations

import json
from typing import Final

from worker.emulator.api.responses import OutputShape
from worker.emulator.api.runs import Run, RunState
from worker.emulator.faults import Take
from worker.emulator.voice.cache import Shelf

METRICS_OF_HEADERS: Final = {
    "x-cost": "cost",
    "x-remaining-credits": "remaining_credits",
    "x-generation-time": "inference_time",
}
"""Omitting one of these v1 headers also omits the v2 metric."""

_SHAPES: Final = {
    Take.JSON_URL: OutputShape.URL,
    Take.JSON_DATA_URI: OutputShape.DATA_URI,
    Take.JSON_BASE64: OutputShape.BASE64,
}
"""v1's JSON takes, as v2 output shapes."""


def submitted(run: Run, base_url: str) -> bytes:
    """The response to a submission. The vendor still lists an older poll URL beside the two of v2."""
    poll_url = {"poll_url": f"{base_url}/v1/requests/{run.ticket.request_id}"}
    return _json(_head(run, RunState.QUEUED) | poll_url | _addresses(run, base_url))


def running(run: Run, word: str, base_url: str) -> bytes:
    """A run that has not finished, in the state `word`."""
    return _json(_head(run, word) | _addresses(run, base_url), "{}")


def ended(run: Run, state: RunState) -> bytes:
    """A finished run without its output, for status polls."""
    error = {"error": run.ticket.effect.message or "Inference failed"} if state is RunState.FAILED else {}
    return _json(_head(run, state) | error, _metrics(run, state))


def result(run: Run, shelf: Shelf, shape: OutputShape, files_url: str) -> bytes:
    effect = run.ticket.effect
    if effect.take is Take.JSON_ERROR:
        output: dict[str, object] = {"error": effect.message or "Audio generation failed", "output": None}
    elif effect.take is Take.JSON_BODY:
        fields = json.loads(effect.json_body)
        output = fields if isinstance(fields, dict) else {"output": fields}
    else:
        shape = effect.output or _SHAPES.get(effect.take, shape)
        output = {"error": None} | _output(run, shelf, shape, files_url)
    return _json(_head(run, RunState.COMPLETED) | output, _metrics(run, RunState.COMPLETED))


def _output(run: Run, shelf: Shelf, shape: OutputShape, files_url: str) -> dict[str, object]:
    ticket = run.ticket
    name = f"{ticket.request_id}.wav"
    url = f"{files_url}/files/{name}"
    file = shelf.put(ticket.request_id, ticket.call, ticket.effect)
    audio = {"url": url, "content_type": file.content_type, "file_name": name, "file_size": file.size}
    match shape:
        case OutputShape.AUDIO:
            return {"output": url, "audio": audio}
        case OutputShape.URL:
            return {"output": url}
        case OutputShape.LIST:
            return {"output": [url]}
        case OutputShape.OBJECT:
            return {"output": {"audio": audio}}
        case OutputShape.DATA_URI:
            return {"output": f"data:{file.content_type};base64,{file.base64()}"}
        case OutputShape.BASE64:
            return {"output": file.base64()}


def _head(run: Run, state: str) -> dict[str, object]:
    return {"request_id": run.ticket.request_id, "status": str(state)}


def _addresses(run: Run, base_url: str) -> dict[str, object]:
    own = f"{base_url}/v2/requests/{run.ticket.request_id}"
    return {"status_url": f"{own}/status", "response_url": own}


def _metrics(run: Run, state: RunState) -> str:
    known = {
        "cost": f"{run.ticket.price:f}" if state is RunState.COMPLETED else "0",
        "remaining_credits": f"{run.balance:f}",
        "inference_time": f"{run.inference_seconds:.3f}",
        "queue_time": f"{run.queue_seconds:.3f}",
        "total_time": f"{run.ticket.wait_seconds:.3f}",
        "retry_count": "0",
    }
    for header in run.ticket.effect.without_headers:
        known.pop(METRICS_OF_HEADERS.get(header.lower(), ""), None)
    return "{" + ", ".join(f'"{name}": {figure}' for name, figure in known.items()) + "}"


def _json(fields: dict[str, object], metrics: str | None = None) -> bytes:
    """Metrics are passed as text because `json` cannot write a Decimal as a number."""
    text = json.dumps(fields)
    return (text if metrics is None else f'{text[:-1]}, "metrics": {metrics}}}').encode()
