"""The program of a Swift cluster: proxy, account, container and object server in one process, on one disk.

Called as `cluster.py FOLDER PORT ACCESS_KEY SECRET_KEY`. It must be run isolated (`python -I`), and import nothing of
this project: it is a process of its own, in which Swift is free to replace parts of the standard library.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any, Final

from swift.common import utils
from swift.common.concurrency import listen, spawn, wsgi
from swift.common.http_protocol import SwiftHttpProtocol
from swift.common.ring import RingBuilder
from swift.common.utils import logs
from swift.common.wsgi import ConfigString, loadapp

HOST: Final = "127.0.0.1"
KINDS: Final = ("account", "container", "object")

STORAGE: Final = """
[DEFAULT]
swift_dir = {folder}
devices = {folder}/devices
recon_cache_path = {folder}
mount_check = false
disable_fallocate = true
log_level = WARNING
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
"""

PROXY: Final = """
[DEFAULT]
swift_dir = {folder}
log_level = WARNING
[pipeline:main]
pipeline = catch_errors proxy-logging s3api tempauth bulk slo proxy-logging proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:proxy-logging]
use = egg:swift#proxy_logging
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_{account}_{user} = {secret} .admin
[filter:bulk]
use = egg:swift#bulk
[filter:slo]
use = egg:swift#slo
"""


def main(folder: Path, port: int, access_key: str, secret: str) -> None:
    """Serve until killed."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    utils.monkey_patch()
    _write_to_standard_error()
    _never_wait_for_the_disk()
    (folder / "swift.conf").write_text("[swift-hash]\nswift_hash_path_suffix = tests\n")
    utils.set_swift_dir(str(folder))
    (folder / "devices/disk").mkdir(parents=True, exist_ok=True)
    proxy = listen((HOST, port), backlog=1024)
    for kind in KINDS:
        storage = listen((HOST, 0), backlog=1024)
        _save_ring(folder / f"{kind}.ring.gz", storage.getsockname()[1])
        _serve(STORAGE.format(folder=folder, kind=kind), storage)
    account, _, user = access_key.partition(":")
    serving = _serve(PROXY.format(folder=folder, account=account, user=user, secret=secret), proxy)
    print("Swift is ready", flush=True)
    serving.wait()


def _serve(config: str, listener: Any) -> Any:  # noqa: ANN401 - neither green sockets nor green threads have types
    """Load an application and serve it in a green thread of its own.

    Swift's own `run_server` can't: it begins with a new hub, and with it forgets the servers that were there before.
    """
    application = loadapp(ConfigString(config), {"log_name": "swift"})
    # S3 clients look for `ETag`, which the server would otherwise write as `Etag`.
    options = {"protocol": SwiftHttpProtocol, "capitalize_response_headers": False, "url_length_limit": 65_536}
    return spawn(wsgi.server, listener, application, logs.NullLogger(), **options)


def _save_ring(path: Path, port: int) -> None:
    """A ring of two partitions with one copy each, all on the one disk."""
    builder = RingBuilder(part_power=1, replicas=1, min_part_hours=0)
    builder.add_dev({"id": 0, "region": 1, "zone": 1, "weight": 1, "ip": HOST, "port": port, "device": "disk"})
    builder.rebalance(seed=1)
    builder.get_ring().save(str(path))


def _write_to_standard_error() -> None:
    """Swift writes to the machine's system log; this keeps it out of there and in our own."""
    logs.ThreadSafeSysLogHandler = lambda *_args, **_options: logging.NullHandler()
    logs.get_swift_logger.console_handler4logger = {}


def _never_wait_for_the_disk() -> None:
    def done(_descriptor: object) -> None:
        """As if all were on the disk."""

    for name in ("fsync", "fdatasync"):
        setattr(os, name, done)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4])
