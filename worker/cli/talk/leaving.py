"""Ending the process, also where threads are still waiting for answers that nobody will use any more."""

from __future__ import annotations

import os
import sys
import threading
from typing import NoReturn

from worker.cli.talk.exits import Exit


def leave(code: Exit) -> NoReturn:
    """End with this code. Python would wait for every thread of a pool; a call may take minutes to come back."""
    main = threading.main_thread()
    if any(thread is not main and not thread.daemon for thread in threading.enumerate()):
        leave_now(code)
    sys.exit(code)


def leave_now(code: Exit) -> NoReturn:
    """End at once, with everything said that was to be said."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
