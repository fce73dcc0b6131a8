from __future__ import annotations

import asyncio
import hashlib
import ssl
from pathlib import Path

import pytest

from crawler.fetch import tls as subject
from crawler.fetch.fetcher import Fetcher
from crawler.fetch.limits import FetchLimits
from crawler.fetch.tls import TlsObserver, system_roots
from crawler.records import Fetched, FetchFailed, FetchOrder, TlsFacts
from tests.hostile.servers.certificates import HOST, Authority
from tests.hostile.servers.rawserver import Peer, serving


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(Path(tmp_path_factory.mktemp("certificates")))


async def answer(peer: Peer) -> None:
    while True:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


async def facts(context: ssl.SSLContext, host: str, observer: TlsObserver) -> TlsFacts:
    async with (
        Fetcher(permitted=lambda _: True, limits=FetchLimits(), tls=observer) as fetcher,
        serving(answer, tls=context) as server,
    ):
        results = [await fetcher.fetch(FetchOrder(f"https://{host}:{server.port}/", server.address)) for _ in range(2)]
        assert server.connections == 1
    first, second = results
    assert isinstance(first, Fetched)
    assert isinstance(second, Fetched)
    assert first.tls is not None
    assert first.tls == second.tls  # a kept connection has them too
    assert first.timings is not None
    assert first.timings.tls > 0
    return first.tls


async def test_a_good_certificate(authority: Authority) -> None:
    found = await facts(authority.server((HOST, "*.b.example")), HOST, TlsObserver((authority.root,)))
    assert found.protocol == "TLSv1.3"
    assert found.names == (HOST, "*.b.example")
    assert (found.valid, found.problem) == (True, None)


async def test_names_with_a_wildcard_and_addresses(authority: Authority) -> None:
    observer = TlsObserver((authority.root,))
    context = authority.server(("*.b.example", "127.0.0.1"))
    assert (await facts(context, "x.b.example", observer)).valid
    assert (await facts(context, "127.0.0.1", observer)).valid
    assert (await facts(context, "x.y.b.example", observer)).problem == "for another name"
    assert (await facts(context, "b.example", observer)).problem == "for another name"


@pytest.mark.parametrize(
    ("how", "problem"),
    [
        ({"days": (-90, -1)}, "expired"),
        ({"days": (1, 90)}, "not valid yet"),
        ({"names": ("other.example",)}, "for another name"),
        ({"self_signed": True}, "self-signed"),
    ],
)
async def test_bad_certificates(authority: Authority, how: dict[str, object], problem: str) -> None:
    found = await facts(authority.server(**how), HOST, TlsObserver((authority.root,)))
    assert (found.valid, found.problem) == (False, problem)
    assert len(found.sha256) == 64


async def test_nobody_vouches(authority: Authority, tmp_path: Path) -> None:
    other = Authority(tmp_path)
    assert (await facts(authority.server(), HOST, TlsObserver((other.root,)))).problem == "not trusted"
    assert (await facts(authority.server(), HOST, TlsObserver(()))).problem == "no certificate store"


async def test_the_fingerprint_is_the_certificates(authority: Authority) -> None:
    context = authority.server()
    async with serving(answer, tls=context) as server:
        shown = ssl.PEM_cert_to_DER_cert(await _shown(server.port))
    found = await facts(context, HOST, TlsObserver((authority.root,)))
    assert found.sha256 == hashlib.sha256(shown).hexdigest()


async def _shown(port: int) -> str:
    return await asyncio.to_thread(ssl.get_server_certificate, ("127.0.0.1", port))


async def test_a_chain_is_judged_once(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    judged: list[str] = []
    real = subject._problem
    monkeypatch.setattr(subject, "_problem", lambda *args: judged.append("once") or real(*args))
    observer = TlsObserver((authority.root,))
    context = authority.server()
    for _ in range(3):
        assert (await facts(context, HOST, observer)).valid
    assert judged == ["once"]


@pytest.mark.parametrize("host", ["a" * 64 + ".example", ".".join(["abcdefghi"] * 26)])
async def test_a_host_that_is_no_server_name(authority: Authority, host: str) -> None:
    async with (
        Fetcher(permitted=lambda _: True) as fetcher,
        serving(answer, tls=authority.server()) as server,
    ):
        result = await fetcher.fetch(FetchOrder(f"https://{host}:{server.port}/", server.address))
        assert isinstance(result, FetchFailed)
        assert (result.reason, result.retry) == ("tls", False)
        assert server.connections == 0


async def test_a_host_with_an_underscore(authority: Authority) -> None:
    host = "under_score.example"
    assert (await facts(authority.server((host,)), host, TlsObserver((authority.root,)))).names == (host,)


def test_the_systems_store_may_be_absent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert all(root.subject for root in system_roots())
    missing = str(tmp_path / "none.pem")
    paths = ssl.DefaultVerifyPaths(missing, None, "X", missing, "Y", None)
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)
    monkeypatch.setattr(subject, "_DEBIAN_STORE", missing)
    assert system_roots() == ()
    (tmp_path / "none.pem").write_text("nonsense")
    assert system_roots() == ()
