"""What can go wrong with the emulator itself. What it answers to callers isn't here but in `refusals`."""

from __future__ import annotations


class EmulatorError(Exception):
    """The emulator can't do what it was asked to."""


class CannotListenError(EmulatorError):
    """The address can't be listened on: taken, not this machine's, or not permitted."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"can't listen on {host}:{port}: {reason}")
        self.host = host
        self.port = port
        self.reason = reason


class NotRunningError(EmulatorError):
    """The emulator was asked for its address or state without having been started."""

    def __init__(self) -> None:
        super().__init__("the emulator isn't running; call start() first")


class AdminRefusedError(EmulatorError):
    """The emulator refused a change of its behaviour."""

    def __init__(self, path: str, status: int, message: str) -> None:
        super().__init__(f"{path} answered {status}: {message}")
        self.path = path
        self.status = status
        self.message = message
