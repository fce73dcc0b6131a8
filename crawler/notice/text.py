"""A notice as text, in Dutch and in English, from the templates beside this module."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import Final, Literal

from jinja2 import Environment, PackageLoader, StrictUndefined, Template, select_autoescape

from crawler.notice.facts import Notice, plain

Language = Literal["nl", "en"]
LANGUAGES: Final[tuple[Language, ...]] = ("nl", "en")
RULE: Final = "-" * 72

_REASONS: Final = {
    "nl": {
        "A": "het bestand is gelijk aan vastgesteld materiaal",
        "B": "het beeld komt overeen met vastgesteld materiaal, volgens twee onafhankelijke methoden",
        "C": "het beeld komt overeen met vastgesteld materiaal, en is afzonderlijk beoordeeld",
    },
    "en": {
        "A": "the file equals established material",
        "B": "the image corresponds to established material, by two independent methods",
        "C": "the image corresponds to established material, and was assessed separately",
    },
}


def notice_text(notice: Notice) -> str:
    """Both languages, the Dutch text first, which is the one that counts in law."""
    note = "Dutch text first; English text below. In case of difference the Dutch text prevails."
    return "\n".join((note, RULE, "", render(notice, "nl"), RULE, "", render(notice, "en")))


def render(notice: Notice, language: Language) -> str:
    """One language. Texts of strangers are on one line each, and URLs are canonical, so that no line can be forged."""
    words = notice.instrument.dutch if language == "nl" else notice.instrument.english
    return _template(language).render(
        notice=notice,
        words=words,
        hoster=plain(notice.hoster),
        issued=stamp(notice.issued_at),
        stamp=stamp,
        reasons=_REASONS[language],
    )


def subject(notice: Notice) -> str:
    """The subject of the mail: reference and instrument, and nothing of where."""
    many = len(notice.urls)
    number = "1 URL" if many == 1 else f"{many} URLs"
    title = f"{notice.instrument.dutch.title} / {notice.instrument.english.title}"
    return f"[{notice.id}] {title} ({number}, {notice.deadline_hours} h)"


def stamp(at: float) -> str:
    """Epoch seconds as a person reads them, in UTC: "2026-06-17 08:30:00 UTC"."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


@cache
def _template(language: Language) -> Template:
    # Text, not HTML; what may stand in it is bounded by `plain` and by canonical URLs.
    environment = Environment(
        loader=PackageLoader("crawler.notice"),
        autoescape=select_autoescape(default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(f"{language}.txt")
