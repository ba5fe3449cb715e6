"""Doing to a cluster what a plan says, and making it good again. Two steps about the same thing never overlap."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Final

from tests.chaos.cluster_harness import Stage
from tests.chaos.hosts import Host
from tests.chaos.plan import Aim, Kind, Step
from tests.chaos.services import Service
from tests.cluster.link import Link
from worker.emulator.api.responses import Ending
from worker.emulator.faults import Effect, Match, Rule

SLOW_PIECE_SECONDS: Final = 0.5
HANG_SECONDS: Final = 12.0
"""Longer than the read timeout that the workers are given."""

SERVICES: Final = {
    Aim.BROKER: Service.BROKER,
    Aim.DATABASE: Service.DATABASE,
    Aim.STORE: Service.STORE,
    Aim.API: Service.API,
}
FAULTS: Final = {
    Kind.API_ERRORS: Rule(effect=Effect(status=500), match=Match(probability=0.4)),
    Kind.API_LIMITS: Rule(effect=Effect(status=429), match=Match(probability=0.3)),
    Kind.API_RESETS: Rule(effect=Effect(ending=Ending.RESET), match=Match(probability=0.4)),
    Kind.API_HANGS: Rule(effect=Effect(delay_seconds=HANG_SECONDS), match=Match(probability=0.2)),
    Kind.API_LOSES: Rule(effect=Effect(ending=Ending.LOST), match=Match(probability=0.3)),
}


@dataclass(slots=True)
class Disturber:
    """Carries out steps, each on its caller's thread, for as long as the step lasts."""

    stage: Stage
    enough: threading.Event = field(default_factory=threading.Event)
    """Once set, lasting disturbances are repaired at once."""
    _turns: dict[Service, threading.Lock] = field(
        default_factory=lambda: {service: threading.Lock() for service in Service}
    )
    """A disturbance holds the lock of its service; a worker's lock belongs to its host."""

    def carry_out(self, step: Step) -> None:
        """Do it, wait, make it good. A step whose object another one is at is skipped."""
        host = self.stage.leader() if step.kind is Kind.KILL_LEADER else self.stage.hosts[step.host]
        with ExitStack() as stack:
            turn = self._turn(step, host)
            if host is None or turn is None or not turn.acquire(blocking=False):
                self.stage.chronicle.skipped.append(step.kind)
                return
            stack.callback(turn.release)
            stack.enter_context(self.stage.chronicle.happening(step.kind, _whom(step, host)))
            self._do(step, host)

    def _turn(self, step: Step, host: Host | None) -> threading.Lock | None:
        match step.aim:
            case Aim.WORKER:
                return None if host is None else host.turn
            case Aim.WAY:
                return self._turns[step.service]
            case aim:
                return self._turns[SERVICES[aim]]

    def _do(self, step: Step, host: Host) -> None:
        match step.aim:
            case Aim.WORKER:
                self._to_worker(step, host)
            case Aim.BROKER:
                self._to_broker(step)
            case Aim.API:
                self._to_api(FAULTS[step.kind], step.seconds)
            case Aim.WAY:
                self._to_links(step, [host.links[step.service]])
            case _ if step.kind in {Kind.RESTART_DATABASE, Kind.CRASH_DATABASE}:
                self._to_database(step.kind)
            case aim:
                self._to_links(step, [each.links[SERVICES[aim]] for each in self.stage.hosts])

    def _to_worker(self, step: Step, host: Host) -> None:
        if step.kind is Kind.FREEZE:
            host.freeze()
            self._pass(step.seconds)
            host.thaw()
            return
        if step.kind is Kind.TERMINATE:
            host.terminate()
        else:
            host.kill()
        self._pass(step.seconds)
        host.start()

    def _to_broker(self, step: Step) -> None:
        broker = self.stage.cluster.services.valkey
        match step.kind:
            case Kind.FLUSH:
                broker.flush()
            case Kind.KILL_BROKER:
                broker.kill()
                self._pass(step.seconds)
                broker.restart()
            case _:
                broker.pause()
                self._pass(step.seconds)
                broker.resume()

    def _to_database(self, kind: Kind) -> None:
        postgres = self.stage.cluster.services.postgres
        assert postgres is not None
        postgres.crash() if kind is Kind.CRASH_DATABASE else postgres.restart()

    def _to_links(self, step: Step, links: Sequence[Link]) -> None:
        for link in links:
            match step.kind:
                case Kind.CUT_OFF | Kind.STORE_DOWN:
                    link.cut()
                case Kind.STORE_SLOW:
                    link.slow(SLOW_PIECE_SECONDS)
                case _:
                    link.freeze()
        self._pass(step.seconds)
        for link in links:
            link.restore()

    def _to_api(self, fault: Rule, seconds: float) -> None:
        admin = self.stage.cluster.emulator.admin
        admin.rules([fault])
        self._pass(seconds)
        admin.rules([])

    def _pass(self, seconds: float) -> None:
        """Let time pass, unless there has been enough."""
        self.enough.wait(seconds)


def _whom(step: Step, host: Host) -> str:
    match step.aim:
        case Aim.WORKER:
            return host.name
        case Aim.WAY:
            return f"{host.name} from the {step.service}"
        case _:
            return ""
