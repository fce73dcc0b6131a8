"""A shop whose pictures come through a content delivery network: an alias in DNS, the network's address in front."""

from __future__ import annotations

from crawler.lab.html import img, link
from crawler.lab.images import Derivative
from crawler.lab.plan import Plan

EDGE = "127.20.0.10"


def build(plan: Plan) -> None:
    shop = plan.host("winkel.example", "127.10.1.3")
    pictures = plan.host("img.winkel.example", EDGE, cname="winkel.edge.lichtsnel.example")
    images = [
        pictures.plant("/p/1.webp", "L06", Derivative.RESIZED, format="WEBP", scale=0.6),
        pictures.plant("/p/2.jpg?w=800", "L08"),
        pictures.photo("/p/3.jpg?w=800"),
        pictures.lookalike("/p/4.jpg", "L08"),
        pictures.photo("/p/5.jpg"),
        pictures.plant("/p/6.jpg", "L15", Derivative.RECOMPRESSED, quality=50),
    ]
    for number, image in enumerate(images):
        shop.page(f"/product/{number}", f"Product {number}", img(image), link("/"))
    shop.page("/", "Winkel", *(link(f"/product/{number}") for number in range(len(images))), seed=True)
