"""Texts of which a part is a direction: a take of what is to be spoken alone is good, and half of that is not."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from worker.audio.directions import certain, pieces
from worker.audio.gate import Flaw, GateLimits, may_agree, refusal
from worker.audio.measurement import measure
from worker.audio.measures import Measures
from worker.audio.spoken import weigh
from worker.audio.take import accept
from worker.emulator.voice.synthesis import Utterance, speak
from worker.emulator.voice.wav import wav

LIMITS: Final = GateLimits()
SAID: Final = "Good evening, and welcome to the harbour. The last ferry leaves at nine."
GUIDE: Final = f"""# AUDIO PROFILE: Jaz R.
## "The Morning Hype"

## THE SCENE: The London Studio
It is 10:00 PM in a glass-walled studio overlooking the moonlit London skyline, but inside it is blindingly bright.
The red "ON AIR" tally light is blazing. Jaz is standing up, bouncing on the balls of their heels.

### DIRECTOR'S NOTES
Style:
* The "Vocal Smile": You must hear the grin in the audio. The soft palate is always raised.
* Dynamics: High projection without shouting. Punchy consonants and elongated vowels on excitement words.

Pace: Speaks at an energetic pace, keeping up with the fast music.

Accent: Jaz is from Brixton, London

### SAMPLE CONTEXT
Jaz is the industry standard for Top 40 radio, high-octane event promos.

#### TRANSCRIPT
[excitedly] {SAID}"""
DIRECTED: Final = {
    "persona over lines": "You are Maria, a calm night nurse.\nShe is in her fifties, from Cork.\nNothing hurries.\n"
    f"Transcript: {SAID}",
    "persona without a verb": "A middle-aged woman, calm, warm, from the north of England, who has told this story a "
    f"hundred times before and still likes it.\nTranscript: {SAID}",
    "instruction paragraph": "Read this like a late-night radio host who has all the time in the world, with long "
    f"pauses and a low voice\n\n{SAID}",
    "two instruction paragraphs": "You are a narrator of audiobooks for small children, patient and soft.\n\nSpeak low"
    f" and keep your voice soft throughout, as if it were late.\n\n{SAID}",
    "voice paragraph": f"A deep, gravelly voice with a slow southern accent, tired after a long day's work.\n\n{SAID}",
    "request paragraph": f"Could you please narrate the text below in the manner of a nature documentary?\n\n{SAID}",
    "trailing direction": f"{SAID}\n\nRead the above in a hushed voice, with a long pause after the first sentence.",
    "instructions and text": "Instructions: speak in a warm, slow voice, as to a guest whom you have long expected.\n"
    f"Text to speak exactly: {SAID}",
    "many notes": "Voice: deep and velvety\nTone: mysterious, a little sad\nPacing: slow, with long pauses\nAccent: "
    f"Scottish, from the islands\nScript: {SAID}",
    "note over lines": f"Style: warm and slow,\nlike an old friend by the fire,\nwho never raises her voice\n\n{SAID}",
    "notes after": f"Text: {SAID}\n\nStyle: hushed and slow, as if someone were asleep in the next room",
    "bold headings": f"**Voice:**\nA tired detective in a rainy town, who has seen it all before.\n\n**Text:**\n{SAID}",
    "rule": f"Warm, low, unhurried; an old sailor who misses the sea and does not say so.\n---\n{SAID}",
    "equals rule": f"=== STYLE ===\nWarm, low and unhurried, like an old sailor.\n=== TEXT ===\n{SAID}",
    "elements": f"<style>Softly, as to a child who is nearly asleep already, and slowly.</style>\n<text>{SAID}</text>",
    "unknown elements": f"<vocal_direction>Softly, as to a child nearly asleep.</vocal_direction>\n{SAID}",
    "wrapped elements": f"<prompt><instructions>Be brisk, like a station announcer at rush hour.</instructions>"
    f"<transcript>{SAID}</transcript></prompt>",
    "long tag": "[in the low, gravelly voice of an old sea captain who has told this story a hundred times and is sure "
    f"that no one believes it] {SAID}",
    "long round aside": "(softly, like someone who has been awake for three days and doesn't want to wake the others "
    f"in the room) {SAID}",
    "stage direction": f"*leans into the microphone and lowers her voice to a murmur* {SAID}",
    "curly": f"{{pause and breathe in slowly before the first word, please}} {SAID}",
    "guide": GUIDE,
    "guide, notes last": f"# TRANSCRIPT\n{SAID}\n# DIRECTOR'S NOTES\nSlow, low, and with a smile that can be heard.",
    "headings with unknown names": f"# Wie\nLangsam und leise, als ob nebenan jemand schliefe, der lange wach lag, "
    f"und mit Pausen nach jedem Satz, die man hört.\n# Was\n{SAID}",
    "say in a whisper": f"Say in a whisper, as if the whole house were asleep and you had come home late: {SAID}",
    "read aloud": f"Read aloud in a warm, welcoming tone: {SAID}",
    "make": f"Make the speaker sound tired and bored, but not unfriendly to anybody: {SAID}",
    "quoted": f'Say cheerfully, with a grin that everybody can hear from the back of the room: "{SAID}"',
    "quoted, single": f"Say cheerfully, as to a friend: '{SAID}'",
    "quoted without a colon": f"Please say “{SAID}” in the voice of a station announcer on a busy morning.",
    "inline transcript": f"Calm, fiftyish, unhurried, a voice like worn leather. Slow. Transcript: {SAID}",
    "ssml": f'<speak><prosody rate="slow" pitch="-2st"><p>{SAID}</p></prosody><break time="2s"/></speak>',
    "json": f'{{"style": "warm and slow, like an old friend by the fire", "text": "{SAID}"}}',
    "json, other names": f'{{"wie": "warm und langsam, so wie ein alter Freund am Kamin, der Zeit hat, viel davon", '
    f'"was": "{SAID}"}}',
    "carriage returns": f"Persona: an old sailor, unhurried.\r\nHe misses the sea.\r\n\r\nTranscript:\r\n{SAID}\r\n",
    "times in the note": f"Scene: it is 10:30 at night, and the radio plays at http://a.example:8000/.\nText: {SAID}",
    "speakers": f"TTS the following conversation between Joe and Jane, two friends who meet by chance:\nJoe: {SAID}",
    "french": f"Consignes : voix douce et lente, comme à un enfant qui s'endort\nTexte : {SAID}",
    "german": f"Sprich langsam und leise, so als ob nebenan jemand schliefe, der schon lange nicht schlief: {SAID}",
    "german paragraph": f"Lies den folgenden Text ruhig und freundlich vor, mit Pausen nach jedem Satz.\n\n{SAID}",
    "spanish": f"Instrucciones: con voz cálida y lenta, como a un viejo amigo.\nTexto: {SAID}",
    "russian": f"Инструкция: тёплым, спокойным голосом, как старому другу.\nТекст: {SAID}",
    "japanese": f"落ち着いた低い声で、ゆっくりと、古い友人に話しかけるように読んでください。\n読み上げ：{SAID}",
    "chinese": f"请用温暖而缓慢的语气朗读，就像对一位老朋友说话一样。\n文本：{SAID}",
    "korean": f"지시: 따뜻하고 느린 목소리로, 오랜 친구에게 말하듯이.\n텍스트: {SAID}",
    "portuguese": f"Leia o texto a seguir com voz calma e amigável, com pausas depois de cada frase.\n\n{SAID}",
    "turkish": f"Aşağıdaki metni sakin ve dostça bir sesle oku, her cümleden sonra dur.\n\n{SAID}",
    "arabic": f"اقرأ النص التالي بصوت هادئ وودود، مع وقفات بعد كل جملة.\n\n{SAID}",
    "arabic labels": f"التعليمات: بصوت دافئ وبطيء، كأنك تتحدث إلى صديق قديم.\nالنص: {SAID}",
    "hindi": f"निम्नलिखित पाठ को शांत और मैत्रीपूर्ण आवाज़ में पढ़ें, हर वाक्य के बाद रुकें।\n\n{SAID}",
    "hindi labels": f"निर्देश: गर्म और धीमी आवाज़ में, जैसे किसी पुराने दोस्त से।\nपाठ: {SAID}",
    "vietnamese": f"Hãy đọc đoạn văn sau bằng giọng ấm áp và chậm rãi, ngừng lại sau mỗi câu.\n\n{SAID}",
    "indonesian": f"Bacalah teks berikut dengan suara hangat dan pelan, dengan jeda setelah setiap kalimat.\n\n{SAID}",
    "thai": f"อ่านข้อความต่อไปนี้ด้วยน้ำเสียงอบอุ่นและช้า เหมือนพูดกับเพื่อนเก่า\n\n{SAID}",
    "greek": f"Διάβασε το παρακάτω κείμενο ήρεμα και φιλικά, με παύσεις μετά από κάθε πρόταση.\n\n{SAID}",
    "hebrew": f"קרא את הטקסט הבא בקול רגוע וידידותי, עם הפסקות אחרי כל משפט.\n\n{SAID}",
    "ukrainian": f"Прочитай наступний текст спокійно і дружньо, з паузами після кожного речення.\n\n{SAID}",
    "fence": f"Warm and slow, like an old friend by the fire, with long pauses.\n```\n{SAID}\n```",
    "comments": f"// warm and slow, like an old friend by the fire\n// with long pauses after each sentence\n{SAID}",
    "comment behind": f"{SAID} // hushed, as if someone were asleep in the next room, and with long pauses",
    "comment of several lines": f"/* Warm and slow, like an old friend\n * by the fire, unhurried.\n */\n{SAID}",
    "comments of other languages": f"; warm and slow, like an old friend by the fire\n% with long pauses\n{SAID}",
    "stage directions": "BEGIN STAGE DIRECTIONS\nThe keeper comes in, shakes the rain from his coat and sits.\n"
    f"END STAGE DIRECTIONS\n{SAID}",
    "stage directions, in line": "BEGIN STAGE DIRECTION The keeper comes in, shakes the rain from his coat and sits. "
    f"END STAGE DIRECTION {SAID}",
    "stage directions in brackets": "[begin stage direction] The keeper comes in, shakes the rain from his coat and "
    f"sits down. [end stage direction] {SAID}",
    "stage directions, dashes": "--- BEGIN DIRECTION ---\nThe keeper comes in, shakes the rain from his coat and sits."
    f"\n--- END DIRECTION ---\n\n{SAID}",
    "an end without a name": f"START NOTES\nThe keeper comes in, shakes the rain from his coat and sits.\nEND\n{SAID}",
    "a block of the transcript": "The keeper comes in, shakes the rain from his coat and sits down to talk a while.\n"
    f"-----BEGIN TRANSCRIPT-----\n{SAID}\n-----END TRANSCRIPT-----",
    "a block of unknown name": f"BEGIN REGIE\nDer Wärter kommt herein, schüttelt den Regen ab und setzt sich hin.\n"
    f"END REGIE\n{SAID}",
    "now read this": f"You have a warm and slow voice, like an old friend by the fire. Now read this: {SAID}",
}  # fmt: skip
PLAIN: Final = {
    "prose": SAID,
    "two paragraphs": f"The harbour was quiet at dawn, and the boats rocked a little.\n\n{SAID}",
    "two lines": f"The harbour was quiet at dawn, and the boats rocked a little.\n{SAID}",
    "dialogue": f"Joe: The harbour was quiet at dawn, and the boats rocked.\nJane: {SAID}",
    "colon in prose": f"The harbour was quiet at dawn. The boats rocked a little, and one thing was clear: {SAID}",
    "time": f"At 10:30 the harbour was quiet, and the boats rocked a little. {SAID}",
    "address": f"Find us at https://harbour.example/boats, where the boats rock a little. {SAID}",
    "french possessive": f"Ses bateaux dormaient encore dans le port, et ses amis aussi.\n\n{SAID}",
    "begin and end in prose": f"Begin with the harbour, and the boats that rocked.\nEnd with the last ferry. {SAID}",
    "slashes": f"The ferry is on time and/or early at https://harbour.example//boats, as ever. {SAID}",
    "quotes": f'The harbour was quiet, and she said, "Let us go." The boats rocked a little. {SAID}',
}


def heard(folder: Path, said: str) -> Measures:
    path = folder / "take"
    path.write_bytes(wav(speak(Utterance(said, "Charon"))))
    return measure(accept(path))


def a_take(text: str, share: float) -> Measures:
    """A take that ends in silence, of a share of the text at an ordinary pace."""
    return Measures(share * len(text) / 15 + 0.3, -6.0, -20.0, 0.2, 0.4, 0.2)


@pytest.mark.parametrize("name", DIRECTED)
def test_what_is_a_direction_need_not_be_heard(tmp_path: Path, name: str) -> None:
    """A take of the transcript alone passes, as does one of the whole text; models return both."""
    text = DIRECTED[name]
    assert refusal(heard(tmp_path, SAID), text, LIMITS) is None
    assert refusal(heard(tmp_path, text), text, LIMITS) is None


@pytest.mark.parametrize("name", DIRECTED)
def test_what_is_no_direction_is_still_expected(name: str) -> None:
    """Of most shapes the transcript is known exactly: a fifth of it is too short."""
    assert weigh(DIRECTED[name]).least >= 0.5 * weigh(SAID).least
    refused = refusal(a_take(SAID, 0.2), DIRECTED[name], LIMITS)
    assert refused is not None
    assert refused.flaw is Flaw.TOO_SHORT


@pytest.mark.parametrize("name", PLAIN)
def test_all_of_a_plain_text_is_certain(name: str) -> None:
    """Prose, dialogue, times, addresses: nothing is taken for a direction, so a third of it is too short."""
    text = PLAIN[name]
    assert weigh(text).least >= 0.9 * weigh(text.replace("Joe: ", "").replace("Jane: ", "")).written - 4
    assert refusal(a_take(text, 0.3), text, LIMITS) is not None


@pytest.mark.parametrize("text", [SAID, SAID * 3, PLAIN["time"], PLAIN["address"].replace("https://", "")])
def test_takes_of_one_piece_never_agree(text: str) -> None:
    """Nothing in such a text can be a direction: two takes cut alike are both cut."""
    assert pieces(text) == [text]
    assert not may_agree(a_take(text, 0.3), text, LIMITS)


def test_two_takes_may_agree_where_the_text_has_parts() -> None:
    """A direction in words that are not known: the take is as long as the last line, and ends in silence."""
    text = f"Ruhig gesprochen, wie von einem alten Fischer am Abend, der Zeit hat und sie sich nimmt.\n{SAID}"
    assert refusal(a_take(SAID, 0.8), text, LIMITS) is not None
    assert may_agree(a_take(SAID, 0.8), text, LIMITS)
    assert not may_agree(a_take(SAID, 0.2), text, LIMITS)


@pytest.mark.parametrize("arrow", [">>", "=>", "-->", "→", "|"])
def test_two_takes_may_agree_behind_an_arrow(arrow: str) -> None:
    """A direction on the same line, told from the text by a sign alone."""
    text = f"warm, slow, like an old friend by the fire, unhurried, tired and glad to be home {arrow} {SAID}"
    assert may_agree(a_take(SAID, 0.8), text, LIMITS)
    assert not may_agree(a_take(SAID, 0.2), text, LIMITS)


@pytest.mark.parametrize(
    "text",
    [
        "<a>" * 3000,
        "[" * 5000,
        "*" * 5000,
        "Say " * 3000,
        "text to " * 2000,
        "a: " * 3000,
        "{" * 4000,
        "#\n" * 3000,
        '"' * 5000,
        "/*" * 5000,
        "// " * 3000,
        "BEGIN " * 2000,
        "BEGIN A END " * 1000,
        "[BEGIN x] " * 1500 + "[END x] " * 1500,
        "BEGIN AA " * 1500 + "END AA " * 1500,
        "-- " * 4000,
    ],
)
def test_no_text_takes_long(text: str) -> None:
    """Something is certain of any text, or nothing is; finding out never backtracks for minutes."""
    assert len(certain(text)) <= len(text)
