"""Many small domains on one address, as shared hosting has them; they link to each other. One has a second address."""

from __future__ import annotations

from crawler.lab.html import img, link
from crawler.lab.images import Derivative
from crawler.lab.plan import Plan

SHOPS = ("bakker", "slager", "kapper", "smid", "molenaar", "visboer", "bloemist", "fietsenmaker")
LISTED = {
    "smid": ("L00", Derivative.WATERMARKED),
    "visboer": ("L02", Derivative.AS_IS),
    "kapper": ("L03", Derivative.MIRRORED),
}


def build(plan: Plan) -> None:
    for number, shop in enumerate(SHOPS):
        addresses = ("127.12.1.1", "127.12.1.9") if shop == "bakker" else ("127.12.1.1",)
        host = plan.host(f"{shop}.{'test' if number % 2 else 'example'}", *addresses)
        following = SHOPS[(number + 1) % len(SHOPS)]
        neighbour = f"//{following}.{'test' if (number + 1) % len(SHOPS) % 2 else 'example'}:{plan.port}/"
        host.page("/", shop, img("/foto1.jpg"), img("/foto2.jpg"), link("contact.html"), link(neighbour, "de buren"))
        host.page("/contact.html", f"Contact {shop}", link("tel:0000000", "bel"), img("foto1.jpg"))
        host.photo("/foto1.jpg")
        if shop in LISTED:
            key, derivative = LISTED[shop]
            host.plant("/foto2.jpg", key, derivative)
        else:
            host.photo("/foto2.jpg")
        if number == 0:
            plan.seeds.append(host.url("/"))
