"""Pages that are not what they seem: not HTML, of another charset than they say, empty, endless, badly written."""

from __future__ import annotations

import gzip
from functools import partial

from crawler.lab import odd
from crawler.lab.html import document, img, link
from crawler.lab.images import Derivative
from crawler.lab.plan import Host, Plan
from crawler.lab.truth import Expect
from crawler.lab.web import Reply


def build(plan: Plan) -> None:
    host = plan.host("vreemd.test", "127.13.1.4")
    pages = [host.add(target, reply) for target, reply in _pages(host).items()]
    pages.append(host.add("/eindeloos", Reply(partial(odd.endless_page)), Expect.OPEN))
    pages.append(host.add("/weg", Reply(b"weg", 404), Expect.FAILED))
    pages.append(host.add("/dicht", Reply(b"<form><input type=password></form>", 401), Expect.FAILED))
    host.page("/", "Vreemd", *map(link, pages), seed=True)


def _pages(host: Host) -> dict[str, Reply]:
    host.photo("/caf%C3%A9.jpg")
    host.plant("/utf16.jpg", "L19", Derivative.WATERMARKED)
    host.plant("/slordig.jpg", "L21")
    host.photo("/xhtml.jpg")
    host.photo("/gepakt.jpg")
    packed = gzip.compress(document("Gepakt", img("/gepakt.jpg")), mtime=0)
    xhtml = f'<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body>{img("/xhtml.jpg")}</body></html>'
    return {
        "/json": Reply(b'{"a": [1, 2]}', content_type="application/json"),
        "/tekst": Reply(b"http://niet-te-volgen.example/\n", content_type="text/plain"),
        "/pdf": Reply(odd.PDF, content_type="application/pdf"),
        "/binair": Reply(bytes(range(256)) * 16),
        "/leeg": Reply(b""),
        "/niets": Reply(status=204),
        "/latin1": Reply(
            "<title>Café</title><img src='/café.jpg'>".encode("latin-1"), content_type="text/html; charset=iso-8859-1"
        ),
        "/utf16": Reply(f"<title>x</title>{img('/utf16.jpg')}".encode("utf-16"), content_type="text/html"),
        "/charset": Reply(b"<p>caf\xe9 \xff\xfe", content_type="text/html; charset=utf-8"),
        "/onzin": Reply(b"<p>geen charset", content_type="text/html; charset=bestaat-niet"),
        "/slordig": Reply(b"<html><body><table><div><a href=/leeg>x<img src=slordig.jpg ><p></table></b></b"),
        "/xhtml": Reply(xhtml.encode(), content_type="application/xhtml+xml"),
        "/gepakt": Reply(packed, headers=(("Content-Encoding", "gzip"),)),
    }
