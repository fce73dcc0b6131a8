"""Which server a command uses: REDIS_URL when it is set, else the embedded one of the home."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from crawler.bus.server import embedded_server
from crawler.home import Home
from crawler.options import Options


@contextmanager
def server_of(home: Home, options: Options) -> Iterator[str]:
    """The server's URL, for as long as the command runs. Raises HomeUnusable, RedisUnavailable."""
    if options.redis_url:
        yield options.redis_url
        return
    with embedded_server(home.server) as server:
        yield server.url
