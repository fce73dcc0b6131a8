"""A site whose robots.txt forbids a part of it; listed images stand there, which must not be fetched."""

from __future__ import annotations

from crawler.lab.html import img, link
from crawler.lab.images import Derivative
from crawler.lab.plan import Plan
from crawler.lab.truth import Expect
from crawler.lab.web import Reply

ROBOTS = b"""# RFC 9309
User-agent: AndereBot
Disallow: /

User-agent: *
Disallow: /prive/
Disallow: /*.niet.jpg$
Allow: /prive/wel/
"""


def build(plan: Plan) -> None:
    host = plan.host("stil.example", "127.13.1.1")
    plan.routes[host.name, "/robots.txt"] = Reply(ROBOTS, content_type="text/plain")
    allowed = [
        host.plant("/open.jpg", "L16", Derivative.RESIZED, scale=0.8),
        host.plant("/prive/wel/a.jpg", "L18"),
        host.photo("/b.jpg"),
    ]
    forbidden = [
        host.plant("/prive/c.jpg", "L02", expect=Expect.SKIPPED),
        host.plant("/prive/d.jpg", "L03", expect=Expect.SKIPPED),
        host.plant("/e.niet.jpg", "L05", expect=Expect.SKIPPED),
        host.add("/prive/", Reply(b"<p>prive"), Expect.SKIPPED),
    ]
    host.page("/", "Stil", *map(img, allowed + forbidden[:3]), link(forbidden[3]), seed=True)
