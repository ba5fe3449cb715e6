"""The takes that were made, kept as recipes: each can be made again, byte for byte, when it is fetched."""

from __future__ import annotations

import base64
import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from api_models.registry import MODELS
from worker.emulator.api.calls import Call
from worker.emulator.api.tickets import PLAIN
from worker.emulator.faults import Effect, Take
from worker.emulator.voice import takes
from worker.emulator.voice.synthesis import Utterance, filler, speak
from worker.emulator.voice.wav import wav

KEPT_FILES: Final = 10_000
"""Addresses that stay valid; the oldest are forgotten."""
SIGNATURE_BYTES: Final = 24


@dataclass(frozen=True, slots=True)
class File:
    """A result file."""

    call: Call
    content_type: str
    body: bytes
    stretched_to_bytes: int = 0
    """Above the body's length: zeros follow up to this length."""

    @property
    def size(self) -> int:
        """In bytes."""
        return max(len(self.body), self.stretched_to_bytes)

    def base64(self) -> str:
        """The body as text."""
        return base64.b64encode(self.body).decode()


class Shelf:
    """Makes takes, and remembers those that were answered by address."""

    def __init__(self, audio_bytes: int | None, *, takes_differ: bool = False) -> None:
        """`audio_bytes` makes every take a ready file of that size; `takes_differ` leaves no two of them alike."""
        self._audio_bytes = audio_bytes
        self._takes_differ = takes_differ
        self._files: OrderedDict[str, tuple[Call, Effect]] = OrderedDict()
        # With the bytes of a good ready file at hand, a load test's answer copies nothing.
        self._ready = wav(filler(audio_bytes)) if audio_bytes is not None else None

    def body(self, request_id: str, call: Call, effect: Effect, base_url: str) -> tuple[str, bytes]:
        """Content type and body of v1's answer to `call`."""
        if self._ready is not None and effect.take is Take.GOOD and not self._takes_differ:
            return takes.WAV, self._ready

        def file_url() -> str:
            self.put(request_id, call, PLAIN)
            return f"{base_url}/files/{request_id}.wav"

        return takes.body(effect, self._pcm(request_id, call), file_url)

    def put(self, name: str, call: Call, effect: Effect) -> File:
        """Keeps the take of a call under a name. Takes that are forms of JSON are good files."""
        self._files[name] = (call, PLAIN if effect.take in takes.JSON_TAKES else effect)
        if len(self._files) > KEPT_FILES:
            self._files.popitem(last=False)
        return self._made(name, *self._files[name])

    def fetch(self, name: str) -> File | None:
        """The file of an answer by address, or None where there is none."""
        stem = name.removesuffix(".wav")
        recipe = self._files.get(stem)
        return None if recipe is None else self._made(stem, *recipe)

    def _made(self, name: str, call: Call, effect: Effect) -> File:
        content_type, body = self.body(name, call, effect, "")
        stretched = effect.size_bytes if effect.take is Take.HUGE else 0
        return File(call, effect.content_type or content_type, body, stretched)

    def _pcm(self, request_id: str, call: Call) -> bytes:
        pcm = speak(_utterance(call)) if self._audio_bytes is None else filler(self._audio_bytes)
        end = _signature(request_id)[: len(pcm)] if self._takes_differ else b""
        return pcm[: len(pcm) - len(end)] + end


def _signature(request_id: str) -> bytes:
    """A last half millisecond, too soft to be heard, that no other request has."""
    samples = [byte - 128 for byte in hashlib.sha256(request_id.encode()).digest()[: SIGNATURE_BYTES // 2]]
    return b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples)


def _utterance(call: Call) -> Utterance:
    model = MODELS[call.slug]
    voice_1, voice_2 = call.voices
    return Utterance(call.text, voice_1 or model.default_voice, voice_2, model.understands_tags)
