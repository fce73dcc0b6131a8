"""A real nginx on a free port, serving a directory with its own open listings."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")

_CONFIGURATION = """
daemon off; pid {own}/pid; error_log {own}/error.log; {user}
events {{ worker_connections 128; }}
http {{
    types {{ text/html html; image/jpeg jpg; image/png png; }}
    access_log off; client_body_temp_path {own}/b; proxy_temp_path {own}/p; fastcgi_temp_path {own}/f;
    uwsgi_temp_path {own}/u; scgi_temp_path {own}/s;
    server {{ listen 127.0.0.1:{port}; root {root}; autoindex on; }}
}}
"""


@contextmanager
def nginx(root: Path, own: Path) -> Iterator[str]:
    """The URL of an nginx that serves `root`; `own`: a directory for its own files."""
    assert NGINX is not None
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own.mkdir()
    # As root, nginx would give its workers to an account that cannot read the test's directories.
    user = "user root;" if Path("/proc/self").stat().st_uid == 0 else ""
    (own / "conf").write_text(_CONFIGURATION.format(own=own, root=root, port=port, user=user))
    with subprocess.Popen([NGINX, "-c", own / "conf", "-e", own / "error.log"], stderr=subprocess.DEVNULL) as process:
        try:
            _ready(port, process)
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.terminate()


def _ready(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        assert process.poll() is None, "nginx ended"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise AssertionError("nginx does not answer")
