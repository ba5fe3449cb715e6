"""OpenAI's speech request as a job. Pure. Every error names the client's own field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from api_models.formats import DeliveryFormat
from api_models.jobs import JobIn
from api_models.openai import SpeechIn
from api_models.openai_names import NameTable
from api_models.problems import Fault, InvalidInputError, faults_of
from api_models.registry import MODELS
from api_models.speech import LONG_TEXTS

PRIORITY: Final = 10
"""A person waits for the answer; batches have 0."""
INSTRUCTED: Final = "### Director's notes\n{instructions}\n\n### Transcript\n{input}"
"""The layout of Google's prompting guide. The acceptance of takes knows it: the notes need not be spoken."""
AAC_REMEDY: Final = "aac needs PyAV on the gateway: pip install 'ttsq[m4b]'"
_FIELDS: Final[Mapping[str, str]] = {"text": "input", "voice_1": "voice"}


MIN_PART_BYTES: Final = 500
"""What instructions must leave of a request's limit where a text is divided."""


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a long request: a request of its own."""

    wanted: SpeechIn
    pause: float
    """Seconds of silence behind it."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a gateway's clients may name, and what it can encode."""

    models: NameTable
    voices: NameTable
    has_aac: bool
    max_text_bytes: int | None
    """The setting; None for the model's own limit."""

    def shares(self, wanted: SpeechIn) -> list[Share]:
        """Divide a request whose text exceeds the limit of one; else it is its own and only share. The
        instructions apply to each part. Raises InvalidInputError: every error of the request.
        """
        job = self.job(wanted, divides=True)
        if isinstance(job, list):
            raise InvalidInputError("request", job)
        limit = self._limit(job.model) - (len(job.text.encode()) - len(wanted.input.encode()))
        if len(wanted.input.encode()) <= limit:
            return [Share(wanted, 0.0)]
        if limit < MIN_PART_BYTES:
            fault = Fault(field="instructions", message=f"leave {max(limit, 0)} bytes of a request for the text")
            raise InvalidInputError("request", [fault])
        return self._divided(wanted, limit)

    def _divided(self, wanted: SpeechIn, limit: int) -> list[Share]:
        # They cost the libraries that find sentences, which few requests need.
        from worker.documents.errors import NothingToSpeakError  # noqa: PLC0415
        from worker.documents.join.style import GAP_SECONDS  # noqa: PLC0415
        from worker.documents.plan.limits import PartLimits  # noqa: PLC0415
        from worker.documents.plan.plan import plan  # noqa: PLC0415
        from worker.documents.readers import text as text_reader  # noqa: PLC0415

        try:
            parts = plan(text_reader.read(wanted.input), PartLimits(max_bytes=limit)).parts
        except NothingToSpeakError as error:
            raise InvalidInputError("request", [Fault(field="input", message=str(error))]) from None
        pauses = [GAP_SECONDS[part.gap] for part in parts[:-1]] + [0.0]
        own = {"response_format": DeliveryFormat.PCM, "stream_format": "audio"}
        return [
            Share(wanted.model_copy(update={"input": part.spoken, **own}), pause)
            for part, pause in zip(parts, pauses, strict=True)
        ]

    def _limit(self, model: str) -> int:
        return self.max_text_bytes or MODELS[model].max_text_bytes

    def job(
        self,
        wanted: SpeechIn,
        *,
        divides: bool = False,
        **queueing: Any,  # noqa: ANN401 - fields of a job
    ) -> JobIn | list[Fault]:
        """Return the job, however long its text, or every error of the request. `queueing` are further fields of the
        job. Instructions must fit into one request with the text, unless the caller `divides` it.
        """
        faults: list[Fault] = []
        model, voice = self.models.meaning(wanted.model), self.voices.meaning(wanted.voice)
        if model is None:
            faults.append(Fault(field="model", message=self.models.unknown(wanted.model)))
        if voice is None:
            faults.append(Fault(field="voice", message=self.voices.unknown(wanted.voice)))
        if wanted.response_format is DeliveryFormat.AAC and not self.has_aac:
            faults.append(Fault(field="response_format", message=AAC_REMEDY))
        fields: dict[str, Any] = {
            "text": wanted.input,
            "voice_1": voice,
            "temperature": wanted.temperature,
            "variant": wanted.variant,
            **queueing,
        }
        if model is not None:
            fields["model"] = model
        try:
            job = JobIn.model_validate(fields, context={"max_text_bytes": self.max_text_bytes, LONG_TEXTS: True})
        except ValidationError as error:
            return faults + [_renamed(fault) for fault in faults_of(error)]
        return faults or self._instructed(job, wanted, divides=divides)

    def _instructed(self, job: JobIn, wanted: SpeechIn, *, divides: bool) -> JobIn | list[Fault]:
        if not wanted.instructions.strip():
            return job
        text = INSTRUCTED.format(instructions=wanted.instructions.strip(), input=wanted.input)
        limit = self._limit(job.model)
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            return [Fault(field="instructions", message="contains half of a surrogate pair; write the whole character")]
        if "\x00" in text:
            return [Fault(field="instructions", message="contains a NUL character; remove it")]
        if size > limit and not divides:
            own = len(wanted.input.encode())
            message = (
                f"is {own:,} bytes of UTF-8 and, with the instructions, {size:,}: over the limit of {limit:,} a request"
            )
            return [Fault(field="input", message=message)]
        return job.model_copy(update={"text": text})


def _renamed(fault: Fault) -> Fault:
    return fault.model_copy(update={"field": _FIELDS.get(fault.field or "", fault.field)})
