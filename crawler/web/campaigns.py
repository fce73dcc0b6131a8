"""Campaigns: how they stand, live, and steering them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote

from starlette.responses import Response

from crawler.errors import CampaignInvalid, InvalidInput, NotAuthorised, Refused, VangnetError
from crawler.service import campaigns as service
from crawler.service import start, steer
from crawler.web.gate import status_of
from crawler.web.ways import Visit, Way, go

_LETTERS: Final = 10


def overview(visit: Visit) -> Response:
    """All campaigns."""
    return visit.page("campaigns.html", campaigns=service.list_campaigns(visit.db, visit.person))


def campaign(visit: Visit) -> Response:
    """One campaign and its latest run."""
    return _campaign(visit, visit.ask.path["name"])


def progress(visit: Visit) -> Response:
    """The part of that page that is asked for again while a run goes on."""
    return visit.page("_progress.html", **_standing(visit, visit.ask.path["name"]))


def _campaign(visit: Visit, name: str, *, problem: str | None = None, status: int = 200) -> Response:
    shown = service.show_campaign(visit.db, visit.person, name, lab=visit.desk.options.lab)
    return visit.page("campaign.html", status, campaign=shown, problem=problem, **_standing(visit, name))


def _standing(visit: Visit, name: str) -> dict[str, Any]:
    """The state of the run; a server that is away takes nothing else from the page."""
    try:
        found = steer.campaign_status(visit.db, visit.person, visit.desk.server, name, letters=_LETTERS)
    except (CampaignInvalid, NotAuthorised):
        raise
    except VangnetError as error:
        return {"name": name, "run": None, "away": str(error)}
    return {"name": name, "run": found, "away": None}


def _steering(act: Callable[[Visit, str], object]) -> Callable[[Visit], Response]:
    def handler(visit: Visit) -> Response:
        name = visit.ask.path["name"]
        try:
            act(visit, name)
        except NotAuthorised as error:
            return _campaign(visit, name, problem=str(error), status=403)
        except (Refused, InvalidInput) as error:
            return _campaign(visit, name, problem=str(error), status=status_of(error, "POST"))
        return go(f"/campaigns/{quote(name, safe='')}")

    return handler


def _start(visit: Visit, name: str) -> object:
    return start.start_campaign(visit.desk.home, visit.db, visit.person, visit.desk.server, name)


def _moved(act: Callable[..., object]) -> Callable[[Visit, str], object]:
    return lambda visit, name: act(visit.db, visit.person, visit.desk.server, name)


WAYS: Final = (
    Way("GET", "/campaigns", "campaigns.read", overview),
    Way("GET", "/campaigns/{name}", "campaigns.read", campaign),
    Way("GET", "/campaigns/{name}/progress", "campaigns.read", progress),
    Way(
        "POST",
        "/campaigns/{name}/approve",
        "campaigns.approve",
        _steering(lambda visit, name: service.approve_campaign(visit.db, visit.person, name)),
    ),
    Way("POST", "/campaigns/{name}/start", "campaigns.start", _steering(_start)),
    Way("POST", "/campaigns/{name}/pause", "campaigns.pause", _steering(_moved(steer.pause_campaign))),
    Way("POST", "/campaigns/{name}/resume", "campaigns.resume", _steering(_moved(steer.resume_campaign))),
    Way("POST", "/campaigns/{name}/stop", "campaigns.stop", _steering(_moved(steer.stop_campaign))),
)
