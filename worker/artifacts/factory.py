"""Makes a store from its address. `check()` on the store says whether it can be used."""

from __future__ import annotations

from worker.artifacts.addresses import bucket_and_prefix, path_of
from worker.artifacts.errors import ArtifactsError, ArtifactsFault
from worker.artifacts.folder.store import FolderStore
from worker.artifacts.options import NO_OPTIONS, StoreOptions
from worker.artifacts.store import ArtifactStore
from worker.concurrency.reactor import Reactor


def open_store(
    url: str, *, connections: int = 50, options: StoreOptions = NO_OPTIONS, reactor: Reactor | None = None
) -> ArtifactStore:
    """Open the store at `file:///absolute/folder` or `s3://bucket/prefix`. Nothing is asked of the network yet.

    Endpoint, region and credentials of an S3 come from boto3's own configuration (`AWS_*`, profiles, roles).

    Args:
        url: the address.
        connections: how many uploads may share the S3 client at once.
        options: what a bucket does with every object; a folder does none of it.
        switchboard: watches its connections, and says who does what would block; its own where none is given.

    Raises:
        ArtifactsError: `bad_address`; or `unreachable` or `bad_credentials` where boto3's configuration is unusable.
    """
    if folder := path_of(url):
        return FolderStore(folder, reactor)
    if place := bucket_and_prefix(url):
        # boto3 takes a quarter of a second to import, which a folder need not pay.
        from worker.artifacts.s3.store import open_bucket  # noqa: PLC0415  (the reason is the line above)

        return open_bucket(*place, connections=connections, options=options, reactor=reactor)
    raise ArtifactsError(
        ArtifactsFault.BAD_ADDRESS,
        f"{url!r} is no place for audio; give file:///absolute/folder or s3://bucket/prefix",
    )
