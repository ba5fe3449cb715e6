"""v2 submissions and polls. Opens no socket and never waits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from worker.emulator.api import refusals, v1, v2_bodies
from worker.emulator.api.calls import Call
from worker.emulator.api.responses import Answer, Ending
from worker.emulator.api.runs import Run, RunState
from worker.emulator.api.tickets import PLAIN, Ticket
from worker.emulator.faults import Step
from worker.emulator.vendor import Vendor
from worker.emulator.voice.takes import JSON


class View(StrEnum):
    """Whether a poll asks for the state only or also the output."""

    STATUS = "status"
    RESULT = "result"


@dataclass(frozen=True, slots=True)
class Visit:
    request_id: str
    view: View
    key: str | None
    bearer: bool
    base_url: str
    files_url: str


def submit(vendor: Vendor, call: Call, base_url: str) -> Answer:
    """Check a call as v1 does and return a handle. If the response is lost, the run continues and is billed."""
    ticket = v1.receive(vendor, call)
    ticket.books.ledger.submits += 1
    if ticket.refusal is not None:
        answer = replace(ticket.refusal, wait_seconds=ticket.wait_seconds)
    elif ticket.effect.ending is Ending.RESET:
        ticket.drop()
        answer = Answer(200, "", b"", ending=Ending.RESET)
    else:
        answer = _accepted(vendor, ticket, base_url)
    ticket.books.ledger.answered(v1.outcome(answer))
    return answer


def poll(vendor: Vendor, visit: Visit) -> Answer:
    vendor.settle_runs()
    answer = _refusal(vendor, visit) or _state(vendor, visit)
    vendor.ledger.polled(visit.request_id, v1.outcome(answer))
    return answer


def _accepted(vendor: Vendor, ticket: Ticket, base_url: str) -> Answer:
    run = vendor.runs.accept(ticket, vendor.elapsed(), vendor.clock())
    answer = v1.mistreated(Answer(200, JSON, v2_bodies.submitted(run, base_url)), ticket.effect)
    # In v2 a rule delays the run, not the response to its submission.
    return replace(answer, wait_seconds=0.0)


def _refusal(vendor: Vendor, visit: Visit) -> Answer | None:
    if not vendor.account.accepts(visit.key):
        return refusals.unauthorized(bearer=visit.bearer and not visit.key)
    now = vendor.clock()
    if vendor.config.count_polls and (reset_at := vendor.limiter.admit(now)) is not None:
        return refusals.too_many(vendor.limit, reset_at, now)
    return None


def _state(vendor: Vendor, visit: Visit) -> Answer:
    run = vendor.runs.find(visit.request_id)
    if run is None:
        return refusals.unknown_request(visit.request_id)
    call = run.ticket.call
    effect = vendor.script.effect(call.slug, call.text, Step.POLL) or PLAIN
    if effect.status is not None:
        return v1.scripted(effect, effect.status)
    if effect.word is not None:
        return v1.mistreated(Answer(200, JSON, v2_bodies.running(run, effect.word, visit.base_url)), effect)
    return v1.mistreated(_true(vendor, run, visit), effect)


def _true(vendor: Vendor, run: Run, visit: Visit) -> Answer:
    match state := run.state(vendor.elapsed()):
        case RunState.QUEUED | RunState.PROCESSING:
            return Answer(200, JSON, v2_bodies.running(run, state, visit.base_url))
        case RunState.FAILED:
            return Answer(run.ticket.effect.failed_status, JSON, v2_bodies.ended(run, state))
        case _ if visit.view is View.STATUS:
            return Answer(200, JSON, v2_bodies.ended(run, state))
        case _:
            return Answer(200, JSON, v2_bodies.result(run, vendor.shelf, vendor.config.output, visit.files_url))
