"""The desk without a network: requests to the application itself, with a browser's cookies and headers."""

from __future__ import annotations

import asyncio
import html
import re
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode

from starlette.applications import Starlette


@dataclass(frozen=True, slots=True)
class Answered:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: str

    @property
    def text(self) -> str:
        """What a person reads, more or less."""
        return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", self.body)))

    @property
    def location(self) -> str:
        return self.headers.get("location", "")

    def hidden(self, name: str) -> str:
        """The value of a hidden field."""
        found = re.search(rf'name="{name}" value="([^"]*)"', self.body)
        assert found, f"no field {name}"
        return found[1]


@dataclass(slots=True)
class Browser:
    """One browser: keeps cookies, and says of its forms that they come from the site itself."""

    app: Starlette
    cookies: dict[str, str] = field(default_factory=dict)
    address: str = "127.0.0.1"
    scheme: str = "http"

    def get(self, path: str, **headers: str) -> Answered:
        return self.send("GET", path, {}, headers)

    def post(self, path: str, form: dict[str, object] | None = None, **headers: str) -> Answered:
        return self.send("POST", path, form or {}, {"sec_fetch_site": "same-origin"} | headers)

    def send(self, method: str, path: str, form: dict[str, object], headers: dict[str, str]) -> Answered:
        body = urlencode({name: str(value) for name, value in form.items()}).encode()
        sent = {"host": "localhost"} | {name.replace("_", "-"): value for name, value in headers.items() if value}
        if self.cookies:
            sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        answer = asyncio.run(self._ask(method, path, sent, body))
        for cookie in [value for name, value in answer[1] if name == "set-cookie"]:
            for name, morsel in SimpleCookie(cookie).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        return Answered(answer[0], dict(answer[1]), answer[2].decode())

    async def _ask(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        plain, _, query = path.partition("?")
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": self.scheme,
            "path": plain,
            "raw_path": plain.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": (self.address, 40_000),
            "server": ("localhost", 80),
        }
        parts: list[bytes] = []
        started: dict[str, Any] = {}

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                started.update(message)
            else:
                parts.append(message.get("body", b""))

        await self.app(scope, receive, send)
        found = [(name.decode().lower(), value.decode()) for name, value in started["headers"]]
        return started["status"], found, b"".join(parts)
