"""OpenAI's speech API: how fast a cached answer comes, how soon a new one begins, and what waiting clients cost."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from benchmarks import harness, proc
from benchmarks.plots import Bars
from benchmarks.report import Report
from benchmarks.start import gateway_process
from benchmarks.texts import text
from worker.emulator.config import EmulatorConfig

CACHED_P99_MS: Final = 50.0
FIRST_BYTE_MS: Final = 60.0
WAITING_MB: Final = 250.0
TEXTS: Final = 20
PATH: Final = "/openai/v1/audio/speech"


@dataclass(frozen=True, slots=True)
class Knobs:
    """What is run."""

    clients: int = 50
    rate: float = 200.0
    """Cached requests a second, of all clients together."""
    seconds: float = 10.0
    misses: int = 30
    waiting: int = 500
    seed: int = 1


FULL: Final = Knobs(seconds=60, misses=200)


def measure(knobs: Knobs, say: Callable[[str], None]) -> Report:
    """Cached answers, misses, and clients that wait."""
    with harness.temporary_folder() as folder, harness.emulator(EmulatorConfig(latency_seconds=0.1), folder) as api:
        settings = harness.environment(
            SEGMIND_BASE_URL=api.base_url,
            SEGMIND_API_KEY=api.key,
            SEGMIND_RPM="unlimited",
            TTSQ_DATABASE_URL=f"sqlite:///{folder}/queue.db",
            TTSQ_ARTIFACTS_URL=f"file://{folder}/audio",
        )
        with gateway_process(["serve", "--all-in-one"], settings) as (address, _):
            misses = asyncio.run(_misses(address, knobs, lambda: api.admin.state().bill[-1].at))
            say(f"first bytes of {len(misses)} misses")
            cached = asyncio.run(_cached(address, knobs))
            say(f"{len(cached)} cached answers")
        lone = {**settings, "TTSQ_DATABASE_URL": f"sqlite:///{folder}/waiting.db"}
        with gateway_process(["serve"], lone) as (address, pid):
            before = proc.highest_mb(pid)
            asyncio.run(_wait(address, knobs.waiting))
            waiting = proc.highest_mb(pid)
    return _report(knobs, cached, misses, (before, waiting))


def _asked(number: int) -> dict[str, Any]:
    return {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": text(number)}


async def _misses(address: str, knobs: Knobs, billed_at: Callable[[], float]) -> list[float]:
    found = []
    async with aiohttp.ClientSession(address) as session:
        for number in range(knobs.misses):
            async with session.post(PATH, json=_asked(number)) as answer:
                first = time.time()
                assert answer.status == 200, await answer.text()
                await answer.read()
            found.append(1_000 * (first - billed_at()))
    return sorted(found[1:])  # the first one waits for the encoder's imports


async def _cached(address: str, knobs: Knobs) -> list[float]:
    found: list[float] = []
    until = time.monotonic() + knobs.seconds

    async def client(seed: int) -> None:
        chance = random.Random(seed)
        async with aiohttp.ClientSession(address) as session:
            while time.monotonic() < until:
                await asyncio.sleep(chance.expovariate(knobs.rate / knobs.clients))
                began = time.perf_counter()
                async with session.post(PATH, json=_asked(chance.randrange(TEXTS))) as answer:
                    await answer.read()
                    assert answer.headers["x-ttsq-cache"] == "hit"
                found.append(1_000 * (time.perf_counter() - began))

    await asyncio.gather(*(client(knobs.seed + number) for number in range(knobs.clients)))
    return sorted(found)


async def _wait(address: str, clients: int) -> None:
    """All of them ask for texts of their own, and leave after ten seconds."""
    timeout = aiohttp.ClientTimeout(total=10)
    async with aiohttp.ClientSession(address, connector=aiohttp.TCPConnector(limit=0), timeout=timeout) as session:

        async def client(number: int) -> None:
            async with session.post(PATH, json=_asked(number)) as answer:
                assert answer.status != 429, await answer.text()

        outcomes = await asyncio.gather(*map(client, range(clients)), return_exceptions=True)
    answered = [outcome for outcome in outcomes if not isinstance(outcome, TimeoutError)]
    assert not answered, answered[:3]


def _at(ms: Sequence[float], share: float) -> float:
    return ms[min(len(ms) - 1, int(share * len(ms)))]


def _report(knobs: Knobs, cached: Sequence[float], misses: Sequence[float], memory: tuple[float, float]) -> Report:
    rows = [
        (name, _at(ms, 0.5), _at(ms, 0.95), _at(ms, 0.99), ms[-1])
        for name, ms in ((f"cached, {knobs.clients} clients", cached), ("first byte of a miss", misses))
    ]
    p99, first, (idle, waiting) = _at(cached, 0.99), _at(misses, 0.5), memory
    return Report(
        name="speech",
        title=f"OpenAI's speech API: {knobs.rate:g} cached requests a second, {len(misses)} misses one after another",
        columns=("", "p50 ms", "p95 ms", "p99 ms", "longest ms"),
        rows=rows,
        findings=[
            f"99 in 100 cached answers are complete within {p99:.0f} ms (target: {CACHED_P99_MS:g})",
            f"half of the misses begin within {first:.0f} ms of the bill (target: {FIRST_BYTE_MS:g})",
            f"{knobs.waiting} waiting clients: {waiting:.0f} MB at most (target: {WAITING_MB:g}), {idle:.0f} MB before",
        ],
        rounds=[{"way": way, "ms": ms} for way, all_ms in (("cached", cached), ("miss", misses)) for ms in all_ms],
        plot=Bars(("p50 ms", "p99 ms"), axis="ms to the answer", target=CACHED_P99_MS, aim="p99 at most"),
    )
