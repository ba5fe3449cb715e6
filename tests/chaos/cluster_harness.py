"""The cluster that is hurt: real services, hosts with a worker each, a relay between every host and every service."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from tests.chaos.event_timeline import Chronicle
from tests.chaos.hosts import Host
from tests.chaos.load import Load
from tests.chaos.services import Service, port_of
from tests.cluster.cluster import Cluster
from tests.cluster.link import Wire
from tests.cluster.namespaces import Cable, Namespace
from tests.cluster.services import own_services
from tests.cluster.shape import Shape, StoreKind
from worker.emulator.config import EmulatorConfig

AUDIO_BYTES: Final = 24_044
FULL_PURSE: Final = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Setting:
    """What a part of the suite plays in."""

    hosts: int = 3
    api: str = "v1"
    latency_seconds: float = 0.6
    store: StoreKind = StoreKind.MOTO
    apart: bool = False
    """Whether each host has its own network."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Of the workers, beside the defaults."""

    @property
    def slots(self) -> int:
        """Of each worker. A call over v2 takes as long as its polls are apart."""
        return 6 if self.api == "v1" else 20

    def shape(self) -> Shape:
        """The cluster, without its workers."""
        emulator = EmulatorConfig(
            credits=FULL_PURSE, audio_bytes=AUDIO_BYTES, takes_differ=True, jitter=0.5, tail_share=0.03, tail_factor=4
        )
        api = {} if self.api == "v1" else {"SEGMIND_API": self.api}
        return Shape(
            workers=0,
            slots=self.slots,
            latency_seconds=self.latency_seconds,
            emulator=emulator,
            store=self.store,
            settings={**api, **self.settings},
        )


@dataclass(frozen=True, slots=True)
class Stage:
    """A cluster at work."""

    setting: Setting
    cluster: Cluster
    hosts: tuple[Host, ...]
    load: Load
    chronicle: Chronicle

    def leader(self) -> Host | None:
        """The host that dispatches now, if one does."""
        leader = self.cluster.seen.leader()
        return next((host for host in self.hosts if leader is not None and host.worker_id() == leader), None)


@contextmanager
def on_stage(setting: Setting) -> Iterator[Stage]:
    """Everything started, every worker signed on, and work coming in."""
    shape = setting.shape()
    with ExitStack() as stack:
        home = Path(stack.enter_context(TemporaryDirectory(prefix="ttsq-chaos-")))
        services = stack.enter_context(own_services(shape))
        wire = stack.enter_context(Wire())
        cluster = stack.enter_context(Cluster(shape, services))
        chronicle = Chronicle()
        site = _Site(stack, cluster, chronicle, wire, home)
        switch = site.namespace("switch") if setting.apart else None
        hosts = tuple(site.host(number, switch) for number in range(1, setting.hosts + 1))
        for host in hosts:
            host.start()
        for host in hosts:
            host.await_up()
        load = Load(cluster, chronicle, backlog=3 * setting.hosts * setting.slots)
        stack.callback(load.stop)
        load.start()
        yield Stage(setting, cluster, hosts, load, chronicle)


@dataclass(frozen=True, slots=True)
class _Site:
    """Where hosts are set up."""

    stack: ExitStack
    cluster: Cluster
    chronicle: Chronicle
    wire: Wire
    home: Path

    def host(self, number: int, switch: Namespace | None) -> Host:
        """A host; with a switch it gets its own network, joined to the switch."""
        name = f"host{number}"
        ports = {service: port_of(service, self.cluster.environment()) for service in Service}
        if switch is None:
            links = {service: self.wire.link(port) for service, port in ports.items()}
            return Host(name, self.cluster, self.chronicle, self.home / name, links)
        inside = self.namespace(name)
        numbers = {service: number * len(Service) + index for index, service in enumerate(Service)}
        cables = {service: Cable(switch, inside, numbers[service]) for service in Service}
        links = {
            service: self.wire.link(ports[service], switch.listen(cable.address)) for service, cable in cables.items()
        }
        through = inside.command()
        return Host(name, self.cluster, self.chronicle, self.home / name, links, through=through, cables=cables)

    def namespace(self, name: str) -> Namespace:
        namespace = Namespace(name, self.home)
        self.stack.callback(namespace.close)
        return namespace
