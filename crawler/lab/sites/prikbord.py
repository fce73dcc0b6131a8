"""An image board: previews that a script would load late, in the attributes that such scripts use, and large files."""

from __future__ import annotations

from crawler.lab.html import link
from crawler.lab.images import Derivative
from crawler.lab.odd import PIXEL
from crawler.lab.plan import Host, Plan
from crawler.lab.web import Reply

LAZY = (
    '<img class="lazy" src="/leeg.gif" data-src="{0}">',
    '<img class="lazyload" src="data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="'
    ' data-original="{0}">',
    '<img loading="lazy" data-lazy-src="{0}"><noscript><img src="{0}"></noscript>',
    '<img data-srcset="{0} 1x, {1} 2x">',
    '<div class="bg" data-bg="{0}"></div>',
    '<noscript><img src="{0}"></noscript>',
)
"""Ways to name a preview ({0}) and, in one of them, a larger one ({1})."""

LISTED = {
    1: ("L13", Derivative.RESIZED),
    3: ("L14", Derivative.AS_IS),
    4: ("L16", Derivative.RECOMPRESSED),
    8: ("L18", Derivative.MIRRORED),
}


def build(plan: Plan) -> None:
    host = plan.host("prikbord.test", "127.11.1.1")
    host.add("/leeg.gif", Reply(PIXEL, content_type="image/gif"))
    threads = [link(f"/d/{thread}/", f"Draad {thread}") for thread in range(4)]
    host.page("/", "Prikbord", *threads, seed=True)
    for thread in range(4):
        posts = [_post(host, thread * 3 + post) for post in range(3)]
        host.page(f"/d/{thread}/", f"Draad {thread}", *posts)


def _post(host: Host, number: int) -> str:
    preview, large = f"/p/{number}s.jpg", f"/p/{number}.jpg"
    for target, scale in ((preview, 0.5), (large, 1.0)):
        if number in LISTED:
            key, derivative = LISTED[number]
            host.plant(
                target,
                key,
                Derivative.RESIZED if scale < 1 else derivative,
                scale=scale if scale < 1 else 0.75,
                quality=60,
            )
        else:
            host.photo(target)
    return link(large, LAZY[number % len(LAZY)].format(preview, large))
