"""A picture library that keeps its images from being shown elsewhere: without a page of its own as Referer, a request
gets 403, or a small picture that says so. A site of somebody else shows its images all the same."""

from __future__ import annotations

from crawler.lab.html import img, link
from crawler.lab.images import Derivative, File, Picture, steady_number
from crawler.lab.plan import Plan
from crawler.lab.web import Reply, Request


def build(plan: Plan) -> None:
    host = plan.host("beeldbank.example", "127.10.1.5")
    refused = [
        host.plant("/b/1.jpg", "L03", Derivative.RECOMPRESSED, quality=60),
        host.plant("/b/2.jpg", "L09"),
        host.photo("/b/3.jpg"),
    ]
    replaced = [host.plant("/b/4.jpg", "L11", Derivative.MIRRORED), host.photo("/b/5.jpg")]

    def shown_here(request: Request) -> bool:
        return request.headers.get("referer", "").startswith(host.url("/"))

    sign = Reply(File(Picture(steady_number(host.name), 200, 100), "PNG"), content_type="image/png")
    for url in refused:
        host.guard(url, shown_here)
    for url in replaced:
        host.guard(url, shown_here, sign)
    host.page("/", "Beeldbank", link("/zaal.html", "de zaal"), *map(img, refused[:2]), seed=True)
    host.page("/zaal.html", "Zaal", img(refused[2]), *map(img, replaced))
    elsewhere = plan.host("etalage.test", "127.11.1.5")
    elsewhere.page("/", "Etalage", *map(img, refused), seed=True)
