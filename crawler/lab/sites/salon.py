"""A salon with a hall: what lies behind is shown to those only who come from the hall's own page, by their Referer."""

from __future__ import annotations

from crawler.lab.html import img, link
from crawler.lab.images import Derivative
from crawler.lab.plan import Plan
from crawler.lab.web import Request


def build(plan: Plan) -> None:
    host = plan.host("salon.example", "127.12.1.4")
    hall = host.page("/hal.html", "Hal", link("/kamer.html", "de kamer"), link("/tuin.html", "de tuin"))

    def from_the_hall(request: Request) -> bool:
        return request.headers.get("referer") == hall

    images = [host.plant("/k/1.jpg", "L16", Derivative.WATERMARKED), host.photo("/k/2.jpg")]
    host.guard(host.page("/kamer.html", "Kamer", *map(img, images)), from_the_hall)
    host.guard(host.page("/tuin.html", "Tuin", img(host.plant("/t/1.jpg", "L12"))), from_the_hall)
    host.page("/", "Salon", link(hall, "binnen"), seed=True)
