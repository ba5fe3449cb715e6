"""The emulator's audio: lengths, levels, voices, and the bad takes made of it."""

from __future__ import annotations

import base64
import io
import json
import wave

import numpy as np
import numpy.typing as npt
import pytest

from api_models.registry import VOICES
from worker.emulator.api.calls import Call
from worker.emulator.api.tickets import PLAIN
from worker.emulator.config import EmulatorConfig
from worker.emulator.faults import Effect, Take
from worker.emulator.voice.cache import Shelf
from worker.emulator.voice.score import Note, score, turns, weight
from worker.emulator.voice.synthesis import Utterance, filler, speak
from worker.emulator.voice.takes import body
from worker.emulator.voice.timbre import pitch_hz, syllable
from worker.emulator.voice.wav import wav

PROSE = "The harbour was quiet at dawn, and the boats, still tied up, rocked a little. Who would sail out first?"


def samples(pcm: bytes) -> npt.NDArray[np.float64]:
    """PCM as numbers from −1 to 1."""
    return np.frombuffer(pcm, "<i2") / 32_768


def seconds(pcm: bytes) -> float:
    """Length of PCM."""
    return len(pcm) / 48_000


def silent_share(pcm: bytes) -> float:
    """The share of frames of 20 ms below −50 dBFS."""
    frames = samples(pcm)[: len(pcm) // 960 * 480].reshape(-1, 480)
    return float((np.sqrt((frames**2).mean(axis=1)) < 10 ** (-50 / 20)).mean())


def heard_pitch_hz(pcm: bytes) -> float:
    """The pitch of one note: the shortest lag at which it resembles itself nearly as well as at any."""
    sound = samples(pcm)
    correlation = np.fft.irfft(np.abs(np.fft.rfft(sound, 2 * len(sound))) ** 2)
    shortest, longest = 24_000 // 320, 24_000 // 60
    column_block = correlation[shortest:longest]
    peaks = (
        (column_block[1:-1] >= column_block[:-2])
        & (column_block[1:-1] >= column_block[2:])
        & (column_block[1:-1] > 0.85 * column_block.max())
    )
    return 24_000 / (shortest + 1 + int(np.flatnonzero(peaks)[0]))


@pytest.mark.parametrize(
    "text",
    [
        PROSE,
        "日本語のテキストを読み上げます。とても静かな朝でした。",
        "Привет, мир! Сегодня хороший день, и мы идём гулять.",
        "नमस्ते दुनिया, आज का दिन बहुत अच्छा है।",
        "1234567890 12 345 6789, and 42 more numbers to read.",
        "Mississippi rhythms strengths twelfths " * 20,
        "a" * 400,
    ],
)
def test_speech_has_the_length_of_the_text(text: str) -> None:
    """About 15 characters a second, wide ones counting three, and small pauses; mostly sound, peak at −6 dBFS."""
    pcm = speak(Utterance(text, "Kore"))
    expected = weight(text) / 15
    assert 0.8 * expected < seconds(pcm) < 1.3 * expected + 0.5
    assert silent_share(pcm) < 0.4
    assert 0.45 < np.abs(samples(pcm)).max() <= 0.501


@pytest.mark.parametrize("text", ["!", "...", "🙂", ". . . . . .\n\n\n\n", "[laughs]", "A.", "\ud800"])
def test_any_text_yields_some_sound(text: str) -> None:
    """Nothing to say is a hum, and a text of pauses is not a silent file."""
    pcm = speak(Utterance(text, "Puck", tags=True))
    assert seconds(pcm) > 0.1
    assert silent_share(pcm) < 0.6


def test_every_voice_sounds_at_its_own_pitch() -> None:
    """No two of the thirty share a pitch, and the audio has the pitch."""
    assert len({pitch_hz(voice) for voice in VOICES}) == len(VOICES)
    assert len({speak(Utterance(PROSE, voice)) for voice in VOICES}) == len(VOICES)
    note = Note(vowel=0, hiss=False, weight=5, step=0, stressed=True)
    for voice in VOICES:
        assert heard_pitch_hz(syllable(voice, note)) == pytest.approx(pitch_hz(voice), rel=0.06)


def test_the_same_utterance_is_the_same_audio() -> None:
    """Byte for byte, also when nothing is remembered."""
    first = speak(Utterance(PROSE, "Leda"))
    speak.cache_clear()
    assert speak(Utterance(PROSE, "Leda")) == first


def test_a_dialogue_alternates_the_voices_and_leaves_names_unspoken() -> None:
    """The first name speaks with the first voice, the second with the second, and lines without a name go on."""
    text = "Ann: Hello.\nBob: Good day.\nHow are you?\nAnn: Fine."
    assert turns(text, two_speakers=True, tags=False) == [
        (0, "Hello."),
        (1, "Good day."),
        (1, "How are you?"),
        (0, "Fine."),
    ]
    assert turns(text, two_speakers=False, tags=False) == [(0, text)]
    both, one = speak(Utterance(text, "Kore", "Puck")), speak(Utterance(text, "Kore", "Kore"))
    assert both != one
    assert len(both) == len(one)


def test_tags_are_read_aloud_only_by_a_model_that_does_not_know_them() -> None:
    """So the same text is longer there."""
    text = "[whispers] Be quiet, please."
    assert len(speak(Utterance(text, "Kore", tags=False))) > len(speak(Utterance(text, "Kore", tags=True)))


def test_a_question_rises() -> None:
    """Its last word lies above that of the same words as a statement."""

    def last_step(text: str) -> int:
        return [event.step for event in score(text) if isinstance(event, Note)][-1]

    assert last_step("You came home?") > last_step("You came home.")


@pytest.mark.parametrize("size", [46, 1_000, 240_000])
def test_a_ready_file_has_exactly_its_size(size: int) -> None:
    """And is a valid WAV."""
    data = wav(filler(size))
    assert len(data) == size
    with wave.open(io.BytesIO(data)) as file:
        assert file.getparams()[:4] == (1, 2, 24_000, (size - 44) // 2)
    assert EmulatorConfig(audio_bytes=size).audio_bytes == size


PCM = speak(Utterance(PROSE, "Kore"))


def made(**effect: object) -> tuple[str, bytes]:
    """A take of PROSE."""
    return body(Effect.model_validate(effect), PCM, lambda: "http://emulator/files/x.wav")


def frames_of(data: bytes) -> bytes:
    """The samples of a valid WAV."""
    with wave.open(io.BytesIO(data)) as file:
        frames: bytes = file.readframes(file.getnframes())
        return frames


@pytest.mark.parametrize("audio_bytes", [46, 24_044, None])
def test_takes_of_the_same_text_differ_on_request(audio_bytes: int | None) -> None:
    """Two requests give two files of one length that sound alike; a file that is fetched again is the same file."""
    shelf = Shelf(audio_bytes, takes_differ=True)
    call = Call("gemini-3.1-flash-tts", None, bearer=False, content_type="application/json", fields={"text": PROSE})
    (_, one), (_, other) = (shelf.body(name, call, PLAIN, "") for name in ("one", "other"))
    shelf.put("one", call, PLAIN)
    kept = shelf.fetch("one.wav")

    assert one != other
    assert len(one) == len(other)
    assert one[44:-24] == other[44:-24]
    assert kept is not None
    assert kept.body == one


def test_each_bad_take_is_bad_in_its_own_way() -> None:
    """Truncated, repeated, silent, with a tail, without frames, without header, without anything."""
    assert frames_of(made(take=Take.GOOD)[1]) == PCM
    assert len(frames_of(made(take=Take.TRUNCATED, share=0.25)[1])) == pytest.approx(len(PCM) / 4, abs=2)
    assert frames_of(made(take=Take.REPEATED, repeats=3)[1]) == PCM * 3
    assert frames_of(made(take=Take.SILENT)[1]) == bytes(len(PCM))
    assert frames_of(made(take=Take.SILENT_TAIL, repeats=2)[1]) == PCM + bytes(2 * len(PCM))
    assert (len(made(take=Take.HEADER_ONLY)[1]), frames_of(made(take=Take.HEADER_ONLY)[1])) == (44, b"")
    assert made(take=Take.HEADERLESS)[1] == PCM
    assert made(take=Take.EMPTY)[1] == b""


def test_json_answers_hold_the_take_in_each_form() -> None:
    """An address, a data URI, base64, or an error in spite of the 200."""
    forms = {take: json.loads(made(take=take)[1]) for take in Take if take.value.startswith("json")}
    assert forms[Take.JSON_URL] == {"audio": "http://emulator/files/x.wav"}
    assert base64.b64decode(forms[Take.JSON_DATA_URI]["audio"].removeprefix("data:audio/wav;base64,")) == wav(PCM)
    assert base64.b64decode(forms[Take.JSON_BASE64]["audio"]) == wav(PCM)
    assert forms[Take.JSON_ERROR] == {"error": "Audio generation failed"}
    assert made(take=Take.JSON_URL, json_key="output")[1].startswith(b'{"output":')
