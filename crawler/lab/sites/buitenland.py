"""What is out of scope: a site abroad, one abroad inside a Dutch prefix, an excluded prefix and an excluded domain.

Listed images stand there, so that a crawl that goes there is found out by its hits as well as by its connections.
"""

from __future__ import annotations

from crawler.lab.html import img, link
from crawler.lab.plan import Host, Plan


def build(plan: Plan) -> None:
    hosts = [
        plan.host("ver-weg.test", "127.50.1.1"),
        plan.host("klant-elders.test", "127.10.200.1"),
        plan.host("uitgezonderd.example", "127.12.66.1"),
        plan.host("verboden.example", "127.12.1.8"),
        plan.host("foto.verboden.example", "127.12.1.8"),
    ]
    for host in hosts:
        _site(host)
    near = plan.host("grens.example", "127.12.1.7")
    near.page("/", "Aan de grens", *(link(host.url("/")) + img(host.url("/a.jpg")) for host in hosts), seed=True)


def _site(host: Host) -> None:
    host.page("/", "Buiten bereik", img("/a.jpg"), img("/b.jpg"), link("/verder.html"))
    host.page("/verder.html", "Verder", img("/b.jpg"))
    host.plant("/a.jpg", "L00")
    host.plant("/b.jpg", "L01")
