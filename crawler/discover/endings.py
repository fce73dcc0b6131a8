"""What the end of a path says about what is there."""

from __future__ import annotations

import re
from typing import Final

_IMAGE_ENDINGS: Final = "jpg jpeg jpe jfif pjpeg pjp png apng gif webp avif bmp heic heif jxl tif tiff ico svg svgz"
_BINARY_ENDINGS: Final = """
    zip rar 7z gz tgz bz2 xz zst tar iso img dmg exe msi apk deb rpm jar bin cab torrent
    mp4 m4v webm mkv avi mov wmv flv mpg mpeg 3gp ogv ts m3u8 mp3 m4a ogg oga opus wav flac aac wma mid
    pdf ps eps doc docx xls xlsx ppt pptx odt ods odp epub mobi djvu psd ai
    woff woff2 ttf otf eot js mjs map css wasm swf class pyc
"""
_FILE_ENDINGS: Final = """
    mp4 m4v webm mkv avi mov wmv flv mpg mpeg 3gp ogv ts zip rar 7z gz tgz bz2 xz zst tar pdf
"""
# What decoders know, and what they refuse with a reason: either way the image lane is the cheaper place for it.
IMAGE_ENDINGS: Final = frozenset(_IMAGE_ENDINGS.split())
# A link to one of these holds neither links nor images that could be read. What a page shows by itself is never judged
# by its ending.
BINARY_ENDINGS: Final = frozenset(_BINARY_ENDINGS.split())
# Those of them of which a campaign may want the digests of the whole file.
FILE_ENDINGS: Final = frozenset(_FILE_ENDINGS.split())
# A path that ends so is no image, whatever opens it. Other endings of programs (".php") say nothing.
PAGE_ENDINGS: Final = frozenset(("html", "htm", "xhtml", "shtml"))
_LONGEST: Final = 4_096  # characters of a string in data that may be a URL
_UNFIT: Final = re.compile(r"[\s{}<>\"]")
_MARKUP: Final = re.compile(r"src|href|url\(|poster|background|data:image", re.I)


def ending_of(url: str) -> str:
    """The file name ending of a canonical URL's path in lower case, "" when there is none.

    A segment with a colon has none: in wikis, `File:Tree.mp4` is a page about a file. Image endings are an exception,
    for what comes back is looked at anyway.
    """
    path = url.partition("?")[0]
    dot = path.rfind(".", -8)
    folder = path.rfind("/")
    if dot < folder or folder < 8:
        return ""
    ending = path[dot + 1 :].lower()
    return "" if ":" in path[folder:dot] and ending not in IMAGE_ENDINGS else ending


def looks_like_image(text: str) -> bool:
    """Whether a string that need not be a URL at all reads like the URL of an image file, relative or absolute."""
    if len(text) > _LONGEST or "." not in text or _UNFIT.search(text):
        return False
    stem, _, ending = text.partition("?")[0].partition("#")[0].rpartition(".")
    # Some servers take a size behind the ending: "photo.jpg:large", "photo.jpg!thumb".
    ending = ending.partition(":")[0].partition("!")[0].lower()
    return ending in IMAGE_ENDINGS and stem != "" and stem[-1] not in "/.="


def holds_references(markup: str) -> bool:
    """Whether a string with a "<" in it could be markup that names something."""
    return _MARKUP.search(markup) is not None
