"""A site that fails half of the time: the first request for every URL fails, in turn in every way, the second works.
Some images always fail, and some take their time."""

from __future__ import annotations

from crawler.lab.html import img, link
from crawler.lab.images import Derivative
from crawler.lab.plan import Host, Plan
from crawler.lab.truth import Expect
from crawler.lab.web import Fault, Reply, Request, Route

FAILURES = (
    Reply(b"kapot", 500),
    Reply(b"even niet", 503, headers=(("Retry-After", "1"),)),
    Reply(fault=Fault.RESET),
    Reply(b"<p>half" * 99, fault=Fault.CUT),
    Reply(fault=Fault.EMPTY),
    Reply(b"later", 502),
)


def build(plan: Plan) -> None:
    host = plan.host("wankel.example", "127.12.1.3")
    images = [host.photo(f"/i/{number}.jpg") for number in range(6)]
    images += [host.plant("/i/6.jpg", "L11", Derivative.RESIZED, scale=0.7), host.plant("/i/7.jpg", "L13")]
    host.page("/", "Wankel", *map(img, images[:4]), link("/twee.html"), seed=True)
    host.page("/twee.html", "Wankel 2", *map(img, images[4:]), link("/drie.html"))
    host.page(
        "/drie.html",
        "Wankel 3",
        *map(img, _hopeless(host)),
        img(host.plant("/traag.jpg", "L14", Derivative.WATERMARKED)),
    )
    ours = [target for name, target in plan.routes if name == host.name and not target.startswith("/altijd/")]
    for number, target in enumerate(ours):
        plan.routes[host.name, target] = _unsteady(plan.routes[host.name, target], FAILURES[number % len(FAILURES)])


def _hopeless(host: Host) -> list[str]:
    always = (
        Reply(b"kapot", 500),
        Reply(fault=Fault.RESET),
        Reply(b"weg", 410),
        Reply(b"verboden", 403),
        Reply(b"dicht", 401),
    )
    return [host.add(f"/altijd/{n}.jpg", reply, Expect.FAILED) for n, reply in enumerate(always)]


def _unsteady(route: Route, failure: Reply) -> Route:
    def answer(request: Request) -> Reply:
        if request.number == 1:
            return failure
        return route if isinstance(route, Reply) else route(request)

    return answer
