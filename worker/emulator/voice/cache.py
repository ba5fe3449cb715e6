"""Takes kept as recipes: each can be synthesized again, byte for byte, when it is fetched."""

from __future__ import annotations

import base64
import hashlib
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Final

from api_models.registry import MODELS
from worker.emulator.api.calls import Call
from worker.emulator.api.tickets import PLAIN
from worker.emulator.faults import Effect, Take
from worker.emulator.voice import takes
from worker.emulator.voice.spoiling import spoiled_pcm, spoiled_text
from worker.emulator.voice.synthesis import Utterance, filler, speak
from worker.emulator.voice.wav import wav

KEPT_FILES: Final = 10_000
"""Maximum number of valid URLs; the oldest are dropped."""
SIGNATURE_BYTES: Final = 24


@dataclass(frozen=True, slots=True)
class File:
    call: Call
    content_type: str
    body: bytes
    stretched_to_bytes: int = 0
    """If larger than the body: zeros follow it up to this length."""

    @property
    def size(self) -> int:
        return max(len(self.body), self.stretched_to_bytes)

    def base64(self) -> str:
        return base64.b64encode(self.body).decode()


class Shelf:
    """Synthesizes takes and remembers those served by URL."""

    def __init__(self, audio_bytes: int | None, *, takes_differ: bool = False, says_words: bool = False) -> None:
        """`audio_bytes` makes every take a prepared file of that size; `takes_differ` makes each take unique;
        `says_words` speaks by espeak-ng.
        """
        self._says_words = says_words
        self._audio_bytes = audio_bytes
        self._takes_differ = takes_differ
        self._files: OrderedDict[str, tuple[Call, Effect]] = OrderedDict()
        # Prepared once, so that a load test's responses copy nothing.
        self._ready = wav(filler(audio_bytes)) if audio_bytes is not None else None

    def body(self, request_id: str, call: Call, effect: Effect, base_url: str) -> tuple[str, bytes]:
        """Return content type and body of v1's response."""
        if self._ready is not None and effect.take is Take.GOOD and not self._takes_differ:
            return takes.WAV, self._ready

        def file_url() -> str:
            self.put(request_id, call, PLAIN)
            return f"{base_url}/files/{request_id}.wav"

        return takes.body(effect, self._pcm(request_id, call, effect.take), file_url)

    def put(self, name: str, call: Call, effect: Effect) -> File:
        """Register a call's take under a name. JSON takes become good files."""
        self._files[name] = (call, PLAIN if effect.take in takes.JSON_TAKES else effect)
        if len(self._files) > KEPT_FILES:
            self._files.popitem(last=False)
        return self._made(name, *self._files[name])

    def fetch(self, name: str) -> File | None:
        """Return the file, or None if unknown."""
        stem = name.removesuffix(".wav")
        recipe = self._files.get(stem)
        return None if recipe is None else self._made(stem, *recipe)

    def _made(self, name: str, call: Call, effect: Effect) -> File:
        content_type, body = self.body(name, call, effect, "")
        stretched = effect.size_bytes if effect.take is Take.HUGE else 0
        return File(call, effect.content_type or content_type, body, stretched)

    def _pcm(self, request_id: str, call: Call, take: Take) -> bytes:
        pcm = spoiled_pcm(take, self._spoken(call, take)) if self._audio_bytes is None else filler(self._audio_bytes)
        end = _signature(request_id)[: len(pcm)] if self._takes_differ else b""
        return pcm[: len(pcm) - len(end)] + end

    def _spoken(self, call: Call, take: Take) -> bytes:
        utterance = _utterance(call)
        utterance = replace(utterance, text=spoiled_text(take, utterance.text))
        if not self._says_words:
            return speak(utterance)
        # numpy takes long to import, which tones need not pay.
        from worker.emulator.voice import espeak  # noqa: PLC0415  (the reason is the line above)

        return espeak.speak(utterance)


def _signature(request_id: str) -> bytes:
    """An inaudible ending of half a millisecond that is unique per request."""
    samples = [byte - 128 for byte in hashlib.sha256(request_id.encode()).digest()[: SIGNATURE_BYTES // 2]]
    return b"".join(sample.to_bytes(2, "little", signed=True) for sample in samples)


def _utterance(call: Call) -> Utterance:
    model = MODELS[call.slug]
    voice_1, voice_2 = call.voices
    return Utterance(call.text, voice_1 or model.default_voice, voice_2, model.understands_tags)
