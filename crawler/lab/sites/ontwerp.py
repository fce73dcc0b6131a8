"""A designer's site: every way to show an image but a plain `src`, among them style sheets and `data:` URLs."""

from __future__ import annotations

from base64 import b64encode

from crawler.lab.html import document, link
from crawler.lab.images import Derivative, File, encoded
from crawler.lab.listed import LISTED
from crawler.lab.plan import Host, Plan
from crawler.lab.web import Reply


def build(plan: Plan) -> None:
    host = plan.host("ontwerp.test", "127.13.1.2")
    _responsive(host)
    _styled(host)
    _inline(host)
    _metadata(host)
    pages = ("/srcset.html", "/stijl.html", "/data1.html", "/data2.html", "/meta.html")
    host.page("/", "Ontwerp", *map(link, pages), seed=True)


def _responsive(host: Host) -> None:
    host.plant("/r/klein.jpg", "L19", Derivative.RESIZED, scale=0.5)
    host.plant("/r/groot,1.jpg", "L19", Derivative.RECOMPRESSED, quality=70)
    host.photo("/r/a.webp", "WEBP")
    host.plant("/r/b.jpg", "L21", Derivative.MIRRORED)
    host.photo("/r/c.jpg")
    host.page(
        "/srcset.html",
        "srcset",
        '<img srcset="/r/klein.jpg 320w, /r/groot,1.jpg 640w" sizes="50vw">',
        '<picture><source type="image/webp" srcset="r/a.webp 2x">',
        '<source srcset="r/b.jpg"><img src="r/c.jpg"></picture>',
        head='<base href="/">',
    )


def _styled(host: Host) -> None:
    host.plant("/s/1.jpg", "L22", Derivative.WATERMARKED)
    host.photo("/s/2.jpg")
    host.photo("/s/3.jpg")
    host.plant("/s/vel/4.jpg", "L06", Derivative.RECOMPRESSED, quality=65)
    sheet = b"/* vel */ .kop { background: #fff url(vel/4.jpg) no-repeat } .leeg { background: none }"
    host.add("/s/vel.css", Reply(sheet, content_type="text/css"))
    host.page(
        "/stijl.html",
        "stijl",
        "<div style=\"background-image: url('/s/1.jpg')\"></div>",
        '<table background="/s/2.jpg"><tr><td>oud</td></tr></table>',
        head='<link rel="stylesheet" href="/s/vel.css"><style>body { background: url("/s/3.jpg") }</style>',
    )


def _inline(host: Host) -> None:
    mirrored = File(LISTED["L00"].picture, "JPEG", Derivative.MIRRORED)
    host.add("/data1.html", lambda _: Reply(document("data", f'<img src="{_data_url(mirrored)}">')))
    host.mark("/data1.html", "L00", Derivative.MIRRORED, data=0)
    original = LISTED["L01"].source
    assert isinstance(original, File)
    style = "background: url('{}')"
    host.add(
        "/data2.html", lambda _: Reply(document("data", f'<div style="{style.format(_data_url(original))}"></div>'))
    )
    host.mark("/data2.html", "L01", data=0)


def _metadata(host: Host) -> None:
    host.photo("/m/og.jpg")
    host.plant("/m/poster.jpg", "L13", Derivative.RECOMPRESSED, quality=85)
    host.photo("/m/vector.jpg")
    host.photo("/m/icon.png", "PNG")
    host.page(
        "/meta.html",
        "meta",
        '<video poster="/m/poster.jpg"></video><svg width="9" height="9"><image href="/m/vector.jpg"/></svg>',
        head=f'<meta property="og:image" content="{host.url("/m/og.jpg")}"><link rel="icon" href="/m/icon.png">',
    )


def _data_url(file: File) -> str:
    return f"data:image/{file.format.lower()};base64,{b64encode(encoded(file)).decode()}"
