"""Images that are not what they seem: wrong extensions and types, cut off, empty, no image at all, a bomb."""

from __future__ import annotations

from crawler.lab import odd
from crawler.lab.html import document, img, link
from crawler.lab.images import Derivative, File, Picture, encoded, steady_number
from crawler.lab.plan import Host, Plan
from crawler.lab.truth import Expect
from crawler.lab.web import Reply

PHOTO = File(Picture(steady_number("rommel.example")))


def build(plan: Plan) -> None:
    host = plan.host("rommel.example", "127.13.1.3")
    images = _disguised(host) + _broken(host)
    host.page(
        "/", "Rommel", *map(img, images), link("/toon.php?id=7", "groot"), link("/download/8", "origineel"), seed=True
    )
    # Images behind links that look like pages.
    host.plant("/toon.php?id=7", "L16", Derivative.MIRRORED)
    host.plant("/download/8", "L12", content_type="application/octet-stream")


def _disguised(host: Host) -> list[str]:
    page = document("Geen plaatje", img("/via-plaatje.jpg"))
    host.plant("/via-plaatje.jpg", "L18", Derivative.RECOMPRESSED, quality=40)
    return [
        host.plant("/eigenlijk-png.jpg", "L14", format="PNG"),
        host.plant("/eigenlijk-jpg.png", "L17", content_type="image/png"),
        host.plant("/zonder-type", "L20", content_type="text/plain"),
        host.plant("/als-html.jpg", "L02", Derivative.RESIZED, scale=0.75, content_type="text/html"),
        host.add("/is-html.jpg", Reply(page, content_type="image/jpeg"), Expect.OPEN),
        host.add("/is-html-zegt-het.jpg", Reply(document("Ook geen plaatje"))),
        host.add("/pixel.gif", Reply(odd.PIXEL, content_type="image/gif")),
    ]


def _broken(host: Host) -> list[str]:
    bodies = {
        "/leeg.jpg": b"",
        "/ruis.jpg": bytes(range(256)) * 8,
        "/kop.jpg": b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xdb\x00\x43\x00",
        "/kort.png": b"\x89PNG\r\n\x1a\n" + bytes(9),
        "/tekst.gif": b"GIF89a is hoe dit begint",
        "/lijn.svg": odd.SVG,
    }
    urls = [host.add(target, _jpeg(body), Expect.FAILED) for target, body in bodies.items()]
    urls.append(host.add("/bom.png", lambda _: Reply(odd.png_bomb(), content_type="image/png"), Expect.FAILED))
    # Half of it is there: decoded in part or not at all, as the reader likes.
    urls.append(host.add("/half.jpg", lambda _: _jpeg(encoded(PHOTO)[:9_000]), Expect.OPEN))
    # No image, but its digest is listed: a hit, although nothing can be decoded.
    urls.append(host.plant("/verminkt.jpg", "L24", expect=Expect.FAILED))
    return urls


def _jpeg(body: bytes) -> Reply:
    return Reply(body, content_type="image/jpeg")
