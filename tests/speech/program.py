"""The program espeak-ng by the library of the wheel espeakng-loader: `python -m tests.speech.program OPTION…`.

Only the options that this project uses. It runs as a process of its own, as the real program does.
"""

from __future__ import annotations

import argparse
import ctypes
import struct
import sys
from typing import Any

import espeakng_loader

SYNCHRONOUS = 2
UTF8 = 1
IPA = 2
RATE = 1
GAP = 7
CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p)


def main() -> int:
    options = argparse.ArgumentParser()
    options.add_argument("-v", default="en-us")
    options.add_argument("-s", type=int)
    options.add_argument("-g", type=int)
    options.add_argument("-b")
    for flag in ("-q", "--stdout", "--stdin", "--ipa"):
        options.add_argument(flag, action="store_true")
    chosen = options.parse_args()
    library = ctypes.CDLL(espeakng_loader.get_library_path())
    rate = library.espeak_Initialize(SYNCHRONOUS, 0, str(espeakng_loader.get_data_path()).encode(), 0)
    if library.espeak_SetVoiceByName(chosen.v.encode()):
        sys.stderr.write(f"no voice {chosen.v}\n")
        return 1
    for parameter, value in ((RATE, chosen.s), (GAP, chosen.g)):
        if value:
            library.espeak_SetParameter(parameter, value, 0)
    text = sys.stdin.buffer.read()
    output = _ipa(library, text) if chosen.ipa else _wav(library, text, rate)
    sys.stdout.buffer.write(output)
    return 0


def _wav(library: Any, text: bytes, rate: int) -> bytes:  # noqa: ANN401 - a library of ctypes has no type
    pieces: list[bytes] = []

    def receive(samples: Any, count: int, _: object) -> int:  # noqa: ANN401 - likewise
        if samples and count:
            pieces.append(ctypes.string_at(samples, 2 * count))
        return 0

    callback = CALLBACK(receive)
    library.espeak_SetSynthCallback(callback)
    library.espeak_Synth(text, len(text) + 1, 0, 1, 0, UTF8, None, None)
    library.espeak_Synchronize()
    pcm = b"".join(pieces)
    form = struct.pack("<4sI4s4sIHHIIHH", b"RIFF", 36 + len(pcm), b"WAVE", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    return form + struct.pack("<4sI", b"data", len(pcm)) + pcm


def _ipa(library: Any, text: bytes) -> bytes:  # noqa: ANN401 - likewise
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    lines = []
    for paragraph in text.rstrip(b"\n").split(b"\n\n"):
        rest = ctypes.c_char_p(paragraph)
        clauses = []
        while rest.value:
            clauses.append(library.espeak_TextToPhonemes(ctypes.byref(rest), UTF8, IPA) or b"")
        lines.append(b" ".join(clauses))
    return b"\n".join(lines) + b"\n"


if __name__ == "__main__":
    sys.exit(main())
