"""One request of a codec process, answered: the errors that its worker is to know become answers too."""

from __future__ import annotations

import errno
import os

from worker.audio.codec import work
from worker.audio.codec.messages import InspectRequest, RenderRequest, read_request, write_error, write_result
from worker.audio.errors import BadAudio, BadAudioError


def answer(line: bytes) -> bytes:
    request = read_request(line)
    try:
        if isinstance(request, InspectRequest):
            return write_result(work.inspect(request))
        if isinstance(request, RenderRequest):
            return write_result(work.rendered(request))
        return write_result(work.encoded(request))
    except (BadAudioError, OSError) as error:
        return write_error(error)
    except AssertionError:
        # So soundfile says that fewer samples were written than given: the disk is full.
        return write_error(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    except MemoryError:
        return write_error(BadAudioError(BadAudio.UNREADABLE, "audio that needs too much memory to decode"))
