"""What the command says to a script when it ends."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """The exit codes; scripts go by them."""

    DONE = 0
    """Everything that was asked for is there."""
    SOME_FAILED = 1
    """The work is over, and some of it failed, was cancelled or expired."""
    UNUSABLE = 2
    """Bad input, bad settings, or something out of reach: what was asked for could not be done."""
    HELD = 3
    """The rest is held: a budget doesn't cover it, or takes before it were refused. Raising the one, resuming the other
    continues."""
    INTERRUPTED = 130
    """Stopped by Ctrl-C or SIGTERM, or by a no to the question whether to buy."""
