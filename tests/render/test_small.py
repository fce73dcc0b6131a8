"""The parts of rendering that need no browser: sizes, blank images, what is rendered, what may be pressed."""

from __future__ import annotations

import base64
import errno
import json
import os
import socket
import struct
import subprocess
import sys
import time
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from crawler.discover.dataimages import MAX_IMAGES
from crawler.discover.page import discover
from crawler.render.blank import MAX_PIXELS, blank, size_of
from crawler.render.clicks import Offer, chosen
from crawler.render.launch import PID_FILE, arguments
from crawler.render.leftovers import clear_up
from crawler.render.machine import is_in_memory, unavailable
from crawler.render.strip import genuine, stripped
from crawler.render.wanted import wanted
from crawler.sandbox.seccomp import unavailable as no_seccomp
from tests.servers.pictures import encoded, picture

PAGE = "http://a.example/"


@pytest.mark.parametrize("size", [(1, 1), (321, 77), (1900, 1200)])
@pytest.mark.parametrize(
    ("format", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True, "comment": b"x" * 900}),
        ("PNG", {}),
        ("GIF", {}),
        ("BMP", {}),
        ("WEBP", {}),
        ("WEBP", {"lossless": True}),
    ],
)
def test_the_head_of_a_file_says_its_size(size: tuple[int, int], format: str, options: dict[str, object]) -> None:
    assert size_of(encoded(picture(1, size), format, **options)) == size


def test_an_extended_webp_says_its_size() -> None:
    out = BytesIO()
    frames = [picture(n, (90, 40)) for n in range(2)]
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:])
    assert out.getvalue()[12:16] == b"VP8X"
    assert size_of(out.getvalue()) == (90, 40)


@given(st.sampled_from(["JPEG", "PNG", "GIF", "WEBP", "BMP"]), st.integers(0, 80), st.binary(max_size=8))
def test_a_damaged_head_is_a_size_or_none(format: str, at: int, noise: bytes) -> None:
    body = encoded(picture(2, (40, 30)), format)
    found = size_of(body[:at] + noise + body[at + len(noise) :][: 80 - at])
    assert found is None or all(0 < side < 65_536 for side in found)


@pytest.mark.parametrize("size", [(1, 1), (7, 9), (640, 480), (9_000, 12_000)])
def test_a_blank_image_has_the_size_within_bounds(size: tuple[int, int]) -> None:
    with Image.open(BytesIO(blank(size))) as image:
        image.load()
        assert image.convert("RGBA").getextrema() == ((255, 255),) * 3 + ((0, 0),)
        if size[0] * size[1] <= MAX_PIXELS:
            assert image.size == size
        else:
            assert image.width * image.height <= MAX_PIXELS
            assert image.width / image.height == pytest.approx(size[0] / size[1], rel=0.01)


def test_text_is_stripped_of_its_images_and_of_nothing_else() -> None:
    first, second = encoded(picture(3, (50, 60))), encoded(picture(4, (70, 80)), "PNG")
    urls = [
        f"data:image/{kind};base64,{base64.b64encode(body).decode()}"
        for kind, body in (("jpeg", first), ("png", second))
    ]
    text = (
        f'<img src="{urls[0]}"> {{"u": "{urls[1].replace("/", chr(92) + "/")}"}} data:image/svg+xml;base64,{"A" * 64}'
    )
    clean, images, rejected = stripped(text.encode())
    assert rejected == {}
    assert [image.body for image in images] == [first, second]
    assert urls[0].encode()[30:90] not in clean
    assert b"svg+xml;base64," + b"A" * 64 in clean
    again = stripped(clean)[1]
    assert [size_of(image.body) for image in again] == [(50, 60), (70, 80)]
    assert genuine((*again, *images)) == images
    assert stripped(b"no image") == (b"no image", (), {})


@pytest.mark.parametrize(
    "spelled", ["Data:image/jpeg", "data:Image/JPEG", 'data:image/jpeg;charset="x"', "data:image/jpeg; x=y"]
)
def test_images_are_taken_out_however_they_are_spelled(spelled: str) -> None:
    body = encoded(picture(3, (50, 60)))
    clean, images, _ = stripped(f"u('{spelled};base64,{base64.b64encode(body).decode()}') y".encode())
    assert [image.body for image in images] == [body]
    assert base64.b64encode(body)[10:60] not in clean


IMAGE = encoded(picture(3, (50, 60)))
CODED = base64.b64encode(IMAGE).decode()
PERCENT = "".join(f"%{byte:02X}" for byte in IMAGE)
SPARED = quote(IMAGE, safe="!*'()~")  # as encodeURIComponent of scripts writes it
DRAWING = f'<svg xmlns="http://www.w3.org/2000/svg"><image href="data:image/jpeg;base64,{CODED}"/></svg>'
URI = "data:image/jpeg;base64,"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f'a="data:image/jpeg,{PERCENT}";b', 'a="BLANK";b'),
        (f'a="data:image/jpeg,{SPARED}";b', 'a="BLANK";b'),
        (f"a=`data:image/jpeg,{SPARED}`;b", "a=`BLANK`;b"),
        (f'{{\\"a\\":\\"data:image/jpeg,{SPARED}\\"}}', '{\\"a\\":\\"BLANK\\"}'),
        (f"<i style=background:url(data:image/jpeg,{PERCENT})>", "<i style=background:url(BLANK)>"),
        (f"<img src=data:image/jpeg,{PERCENT}>", "<img src=BLANK>"),
        (
            f"<i style='background:url(&quot;data:image/jpeg,{PERCENT}&quot;)'>",
            "<i style='background:url(&quot;BLANK&quot;)'>",
        ),
        (f'"{URI}{CODED.replace("/", "%2F").replace("+", "%2b")}"', '"BLANK"'),
        (f'"{URI}{CODED.replace("/", chr(92) + "u002f").replace("+", chr(92) + "x2B")}"', '"BLANK"'),
        (f'<img src="{URI}{CODED.replace("/", "&#x2F;").replace("+", "&plus;")}">', '<img src="BLANK">'),
        (f'"{URI}{CODED[:60]}\\n{CODED[60:]}"', '"BLANK"'),
        (f'\\"{URI}{CODED}\\",', '\\"BLANK\\",'),
        (f'<img srcset="{URI}{CODED} 1x, x.jpg 2x">', '<img srcset="BLANK 1x, x.jpg 2x">'),
        (f'<img srcset="{URI}{CODED} 320w">', '<img srcset="BLANK 320w">'),
        (f'"data:image/svg+xml,{quote(DRAWING)}"', '"BLANK"'),
        (f"'data:image/svg+xml;utf8,{DRAWING}'", "'BLANK'"),
        (f'"data:image/svg+xml;base64,{base64.b64encode(DRAWING.encode()).decode()}"', '"BLANK"'),
        (f"url(data:image/svg+xml,{quote(DRAWING)})", "url(BLANK)"),
        (f'"data:image\\u002Fjpeg;base64,{CODED.replace("/", chr(92) + "u002F")}"', '"BLANK"'),
        (f'<p data-x="data:image&#x2F;jpeg;base64,{CODED}">', '<p data-x="BLANK">'),
        (f'"data:image/*;base64,{CODED}"', '"BLANK"'),
        (f'"data:image/jpeg;name=a%20b.jpg;base64,{CODED}"', '"BLANK"'),
        (f'"data:application/octet-stream;base64,{CODED}"', '"BLANK"'),
        (f'"data:;base64,{CODED}"', '"BLANK"'),
        (f"<i style='background:url(&quot;{URI}{CODED}&quot;)'>", "<i style='background:url(&quot;BLANK&quot;)'>"),
        (f'srcdoc="&lt;img src=&#39;{URI}{CODED}&#39;&gt;"', 'srcdoc="&lt;img src=&#39;BLANK&#39;&gt;"'),
        (f'"src=\\u0022{URI}{CODED}\\u0022 class=\\u0022a\\u0022"', '"src=\\u0022BLANK\\u0022 class=\\u0022a\\u0022"'),
        (f"<img src={URI}{CODED} alt=x>", "<img src=BLANK alt=x>"),
        (f"x={json.dumps('data:image/svg+xml,' + DRAWING)}", f"x={json.dumps('data:image/svg+xml,' + DRAWING)}"),
    ],
    ids=range(29),
)
def test_images_are_taken_out_of_whatever_form_and_nothing_else_is(text: str, left: str) -> None:
    clean, images, rejected = stripped(text.encode())
    assert [image.body for image in images] == [IMAGE]
    assert rejected == {}
    blanked = "data:image/png;base64," + base64.b64encode(blank((50, 60))).decode()
    assert clean.decode() == left.replace(f"{URI}{CODED}", "BLANK").replace("BLANK", blanked)


@pytest.mark.parametrize(
    ("codec", "mark", "charset"), [("utf-16-le", "\ufeff", ""), ("utf-16-be", "", "; charset=utf-16be")]
)
def test_images_are_taken_out_of_texts_of_two_bytes_a_letter(codec: str, mark: str, charset: str) -> None:
    text = f'{mark}<img alt="\u20ac" src="{URI}{CODED}">'
    clean, images, _ = stripped(text.encode(codec), f"text/html{charset}")
    assert [image.body for image in images] == [IMAGE]
    assert clean.decode(codec).startswith(f'{mark}<img alt="\u20ac" src="data:image/png;base64,iVBOR')
    assert stripped(mark.encode(codec) + b"\0<\xd8") == (mark.encode(codec) + b"\0<\xd8", (), {})


@pytest.mark.parametrize(
    "text",
    [
        "a='data:image/png;base64,'+b+'data:image/png,'+c",
        "if(/^data:image\\/(png|gif);base64,/.test(u))",
        '\'data:image/svg+xml;utf8,<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0L9 9z"/></svg>\'',
        "x('data:audio/wav;base64,UklGRiQAAABXQVZFZm10IBAAAAABAAEAESsAACJWAAACABAAZGF0YQAAAAA=')",
        "url(data:font/woff2;base64,d09GMgABAAAAAAQcAAoAAAAACkAAAAPUAAEAAAAAAAAAAAAAAAAAAAAA)",
        "'data:image/svg+xml,<svg><style>@font-face{src:url(data:font/woff,a);src:url(data:font/woff2,b)}</style></svg>'",
        "{data:a,src:'/b.png'}",
        "url(data:image/svg+xml,%3Csvg%20xmlns='http://www.w3.org/2000/svg'%3E%3Cpath/%3E%3C/svg%3E)",
    ],
)
def test_what_is_no_image_stays(text: str) -> None:
    assert stripped(text.encode()) == (text.encode(), (), {})


@pytest.mark.parametrize(
    "unit",
    [
        "data:image/png,",
        '"data:image/svg+xml,',
        "data:image/svg+xml,<",
        "data:image/png;base64,",
        "data:image/png;",
        "data:;base64,R0lGOD",
        "data:a;,",
        "data:   ",
    ],
)
def test_time_to_strip_is_linear(unit: str) -> None:
    text = (unit * (500_000 // len(unit))).encode()
    before = time.process_time()
    stripped(text)
    assert time.process_time() - before < 2.0


@given(
    st.lists(
        st.sampled_from(
            [
                "data:image/",
                "png",
                "svg+xml",
                ";base64",
                ",",
                '"',
                "'",
                "`",
                "\\",
                "%",
                "A" * 40,
                " ",
                "&",
                "<svg>",
                "(",
                ")",
                "u0",
            ]
        )
    )
)
def test_any_text_is_stripped_once(pieces: list[str]) -> None:
    clean, images, _ = stripped("".join(pieces).encode())
    assert all(image.body for image in images)
    assert genuine(stripped(clean)[1]) == ()


def test_many_images_of_many_sizes_take_little_time_and_are_counted() -> None:
    one = base64.b64encode(encoded(picture(3, (50, 60)), "BMP")[:64]).decode()
    info = [struct.pack("<IiiHH", 40, side, side, 1, 24) for side in range(1, 4_000)]
    heads = [base64.b64encode(b"BM" + bytes(16) + each + bytes(40)).decode() for each in info]
    text = " ".join(f"data:image/bmp;base64,{head}" for head in (one, *heads)).encode()
    before = time.process_time()
    clean, images, rejected = stripped(text)
    assert time.process_time() - before < 5.0
    assert len(clean) < len(text)
    assert len(images) <= MAX_IMAGES
    assert sum(rejected.values()) + len(images) == len(heads) + 1


SHELL = b'<!DOCTYPE html><div id="app"></div><script src="/app.js"></script>'
RICH = b'<script src="/a.js"></script>' + b"".join(b'<img src="/%d.jpg">' % n for n in range(5))
LINKS = b"<script>1</script>" + b"".join(b'<a href="/%d">x</a>' % n for n in range(20))


@pytest.mark.parametrize(
    ("body", "auto", "always"),
    [
        (SHELL, True, True),
        (SHELL + b'<img src="/logo.png"><link rel=icon href="/i.png"><a href="/a">a</a>', True, True),
        (RICH, False, True),
        (LINKS, False, True),
        (b"<p>nothing", False, False),
        (b'<script type="application/ld+json">{"a": 1}</script><p>nothing', False, False),
        (b'{"script": "<script>"}', False, False),
    ],
)
def test_which_pages_are_rendered(body: bytes, auto: bool, always: bool) -> None:
    content = discover(body, None, PAGE)
    assert [wanted(mode, body, content) for mode in ("never", "auto", "always")] == [False, auto, always]
    wide = "\ufeff".encode("utf-16-le") + body.decode().encode("utf-16-le")
    assert wanted("auto", wide, discover(wide, "text/html", PAGE)) is auto


def offer(
    text: str = "", *, words: str = "", urls: tuple[str, ...] = (), picture: bool = False, times: int = 0
) -> Offer:
    return Offer(0, text, words, urls, picture, times)


@pytest.mark.parametrize(
    "able",
    [
        offer("Load more"),
        offer("Meer laden"),
        offer("Toon alle foto's"),
        offer("Volgende"),
        offer("›"),
        offer("", words="btn-load-more"),
        offer("", picture=True),
        offer("Show more", urls=("/photos?page=2", "#")),
    ],
)
def test_what_shows_more_is_pressed(able: Offer) -> None:
    assert chosen([able], PAGE, 9) == [0]


@pytest.mark.parametrize(
    "left",
    [
        offer("Verwijder"),
        offer("More", words="delete-all"),
        offer("More", urls=("/account/logout",)),
        offer("Load more", urls=("https://tineye.com/search?url=http://a.example/x.jpg",)),
        offer("Share more"),
        offer("Subscribe to read more"),
        offer("Home"),
        offer("", picture=True, times=1),
        offer("Load more", times=12),
        offer("", picture=True, words="like-button"),
    ],
)
def test_what_acts_or_shows_nothing_more_is_not_pressed(left: Offer) -> None:
    assert chosen([left], PAGE, 9) == []


def test_more_goes_before_pictures_and_the_bound_holds() -> None:
    offers = [Offer(n, "more" if n == 5 else "", "", (), n != 5, 0) for n in range(8)]
    assert chosen(offers, PAGE, 3) == [5, 0, 1]


def test_the_browser_gets_our_profile_and_its_sandbox() -> None:
    given_by_driver = ["--user-data-dir=/tmp/x", "--no-sandbox", "--headless"]
    assert arguments(given_by_driver, "/dev/shm/p", sandbox=True) == ["--headless", "--user-data-dir=/dev/shm/p"]
    assert arguments(given_by_driver, "/p", sandbox=False) == ["--headless", "--user-data-dir=/p", "--no-sandbox"]


ALONE = """
import socket, sys
from crawler.render import alone
from crawler.render.launch import _PR_SET_NO_NEW_PRIVS, _prctl
_prctl(_PR_SET_NO_NEW_PRIVS, 1)
alone.install()
def refused(ask):
    try:
        ask()
    except OSError as error:
        return error.errno
one, other = socket.socketpair()
print(
    refused(lambda: socket.socket(socket.AF_UNIX).connect(sys.argv[1])),
    refused(lambda: one.sendto(b"x", sys.argv[1])),
    *(refused(lambda: socket.socketpair(socket.AF_UNIX, kind)) for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW)),
    refused(lambda: socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)),
    one.send(b"hello"),
    other.recv(9),
    refused(lambda: socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)),
)
"""


@pytest.mark.skipif(no_seccomp() is not None, reason="no seccomp here")
def test_the_browser_speaks_to_no_other_program_of_the_machine(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen(1)
        command = [sys.executable, "-c", ALONE, str(tmp_path / "s")]
        said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    refused = errno.EPERM
    assert said.split() == [str(errno.ECONNREFUSED), str(errno.EISCONN), *3 * [str(refused)], "5", "b'hello'", "None"]


def test_a_profile_on_a_disk_is_refused(tmp_path: Path) -> None:
    assert is_in_memory(Path("/dev/shm"))
    if not is_in_memory(tmp_path):
        reason = unavailable(tmp_path)
        assert reason is not None


def test_profiles_that_killed_workers_left_are_removed(tmp_path: Path) -> None:
    left, used, young, old = (tmp_path / f"vangnet-render-{name}" for name in ("left", "used", "young", "old"))
    browser = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True)
    try:
        for each in (left, used, young, old):
            each.mkdir()
        (left / PID_FILE).write_text(str(2**22 - 1))
        (used / PID_FILE).write_text(str(browser.pid))
        for each in (used, old):
            os.utime(each, (0, 0))
        clear_up(tmp_path)
    finally:
        browser.communicate(b"\n", timeout=30)
    assert {each.name for each in tmp_path.iterdir()} == {used.name, young.name}
