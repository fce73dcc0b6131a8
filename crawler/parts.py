"""What every process of a deployment makes of its options and its home, be it a worker, a recorder or a command.

Apart from the worker's composition root, which brings Scrapy along.
"""

from __future__ import annotations

import os
import secrets
import socket

from crawler.attribute.live import LiveBook
from crawler.bus.client import Client
from crawler.frontier.redis import FrontierSettings, RedisFrontier
from crawler.home import Home
from crawler.options import Options

_WAKE_EVERY = 0.1
"""Seconds; a look costs the server as much as a claim, and an idle admitter asks thirty times a second."""


def process_name() -> str:
    """A name that no other process has, on any machine."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"


def frontier_of(client: Client, options: Options) -> RedisFrontier:
    """The frontier of a deployment, for this process."""
    settings = FrontierSettings(
        prefix=options.key_prefix,
        partitions=options.partitions,
        consumer=process_name(),
        lease_seconds=options.lease_seconds,
        send_window=options.send_window,
        lookahead=options.claim_lookahead,
        attempts=options.attempts,
        robots_ttl=min(options.robots_ttl, 86_400.0),
        keep=options.seen_ttl,
        wake_every=_WAKE_EVERY,
    )
    return RedisFrontier(client, settings)


def tables_of(home: Home) -> LiveBook:
    """The address tables of a home, which takes new ones while `watch` runs."""
    return LiveBook(home)
