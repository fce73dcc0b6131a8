"""Redirects of every kind: with each status, in chains and loops, across hosts, out of scope, to other schemes."""

from __future__ import annotations

from crawler.lab.html import document, img, link
from crawler.lab.images import Derivative
from crawler.lab.plan import Plan
from crawler.lab.truth import Expect
from crawler.lab.web import Reply, redirect
from crawler.lab.world import LOOPBACK

STATUSES = (301, 302, 303, 307, 308)


def build(plan: Plan) -> None:
    host = plan.host("wegwijzer.example", "127.11.1.3")
    other = plan.host("bestemming.test", "127.11.1.4")
    far = plan.host("overzee.test", "127.50.1.2")
    far.plant("/z.jpg", "L05")
    images = []
    for number, status in enumerate(STATUSES):
        target = (host if number % 2 else other).photo(f"/echt/{number}.jpg")
        images.append(host.add(f"/r/{status}.jpg", redirect(target, status)))
    found = other.plant("/echt/gevonden.jpg", "L08", Derivative.MIRRORED)
    images.append(host.add("/r/keten.jpg", redirect("/r/keten2.jpg", 301)))
    host.add("/r/keten2.jpg", redirect(f"//{host.name}:{plan.port}/r/keten3.jpg", 307))
    host.add("/r/keten3.jpg", redirect(found))
    images += [host.add(f"/weg/{n}.jpg", redirect(url)) for n, url in enumerate(_outside(plan, far.url("/z.jpg")))]
    images.append(host.add("/lus/a.jpg", redirect("/lus/b.jpg"), Expect.OPEN))
    host.add("/lus/b.jpg", redirect("/lus/a.jpg"), Expect.OPEN)
    images.append(host.add("/nergens.jpg", Reply(status=302), Expect.OPEN))
    other.page("/hier.html", "Aangekomen", img("/hier.jpg"))
    other.plant("/hier.jpg", "L11", Derivative.RECOMPRESSED, quality=75)
    host.add("/oud.html", redirect(other.url("/hier.html"), 301))
    refresh = f'<meta http-equiv="refresh" content="0; url={other.url("/ververst.html")}">'
    host.add("/ververs.html", Reply(document("Ververs", head=refresh)))
    other.page("/ververst.html", "Ververst", img("/laatste.jpg"))
    other.photo("/laatste.jpg")
    host.page("/", "Wegwijzer", *map(img, images), link("/oud.html"), link("/ververs.html"), seed=True)


def _outside(plan: Plan, far: str) -> tuple[str, ...]:
    return (
        far,
        f"http://{LOOPBACK}:{plan.port}/geheim.jpg",
        f"http://10.66.0.1:{plan.port}/x.jpg",
        "file:///etc/passwd",
        "ftp://ver-weg.test/x.jpg",
    )
