"""Which addresses the settings take, and that a refusal names the remedy and no piece of a password."""

from __future__ import annotations

import pytest

from worker.environment import addresses

SECRET = "hunter2"


@pytest.mark.parametrize(
    ("written", "taken"),
    [
        ("sqlite:///folder/file.db", "sqlite:///folder/file.db"),
        ("sqlite:////my folder/file.db", "sqlite:////my folder/file.db"),
        ("postgres://u@h/db", "postgresql+psycopg://u@h/db"),
        ("postgresql+asyncpg://h:5433/db", "postgresql+psycopg://h:5433/db"),
        ("postgresql://u:a#b/c[d@h/db", "postgresql+psycopg://u:a%23b%2Fc%5Bd@h/db"),
        ("postgresql://u@[::1]:5432/db?sslmode=require", "postgresql+psycopg://u@[::1]:5432/db?sslmode=require"),
        ("postgresql:///db?host=/run/postgresql", "postgresql+psycopg:///db?host=%2Frun%2Fpostgresql"),
        ("postgresql://h/db?options=-csearch_path%3Dtts", "postgresql+psycopg://h/db?options=-csearch_path%3Dtts"),
    ],
)
def test_a_database_address_is_taken(written: str, taken: str) -> None:
    """With the driver that is installed, and its password encoded."""
    assert addresses.database_address(written) == taken


@pytest.mark.parametrize(
    ("written", "remedy"),
    [
        ("", "has no scheme"),
        ("/var/ttsq.db", "has no scheme"),
        ("localhost:5432/db", "has no scheme"),
        ("sqlite://", "names no file"),
        ("sqlite:///", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:///file:x?mode=memory&uri=true", "names no file"),
        ("sqlite:///ttsq.db?timeout=60", "remove what follows the ?"),
        ("sqlite://ttsq.db", "three for a relative path"),
        ("sqlite:///folder/", "names a folder"),
        ("sqlite:///~/ttsq.db", "~, which is not expanded"),
        ("sqlite+aiosqlite:///ttsq.db", "sqlite:///file without a driver"),
        ("mysql://h/db", "is not supported"),
        ("postgresql://", "ends after its scheme"),
        ("postgresql:///db", "?host=/var/run/postgresql"),
        ("postgresql://h1,h2/db", "several hosts"),
        ("postgresql://h1:5432,h2:5432/db", "several hosts"),
        ("postgresql:///db?host=h1&host=h2", "several hosts"),
        ("postgresql://h1/db?host=h2", "several hosts"),
        ("postgresql://h:0/db", "port"),
        ("postgresql://h:70000/db", "port"),
        ("postgresql://h:five/db", "port"),
        ("postgresql:///db?host=h&port=x", "port"),
        ("postgresql://-h/db", "neither a name nor an address"),
        ("postgresql://h/db?sslmod=require", 'did you mean "sslmode"?'),
        ("postgresql://h /db", "space or an invisible character"),
        ("postgresql://h\u202e/db", "space or an invisible character"),
        (f"postgresql://u:{SECRET}@{SECRET}@h/db", "percent-encode"),
        (f"postgresql://u:x@{SECRET}/{SECRET}@h/db", "percent-encode"),
        (f"postgresql://u:x@h/db#{SECRET}", "percent-encode"),
        (f"postgresql://u:x@h:{SECRET}/db", "percent-encode"),
    ],
)
def test_a_database_address_is_refused(written: str, remedy: str) -> None:
    """In settings, before anything connects."""
    with pytest.raises(ValueError, match=r".") as refused:
        addresses.database_address(written)
    assert remedy in str(refused.value)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("written", "taken"),
    [
        ("memory://", "memory://"),
        ("memory://localhost/", "memory://"),
        ("redis://h", "redis://h"),
        ("REDIS://h:6380/3", "redis://h:6380/3"),
        ("redis://:p%23%2F%5B@h/0", "redis://:p%23%2F%5B@h/0"),
        ("redis://[::1]:6379/0", "redis://[::1]:6379/0"),
        ("rediss://u:p@h/0?ssl_cert_reqs=CERT_REQUIRED", "rediss://u:p@h/0?ssl_cert_reqs=CERT_REQUIRED"),
        ("rediss://h/0?ssl_cert_reqs=required&ssl_ca_certs=/ca.pem", None),
        ("sentinel://h/0?master_name=m&ssl_cert_reqs=required&ssl_ca_certs=/ca.pem", None),
    ],
)
def test_a_broker_address_is_taken(written: str, taken: str | None) -> None:
    """Its scheme in lower case, the rest as written."""
    assert addresses.broker_address(written) == (taken or written)


@pytest.mark.parametrize(
    ("written", "remedy"),
    [
        ("", "has no scheme"),
        ("h", "has no scheme"),
        ("localhost:6379", "has no scheme"),
        ("redis://", "ends after its scheme"),
        ("redis:///0", "names no host"),
        ("redis://:p@/0", "names no host"),
        ("redis://h/abc", "number of a Redis database"),
        ("redis://h/0/1", "number of a Redis database"),
        ("redis://h/-1", "number of a Redis database"),
        ("redis://h:70000/0", "port"),
        ("redis://h:0/0", "port"),
        ("redis://h:x/0", "port"),
        ("redis://h1,h2/0", "several hosts"),
        ("redis://h1:1,h2:2/0", "several hosts"),
        ("redis://h1:1;redis://h2:2", "several hosts"),
        ("redis://h/0?db=1", "only rediss:// takes"),
        ("rediss://h/0?ssl_cert_req=none", 'did you mean "ssl_cert_reqs"?'),
        ("rediss://h/0?ssl_cert_reqs=CERT_REQIRED", 'did you mean "CERT_REQUIRED"?'),
        ("valkey://h:6379", "write redis://"),
        ("valkeys://h:6379", "write rediss://"),
        ("amqp://h", "is not supported"),
        ("rediss+sentinel://h/0?master_name=m", "&ssl_cert_reqs=required"),
        ("sentinels://h/0?master_name=m", "&ssl_cert_reqs=required"),
        ("redis+sentinel://h/0?master_name=m", "write sentinel://"),
        ("sentinel://h/0?master_name=m&ssl_cert_reqs=yes", "write required"),
        ("sentinel://h/0?master_name=m&ssl_check_hostname=2", "true or false"),
        ("sentinel://h/0?master_name=m&ssl=true", "ssl_cert_reqs"),
        ("unix:///run/redis.sock", "is not supported"),
        ("https://h", "is not supported"),
        (f"redis://:{SECRET}#x@h/0", "percent-encode"),
        (f"redis://:x#{SECRET}@h/0", "percent-encode"),
        (f"redis://:x/{SECRET}@h/0", "percent-encode"),
        (f"redis://:x?{SECRET}@h/0", "percent-encode"),
        (f"redis://:x[{SECRET}@h/0", "percent-encode"),
        (f"redis://:x]{SECRET}@h/0", "percent-encode"),
        (f"redis://:12/{SECRET}@h/0", "percent-encode"),
    ],
)
def test_a_broker_address_is_refused(written: str, remedy: str) -> None:
    """In settings, before anything connects."""
    with pytest.raises(ValueError, match=r".") as refused:
        addresses.broker_address(written)
    assert remedy in str(refused.value)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    "written",
    [
        "https://api.segmind.com",
        "https://api.segmind.com/",
        "https://api.segmind.com/v1",
        "https://api.segmind.com/v1/",
        "https://API.segmind.com:443/v2",
    ],
)
def test_the_vendors_spelling_of_its_address_is_the_address(written: str) -> None:
    """Its SDK writes the version, which the client adds."""
    assert addresses.api_address(written) == "https://api.segmind.com"


def test_a_proxy_keeps_its_path() -> None:
    """Which may end in a version; a wrong one holds jobs, and fails none."""
    assert addresses.api_address("https://proxy.example/tts/v1/") == "https://proxy.example/tts/v1"


@pytest.mark.parametrize(
    "written",
    [
        "",
        "api.segmind.com",
        "ftp://api.segmind.com",
        "https://",
        "https://h:99999",
        "https://h?key=1",
        "https://h#x",
        f"https://u:{SECRET}@h",
        "https://api.segmind.com/v1/gemini-2.5-flash-preview-tts",
    ],
)
def test_an_address_of_the_api_is_refused(written: str) -> None:
    """Nothing of it is repeated but a scheme."""
    with pytest.raises(ValueError, match=r"write|port|percent") as refused:
        addresses.api_address(written)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("written", ["file:///srv/my audio", "s3://bucket", "s3://bucket/a/b"])
def test_a_store_is_taken(written: str) -> None:
    """A folder or a bucket."""
    assert addresses.artifacts_address(written) == written


@pytest.mark.parametrize(
    "written", ["", "audio", "file://audio", "file:audio", "s3://", "s3:///x", "s3://a b", "gs://b"]
)
def test_a_store_is_refused(written: str) -> None:
    """With the two forms that are taken, or what is missing."""
    with pytest.raises(ValueError, match="file:///folder"):
        addresses.artifacts_address(written)


@pytest.mark.parametrize("written", ["10.0.0.0/33", "https://hooks.lan", "hooks lan", "::1/129", "1.2.3"])
def test_a_list_of_networks_is_refused(written: str) -> None:
    """The wrong entry is named."""
    with pytest.raises(ValueError, match=r"not a network|neither a network"):
        addresses.allowed_destinations(f"127.0.0.1,{written}")


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("http://localhost:8000", True),
        ("http://api.localhost", True),
        ("http://127.8.9.1", True),
        ("http://[::1]:8000", True),
        ("http://[::ffff:127.0.0.1]", True),
        ("http://localhost.example.com", False),
        ("http://127.0.0.1.example.com", False),
        ("http://10.0.0.1", False),
        ("http://[::ffff:10.0.0.1]", False),
    ],
)
def test_loopback_is_judged_by_the_address(address: str, local: bool) -> None:
    """Not by how a name begins."""
    assert addresses.is_loopback(address) is local


def test_a_password_is_masked_as_written_and_decoded() -> None:
    """Unless it is short, or part of the rest of the address, where masking it would hide more than itself."""
    assert addresses.passwords("redis://:a%23bcdefg@h/0") == {"a%23bcdefg", "a#bcdefg"}
    assert addresses.passwords("redis://:short@h/0") == set()
    assert addresses.passwords("postgresql+psycopg://u:postgres@h/db") == set()


@pytest.mark.parametrize(
    ("written", "taken"),
    [(":9464", "127.0.0.1:9464"), ("0.0.0.0:80", "0.0.0.0:80"), ("[::1]:9464", "[::1]:9464"), ("host:09", "host:9")],
)
def test_an_address_to_listen_on_is_taken(written: str, taken: str) -> None:
    """A port alone is this machine's only."""
    assert addresses.listening_address(written) == taken


@pytest.mark.parametrize(
    "written", ["9464x", "host", "", "host:", "host:0", "host:65536", "a@b@c:9464", ":-1", "::1:x"]
)
def test_an_address_to_listen_on_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match=r"port|host|@"):
        addresses.listening_address(written)
