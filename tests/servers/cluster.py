"""A real Redis Cluster of three nodes on free loopback ports, for one test session."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

SERVER = shutil.which("redis-server")
_SLOTS = ((0, 5460), (5461, 10922), (10923, 16383))


@contextmanager
def redis_cluster(directory: Path) -> Iterator[str]:
    """The URL of one node of a cluster that answers for all slots."""
    assert SERVER is not None
    ports = _free_ports(6)
    nodes = list(zip(ports[:3], ports[3:], strict=True))
    with ExitStack() as stack:
        for port, bus in nodes:
            stack.enter_context(_node(directory / str(port), port, bus))
        clients = [stack.enter_context(Redis(port=port)) for port, _ in nodes]
        for number, (client, (first, last)) in enumerate(zip(clients, _SLOTS, strict=True)):
            _until(client.ping)
            client.execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
            client.execute_command("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for port, bus in nodes[1:]:
            clients[0].execute_command("CLUSTER", "MEET", "127.0.0.1", port, bus)
        for client in clients:
            _until(lambda client=client: _whole(client))
        yield f"redis://127.0.0.1:{ports[0]}"


def _whole(client: Redis) -> bool:
    info = client.execute_command("CLUSTER INFO")
    return info["cluster_state"] == "ok" and info["cluster_known_nodes"] == "3"


def _until(true: object) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with suppress(RedisError, OSError):
            if callable(true) and true():
                return
        time.sleep(0.05)
    raise AssertionError("the cluster does not come up")


@contextmanager
def _node(directory: Path, port: int, bus: int) -> Iterator[None]:
    directory.mkdir(parents=True)
    command = [SERVER or "", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(directory)]
    command += ["--cluster-enabled", "yes", "--cluster-port", str(bus), "--cluster-node-timeout", "2000"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.kill()


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
