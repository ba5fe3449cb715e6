"""Errors that a user of the command line can fix. Faults of an input are in `api_models.problems`."""

from __future__ import annotations

from collections.abc import Sequence

from api_models.hints import quoted


class CliError(Exception):
    """The command failed; `remedy` says how to fix it, and may be empty."""

    def __init__(self, message: str, remedy: str = "", lines: Sequence[str] = ()) -> None:
        """`lines` are printed between message and remedy."""
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.lines = tuple(lines)


class NoKeyError(CliError):
    def __init__(self, source: str) -> None:
        super().__init__(
            "no API key is set",
            f"set SEGMIND_API_KEY in the environment or in .env; to try it without a key: ttsq run {source} --rehearse",
        )


class NoQueueError(CliError):
    def __init__(self, path: str, rehearsal: str | None = None) -> None:
        """`rehearsal` is the address of a rehearsal's queue, if this folder has one."""
        own = f"; that of `ttsq run --rehearse` is shown with TTSQ_DATABASE_URL={rehearsal}" if rehearsal else ""
        super().__init__(
            f"no queue at {path}",
            "change to the folder where `ttsq run` was started, or set TTSQ_DATABASE_URL;"
            f" the first `ttsq run FILE` creates a queue{own}",
        )
        self.path = path


class NotMigratedError(CliError):
    def __init__(self, found: str | None, needed: str) -> None:
        state = "has no tables" if found is None else f"is at revision {found}; this version of ttsq needs {needed}"
        super().__init__(f"the database {state}", "run `ttsq migrate` with the same settings")
        self.found = found
        self.needed = needed


class NewerDatabaseError(CliError):
    def __init__(self, found: str, needed: str) -> None:
        super().__init__(
            f"the database is at revision {found}, newer than this version of ttsq ({needed})",
            "upgrade ttsq",
        )
        self.found = found
        self.needed = needed


class UnknownBatchError(CliError):
    def __init__(self, wanted: str, hint: str = "") -> None:
        super().__init__(f'no batch "{wanted}"{hint}', "`ttsq status` lists the newest batches")
        self.wanted = wanted


class UnknownJobError(CliError):
    def __init__(self, wanted: str) -> None:
        super().__init__(f'no job with the id or custom_id "{wanted}"', "`ttsq jobs list` shows both")
        self.wanted = wanted


class AmbiguousError(CliError):
    def __init__(self, what: str, wanted: str, matches: Sequence[str]) -> None:
        super().__init__(f'"{wanted}" matches more than one {what}: {", ".join(matches)}', "use a longer id")
        self.wanted = wanted


class NothingChosenError(CliError):
    def __init__(self, command: str) -> None:
        super().__init__(f"no jobs selected to be {command}", "pass job ids, --batch BATCH or --code CODE")


class MemoryBrokerError(CliError):
    def __init__(self) -> None:
        super().__init__(
            "TTSQ_BROKER_URL is memory://, which no other process can reach",
            "in single-process mode the worker runs inside `ttsq run FILE`; for separate workers set TTSQ_BROKER_URL=redis://…"
            " and TTSQ_DATABASE_URL=postgresql+psycopg://…, here and for `ttsq run`",
        )


class BadOptionError(CliError):
    def __init__(self, option: str, value: str, message: str, remedy: str = "") -> None:
        """`message` continues after the value, such as "is not a day"."""
        super().__init__(f"{option}: {quoted(value)} {message}", remedy)
        self.option = option
        self.value = value


class UnknownGateError(CliError):
    def __init__(self, wanted: str, known: Sequence[str], hint: str = "") -> None:
        super().__init__(f"no gate {quoted(wanted)}{hint}", f"gates: {', '.join(known)}")
        self.wanted = wanted


class StorageGateError(CliError):
    def __init__(self) -> None:
        super().__init__(
            "the storage gate cannot be closed by hand: it follows the store, and opens automatically",
            "`ttsq gates close account` holds all jobs",
        )


class UnusableEmulatorError(CliError):
    """The emulator's options or scenario are invalid."""
