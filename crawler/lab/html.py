"""The few lines of HTML that every site shares."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape


def document(title: str, *body: str, head: str = "") -> bytes:
    """A page, UTF-8."""
    text = "\n".join(body)
    before = f"<!doctype html>\n<html lang=nl><head><meta charset=utf-8><title>{title}</title>{head}</head>\n<body>\n"
    return f"{before}{text}\n</body></html>\n".encode()


def img(source: str, alt: str = "") -> str:
    """An image."""
    return f'<img src="{escape(source)}" alt="{escape(alt)}">'


def link(target: str, *content: str) -> str:
    """A link around text or an image."""
    return f'<a href="{escape(target)}">{"".join(content) or escape(target)}</a>'


def links(targets: Iterable[str]) -> str:
    """A list of links."""
    return "<ul>" + "".join(f"<li>{link(target)}" for target in targets) + "</ul>"
