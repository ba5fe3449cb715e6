"""What may be unspoken is possible, never certain: a take of the transcript alone is never refused, nor one of all."""

from __future__ import annotations

import pytest

from tests.speech.voice import RATE, take
from worker.acceptance.espeak import Espeak
from worker.acceptance.findings import Rung, TakeText
from worker.acceptance.listening import listen

SAID = ("The ferry leaves the small harbour at half past seven.", "Please keep your ticket until you arrive.")
TEXT = " ".join(SAID)
PERSONA = "You are a calm guide at a small harbour.\nYou speak slowly, and you smile.\nYour voice is deep and warm."
LONG_TAG = "[speaking like an old sailor who has told this story a hundred times and still enjoys every word of it]"

PROMPTS = [
    f"{PERSONA}\n\nTranscript: {TEXT}",
    f"Read the following in a calm and friendly voice, without any hurry\n\n{TEXT}",
    f"Instructions: speak softly and take your time.\nText to speak exactly: {TEXT}",
    f"<style>soft and slow, almost a whisper</style>\n<text>{TEXT}</text>",
    f"{LONG_TAG} {TEXT}",
    f"Say cheerfully: {TEXT}",
    TEXT,
]
NEIGHBOURS = [
    f"[whispers] {TEXT}",
    f"{SAID[0]} [pause] {SAID[1]}",
    f"(softly) {TEXT}",
    f"{SAID[0]} (a long breath) {SAID[1]}",
    f"Narrator: {TEXT}",
    f"Style: warm.\nPace: slow.\n\n{TEXT}",
    f"# Director's notes\nKeep it light and quick.\n\n# Transcript\n{TEXT}",
    f"## Voice\nA tired captain.\n## Text\n{TEXT}",
    f"// read it like the news\n{TEXT}",
    f"/* a voice from far away, with long pauses */ {TEXT}",
    f"BEGIN DIRECTIONS\nSlow and friendly, please.\nEND DIRECTIONS\n{TEXT}",
    f"**Tone:** friendly\n\n{TEXT}",
    f"Please read this aloud in a deep voice: {TEXT}",
    f"Read aloud with a smile:\n\n{TEXT}",
    f"Note: this is for the harbour's loudspeakers.\nTranscript: {TEXT}",
    f'Say in a sleepy voice: "{TEXT}"',
    f'{{"style": "slow and warm", "text": "{TEXT}"}}',
    f"<speak>{SAID[0]}<break time='1s'/>{SAID[1]}</speak>",
    f"*clears throat* {TEXT}",
    f"Speaker 1: {SAID[0]}\nSpeaker 2: {SAID[1]}",
]


@pytest.mark.parametrize("prompt", [*PROMPTS, *NEIGHBOURS])
def test_a_take_of_the_transcript_is_not_refused(espeak: Espeak, prompt: str) -> None:
    found = listen(take(espeak, SAID), RATE, TakeText(prompt, "en"), rungs={Rung.SIGNAL, Rung.SHAPE})
    assert not any(one.suspicious for one in found), found


def test_a_take_that_reads_the_direction_too_is_not_refused(espeak: Espeak) -> None:
    samples = take(espeak, ("Style, warm.", "Pace, slow.", *SAID))
    found = listen(samples, RATE, TakeText(f"Style: warm.\nPace: slow.\n\n{TEXT}", "en"), rungs={Rung.SHAPE})
    assert not any(one.suspicious for one in found), found


def test_a_sentence_lost_behind_a_direction_is_still_missed(espeak: Espeak) -> None:
    third = "The coffee on board is served in the blue saloon."
    (found,) = listen(
        take(espeak, (*SAID, third)[:2]), RATE, TakeText(f"[whispers] {TEXT} {third}", "en"), rungs={Rung.SHAPE}
    )
    assert (found.suspicious, found.sentence) == (True, third)
