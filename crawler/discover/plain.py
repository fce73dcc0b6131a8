"""The tags that abound, written as generators write them: what they name without all of their attributes being parsed.

Half of all tags that could name anything are links with nothing but a target and what has no meaning here.
"""

from __future__ import annotations

import re
from typing import Final

S: Final = r"[ \t\n\r\f]"
"""White space of HTML, as a pattern."""
_ASIDE: Final = r'(?:id|title|target|name|accesskey|alt|border|align)="[^"]*+"|style="[^"(@\\&]*+"'
_OF_LINK: Final = rf'(?:{S}++(?:{_ASIDE}|class="([^"]*+)"))*+'
# No pixel, which is declared to be as large as one.
_OF_IMAGE: Final = rf'(?:{S}++(?:{_ASIDE}|class="[^"]*+"|(?:width|height)="(?![01]")[^"]*+"))*+'
_OF_RELATION: Final = (
    r'rel="([^"&]*+)"|href="([^"&]*+)"|type="([^"&]*+)"|(?:id|title|media|charset|hreflang|sizes)="[^"]*+"'
)

LINK: Final = rf'{_OF_LINK}{S}++href="([^"&]++)"{_OF_LINK}{S}*+(?=>)'
"""The attributes of a plain link. Groups: class, if it stands before, the target, class, if it stands behind."""
IMAGE: Final = rf'{_OF_IMAGE}{S}++src="([^"&]++)"{_OF_IMAGE}{S}*+/?(?=>)'
"""The attributes of a plain image. Group: the source."""
_RELATION: Final = re.compile(rf"(?:{S}++(?:{_OF_RELATION}))*+{S}*+/?\Z")


def relation(raw: str) -> tuple[str, str, str] | None:
    """(href, rel, type) of a `<link>` with nothing else of interest; None to have its attributes parsed."""
    match = _RELATION.match(raw)
    if match is None or raw.count("href=") > 1 or raw.count("rel=") > 1:
        return None  # of several with one name the first counts, and the pattern has the last
    rel, href, media_type = match.groups("")
    return href, rel, media_type
