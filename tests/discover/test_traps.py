"""What URLs give away: calendars, facets, endless paths, sessions; and what is none of these."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.discover.traps import trap_of, without_session
from crawler.urls import canonical

TRAPS = {
    "calendar": (
        "/agenda/2031/05/",
        "/events/2026-05-17",
        "/kalender?maand=5&jaar=2031",
        "/x?date=2026-05-01",
        "/archief/1850/05/",
        "/blog/3099-01-02/",
        "/cal/month/2026-5?view=list",
    ),
    "facets": (
        "/winkel?color=rood&size=xl",
        "/z?f[]=a&f[]=b&q=1&x=2&y=3",
        "/z?filter=a,b,c",
        "/w?sort=price&order=asc",
    ),
    "repeats": ("/a/b/a/b/a/b/", "/nieuws/nieuws/nieuws/x.php", "/nl/en/nl/de/nl"),
    "endless": ("/" + "/".join(str(n) for n in range(13)), "/x?q=" + "y" * 600),
}
HONEST = (
    "/",
    "/nieuws/2024/05/17/een-titel",
    "/foto/2014/06/12/strand.html",
    "/index.php?id=5&page=2",
    "/viewtopic.php?f=2&t=3333&sort=asc",
    "/p/20240517",
    "/events/",
    "/album/12/34/56",
    "/zoek?q=zee&page=3",
    "/a/b/c/a/d/e",
    "/v/9999-12",
    "/week-in-beeld",
)


@pytest.mark.parametrize(("kind", "path"), [(kind, path) for kind, paths in TRAPS.items() for path in paths])
def test_traps_are_told_by_their_urls(kind: str, path: str) -> None:
    assert trap_of(f"http://a.example{path}", 2026) == kind


@pytest.mark.parametrize("path", HONEST)
def test_honest_urls_are_above_suspicion(path: str) -> None:
    assert trap_of(f"http://a.example{path}", 2026) is None


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("/x;jsessionid=0A1B2C?p=1", "/x?p=1"),
        ("/x?PHPSESSID=0123456789abcdef", "/x"),
        ("/x?a=1&sid=0123456789abcdef&b=2", "/x?a=1&b=2"),
        ("/(S(0123456789abcdefghij))/x.aspx", "/x.aspx"),
        ("/x?ASPSESSIONIDABCD=0123456789AB", "/x"),
        ("/x?sid=12", "/x?sid=12"),
        ("/x?session=morning-of-friday", "/x?session=morning-of-friday"),
        ("/x?s=zeilboot2024abcdef", "/x?s=zeilboot2024abcdef"),
        ("/x?", "/x?"),
    ],
)
def test_sessions_are_left_out(url: str, plain: str) -> None:
    assert without_session(f"http://a.example{url}") == f"http://a.example{plain}"


@given(st.text(max_size=300))
def test_nothing_breaks_them(text: str) -> None:
    url = canonical(f"http://a.example/{text}")
    if isinstance(url, str):
        trap_of(url, 2026)
        plain = without_session(url)
        assert canonical(plain) == plain
        assert without_session(plain) == plain
