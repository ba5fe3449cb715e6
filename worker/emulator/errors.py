"""Errors of the emulator itself. Responses to its callers are in `refusals`."""

from __future__ import annotations


class EmulatorError(Exception):
    pass


class CannotListenError(EmulatorError):
    """The address is in use, not local, or not permitted."""

    def __init__(self, host: str, port: int, reason: str) -> None:
        super().__init__(f"cannot listen on {host}:{port}: {reason}")
        self.host = host
        self.port = port
        self.reason = reason


class NoVoiceError(EmulatorError):
    """Words can't be spoken on this machine."""

    def __init__(self) -> None:
        super().__init__("voice espeak needs the program espeak-ng, which is not on PATH")


class NotRunningError(EmulatorError):
    """The emulator has not been started."""

    def __init__(self) -> None:
        super().__init__("the emulator is not running; call start() first")


class AdminRefusedError(EmulatorError):
    """The emulator rejected a change."""

    def __init__(self, path: str, status: int, message: str) -> None:
        super().__init__(f"{path} answered {status}: {message}")
        self.path = path
        self.status = status
        self.message = message
