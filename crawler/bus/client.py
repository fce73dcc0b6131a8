"""The connection to the deployment's server: a single one or a cluster, and what its failures mean, in plain words."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any, cast
from urllib.parse import urlsplit

import structlog
from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import (
    AuthenticationError,
    NoPermissionError,
    OutOfMemoryError,
    RedisClusterException,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as ConnectionLost

from crawler.bus.line import LineClient
from crawler.cancelling import heeding
from crawler.errors import OptionInvalid, RedisUnavailable

Client = Redis
"""What `connect` gives, for those who only hand it on."""

_OLDEST = 7
_RETRIES = 3
_PATIENCE: dict[str, Any] = {"socket_connect_timeout": 5, "socket_timeout": 30, "health_check_interval": 30}
# Questions that are asked at the same time; the library's own bound of a hundred is met by one page of links.
_CONNECTIONS = 1_000
_log = structlog.get_logger()
_NO_URL = (
    "REDIS_URL is no Redis URL; give redis://HOST:PORT/0 or rediss://HOST:PORT/0, PORT from 1 to 65535, or unix:///PATH"
)


class _Cluster(RedisCluster):
    """The library's client, whose errors about the cluster as a whole are no RedisError; ours are all."""

    async def execute_command(self, *args: Any, **kwargs: Any) -> Any:
        if args[0] == "BGREWRITEAOF":
            # The library would ask one node, and what was removed stood on all of them.
            kwargs.setdefault("target_nodes", RedisCluster.ALL_NODES)
        try:
            return await super().execute_command(*args, **kwargs)
        except RedisClusterException as error:
            raise ConnectionLost(str(error)) from error


async def connect(url: str) -> Client:
    """A client for the server at `url`, which answered; any node of a Redis Cluster stands for the whole of it.

    A cluster's client has the commands of the single server's; keys of one script or command share a hash tag.
    Raises OptionInvalid for a URL that is none, for a server that refuses what the URL says (name, password, database)
    or shows a certificate that is not trusted, and for one that is too old: waiting does not mend those. Raises
    RedisUnavailable for one that does not answer. No message has the URL's name or password.
    """
    facts = await _facts(_single(url, 1))
    major = str(facts.get("redis_version", "")).partition(".")[0]
    if not major.isdecimal() or int(major) < _OLDEST:
        raise OptionInvalid(f"the server at REDIS_URL is too old; it takes Redis {_OLDEST}.0 or later, or Valkey")
    return await _cluster(url) if int(facts.get("cluster_enabled", 0)) else _single(url, _RETRIES)


def _single(url: str, retries: int) -> Redis:
    try:
        port = urlsplit(url).port
        client: Redis = LineClient.from_url(url, retry=_retry(retries), max_connections=_CONNECTIONS, **_PATIENCE)
    except ValueError as error:
        # The library's message quotes parts of the URL, which may hold a password.
        raise OptionInvalid(_NO_URL) from error
    if port == 0:  # which the library takes for the usual one
        raise OptionInvalid(_NO_URL)
    return client


async def _facts(probe: Redis) -> dict[str, Any]:
    try:
        found: dict[str, Any] = await answered(probe.info())
    except TypeError as error:
        raise OptionInvalid("REDIS_URL has a query that the client does not know; leave out what follows ?") from error
    except RedisUnavailable as error:
        if isinstance(error.__cause__, AuthenticationError | ResponseError) or _of_tls(error.__cause__):
            raise OptionInvalid(str(error)) from error
        raise
    finally:
        await probe.aclose()
    return found


async def connect_patiently(url: str, stop: asyncio.Event) -> Client | None:
    """As `connect`, but waits for a server that does not answer; None when `stop` was set first."""
    told = False
    while not stop.is_set():
        try:
            return await connect(url)
        except RedisUnavailable as error:
            if not told:
                _log.warning("waiting for the server", error=str(error))
            told = True
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), 1.0)
    return None


async def _cluster(url: str) -> Redis:
    try:
        cluster = _Cluster.from_url(url, retry=_retry(_RETRIES), **_PATIENCE)
    except RedisClusterException as error:
        raise OptionInvalid(
            "REDIS_URL is a socket of a cluster; give redis://HOST:PORT/0 of one of its nodes"
        ) from error
    try:
        await answered(cluster.initialize())
    except BaseException:
        await cluster.aclose()
        raise
    # The library has no type that both clients share; of this one, everything that we call exists.
    return cast("Redis", cluster)


async def answered(reply: Awaitable[Any]) -> Any:
    """What the server answers. Raises RedisUnavailable."""
    try:
        return await heeding(reply)
    except (RedisError, RedisClusterException, OSError) as error:
        raise unavailable(error) from error


def unavailable(error: Exception) -> RedisUnavailable:
    """What a failure of the client means, and how to mend it."""
    # A server that knows a command not may quote its arguments, and those of AUTH are secret.
    text = str(error).partition(", with args")[0]
    match error:
        case AuthenticationError() if "HELLO" in text or "required" in text:
            said = "Redis demands a password; put it into REDIS_URL, as in redis://USER:PASSWORD@HOST:PORT/0"
        case AuthenticationError():
            said = "Redis refuses the user name or the password in REDIS_URL; correct them"
        case NoPermissionError():
            said = f"Redis: {text}; the user in REDIS_URL needs all commands on the keys of the deployment"
        case OutOfMemoryError():
            said = f"Redis does not answer: {text}; give the server more memory"
        case ResponseError():
            said = f"Redis refuses a command: {text}; check REDIS_URL and the server"
        case _ if _of_tls(error):
            said = f"Redis and TLS: {text}; check the certificate, and ssl_ca_certs in the query of REDIS_URL"
        case _:
            said = f"Redis does not answer: {text}; check REDIS_URL and the server"
    return RedisUnavailable(said)


def _of_tls(error: BaseException | None) -> bool:
    """Whether a failure came from TLS; the library names the cause nowhere else than in the context."""
    return error is not None and isinstance(error.__cause__ or error.__context__, ssl.SSLError)


def _retry(retries: int) -> Retry:
    return Retry(ExponentialBackoff(cap=1.0, base=0.05), retries)
