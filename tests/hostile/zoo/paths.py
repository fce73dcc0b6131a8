"""Animals whose paths never end: calendars, sessions, facets, directories."""

from __future__ import annotations

from crawler.lab.web import Reply, redirect
from tests.hostile.zoo.park import Ask, animal, page

MONTHS = ("januari", "februari", "maart", "april", "mei", "juni", "juli", "augustus", "september", "oktober")
EMPTY = "Er staat deze maand niets in de agenda van de vereniging; kijk bij een andere maand."


def _album(ask: Ask) -> Reply | None:
    """Two steps from the front page: what is worth finding."""
    if ask.path == "/fotos.html":
        return page("Foto's", "/fotos/album.html")
    return page("Album", show=True) if ask.path == "/fotos/album.html" else None


@animal()
def calendar_of_months(ask: Ask) -> Reply | None:
    if ask.path.startswith("/agenda/"):
        year, month = (int(part) for part in ask.path.strip("/").split("/")[1:3])
        later, earlier = divmod(12 * year + month, 12), divmod(12 * year + month - 2, 12)
        near = [f"/agenda/{y}/{m + 1:02}/" for y, m in (later, earlier)]
        years = [f"/agenda/{year + n}/{month:02}/" for n in (-10, -1, 1, 10)]
        return page(f"Agenda {MONTHS[month % 10]} {year}", *near, *years, text=EMPTY)
    return page("Vereniging", "/agenda/2026/05/", "/fotos.html") if ask.path == "/" else _album(ask)


@animal()
def calendar_in_query(ask: Ask) -> Reply | None:
    if ask.path == "/kalender.php":
        year, month = int(ask.pairs.get("year", "2026")), int(ask.pairs.get("month", "5"))
        links = [f"/kalender.php?month={m}&year={year + n}" for n in (-1, 1, 2) for m in (month, month % 12 + 1)]
        return page(f"Kalender {MONTHS[month % 10]} {year}", *links, text=f"Nummer {year * month}")
    return page("Club", "/kalender.php", "/fotos.html") if ask.path == "/" else _album(ask)


@animal()
def calendar_of_days(ask: Ask) -> Reply | None:
    if ask.path.startswith("/events/"):
        random = ask.random
        days = [f"/events/{random.randrange(1000, 9000)}-{random.randrange(1, 13):02}-{n:02}" for n in range(1, 20)]
        return page(ask.path, *days, text=f"Dag {random.random()}")
    return page("Zaal", "/events/2026-05-01", "/fotos.html") if ask.path == "/" else _album(ask)


@animal()
def session_in_query(ask: Ask) -> Reply | None:
    def fresh(path: str) -> str:
        return f"{path}?sid={ask.random.getrandbits(128):032x}"

    if ask.path in ("/", "/een", "/twee", "/drie"):
        return page(f"Winkel {ask.path}", *map(fresh, ("/", "/een", "/twee", "/drie", "/plaat")), text=ask.query)
    return page("Plaat", show=True) if ask.path == "/plaat" else None


@animal()
def session_in_path(ask: Ask) -> Reply | None:
    path, _, _ = ask.path.partition(";")
    token = f"{ask.random.getrandbits(128):032X}"
    if path in ("/", "/lijst"):
        return page(path, *(f"{p};jsessionid={token}" for p in ("/lijst", "/plaat", "/")), text=token)
    return page("Plaat", show=True) if path == "/plaat" else None


@animal(seed="/a.aspx")
def session_as_directory(ask: Ask) -> Reply | None:
    name = ask.path.rpartition("/")[2]
    token = f"(S({ask.random.getrandbits(120):030x}))"
    if name == "a.aspx":
        return page("A", f"/{token}/a.aspx", f"/{token}/b.aspx", text=token)
    return page("B", show=True) if name == "b.aspx" else None


@animal()
def session_by_redirect(ask: Ask) -> Reply | None:
    if ask.path not in ("/", "/b", "/plaat"):
        return None
    if "sid" not in ask.pairs:
        return redirect(f"{ask.path}?sid={ask.number:x}{ask.random.getrandbits(100):025x}")
    links = [f"{path}?sid={ask.pairs['sid']}" for path in ("/", "/b", "/plaat")]
    return page(f"Zaal {ask.path}", *links, show=ask.path == "/plaat", text=ask.path)


@animal()
def endless_path(ask: Ask) -> Reply | None:
    if ask.path == "/":
        return page("Begin", "map1/", "/fotos.html")
    number = ask.path.count("/")
    deeper = [f"map{number}{letter}/" for letter in "abcd"]
    return _album(ask) or page(f"Map {ask.path}", *deeper, text=f"{ask.random.random()}")


@animal()
def repeated_segments(ask: Ask) -> Reply | None:
    if ask.path.endswith("/") or ask.path.endswith(".php"):
        return page(
            "Overal hetzelfde", "nieuws/over.php", "nieuws/", "../nieuws/contact/", "/fotos.html", text=ask.path
        )
    return _album(ask)


@animal()
def slashes(ask: Ask) -> Reply | None:
    if "//" in ask.path or ask.path in ("/", "/x"):
        return page("Schuin", f"{ask.path}//x", f"{ask.path}/./y//", "/fotos.html", text=f"{len(ask.path)}")
    return _album(ask)


@animal()
def facets(ask: Ask) -> Reply | None:
    if ask.path == "/winkel":
        kinds = (("color", ("rood", "blauw", "geel")), ("size", ("s", "m", "l")), ("brand", ("a", "b", "c")))
        chosen = dict(ask.pairs)
        links = []
        for name, values in (*kinds, ("sort", ("prijs", "naam"))):
            for value in values:
                pairs = "&".join(f"{k}={v}" for k, v in {**chosen, name: value}.items())
                links.append(f"/winkel?{pairs}")
        return page("Winkel", *links, text=f"{ask.random.randrange(1000)} dingen, {ask.query}")
    return page("Winkel", "/winkel", "/fotos.html") if ask.path == "/" else _album(ask)


@animal()
def facets_in_arrays(ask: Ask) -> Reply | None:
    if ask.path == "/zoek":
        number = ask.query.count("f[]") + ask.query.count("f%5B%5D")
        links = [f"/zoek?{ask.query}&f[]={kind}{number}&f[]=x{n}&f[]=y" for n, kind in enumerate("abcdef")]
        return page("Zoek", *links, text=f"{ask.random.random()}")
    return page("Zoek", "/zoek?q=x", "/fotos.html") if ask.path == "/" else _album(ask)


@animal()
def parameters_in_any_order(ask: Ask) -> Reply | None:
    if ask.path == "/lijst":
        links = [f"/lijst?a{n}=1&b{ask.random.randrange(99)}=2" for n in range(12)]
        return page("Lijst van altijd dezelfde dingen", *links, text="Altijd dezelfde lijst van dingen die er zijn.")
    return page("Lijst", "/lijst", "/fotos.html") if ask.path == "/" else _album(ask)
