"""A forum: paginated boards and threads, avatars, attachments behind a script's address, relative links."""

from __future__ import annotations

from crawler.lab.html import img, link
from crawler.lab.images import Derivative
from crawler.lab.plan import Host, Plan
from crawler.lab.truth import Expect
from crawler.lab.web import Reply

PAGES, THREADS_A_PAGE = 4, 3
ATTACHED = {
    2: ("L08", Derivative.RECOMPRESSED, 55),
    5: ("L10", Derivative.WATERMARKED, 88),
    8: ("L11", Derivative.MIRRORED, 80),
    11: ("L04", Derivative.AS_IS, 88),
}
"""Thread -> the listed image in its last post: entry, derivative, quality."""


def build(plan: Plan) -> None:
    host = plan.host("forum.example", "127.10.1.2")
    for page in range(1, PAGES + 1):
        rows = [
            link(f"showthread.php?t={thread}") for thread in range((page - 1) * THREADS_A_PAGE, page * THREADS_A_PAGE)
        ]
        after = [f'<a rel="next" href="?f=1&amp;page={page + 1}">volgende</a>'] if page < PAGES else []
        target = "/forumdisplay.php?f=1" + (f"&page={page}" if page > 1 else "")
        host.page(target, f"Bord, bladzijde {page}", *rows, *after)
    for thread in range(PAGES * THREADS_A_PAGE):
        _thread(host, thread)
    for user in range(4):
        host.photo(f"/avatars/{user}.png", "PNG")
    host.page(
        "/",
        "Forum",
        link("forumdisplay.php?f=1", "Algemeen"),
        link("javascript:void(0)", "menu"),
        link("ucp.php?mode=logout", "uitloggen"),
        seed=True,
    )

    # A link that acts: nobody who only looks follows it.
    host.add("/ucp.php?mode=logout", Reply(b"<p>uitgelogd"), Expect.SKIPPED)


def _thread(host: Host, thread: int) -> None:
    avatar = img(f"avatars/{thread % 4}.png")
    first = f"/showthread.php?t={thread}"
    host.page(
        first, f"Draad {thread}", avatar, link(f"showthread.php?t={thread}&page=2", "2"), link("#post1", "omlaag")
    )
    attachment = f"/attachment.php?id={1000 + thread}"
    host.page(f"{first}&page=2", f"Draad {thread} (2)", avatar, img(attachment[1:]), link("/", "naar boven"))
    if thread in ATTACHED:
        key, derivative, quality = ATTACHED[thread]
        host.plant(attachment, key, derivative, quality=quality)
    else:
        host.photo(attachment)
