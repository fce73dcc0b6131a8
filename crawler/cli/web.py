"""`vangnet web`: the desk, in a browser."""

from __future__ import annotations

import signal
import socket
from ipaddress import ip_address
from pathlib import Path

import click

from crawler.cli.context import Globals
from crawler.errors import OptionInvalid, Unavailable


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65_535), default=8080, show_default=True, help="0: any free one.")
@click.option("--name", "names", multiple=True, help="A name by which browsers reach it, beside that address.")
@click.option("--certificate", type=click.Path(path_type=Path), help="TLS: certificate chain, PEM.")
@click.option("--key", type=click.Path(path_type=Path), help="TLS: its private key, PEM.")
@click.option("--behind-proxy", is_flag=True, help="Believe X-Forwarded-For and -Proto of a proxy on this machine.")
@click.pass_obj
def web(
    globals_: Globals,
    *,
    host: str,
    port: int,
    names: tuple[str, ...],
    certificate: Path | None,
    key: Path | None,
    behind_proxy: bool,
) -> None:
    """Serve the desk until Ctrl-C. Beyond this machine only over TLS."""
    import uvicorn

    from crawler.cli.logs import log_to_stderr
    from crawler.service.embedded import server_of
    from crawler.store.database import open_store
    from crawler.web.app import desk_app
    from crawler.web.ways import Desk

    if (certificate is None) != (key is None):
        raise click.UsageError("--certificate and --key go together")
    if certificate is None and not _loopback(host):
        raise OptionInvalid(f"--host {host} is reached from elsewhere: give --certificate and --key, or use a proxy")
    options = globals_.options()
    home = globals_.open_home(options)
    log_to_stderr(globals_.verbose)
    with open_store(home), server_of(home, options) as url, _listening(host, port) as listener:
        app = desk_app(Desk(home, options, url), ["localhost", "127.0.0.1", "[::1]", host, *names])
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=behind_proxy,
            forwarded_allow_ips="127.0.0.1",
            limit_concurrency=100,
            timeout_keep_alive=20,
            ws="none",
            ssl_certfile=certificate,
            ssl_keyfile=key,
        )
        scheme, at = "https" if certificate else "http", listener.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host
        click.echo(f"the desk is at {scheme}://{shown}:{at}/", err=True)
        # uvicorn stops, and then lets the signal do what it would have done; what is open here has to be closed first.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        uvicorn.Server(config).run(sockets=[listener])


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _listening(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        reason = error.strerror or error
        raise Unavailable(f"cannot listen on {host} port {port}: {reason}; give another --port") from error
