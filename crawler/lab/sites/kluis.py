"""A site that points at places where a crawler must never go: private networks, the cloud's metadata service, the
machine itself, in every notation, by name and by alias."""

from __future__ import annotations

from crawler.lab.html import img, link
from crawler.lab.plan import Answer, Plan
from crawler.lab.world import LOOPBACK

METADATA = "169.254.169.254"
INSIDE = "10.66.0.1"


def build(plan: Plan) -> None:
    host = plan.host("kluis.example", "127.12.1.2")
    plan.names |= {
        "intern.kluis.example": Answer((INSIDE,)),
        "metadata.kluis.example": Answer((METADATA,)),
        "alias.kluis.example": Answer(cname="dieper.kluis.example"),
        "dieper.kluis.example": Answer(cname="intern.kluis.example"),
        "rond.kluis.example": Answer(cname="rond.kluis.example"),
        "terug.kluis.example": Answer((LOOPBACK,)),
        "stuk.kluis.example": Answer(rcode=2),
        "leeg.kluis.example": Answer(),
    }
    plan.watched |= {(INSIDE, plan.port), (METADATA, plan.port)}
    own = plan.host("localhost.kluis.example", LOOPBACK)
    own.page("/", "Deze machine")
    own.plant("/geheim.jpg", "L00")
    literals = (
        INSIDE,
        METADATA,
        LOOPBACK,
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "[::ffff:127.0.0.1]",
        "[::1]",
        "localhost",
    )
    bad = [f"http://{name}:{plan.port}/" for name in (*literals, *sorted(plan.names)) if not _reachable(plan, name)]
    bad += [f"http://{METADATA}/latest/meta-data/", f"http://bestaat-niet.kluis.example:{plan.port}/"]
    images = [img(f"{url}geheim.jpg") for url in bad[:6]]
    host.page("/", "Kluis", *map(link, bad), *images, img("/binnen.jpg"), link("file:///etc/passwd"), seed=True)
    host.plant("/binnen.jpg", "L10")


def _reachable(plan: Plan, name: str) -> bool:
    answer = plan.names.get(name)
    return (
        answer is not None and LOOPBACK not in answer.addresses and any(a in plan.listening for a in answer.addresses)
    )
