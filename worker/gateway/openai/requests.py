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
from api_models.problems import Fault, faults_of
from api_models.registry import MODELS

PRIORITY: Final = 10
"""A person waits for the answer; batches have 0."""
INSTRUCTED: Final = "### Director's notes\n{instructions}\n\n### Transcript\n{input}"
"""The layout of Google's prompting guide. The acceptance of takes knows it: the notes need not be spoken."""
AAC_REMEDY: Final = "aac needs PyAV on the gateway: pip install 'ttsq[m4b]'"
_FIELDS: Final[Mapping[str, str]] = {"text": "input", "voice_1": "voice"}


@dataclass(frozen=True, slots=True)
class Dialect:
    """What a gateway's clients may name, and what it can encode."""

    models: NameTable
    voices: NameTable
    has_aac: bool
    max_text_bytes: int | None
    """The setting; None for the model's own limit."""

    def job(self, wanted: SpeechIn, **queueing: Any) -> JobIn | list[Fault]:  # noqa: ANN401 - fields of a job
        """Return the job, or every error of the request. `queueing` are further fields of the job."""
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
            job = JobIn.model_validate(fields, context={"max_text_bytes": self.max_text_bytes})
        except ValidationError as error:
            return faults + [_renamed(fault) for fault in faults_of(error)]
        return faults or self._instructed(job, wanted)

    def _instructed(self, job: JobIn, wanted: SpeechIn) -> JobIn | list[Fault]:
        if not wanted.instructions.strip():
            return job
        text = INSTRUCTED.format(instructions=wanted.instructions.strip(), input=wanted.input)
        limit = self.max_text_bytes or MODELS[job.model].max_text_bytes
        try:
            size = len(text.encode())
        except UnicodeEncodeError:
            return [Fault(field="instructions", message="contains half of a surrogate pair; write the whole character")]
        if "\x00" in text:
            return [Fault(field="instructions", message="contains a NUL character; remove it")]
        if size > limit:
            own = len(wanted.input.encode())
            message = (
                f"is {own:,} bytes of UTF-8 and, with the instructions, {size:,}: over the limit of {limit:,} a request"
            )
            return [Fault(field="input", message=message)]
        return job.model_copy(update={"text": text})


def _renamed(fault: Fault) -> Fault:
    return fault.model_copy(update={"field": _FIELDS.get(fault.field or "", fault.field)})
