from __future__ import annotations

import re
from pathlib import Path

import pytest

import crawler.fetch
from crawler.fetch.failures import FAILURES, Disposition, failure, http_outcome, unsupported


def test_every_class_says_why() -> None:
    assert len(FAILURES) > 25
    for each in FAILURES.values():
        assert re.fullmatch(r"[a-z]+(-[a-z]+)*", each.name)
        assert each.why


def test_every_class_that_the_package_names_exists() -> None:
    """And the other way round: no class in the table that nothing can yield (but two that are judged outside)."""
    sources = "".join(path.read_text() for path in Path(crawler.fetch.__file__).parent.glob("*.py"))
    named = set(re.findall(r'(?:failure|Rejected)\(\s*"([a-z-]+)"', sources))
    named |= set(re.findall(r'"((?:dns|connect|tls|header|idle)-[a-z-]+)"', sources))
    named |= set(re.findall(r'failure\("([a-z-]+)" if .* else "([a-z-]+)"', sources)[0])
    assert named - {"too-slow", "deadline"} <= set(FAILURES)
    for name in FAILURES.keys() - {"blocked-robots", "address-changed"}:
        assert sources.count(f'"{name}"') >= 2, name


def test_a_failure_knows_whether_to_retry() -> None:
    assert failure("reset").retry
    assert not failure("tls", "detail").retry
    with pytest.raises(KeyError):
        failure("bad-luck")


@pytest.mark.parametrize(
    ("status", "name", "disposition"),
    [
        (200, "http-200", Disposition.USABLE),
        (206, "http-206", Disposition.USABLE),
        (301, "http-301", Disposition.REDIRECT),
        (304, "http-304", Disposition.UNCHANGED),
        (300, "http-300", Disposition.FAILED),
        (401, "closed", Disposition.CLOSED),
        (402, "closed", Disposition.CLOSED),
        (403, "http-403", Disposition.FAILED),
        (404, "http-404", Disposition.FAILED),
        (410, "http-410", Disposition.FAILED),
        (429, "http-429", Disposition.RETRY),
        (500, "http-500", Disposition.RETRY),
        (501, "http-501", Disposition.FAILED),
        (503, "http-503", Disposition.RETRY),
        (522, "http-522", Disposition.RETRY),
        (999, "http-999", Disposition.FAILED),
    ],
)
def test_statuses(status: int, name: str, disposition: Disposition) -> None:
    outcome = http_outcome(status)
    assert (outcome.name, outcome.disposition) == (name, disposition)
    assert outcome.retry == (disposition is Disposition.RETRY)


def test_unsupported() -> None:
    assert unsupported("video") == "unsupported(video)"
