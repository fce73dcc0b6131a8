"""Open directory listings, as nginx and Apache print them, with awkward file names and files that are no images."""

from __future__ import annotations

from html import escape
from urllib.parse import quote

from crawler.lab import odd
from crawler.lab.images import Derivative
from crawler.lab.plan import Host, Plan
from crawler.lab.truth import Expect
from crawler.lab.web import Reply


def build(plan: Plan) -> None:
    host = plan.host("mappen.example", "127.11.1.2")
    host.plan.seeds.append(_nginx(host, "/", ["2023/", "2024/", "lees mij.txt"]))
    host.add("/lees%20mij.txt", Reply(b"Niets bijzonders.\n", content_type="text/plain"))
    _nginx(host, "/2023/", ["IMG_0001.JPG", "IMG_0002.JPG", "IMG 0003 (kopie).jpg", "zoë & co.jpg", "archief.zip"])
    host.plant("/2023/IMG_0001.JPG", "L19")
    host.photo("/2023/IMG_0002.JPG")
    host.plant("/2023/IMG%200003%20(kopie).jpg", "L21", Derivative.RECOMPRESSED, quality=45)
    host.plant("/2023/zo%C3%AB%20&%20co.jpg", "L07")
    host.add("/2023/archief.zip", Reply(b"PK\x05\x06" + bytes(18), content_type="application/zip"), Expect.OPEN)
    _nginx(host, "/2024/", ["diep/", "a.png", "b.webp", "c.gif", "pixel.gif"])
    host.plant("/2024/a.png", "L22", format="PNG")
    host.lookalike("/2024/b.webp", "L22")
    host.plant("/2024/c.gif", "L05", format="GIF")
    _nginx(host, "/2024/diep/", ["dieper/"])
    _nginx(host, "/2024/diep/dieper/", ["onderin.jpg"])
    host.photo("/2024/diep/dieper/onderin.jpg")
    _apache(plan)
    host.add("/2024/pixel.gif", Reply(odd.PIXEL, content_type="image/gif"))


def _nginx(host: Host, target: str, names: list[str]) -> str:
    """A listing in the form of ngx_http_autoindex_module."""
    rows = "".join(
        f'<a href="{escape(quote(name, safe="/&()"))}">{escape(name[:50])}</a>{" " * (51 - len(name))}'
        f"01-Jan-2026 12:00{'-' if name.endswith('/') else '38190':>20}\n"
        for name in names
    )
    title = f"Index of {target}"
    text = (
        f"<html>\n<head><title>{title}</title></head>\n<body>\n<h1>{title}</h1><hr><pre>"
        f'<a href="../">../</a>\n{rows}</pre><hr></body>\n</html>\n'
    )
    return host.add(target, Reply(text.encode(), content_type="text/html"))


def _apache(plan: Plan) -> None:
    """A listing in the form of mod_autoindex, with its columns' links, which list the same again."""
    host = plan.host("ftp.mappen.example", "127.11.1.2")
    names = ["vakantie-1.jpg", "vakantie-2.jpg", "vakantie-3.jpg"]
    columns = "".join(
        f'<th><a href="?C={c};O=A">{label}</a></th>'
        for c, label in (("N", "Name"), ("M", "Last modified"), ("S", "Size"))
    )
    rows = "".join(
        f'<tr><td><img src="/icons/image2.gif" alt="[IMG]"></td><td><a href="{n}">{n}</a></td></tr>' for n in names
    )
    table = f"<table><tr>{columns}</tr>{rows}</table>"
    text = f"<html><head><title>Index of /pub</title></head><body><h1>Index of /pub</h1>{table}</body></html>"
    for query in ("", "?C=N;O=A", "?C=M;O=A", "?C=S;O=A"):
        # The same listing in another order: whoever sees that need not ask for it.
        expect = Expect.OPEN if query else Expect.FETCHED
        host.add(f"/pub/{query}", Reply(text.encode(), content_type="text/html"), expect)
    host.plan.seeds.append(host.url("/pub/"))
    host.add("/icons/image2.gif", Reply(odd.PIXEL, content_type="image/gif"))
    host.photo("/pub/vakantie-1.jpg")
    host.plant("/pub/vakantie-2.jpg", "L09")
    host.photo("/pub/vakantie-3.jpg")
