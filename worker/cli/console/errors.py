"""Everything that a person at the terminal can be told to mend, beside faults of an input. Data and words only."""

from __future__ import annotations

from collections.abc import Sequence

from api_models.hints import quoted


class CliError(Exception):
    """The command can't do what was asked; `remedy` says what would help, and may be empty."""

    def __init__(self, message: str, remedy: str = "", lines: Sequence[str] = ()) -> None:
        """`lines` are printed between the two, for what has several faults."""
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.lines = tuple(lines)


class NoKeyError(CliError):
    """Speech would have to be paid for, and there is no key to pay with."""

    def __init__(self, source: str) -> None:
        super().__init__(
            "there is no API key",
            "set SEGMIND_API_KEY in the environment or in .env; to try things out with no key and no money:"
            f" ttsq run {source} --rehearse",
        )


class NoQueueError(CliError):
    """There is no database where the settings say it is."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"there is no queue at {path} yet",
            "change to the folder where `ttsq run` was given, or set TTSQ_DATABASE_URL;"
            " the first `ttsq run FILE` makes a queue",
        )
        self.path = path


class NotMigratedError(CliError):
    """The database's tables are missing or older than this program."""

    def __init__(self, found: str | None, needed: str) -> None:
        state = "has no tables yet" if found is None else f"is at revision {found}, and this program needs {needed}"
        super().__init__(f"the database {state}", "run `ttsq migrate` once, with the same settings")
        self.found = found
        self.needed = needed


class NewerDatabaseError(CliError):
    """A newer version of this program made the database's tables."""

    def __init__(self, found: str, needed: str) -> None:
        super().__init__(
            f"the database is at revision {found}, which this program, at {needed}, doesn't know",
            "upgrade ttsq to the version that made it",
        )
        self.found = found
        self.needed = needed


class UnknownBatchError(CliError):
    """No batch is called this."""

    def __init__(self, wanted: str, hint: str = "") -> None:
        super().__init__(f'no batch has the id or name "{wanted}"{hint}', "`ttsq status` lists the newest batches")
        self.wanted = wanted


class UnknownJobError(CliError):
    """No job's id begins like this."""

    def __init__(self, wanted: str) -> None:
        super().__init__(f'no job\'s id begins with "{wanted}"', "`ttsq jobs list` shows the ids")
        self.wanted = wanted


class AmbiguousError(CliError):
    """The beginning of an id fits more than one."""

    def __init__(self, what: str, wanted: str, matches: Sequence[str]) -> None:
        super().__init__(f'"{wanted}" could be more than one {what}: {", ".join(matches)}', "give more of its id")
        self.wanted = wanted


class NothingChosenError(CliError):
    """A command that changes jobs wasn't told which."""

    def __init__(self, command: str) -> None:
        super().__init__(
            f"which jobs should be {command}?", "name their ids, or choose with --batch BATCH, --code CODE"
        )


class MemoryBrokerError(CliError):
    """A worker by itself can't be reached over a broker that lives in another process's memory."""

    def __init__(self) -> None:
        super().__init__(
            "TTSQ_BROKER_URL is memory://: no message from another process could ever reach this worker",
            "with memory:// the worker runs inside `ttsq run FILE`; for workers of their own set TTSQ_BROKER_URL=redis://…"
            " and TTSQ_DATABASE_URL=postgresql+psycopg://…, here and for `ttsq run`",
        )


class BadOptionError(CliError):
    """What was given with an option means nothing."""

    def __init__(self, option: str, value: str, message: str, remedy: str = "") -> None:
        """`message` goes on after the value, such as "is not a day"."""
        super().__init__(f"{option}: {quoted(value)} {message}", remedy)
        self.option = option
        self.value = value


class UnknownGateError(CliError):
    """No gate is called this."""

    def __init__(self, wanted: str, known: Sequence[str], hint: str = "") -> None:
        super().__init__(f"no gate is called {quoted(wanted)}{hint}", f"there are {', '.join(known)}")
        self.wanted = wanted


class StorageGateError(CliError):
    """The storage's gate follows the store alone."""

    def __init__(self) -> None:
        super().__init__(
            "the storage can't be closed by hand: it closes while audio can't be stored, and opens by itself",
            "`ttsq gates close account` holds everything",
        )


class UnusableEmulatorError(CliError):
    """The emulator was asked to be something that it can't be."""
