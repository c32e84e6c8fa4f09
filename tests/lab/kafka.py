# Copyright: (c) 2026, wirewatch developers
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Kafka broker in KRaft mode, with its log on disk: it can be killed and started again, and has what was confirmed.

::

    with Broker(folder) as broker:
        broker.address           # 127.0.0.1:PORT
        broker.kill()            # SIGKILL
        broker.start()
"""

from __future__ import annotations

import base64
import os
import secrets
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

from .authority import KEYSTORE_PASSWORD, Certificates
from .commands import LabError, tool
from .processes import Running

LIBRARIES = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "wirewatch", "kafka")
# Soon started and small, for a test; and what Kafka's own start script gives a server (kafka-server-start.sh), to measure.
TEST_OPTIONS = ("-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData")
SERVER_OPTIONS = (
    "-Xms1G",
    "-Xmx1G",
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:-UsePerfData",
)
START_TIMEOUT = 60.0  # seconds; 4 on an idle machine
USER = "publisher"  # who may come in where passwords are asked for


class Broker:
    """One broker that is its own controller. Everything it keeps is in `folder`."""

    def __init__(
        self,
        folder: Path,
        host: str = "127.0.0.1",
        settings: Mapping[str, object] | None = None,
        prefix: Sequence[str] = (),
        java_options: Sequence[str] = TEST_OPTIONS,
    ) -> None:
        """`prefix` is what the command begins with, as `ip netns exec NAME`; `settings` come on top of the usual ones."""
        if not (LIBRARIES / "complete").exists():
            raise LabError("There is no Kafka broker to start. Run scripts/setup test first.")
        self._folder = folder
        self._prefix = list(prefix)
        self._java_options = list(java_options)
        self._running: Running | None = None
        self._starts = 0
        port, brokers, controller = _free_ports(3)
        self.address = f"{host}:{port}"
        self._configuration = folder / "server.properties"
        properties: dict[str, object] = {
            "process.roles": "broker,controller",
            "node.id": 1,
            "listeners": f"CLIENTS://{self.address},BROKERS://127.0.0.1:{brokers},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"CLIENTS://{self.address},BROKERS://127.0.0.1:{brokers}",
            "inter.broker.listener.name": "BROKERS",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": _protocols("PLAINTEXT"),
            "controller.quorum.bootstrap.servers": f"127.0.0.1:{controller}",
            "log.dirs": folder / "log",
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 1,
            "group.initial.rebalance.delay.ms": 0,
            # 128 MiB in one piece by default, for which a small heap has room or not, by luck.
            "log.cleaner.dedupe.buffer.size": 16 << 20,
            **(settings or {}),
        }
        folder.mkdir(parents=True, exist_ok=True)
        lines = [f"{name}={value}\n" for name, value in properties.items()]
        self._configuration.write_text("".join(lines), encoding="utf-8")
        self._java("kafka.tools.StorageTool", "format", "--standalone", "-t", _cluster_id(), "-c")

    def __enter__(self) -> Broker:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._running is not None:
            self._running.__exit__(kind, error, trace)

    def start(self) -> None:
        """Start it, or start it again, and wait until it takes requests."""
        self._starts += 1
        command = [*self._prefix, *self._command("kafka.Kafka"), str(self._configuration)]
        self._running = Running(command, os.environ, self._folder, f"broker-{self._starts}", self._folder)
        try:
            self._running.wait_for_output("Kafka Server started", START_TIMEOUT)
        except BaseException:
            self._running.end()
            raise

    @property
    def pid(self) -> int:
        if self._running is None:
            raise LabError("The broker was not started.")
        return self._running.pid

    @property
    def output(self) -> str:
        """What it logged since it was started last."""
        if self._running is None:
            raise LabError("The broker was not started.")
        return self._running.output

    def kill(self) -> None:
        """SIGKILL, as a machine that loses its power."""
        if self._running is not None:
            self._running.kill()

    def _java(self, *arguments: str) -> None:
        command = [*self._command(*arguments), str(self._configuration)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=START_TIMEOUT, check=False)
        if done.returncode:
            raise LabError(f"{arguments[0]} ended with status {done.returncode}: {done.stdout}{done.stderr}")

    def _command(self, *arguments: str) -> list[str]:
        return [tool("java"), *self._java_options, "-cp", f"{LIBRARIES}/*", *arguments]


def with_passwords(password: str, ours: Certificates, of_clients: bool = False) -> dict[str, object]:
    """Settings of a broker that wants TLS and a password (SASL_SSL, PLAIN) of USER, and a certificate where `of_clients`."""
    module = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    users = f'username="broker" password="{secrets.token_hex(8)}" user_{USER}="{password}"'
    return {
        "listener.security.protocol.map": _protocols("SASL_SSL"),
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.clients.plain.sasl.jaas.config": f"{module} {users};",
        "ssl.keystore.type": "PKCS12",
        "ssl.keystore.location": ours.keystore,
        "ssl.keystore.password": KEYSTORE_PASSWORD,
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": ours.authority,
        # Without the listener's name before it, it does not count where there are passwords.
        "listener.name.clients.ssl.client.auth": "required" if of_clients else "none",
    }


def _protocols(of_clients: str) -> str:
    return f"CLIENTS:{of_clients},BROKERS:PLAINTEXT,CONTROLLER:PLAINTEXT"


def _cluster_id() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(16)).decode().rstrip("=").replace("-", "A")


def _free_ports(count: int) -> list[int]:
    """Ports of the loopback that are free now; the system gives such a port again only after all others."""
    sockets = [socket.socket() for _number in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
