"""Where the command line keeps the token of a session: a file of the account, mode 0600, one per home.

It lies outside of the home, which several accounts may share.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path

from crawler.errors import HomeUnusable
from crawler.home import Home


def token_file(home: Home) -> Path:
    """The file for `home`: under XDG_RUNTIME_DIR, which goes at logout, else under the account's state directory."""
    given = os.environ.get("XDG_RUNTIME_DIR")
    root = Path(given) if given else Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    name = blake2b(str(home.root.resolve()).encode(), digest_size=8).hexdigest()
    return root / "vangnet" / f"session-{name}"


def keep_token(home: Home, token: str) -> None:
    """Keep a token. Raises HomeUnusable when the file cannot be written."""
    path = token_file(home)
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(token)
        fresh.replace(path)
    except OSError as error:
        raise HomeUnusable(f"{path}: {error.strerror}; the session cannot be kept, set XDG_STATE_HOME") from error


def kept_token(home: Home) -> str | None:
    """The token that was kept, None when there is none. Raises HomeUnusable when others may read it."""
    path = token_file(home)
    try:
        mode, text = path.stat().st_mode, path.read_text("ascii")
    except (OSError, UnicodeDecodeError):
        return None
    if mode & 0o077:
        raise HomeUnusable(f"{path} is open to other accounts; remove it and sign in again")
    return text


def drop_token(home: Home) -> None:
    """Forget the token."""
    with suppress(OSError):
        token_file(home).unlink()
