"""The takes that were made, kept as recipes: each can be made again, byte for byte, when it is fetched."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from api_models.registry import MODELS
from worker.emulator import takes
from worker.emulator.calls import Call
from worker.emulator.faults import Effect, Take
from worker.emulator.synthesis import Utterance, filler, speak
from worker.emulator.wav import wav

KEPT_FILES: Final = 10_000
"""Addresses that stay valid; the oldest are forgotten."""


class Shelf:
    """Makes takes, and remembers those that were answered by address."""

    def __init__(self, audio_bytes: int | None) -> None:
        """`audio_bytes` makes every take a ready file of that size."""
        self._audio_bytes = audio_bytes
        self._files: OrderedDict[str, Utterance] = OrderedDict()
        # With the bytes of a good ready file at hand, a load test's answer copies nothing.
        self._ready = wav(filler(audio_bytes)) if audio_bytes is not None else None

    def body(self, request_id: str, call: Call, effect: Effect, base_url: str) -> tuple[str, bytes]:
        """Content type and body of the answer to `call`."""
        if self._ready is not None and effect.take is Take.GOOD:
            return takes.WAV, self._ready
        utterance = _utterance(call)

        def file_url() -> str:
            self._keep(request_id, utterance)
            return f"{base_url}/files/{request_id}.wav"

        return takes.body(effect, self._pcm(utterance), file_url)

    def fetch(self, name: str) -> bytes | None:
        """The file of an answer by address, or None where there is none."""
        utterance = self._files.get(name.removesuffix(".wav"))
        return wav(self._pcm(utterance)) if utterance is not None else None

    def _keep(self, request_id: str, utterance: Utterance) -> None:
        self._files[request_id] = utterance
        if len(self._files) > KEPT_FILES:
            self._files.popitem(last=False)

    def _pcm(self, utterance: Utterance) -> bytes:
        return speak(utterance) if self._audio_bytes is None else filler(self._audio_bytes)


def _utterance(call: Call) -> Utterance:
    model = MODELS[call.slug]
    voice_1, voice_2 = call.voices
    return Utterance(call.text, voice_1 or model.default_voice, voice_2, model.understands_tags)
