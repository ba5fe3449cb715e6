"""Free checks that precede a paid probe of a closed gate."""

from __future__ import annotations

from dataclasses import dataclass

from api_models.registry import MODELS
from api_models.verdict import GateScope
from worker.artifacts.errors import ArtifactsError
from worker.dispatch.gates.probes import ProbeResult
from worker.execution.destinations import Destinations
from worker.segmind.answers import Credits
from worker.segmind.client import Client
from worker.store.account import Gate


@dataclass(frozen=True, slots=True)
class GateChecks:
    client: Client
    destinations: Destinations

    def __call__(self, gate: Gate) -> ProbeResult:
        return self._storage() if gate.scope is GateScope.STORAGE else self._account(gate)

    def _storage(self) -> ProbeResult:
        try:
            for store in self.destinations.opened():
                store.check()
        except ArtifactsError as error:
            return ProbeResult(error.message)
        return ProbeResult(None)

    def _account(self, gate: Gate) -> ProbeResult:
        answer = self.client.credits()
        if not isinstance(answer, Credits):
            return ProbeResult(answer.message or f"the credits endpoint returned {answer.status}")
        problem = None
        dearest = MODELS.dearest.price
        if gate.code == "insufficient_credits" and answer.total < dearest:
            # Opening for the cheapest model would make calls of the others fail again.
            problem = f"the balance is ${answer.total:f}; the most expensive model costs ${dearest:f} per call"
        return ProbeResult(problem, balance=answer.total)
