"""A reading room: its front page sets a cookie, and whoever comes without it sees nothing. A cupboard needs a login."""

from __future__ import annotations

from crawler.lab.html import document, img, link
from crawler.lab.images import Derivative
from crawler.lab.plan import Plan
from crawler.lab.truth import Expect
from crawler.lab.web import Reply, Request

TICKET = "leeskaart=c0ffee"
LOGIN = Reply(b"<p>Inloggen", 401, headers=(("WWW-Authenticate", 'Basic realm="kast"'),))


def build(plan: Plan) -> None:
    host = plan.host("leeszaal.example", "127.11.1.6")
    front = document("Leeszaal", link("/zaal.html", "naar binnen"))
    plan.seeds.append(host.add("/", Reply(front, headers=(("Set-Cookie", f"{TICKET}; Path=/; HttpOnly"),))))
    closed = host.add("/kast/1.jpg", LOGIN, Expect.FAILED)
    images = [host.plant("/z/1.jpg", "L18", Derivative.RESIZED, scale=0.7), host.plant("/z/2.jpg", "L17")]
    images.append(host.photo("/z/3.jpg"))
    for url in (*images, host.page("/zaal.html", "Zaal", *map(img, images), img(closed))):
        host.guard(url, _has_ticket)


def _has_ticket(request: Request) -> bool:
    return TICKET in request.headers.get("cookie", "").split("; ")
