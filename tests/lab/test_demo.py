from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from crawler.cli import demo as command
from crawler.cli.main import vangnet
from crawler.lab.aftermath import Aftermath
from crawler.lab.demo import Demonstration, SiteResult
from crawler.lab.truth import Judgement
from crawler.records import RunId
from crawler.service.accounting import CrawlSummary
from crawler.service.rechecks import RecheckSummary

URLS = {"discovered": 9, "fetched": 6, "failed": {"reset": 1}, "skipped": {"robots": 2}, "pending": 0}
PASSED = Demonstration(
    judgement=Judgement(3, 3, (), ()),
    out_of_scope={},
    summary=CrawlSummary(RunId("demo", 1), URLS, 5, 3, 4, 2.0),
    sites=(SiteResult("forum", "A forum", 3, 3),),
    hosters=(("Polder Hosting B.V.", 3),),
    seconds=4.25,
    aftermath=Aftermath(2, 1, 2, (), RecheckSummary(3, 5, {"absent": 3, "up": 2})),
)
CASES = {
    "passed": (PASSED, 0),
    "missed": (replace(PASSED, judgement=Judgement(3, 2, ("http://a.example/1.jpg",), ())), 1),
    "false": (replace(PASSED, judgement=Judgement(3, 3, (), ("http://a.example/[2].jpg",))), 1),
    "out of scope": (replace(PASSED, out_of_scope={"connection to 127.50.1.1": 2}), 1),
    "ended elsewhere": (replace(PASSED, aftermath=replace(PASSED.aftermath, wrong=("h7",))), 1),
    "interrupted": (replace(PASSED, summary=replace(PASSED.summary, interrupted=True)), 130),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("json_wanted", [True, False])
def test_the_exit_code_says_how_it_went(case: str, json_wanted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    result, code = CASES[case]
    asked: list[tuple[Path, str | None]] = []
    monkeypatch.setattr(command, "_demonstrate", lambda root, user: asked.append((root, user)) or result)
    arguments = ["--user", "anna", "demo", "--no-web", *(["--json"] if json_wanted else [])]
    done = CliRunner().invoke(vangnet, arguments)
    assert done.exit_code == code, done.output
    assert asked == [(Path("var/demo"), "anna")]
    if json_wanted:
        assert json.loads(done.stdout) == {
            "planted": 3,
            "found": result.judgement.found,
            "missed": list(result.judgement.missed),
            "false": list(result.judgement.false),
            "out_of_scope_requests": result.trespasses,
            "urls": URLS,
            "notices": 2,
            "removed": 1,
            "still_up": 2,
            "seconds": 4.25,
        }
    else:
        assert "9 discovered = 6 fetched + 1 failed + 2 skipped" in done.stdout
        assert "notices: 2 left, hits removed 1, still up 2" in done.stdout
        for url in (*result.judgement.missed, *result.judgement.false, *result.out_of_scope):
            assert url in done.stdout
        assert ("passed: 3 of 3" in done.stdout) == (code == 0)
