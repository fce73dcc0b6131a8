"""A portal that links to the others, so that most of them can be reached by links alone; it has a slow picture too."""

from __future__ import annotations

from crawler.lab.html import img, link
from crawler.lab.plan import Plan

LINKED = (
    "galerij.example",
    "forum.example",
    "prikbord.test",
    "mappen.example",
    "winkel.example",
    "stil.example",
    "ver-weg.test",
)


def build(plan: Plan) -> None:
    host = plan.host("poort.example", "127.10.1.4")
    host.page(
        "/",
        "Poort",
        *(link(f"http://{name}:{plan.port}/") for name in LINKED),
        img("/a.jpg"),
        link("/over.html"),
        seed=True,
    )
    host.page("/over.html", "Over", img("/b.jpg"), img("/c.jpg"))
    host.photo("/a.jpg")
    host.lookalike("/b.jpg", "L03")
    host.plant("/c.jpg", "L23")
