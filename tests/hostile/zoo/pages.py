"""Animals whose pages repeat themselves or lie: copies, soft 404s, walls, loops, farms, links that act."""

from __future__ import annotations

from crawler.lab.html import document, img, link
from crawler.lab.web import Reply, redirect
from tests.hostile.zoo.park import DOMAIN, PICTURE, Ask, animal, page
from tests.hostile.zoo.paths import _album

SAME = "Welkom op deze pagina, die altijd hetzelfde zegt, onder welke naam men haar ook vraagt of vindt."


@animal()
def endless_pages(ask: Ask) -> Reply | None:
    if ask.path == "/lijst":
        number = int(ask.pairs.get("page", "1"))
        following = [f"/lijst?page={number + n}" for n in range(1, 8)]
        return page("Lijst", *following, text=f"Geen resultaten op bladzijde {number} van de lijst van alle dingen")
    return page("Lijst", "/lijst", "/fotos.html") if ask.path == "/" else _album(ask)


@animal()
def same_page_anywhere(ask: Ask) -> Reply | None:
    found = _album(ask)
    return found or page("Gelijk", *(f"/{ask.random.getrandbits(40):x}" for _ in range(9)), "/fotos.html", text=SAME)


@animal()
def same_page_in_all_languages(ask: Ask) -> Reply | None:
    found = _album(ask)
    tongues = [f"{ask.path.rstrip('/')}/{each}" for each in ("nl", "en", "de", "fr")]
    return found or page("Talen", *tongues, "/fotos.html", text=SAME)


@animal()
def soft_404(ask: Ask) -> Reply | None:
    if ask.path == "/":
        return page("Begin", *(f"/weg/{n}" for n in range(20)), "/fotos.html")
    random = ask.random
    gone = [f"/weg/{random.getrandbits(40):x}" for _ in range(6)]
    return _album(ask) or page("404 - Pagina niet gevonden", *gone, text=f"{random.random()}")


@animal()
def redirect_loop(ask: Ask) -> Reply | None:
    if ask.path in ("/a", "/b"):
        return redirect("/b" if ask.path == "/a" else "/a")
    if ask.path == "/zelf":
        return redirect("/zelf")
    return page("Rond", "/a", "/zelf", "/fotos.html") if ask.path == "/" else _album(ask)


@animal()
def redirect_for_ever(ask: Ask) -> Reply | None:
    if ask.path.startswith("/verder/"):
        return redirect(f"/verder/{int(ask.path.rpartition('/')[2]) + 1}")
    return page("Verder", "/verder/1", "/fotos.html") if ask.path == "/" else _album(ask)


@animal()
def refresh_for_ever(ask: Ask) -> Reply | None:
    if ask.path.startswith("/tel/"):
        number = int(ask.path.rpartition("/")[2])
        return page("Tel", head=f'<meta http-equiv="refresh" content="0; url=/tel/{number + 1}">', text=f"{number}")
    return page("Tel", "/tel/1", "/fotos.html") if ask.path == "/" else _album(ask)


@animal()
def frames_in_frames(ask: Ask) -> Reply | None:
    if ask.path.startswith("/kader/"):
        number = int(ask.path.rpartition("/")[2])
        return Reply(document("Kader", *(f'<iframe src="/kader/{2 * number + n}"></iframe>' for n in (0, 1))))
    return page("Kader", "/kader/1", "/fotos.html") if ask.path == "/" else _album(ask)


@animal()
def hundred_thousand_links(ask: Ask) -> Reply | None:
    if ask.path != "/":
        return page(f"{ask.path}", text=f"{ask.random.random()}") if ask.path.startswith("/n/") else None
    links = "".join(f'<a href="/n/{n}">{n}</a>' for n in range(100_000))
    return Reply(document("Veel", links, img(PICTURE)))


@animal(must_not=("/logout", "/delete", "/uitloggen", "/vote", "/account/remove", "/post"))
def links_that_act(ask: Ask) -> Reply | None:
    acts = ("/logout", "/delete?id=1", "/uitloggen.php", "/vote/up", "/account/remove/3", "/post?action=delete&id=3")
    return page("Beheer", *acts, "/fotos.html") if ask.path == "/" else _album(ask)


@animal(must_not=("/searchbyimage", "/reverse-image-search", "/similar-images", "/unsubscribe", "/share"))
def query_triggers(ask: Ask) -> Reply | None:
    own = f"http%3A%2F%2Fquery-triggers.{DOMAIN}{PICTURE.replace('/', '%2F')}"
    links = (f"/searchbyimage?image_url={own}", f"/reverse-image-search?u={own}", "/similar-images/3", "/unsubscribe")
    return page("Zoek", *links, "/share", "/fotos.html") if ask.path == "/" else _album(ask)


@animal()
def cookie_wall_by_redirect(ask: Ask) -> Reply | None:
    if ask.path == "/toestemming":
        return Reply(status=302, headers=(("Location", ask.pairs["terug"]), ("Set-Cookie", "ja=1; Path=/")))
    if "ja=1" not in ask.cookie:
        return redirect(f"/toestemming?terug={ask.path}")
    return page("Binnen", "/fotos.html", "/x") if ask.path in ("/", "/x") else _album(ask)


@animal()
def cookie_wall_that_stays(ask: Ask) -> Reply | None:
    if "ja=1" not in ask.cookie:
        wall = page("Cookies", "/binnen.html", "/privacy", text="Accepteer onze cookies om verder te gaan.")
        return Reply(wall.body, headers=(("Set-Cookie", "ja=1; Path=/"),)) if ask.path == "/" else wall
    return page("Binnen", "/fotos.html") if ask.path == "/binnen.html" else _album(ask)


@animal(wild=".boerderij.test")
def farm_of_hosts(ask: Ask) -> Reply | None:
    if ask.host.startswith("farm-of-hosts."):
        if ask.path == "/":
            return page("Boer", *(ask.url(f"h{n}.boerderij.test") for n in range(10)), "/fotos.html")
        return _album(ask)
    others = [ask.url(f"h{ask.random.getrandbits(40):x}.boerderij.test") for _ in range(10)]
    return page("Hof", *others, text=SAME)


@animal(wild=".akker.test")
def farm_of_domains(ask: Ask) -> Reply | None:
    if ask.host.startswith("farm-of-domains."):
        return page("Akker", ask.url("a.akker.test"), "/fotos.html") if ask.path == "/" else _album(ask)
    deeper = [ask.url(f"{letter}.{ask.host}") for letter in "xyz" if len(ask.host) < 120]
    return page("Veld", *deeper, text=SAME)


@animal()
def random_words(ask: Ask) -> Reply | None:
    random = ask.random
    words = " ".join("".join(random.choices("bdeklmnoprstaiou", k=random.randint(3, 9))) for _ in range(120))
    links = [f"/{random.getrandbits(50):x}.html" for _ in range(8)]
    front = ("/fotos.html",) if ask.path == "/" else ()
    # Two steps away it would be above the budget, which what the words name has used up by then.
    return page("Woorden", *front, *links, text=words, show=ask.path == "/fotos.html")


@animal()
def pictures_that_are_pages(ask: Ask) -> Reply | None:
    if ask.path == "/":
        fakes = "".join(img(f"/p/{n}.jpg") for n in range(60))
        return Reply(document("Plaatjes", fakes, link("/fotos.html")))
    return _album(ask) or (page("Geen plaatje", text=SAME) if ask.path.startswith("/p/") else None)


@animal()
def comment_links(ask: Ask) -> Reply | None:
    if ask.path == "/blog":
        replies = [f"/blog?replytocom={n}" for n in range(40)] + [f"/blog?print={n}&v={n}" for n in range(40)]
        return page("Blog", *replies, text=SAME)
    return page("Blog", "/blog", "/fotos.html") if ask.path == "/" else _album(ask)
