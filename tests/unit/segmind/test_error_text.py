"""The API's words in all shapes of its errors, and that no key is among them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.segmind.error_text import MAX_MESSAGE_CHARACTERS, error_message, reports_failure
from worker.telemetry.redaction import REDACTED, redact

KEY = "SG_0123456789abcdef"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"error": "Insufficient credits"}', "Insufficient credits"),
        (b'{"detail": "Not here"}', "Not here"),
        (b'{"message": "Slow down"}', "Slow down"),
        (
            b'{"error": "Unauthorized", "error_description": "Invalid API key", "status_code": 401}',
            "Unauthorized: Invalid API key",
        ),
        (b'{"error": {"code": 7, "message": "nested"}}', "nested"),
        (b'{"error": "twice", "message": "twice"}', "twice"),
        (b'{"detail": [{"loc": ["body", "voice_1"], "msg": "bad", "type": "enum"}]}', "body.voice_1: bad"),
        (b'["one", "two"]', "one: two"),
        (b'"only a string"', "only a string"),
        (b'{"error": null, "code": 3}', '{"error": null, "code": 3}'),
        (b"{}", ""),
        (b"null", ""),
        (b"", ""),
        (b"plain words\n here", "plain words here"),
        (b"{broken", "{broken"),
        (b'\xef\xbb\xbf{"error": "marked"}', "marked"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b'{"error": "\\ud800"}', "?"),
        (b'{"error": "a\\u0000b"}', "a b"),
        (
            b"<!doctype html><title>405 Not Allowed</title><style>p{}</style><!-- x --><p>Use &lt;POST&gt;<script>a()",
            "405 Not Allowed Use <POST>",
        ),
    ],
)
def test_shapes(body: bytes, expected: str) -> None:
    """Whatever the shape of the body, its words are found; where there are none, there is nothing."""
    assert error_message(body) == expected


def test_words_have_an_end() -> None:
    """A page of an error is cut to what a row can hold."""
    assert len(error_message(b"x " * 50_000)) == MAX_MESSAGE_CHARACTERS


def test_a_key_at_the_cut_is_not_cut_in_half() -> None:
    """Redaction comes before the cut, so no part of a key is left at the end."""
    assert "SG_" not in error_message(b"x" * (MAX_MESSAGE_CHARACTERS - 8) + KEY.encode())


@given(st.binary(max_size=300))
def test_any_body_has_words(body: bytes) -> None:
    """No body makes the reading of its words fail, and all of them can be stored."""
    error_message(body).encode()


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["error", "detail", "loc", "message", "x"]), inner, max_size=4)
        ),
        max_leaves=12,
    )
)
def test_any_document_has_words(document: object) -> None:
    """Nor does any JSON."""
    assert isinstance(error_message(json.dumps(document).encode()), str)


def test_deep_nesting_is_harmless() -> None:
    """A body that nests without end is no way to stop a worker."""
    assert error_message(b"[" * 60_000)


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"error": "x"}, True),
        ({"detail": "x"}, True),
        ({"status": "FAILED"}, True),
        ({"error": None, "audio": "x"}, False),
        ({"error": "", "status": "COMPLETED"}, False),
        (["error"], False),
        ("error", False),
    ],
)
def test_failures_under_a_200(document: object, expected: bool) -> None:
    """A JSON body says whether its run failed."""
    assert reports_failure(document) is expected


@pytest.mark.parametrize("text", [KEY, f"x{KEY}y", KEY.upper(), f"{KEY}{KEY}", f'{{"x-api-key": "{KEY}"}}'])
def test_keys_are_redacted_by_their_form(text: str) -> None:
    """A key is known by how it looks, wherever it stands."""
    assert "0123456789abcdef" not in redact(text).lower()


def test_given_secrets_are_redacted() -> None:
    """A key of another form is redacted because it is in use; a longer secret is replaced before one it contains."""
    assert redact("a hush-hush and hush", "hush", "hush-hush") == f"a {REDACTED} and {REDACTED}"


@given(st.text(max_size=50), st.text(max_size=50), st.text("abcdefgh0123456789", min_size=8, max_size=20))
def test_nothing_redacted_is_left(before: str, after: str, secret: str) -> None:
    """Neither the given secret nor anything like a key survives."""
    left = redact(f"{before}{secret}{after}{KEY}", secret)
    assert secret not in left
    assert KEY not in left


def test_an_empty_secret_redacts_nothing() -> None:
    """No secret given is not the same as every character being one."""
    assert redact("plain", "") == "plain"
