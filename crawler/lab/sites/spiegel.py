"""A site with two faces: browsers see its pictures, anybody else is told that there are none, by 403 or 404."""

from __future__ import annotations

from crawler.lab.html import img, link
from crawler.lab.images import Derivative
from crawler.lab.plan import Plan
from crawler.lab.web import NOT_FOUND, Request


def build(plan: Plan) -> None:
    host = plan.host("spiegel.test", "127.13.1.5")
    first = host.guard(host.plant("/s/1.jpg", "L19", Derivative.RESIZED, scale=0.6), is_browser)
    second = host.guard(host.plant("/s/2.jpg", "L20"), is_browser, NOT_FOUND)
    hidden = host.guard(host.page("/achter.html", "Achter", img(host.plant("/s/3.jpg", "L22"))), is_browser)
    host.page("/", "Spiegel", img(first), img(second), link(hidden), seed=True)


def is_browser(request: Request) -> bool:
    """Whether it calls itself one."""
    return request.headers.get("user-agent", "").startswith("Mozilla/")
