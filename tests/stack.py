"""`make stack`: the production shape on this machine, without Docker, for trying things out by hand.

PostgreSQL, Valkey, an S3 server, the emulator, two workers and the gateway, from wheels that development needs anyway.
Everything listens on loopback, keeps its data in temporary folders, and ends with this program, however that ends.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from shlex import quote
from types import FrameType
from typing import Final

from tests.cluster.cluster import Cluster
from tests.cluster.processes import GatewayProcess
from tests.cluster.services import own_services
from tests.cluster.shape import Shape
from worker.emulator.config import EmulatorConfig

FOLDER: Final = Path(os.environ.get("STACK_DIR", ".stack"))
PID_FILE: Final = FOLDER / "pid"
ENVIRONMENT_FILE: Final = FOLDER / "environment"
SHAPE: Final = Shape(
    workers=2,
    slots=20,
    latency_seconds=2.0,
    emulator=EmulatorConfig(jitter=0.5),
    settings={"TTSQ_LOG_FORMAT": "console"},
)
POLL_SECONDS: Final = 0.5
LEAVE_SECONDS: Final = 90.0
READY: Final = "The stack is up."
STOPPED: Final = "The stack is down."


def main(words: Sequence[str]) -> int:
    """Start, or stop the one that runs."""
    match list(words):
        case []:
            return _run()
        case ["stop"]:
            return _stop()
        case _:
            print("usage: python -m tests.stack [stop]", file=sys.stderr)
            return 2


def _run() -> int:
    """Until it is asked to stop."""
    if (pid := _running()) is not None:
        print(f"a stack runs already (pid {pid}); end it with `make stack-stop`", file=sys.stderr)
        return 1
    asked = threading.Event()

    def note(_number: int, _frame: FrameType | None) -> None:
        asked.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, note)
    with _noted(), ExitStack() as stack:
        with _step("PostgreSQL, Valkey and S3"):
            services = stack.enter_context(own_services(SHAPE))
        with _step("the database's tables, the emulator and two workers"):
            cluster = stack.enter_context(Cluster(SHAPE, services))
        with _step("the gateway, and an API key for it"):
            gateway, key = _gateway(cluster, stack)
        _tell(cluster, gateway, key)
        while not asked.wait(POLL_SECONDS):
            dead = [worker for worker in cluster.workers if not worker.alive]
            if dead:
                print(f"{dead[0].name} has ended; its log:\n{dead[0].log}", file=sys.stderr)
                return 1
        print("Stopping: calls in flight may finish…", flush=True)
        for worker in cluster.workers:
            worker.send(signal.SIGTERM)
        for worker in cluster.workers:
            worker.wait(LEAVE_SECONDS)
    print(STOPPED, flush=True)
    return 0


@contextmanager
def _noted() -> Iterator[None]:
    """Have our process id and the settings in files, for as long as the block lasts."""
    FOLDER.mkdir(exist_ok=True)
    PID_FILE.write_text(str(os.getpid()), encoding="ascii")
    try:
        yield
    finally:
        for path in (PID_FILE, ENVIRONMENT_FILE):
            path.unlink(missing_ok=True)
        with suppress(OSError):
            FOLDER.rmdir()


@contextmanager
def _step(what: str) -> Iterator[None]:
    """Say what is being started, then how long it took."""
    print(f"Starting {what} … ", end="", flush=True)
    began = time.monotonic()
    yield
    print(f"{time.monotonic() - began:.1f} s", flush=True)


def _gateway(cluster: Cluster, stack: ExitStack) -> tuple[GatewayProcess, str]:
    """A gateway, and a key that it accepts."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ttsq-gateway-")))
    gateway = GatewayProcess(cluster.environment(), folder)
    stack.callback(gateway.stop)
    made = cluster.ttsq("keys", "add", "stack", "--json")
    return gateway, str(json.loads(made.stdout)["key"])


def _tell(cluster: Cluster, gateway: GatewayProcess, key: str) -> None:
    """What runs where, and how to get at it."""
    exports = "".join(f"export {name}={quote(value)}\n" for name, value in sorted(cluster.environment().items()))
    ENVIRONMENT_FILE.touch(mode=0o600)
    ENVIRONMENT_FILE.write_text(exports, encoding="utf-8")
    places = {
        "PostgreSQL": cluster.place.database_url,
        "Redis": cluster.place.broker_url,
        "S3": f"{cluster.services.s3.endpoint_url if cluster.services.s3 else ''} ({cluster.place.artifacts_url})",
        "API": f"{cluster.emulator.base_url} (the emulator, key {cluster.emulator.key})",
        "Gateway": f"{gateway.address} (pid {gateway.pid}, log {gateway.folder / 'server.log'})",
        **{worker.name: f"pid {worker.pid}, log {worker.folder / 'server.log'}" for worker in cluster.workers},
    }
    print(f"{READY}\n")
    for name, place in places.items():
        print(f"  {name:<12}{place}")
    print(f"\nTo use it from another terminal:\n\n  . {ENVIRONMENT_FILE}   # or copy these lines:\n")
    print("".join(f"  {line}\n" for line in exports.splitlines()))
    print("  ttsq run examples/welcome.csv")
    print("  ttsq doctor")
    print(f"  curl -s {gateway.address}/v1/jobs -H 'Authorization: Bearer {key}' \\")
    print("    -H 'Content-Type: application/json' -H 'Prefer: wait=30' -d '{\"text\": \"Good morning.\"}'\n")
    print("Ctrl-C here, or `make stack-stop` elsewhere, ends everything.", flush=True)


def _stop() -> int:
    """End the stack of this folder, and wait until it has ended."""
    pid = _running()
    if pid is None:
        print("no stack runs here")
        return 0
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + LEAVE_SECONDS
    while _running() is not None:
        if time.monotonic() > deadline:
            print(f"the stack (pid {pid}) has not ended yet; its workers may be in long calls", file=sys.stderr)
            return 1
        time.sleep(POLL_SECONDS)
    print(STOPPED)
    return 0


def _running() -> int | None:
    """The process id of the stack of this folder, if it is alive."""
    try:
        pid = int(PID_FILE.read_text(encoding="ascii"))
        os.kill(pid, 0)
    except (OSError, ValueError):
        return None
    return pid


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
