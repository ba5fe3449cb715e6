"""JSON that is decoded in strides is the same JSON, and nothing else is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from worker.gateway import json_strides
from worker.gateway.json_strides import MAX_MEMBERS, MAX_STRING_CHARACTERS, STRIDE_CHARACTERS, TooLongError

DECODER = json.JSONDecoder(object_pairs_hook=list)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=60,
)


def strides(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """What is read, or None where it is no JSON."""
    try:
        return json_strides.decode(text, DECODER, list, stride=8)
    except ValueError:
        return ValueError


def whole(text: str) -> Any:  # noqa: ANN401 - any JSON value
    """What the standard library reads."""
    try:
        return DECODER.decode(text)
    except ValueError:
        return ValueError


@given(VALUES, st.sampled_from([None, 0, 3]), st.booleans())
def test_a_value_is_read_as_it_was_written(value: object, indent: int | None, is_ascii: bool) -> None:
    """With blanks and escapes, or without."""
    text = json.dumps(value, indent=indent, ensure_ascii=is_ascii)
    assert strides(text) == whole(text)


@given(VALUES, st.data())
def test_what_is_cut_or_changed_is_refused_alike(value: object, data: st.DataObject) -> None:
    """One character is left out, or put in."""
    text = json.dumps(value)
    at = data.draw(st.integers(0, len(text)))
    put = data.draw(st.sampled_from(["", ",", ":", "]", "}", "[", '"', "\\", " ", "1", "e"]))
    for changed in (text[:at] + text[at + 1 :], text[:at] + put + text[at:]):
        assert strides(changed) == whole(changed)


@given(st.text('\\a"'))
@example("\\" * 8)
def test_no_piece_ends_amid_an_escape(text: str) -> None:
    """Together they are the text."""
    pieces = list(json_strides.pieces(text, stride=8))
    assert "".join(pieces) == text
    plain = "".join(piece.replace("\\\\", "").replace('\\"', "") for piece in pieces)
    assert plain == text.replace("\\\\", "").replace('\\"', "")


@pytest.mark.parametrize(
    "text",
    [
        '["' + "a" * MAX_STRING_CHARACTERS + '\\nb"]',
        '["' + '\\"' * MAX_STRING_CHARACTERS + '"]',
        '{"a": "' + "\\\\" * MAX_STRING_CHARACTERS + '"}',
        "[" + "1," * MAX_MEMBERS + "1]",
        '{"a": [' + "true," * MAX_MEMBERS + "1]}",
    ],
)
def test_what_no_body_needs_is_refused_before_it_is_read(text: str) -> None:
    """Strings of megabytes, lists of a hundred thousand."""
    with pytest.raises(TooLongError):
        json_strides.decode(text, DECODER, list)


def test_no_more_than_a_stride_is_decoded_at_once() -> None:
    """But for a string, which may be longer."""
    text = json.dumps({"jobs": [{"text": "Good morning. " * 50, "tags": ["a", "b"]}] * 2_000})
    seen: list[int] = []

    class Watching(json.JSONDecoder):
        """Notes how far each call read."""

        def raw_decode(self, s: str, idx: int = 0) -> tuple[Any, int]:
            """As the decoder does."""
            found, end = super().raw_decode(s, idx)
            seen.append(end - idx)
            return found, end

    assert json_strides.decode(text, Watching(), dict) == json.loads(text)
    assert max(seen) <= STRIDE_CHARACTERS


def test_a_string_without_escapes_may_be_as_long_as_its_body() -> None:
    """A file in Base64 has megabytes. With a control character it is no JSON, and is refused as before."""
    text = '["' + "a" * (3 * MAX_STRING_CHARACTERS) + '"]'
    assert json_strides.decode(text, DECODER, list) == [text[2:-2]]
    with pytest.raises(ValueError, match="more than"):
        json_strides.decode(text[:100_000] + "\n" + text[100_000:], DECODER, list)
