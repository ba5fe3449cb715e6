"""Tags are written as a model reads them; one that would read them aloud gets none."""

from __future__ import annotations

import pytest

from api_models.speech import JobRequest
from api_models.speech_model import TagDialect
from api_models.wording import Clean
from worker.text.lexicon.lexicon import Lexicon
from worker.text.preparation import Preparation
from worker.text.tags import in_dialect, squared, without

WITH_TAGS, WITHOUT_TAGS = "gemini-3.1-flash-tts", "gemini-2.5-flash-tts"


@pytest.mark.parametrize(
    ("how", "text", "with_tags", "without_tags"),
    [
        (Clean.AUTO, "Well [sighs] then.", "Well [sighs] then.", "Well then."),
        (Clean.AUTO, "<sigh> Well, <b>then</b>.", "[sigh] Well, then.", "Well, then."),
        (Clean.HTML, "[whispers] A <i>secret</i>.", "[whispers] A secret.", "A secret."),
        (Clean.MARKDOWN, "**No** [clears throat] one.", "No [clears throat] one.", "No one."),
        (Clean.SSML, "Well [laughs] <break/> then.", "Well [laughs]\n\nthen.", "Well\n\nthen."),
        (Clean.AUTO, "See [1] and [Smith] there.", "See [1] and [Smith] there.", "See [1] and [Smith] there."),
    ],
)
def test_a_cleaned_text_has_the_tags_of_its_model(how: Clean, text: str, with_tags: str, without_tags: str) -> None:
    """Known tags alone are taken for tags; other brackets stay."""
    prepare = Preparation(lambda _: Lexicon([]))

    found = [prepare(text, JobRequest(text=text, clean=how, model=model)).text for model in (WITH_TAGS, WITHOUT_TAGS)]
    assert found == [with_tags, without_tags]


def test_dialects() -> None:
    assert in_dialect(squared("<SIGH/> a [b] <c>"), TagDialect.ANGLE) == "<SIGH> a [b] <c>"
    assert in_dialect("[sigh] a", TagDialect.SQUARE) == "[sigh] a"
    assert without("a [sigh], b") == "a, b"
