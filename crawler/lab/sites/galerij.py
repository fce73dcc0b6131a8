"""A photo gallery: albums of thumbnails, each behind a page with the large picture and a link to the original."""

from __future__ import annotations

from crawler.lab.html import img, link
from crawler.lab.images import Derivative, File, Picture, steady_number
from crawler.lab.plan import Host, Plan

ALBUMS = {
    "duinen": ("L00", None, "L02~", None, None, "L03", None, None),
    "polder": (None, "L05", None, None, "L06~", None, "L01", None),
}
"""Album -> its photographs: a key of the list, with "~" only a look-alike of it, None something else."""


def build(plan: Plan) -> None:
    host = plan.host("galerij.example", "127.10.1.1")
    for album, photos in ALBUMS.items():
        shown = [link(f"/{album}/{n}.html", img(f"/thumbs/{album}-{n}.jpg", "foto")) for n in range(len(photos))]
        host.page(f"/{album}/", f"Album {album}", *shown, link("/", "terug"))
        for number, key in enumerate(photos):
            _photo(host, album, number, key)
    host.page(
        "/", "Fotogalerij", *(link(f"/{album}/") for album in ALBUMS), link("mailto:info@galerij.example"), seed=True
    )


def _photo(host: Host, album: str, number: int, key: str | None) -> None:
    large, thumb = f"/groot/{album}-{number}.jpg", f"/thumbs/{album}-{number}.jpg"
    host.page(f"/{album}/{number}.html", f"Foto {number}", img(f"../groot/{album}-{number}.jpg"), link("./", "album"))
    if key is None:
        picture = Picture(steady_number(host.name + large))
        host.file(large, File(picture))
        host.file(thumb, File(picture, derivative=Derivative.RESIZED, scale=0.4))
    elif key.endswith("~"):
        host.lookalike(large, key[:-1])
        host.photo(thumb)
    else:
        host.plant(large, key)
        # Of an entry with digests only, the thumbnail is a derivative that must not match.
        host.plant(thumb, key, Derivative.RESIZED, scale=0.5)
