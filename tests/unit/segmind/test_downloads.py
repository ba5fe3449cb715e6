"""Where linked audio may be fetched from."""

from __future__ import annotations

import pytest

from worker.segmind.downloads import permitted
from worker.segmind.transport import address

API = "https://api.segmind.com"
REHEARSAL = "http://127.0.0.1:8080"


@pytest.mark.parametrize(
    ("source", "api", "expected"),
    [
        ("https://files.example.com/take.wav?signature=1", API, True),
        ("https://93.184.215.14/take.wav", API, True),
        ("https://api.segmind.com/files/take.wav", API, True),
        ("http://127.0.0.1:8080/files/take.wav", REHEARSAL, True),
        ("https://files.example.com/take.wav", REHEARSAL, True),
        ("http://api.segmind.com/files/take.wav", API, False),
        ("http://files.example.com/take.wav", API, False),
        ("http://files.example.com/take.wav", REHEARSAL, False),
        ("http://127.0.0.1:8080/files/take.wav", API, False),
        ("https://10.1.2.3/take.wav", API, False),
        ("https://[::1]/take.wav", API, False),
        ("https://169.254.169.254/latest", API, False),
        ("https://intranet/take.wav", API, False),
        ("https://127.1:8443/take.wav", API, False),
        ("https://0x7f.0.0.1/take.wav", API, False),
        ("https://2130706433/take.wav", API, False),
        ("https://192.0.0.192/take.wav", API, False),
        ("https://[::ffff:0:7f00:1]/take.wav", API, False),
        ("https://[64:ff9b::7f00:1]/take.wav", API, False),
        ("https://app.localhost/take.wav", API, False),
        ("https://printer.local./take.wav", API, False),
        ("https://printer.local/take.wav", API, False),
        ("https://name:word@files.example.com/take.wav", API, False),
        ("ftp://files.example.com/take.wav", API, False),
        ("file:///etc/passwd", API, False),
    ],
)
def test_permitted(source: str, api: str, expected: bool) -> None:
    """The public network by https, and the API's own host by its own scheme; no inside host, no login, no file."""
    assert permitted(address(source), address(api)) is expected
