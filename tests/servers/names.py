"""A name server for tests: the lab's, in a thread, on a free port of loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from crawler.lab.dns import NameServer
from crawler.lab.log import RequestLog
from crawler.lab.plan import Answer


@contextmanager
def names(**addresses: str) -> Iterator[str]:
    """A name server that knows these names under .test; yields ADDRESS:PORT."""
    with zone({f"{name}.test": Answer((address,)) for name, address in addresses.items()}) as nameserver:
        yield nameserver


@contextmanager
def zone(table: dict[str, Answer]) -> Iterator[str]:
    """A name server that answers from a table, which may change meanwhile; yields ADDRESS:PORT."""
    server, over = NameServer(table, RequestLog()), threading.Event()

    def answer() -> None:
        while not over.is_set():
            with suppress(TimeoutError):
                packet, asker = listening.recvfrom(4096)
                listening.sendto(server.answer(packet) or b"", asker)

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(0.1)
        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        try:
            yield f"127.0.0.1:{listening.getsockname()[1]}"
        finally:
            over.set()
            thread.join()
