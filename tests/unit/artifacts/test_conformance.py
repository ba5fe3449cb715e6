"""The conformance suite of `ArtifactStore`, run here against the local folder; the S3 servers run it too."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from worker.artifacts.errors import ArtifactsError
from worker.artifacts.factory import open_store
from worker.artifacts.store import ArtifactStore, StoredObject

KEYS = (
    "plain.wav",
    "tenant/batch/0001.wav",
    "t/b/with a space.wav",
    "t/b/größe.wav",
    "t/b/日本語 👋.wav",
    "t/b/100% & a+b=c #1 (x) [y] {z} 'q' ~@,;!$^`.wav",
    "t/b/%2F.wav",
    "t/b/..dots...wav",
)
OUTSIDE = ("", "/etc/passwd", "../up.wav", "a/../../up.wav", "a//b.wav", "a/./b.wav", "a\\b.wav", "a\x00b", ".ttsq/x")


def store_bytes(
    store: ArtifactStore,
    key: str,
    content: bytes,
    folder: Path,
    *,
    content_type: str = "audio/wav",
    metadata: Mapping[str, str] | None = None,
    sha256: str | None = None,
) -> StoredObject:
    """Put `content` under `key` by way of a file, as a worker's spool does."""
    source = folder / f"spooled-{threading.get_ident()}"
    source.write_bytes(content)
    sha256 = sha256 or hashlib.sha256(content).hexdigest()
    return store.put(key, source, content_type=content_type, sha256=sha256, metadata=metadata or {})


def read_back(store: ArtifactStore, key: str, folder: Path) -> bytes:
    """The content under `key`."""
    into = folder / "fetched"
    assert store.fetch(key, into) is not None
    return into.read_bytes()


class StoreConformance:
    """Behaviour of every store; a subclass provides the fixtures `store` and `neighbour`."""

    def test_what_was_put_is_found_with_all_that_was_said_of_it(self, store: ArtifactStore, tmp_path: Path) -> None:
        """`put` and a later `head` tell the same: key, address, size, checksum, content type, metadata."""
        metadata = {"cost": "0.0067", "custom-id": "größe 日本 100%", "empty": "", "edges": " a  b ", "line": "1\n2"}
        put = store_bytes(store, "t/b/a.ogg", b"OggS" * 9, tmp_path, content_type="audio/ogg", metadata=metadata)
        assert put == StoredObject(
            key="t/b/a.ogg",
            uri=store.uri("t/b/a.ogg"),
            size=36,
            sha256=hashlib.sha256(b"OggS" * 9).hexdigest(),
            content_type="audio/ogg",
            metadata=metadata,
        )
        assert store.head("t/b/a.ogg") == put

    @pytest.mark.parametrize("key", KEYS)
    def test_any_name_comes_back_as_it_was(self, store: ArtifactStore, tmp_path: Path, key: str) -> None:
        """Keys with spaces, percent signs and any Unicode are stored, copied by address, fetched and deleted."""
        put = store_bytes(store, key, b"sound", tmp_path)
        copied = store.copy(put.uri, f"copies/{key}", metadata={})
        assert copied is not None
        assert read_back(store, copied.key, tmp_path) == b"sound"
        store.delete(key)
        assert store.head(key) is None

    def test_fetched_audio_is_the_stored_audio(self, store: ArtifactStore, tmp_path: Path) -> None:
        """The bytes come back whole, and the description with them; a file that was there is replaced."""
        content = bytes(range(256)) * 10_000
        put = store_bytes(store, "big.wav", content, tmp_path, metadata={"a": "b"})
        into = tmp_path / "fetched.wav"
        into.write_bytes(b"older")
        assert store.fetch("big.wav", into) == put
        assert into.read_bytes() == content

    def test_an_empty_object_is_an_object(self, store: ArtifactStore, tmp_path: Path) -> None:
        """Whether audio may be empty isn't the store's business."""
        assert store_bytes(store, "empty.wav", b"", tmp_path) == store.head("empty.wav")
        assert read_back(store, "empty.wav", tmp_path) == b""

    def test_a_missing_object_is_none(self, store: ArtifactStore, tmp_path: Path) -> None:
        """An absent object is None to `head` and `fetch` (which leaves no file), and nothing to `delete`."""
        into = tmp_path / "into" / "absent.wav"
        into.parent.mkdir()
        assert store.head("t/b/absent.wav") is None
        assert store.fetch("t/b/absent.wav", into) is None
        assert list(into.parent.iterdir()) == []
        store.delete("t/b/absent.wav")

    def test_a_folder_is_no_object(self, store: ArtifactStore, tmp_path: Path) -> None:
        """The part of a key before a slash names nothing, nor does a key below an object."""
        store_bytes(store, "t/b/a.wav", b"sound", tmp_path)
        for key in ("t/b", "t/b/a.wav/c.wav"):
            assert store.head(key) is None
            assert store.fetch(key, tmp_path / "into") is None
            assert store.copy(store.uri(key), "d.wav", metadata={}) is None
            store.delete(key)
        assert store.head("t/b/a.wav") is not None

    def test_a_second_put_replaces_everything(self, store: ArtifactStore, tmp_path: Path) -> None:
        """Nothing of the older object's content or description is left."""
        store_bytes(store, "a.wav", b"older and longer", tmp_path, metadata={"old": "1"})
        newer = store_bytes(store, "a.wav", b"newer", tmp_path, content_type="audio/flac", metadata={"new": "2"})
        assert store.head("a.wav") == newer
        assert read_back(store, "a.wav", tmp_path) == b"newer"

    def test_a_folder_lists_what_lies_directly_in_it(self, store: ArtifactStore, tmp_path: Path) -> None:
        """Neither its own folders' objects nor those whose names begin likewise; nothing where there is no folder."""
        for key in ("a/one.wav", "a/größe +&.wav", "a/b/two.wav", "ab/three.wav", "a.wav"):
            store_bytes(store, key, b"RIFF", tmp_path)
        assert sorted(store.keys_in("a")) == ["a/größe +&.wav", "a/one.wav"]
        assert store.keys_in("a/b") == ["a/b/two.wav"]
        assert store.keys_in("nowhere") == store.keys_in("a.wav") == []

    def test_delete_removes_and_may_be_repeated(self, store: ArtifactStore, tmp_path: Path) -> None:
        """The object is gone after the first delete, and the second is no error."""
        store_bytes(store, "a.wav", b"sound", tmp_path)
        store.delete("a.wav")
        store.delete("a.wav")
        assert store.head("a.wav") is None

    def test_a_copy_keeps_the_audio_and_takes_new_metadata(self, store: ArtifactStore, tmp_path: Path) -> None:
        """Content, type and checksum are the source's, metadata the copy's; the source stays as it was."""
        source = store_bytes(store, "a.mp3", b"ID3", tmp_path, content_type="audio/mpeg", metadata={"job": "1"})
        copied = store.copy(source.uri, "t/b/copy.mp3", metadata={"job": "2", "name": "Żółć"})
        assert copied is not None
        assert copied == store.head("t/b/copy.mp3")
        assert (copied.sha256, copied.content_type, copied.size) == (source.sha256, "audio/mpeg", 3)
        assert copied.metadata == {"job": "2", "name": "Żółć"}
        assert read_back(store, "t/b/copy.mp3", tmp_path) == b"ID3"
        assert store.head("a.mp3") == source

    def test_a_copy_of_another_content_is_refused(self, store: ArtifactStore, tmp_path: Path) -> None:
        """Asked for one content, a store never hands out another that has taken its place."""
        source = store_bytes(store, "a.wav", b"sound", tmp_path)
        assert store.copy(source.uri, "b.wav", metadata={}, sha256="0" * 64) is None
        assert store.head("b.wav") is None
        assert store.copy(source.uri, "b.wav", metadata={}, sha256=source.sha256) is not None

    def test_a_copy_of_a_copy_and_a_copy_onto_itself(self, store: ArtifactStore, tmp_path: Path) -> None:
        """A copy is as good a source as what was put, even for itself."""
        source = store_bytes(store, "a.wav", b"sound", tmp_path)
        copied = store.copy(source.uri, "b.wav", metadata={"n": "1"})
        assert copied is not None
        again = store.copy(copied.uri, "b.wav", metadata={"n": "2"})
        assert again is not None
        assert again == store.head("b.wav")
        assert again.sha256 == source.sha256

    def test_what_cannot_be_copied_is_none(self, store: ArtifactStore) -> None:
        """A missing source, or one in another store, returns None, and nothing appears under the key."""
        outside = ("s3://another-bucket/a.wav", "file:///somewhere/else/a.wav", "https://host/a.wav", "", "nonsense")
        for uri in (store.uri("gone.wav"), *outside, f"{store.url}/../up.wav", f"{store.url}-other/a.wav"):
            assert store.copy(uri, "copy.wav", metadata={}) is None
        assert store.head("copy.wav") is None

    def test_a_copy_comes_from_another_store_of_the_kind(
        self, store: ArtifactStore, neighbour: ArtifactStore, tmp_path: Path
    ) -> None:
        """From another bucket or folder, with its content and type; what is gone there, or another content, is None."""
        source = store_bytes(neighbour, "t/größe 1.flac", b"fLaC", tmp_path, content_type="audio/flac")
        copied = store.copy(source.uri, "b.flac", metadata={"job": "2"}, sha256=source.sha256)
        assert copied is not None
        assert copied == store.head("b.flac")
        assert (copied.sha256, copied.content_type, copied.uri) == (source.sha256, "audio/flac", store.uri("b.flac"))
        assert store.copy(source.uri, "c.flac", metadata={}, sha256="0" * 64) is None
        store.delete("b.flac")
        neighbour.delete(source.key)
        assert store.copy(source.uri, "c.flac", metadata={}, sha256=source.sha256) is None
        assert store.head("c.flac") is None

    def test_what_was_deleted_is_no_source(self, store: ArtifactStore, tmp_path: Path) -> None:
        """Nowhere is anything left of it."""
        put = store_bytes(store, "a.wav", b"sound", tmp_path)
        store.delete("a.wav")
        assert store.copy(put.uri, "b.wav", metadata={}, sha256=put.sha256) is None

    @pytest.mark.parametrize("key", OUTSIDE)
    def test_no_key_leads_out_of_the_store(self, store: ArtifactStore, tmp_path: Path, key: str) -> None:
        """A key with a way upwards, an absolute one, or one into the store's own folder is refused by every method."""
        good = store_bytes(store, "a.wav", b"sound", tmp_path)
        with pytest.raises(ValueError, match="key"):
            store_bytes(store, key, b"sound", tmp_path)
        with pytest.raises(ValueError, match="key"):
            store.head(key)
        with pytest.raises(ValueError, match="key"):
            store.copy(good.uri, key, metadata={})
        with pytest.raises(ValueError, match="key"):
            store.fetch(key, tmp_path / "into")
        with pytest.raises(ValueError, match="key"):
            store.delete(key)

    @pytest.mark.parametrize("name", ["Cost", "custom_id", "", "größe", "a b", "a-"])
    def test_names_that_some_store_would_change_are_refused(
        self, store: ArtifactStore, tmp_path: Path, name: str
    ) -> None:
        """Metadata names are the same in every store, so one that can't be is refused in every store."""
        with pytest.raises(ValueError, match="metadata name"):
            store_bytes(store, "a.wav", b"sound", tmp_path, metadata={name: "1"})
        assert store.head("a.wav") is None

    def test_a_missing_source_is_the_callers_error(self, store: ArtifactStore, tmp_path: Path) -> None:
        """A missing spool file is distinguished from an outage of the store."""
        with pytest.raises(FileNotFoundError):
            store.put("a.wav", tmp_path / "gone", content_type="audio/wav", sha256="0" * 64, metadata={})

    def test_writers_of_one_key_leave_one_whole_object(self, store: ArtifactStore, tmp_path: Path) -> None:
        """The last writer wins with audio, checksum and metadata together; nothing is mixed."""
        contents = {str(number): str(number).encode() * (10_000 + number) for number in range(6)}
        barrier = threading.Barrier(len(contents))

        def write(number: str) -> None:
            barrier.wait()
            store_bytes(store, "t/b/a.wav", contents[number], tmp_path, metadata={"writer": number})

        threads = [threading.Thread(target=write, args=(number,)) for number in contents]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        found = store.head("t/b/a.wav")
        assert found is not None
        winner = contents[found.metadata["writer"]]
        assert found.sha256 == hashlib.sha256(winner).hexdigest()
        assert read_back(store, "t/b/a.wav", tmp_path) == winner

    @pytest.mark.parametrize(
        ("start", "length", "part"),
        [(0, None, b"0123456789"), (3, 4, b"3456"), (8, 9, b"89"), (9, None, b"9"), (10, None, b""), (4, 0, b"")],
    )
    def test_a_part_is_read_alone(
        self, store: ArtifactStore, tmp_path: Path, start: int, length: int | None, part: bytes
    ) -> None:
        """Bytes from anywhere, as many as there are; what lies behind the end is empty."""
        store_bytes(store, "t/b/größe.wav", b"0123456789", tmp_path)
        blocks = store.read("t/b/größe.wav", start=start, length=length)
        assert blocks is not None
        assert b"".join(blocks) == part

    def test_a_missing_object_is_not_read(self, store: ArtifactStore) -> None:
        """An absent object is None, before anything is streamed."""
        assert store.read("gone.wav") is None
        assert store.read("gone.wav", start=3, length=4) is None

    @pytest.mark.parametrize("key", KEYS)
    def test_an_address_leads_back_to_its_key(self, store: ArtifactStore, key: str) -> None:
        """`key_of` reverses `uri`."""
        assert store.key_of(store.uri(key)) == key

    def test_addresses_of_others_lead_to_no_key(self, store: ArtifactStore) -> None:
        """Another store's, and one that climbs out of this one."""
        outside = ("s3://another-bucket/a.wav", "file:///somewhere/else/a.wav", "", "nonsense", f"{store.url}-x/a.wav")
        for uri in (*outside, f"{store.url}/../up.wav", f"{store.url}/.ttsq/x"):
            assert store.key_of(uri) is None

    def test_check_is_silent_on_a_healthy_store(self, store: ArtifactStore) -> None:
        """A store that can be written to passes the check, again and again."""
        store.check()
        store.check()


class ChecksumConformance:
    """What holds for every store that verifies checksums."""

    def test_audio_that_changed_since_it_was_hashed_is_refused(self, store: ArtifactStore, tmp_path: Path) -> None:
        """A checksum that names other content is refused for good, and the object that was there stays."""
        before = store_bytes(store, "a.wav", b"sound", tmp_path)
        with pytest.raises(ArtifactsError) as caught:
            store_bytes(store, "a.wav", b"other", tmp_path, sha256=hashlib.sha256(b"sound").hexdigest())
        assert (caught.value.code, caught.value.transient) == ("bad_checksum", False)
        assert store.head("a.wav") == before
        assert read_back(store, "a.wav", tmp_path) == b"sound"


class TestFolder(StoreConformance, ChecksumConformance):
    """The suite against a local folder whose name needs encoding in an address."""

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[ArtifactStore]:
        """A store in a folder that doesn't exist yet."""
        store = open_store((tmp_path / "out put" / "größe %20#1").as_uri())
        yield store
        store.close()

    @pytest.fixture
    def neighbour(self, tmp_path: Path) -> Iterator[ArtifactStore]:
        """Another folder."""
        store = open_store((tmp_path / "neighbour").as_uri())
        yield store
        store.close()

    def test_a_folder_has_no_links(self, store: ArtifactStore, tmp_path: Path) -> None:
        """The gateway streams its audio instead."""
        store_bytes(store, "a.wav", b"sound", tmp_path)
        assert store.link("a.wav", seconds=60) is None
