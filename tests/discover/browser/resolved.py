"""References that are hard to resolve: odd characters, `base href` in odd places, every way to say an encoding."""

from __future__ import annotations

from tests.discover.browser.pages import Case


def _page(text: str, codec: str) -> bytes:
    return text.encode(codec)


URLS = (
    Case(
        "entities",
        "<img src='must-a.png?a=1&amp;b=2'><img src='must-b.png?a=1&copy=2'><img src='must-c.png?a=1&copy;=2'>"
        "<img src='&#109;ust-d.png'>"
        "<img src='&#x6D;ust-e.png'><img src='must-f&#46png'><img src=must-g&period;png>"
        "<img src='must-h.png?x&lt=1&lty&gt'><img src='must-i.png?&notit;&not;&ampx'>"
        "<img src='must-j.png?&#0;x'><img src='must-k.png?&#128;&#x9f;'>"
        "<img src='must-l.png?&NotEqualTilde;&fjlig;'><img src='must-m.png?&amp;amp;'>"
        "<img src='must-n.png?&#xD800;&#x110000;'><img src='must-o.png?&#x;&#;&;&'>",
    ),
    Case(
        "spaces",
        "<img src=' must-a.png '><img src='\n\tmust-b.png\n'><img src='must-c d.png'><img src='mu\nst-e.png'>"
        "<img src='must-f\t.png'><img src='must-g\r\n.png'>"
        "<img src='must-h.png?a b'><img src='\fmust-i.png\f'><img src='&nbsp;j.png'>"
        "<img src='/must-k\n/\nl.png'>",
    ),
    Case("controls", "<img src='\x01must-a.png'><img src='must-b.png\x1f'>"),
    Case(
        "backslash",
        "<img src='\\must-a.png'><img src='..\\must-b.png'><img src='x\\must-c.png'>"
        "<img src='http:\\\\127.0.0.1:PORT\\must-d.png'>"
        "<img src='\\\\127.0.0.1:PORT/must-e.png'><img src='must-f.png?a\\b'>"
        "<img src='/\\127.0.0.1:PORT/must-g.png'>",
    ),
    Case(
        "schemes",
        "<img src='http:must-a.png'><img src='http:/must-b.png'><img src='http:///127.0.0.1:PORT/must-c.png'>"
        "<img src='HTTP://127.0.0.1:PORT/must-d.png'>"
        "<img src='http:/127.0.0.1:PORT/must-e.png'><img src='ht\ntp://127.0.0.1:PORT/must-f.png'>"
        "<img src='must:g.png'><img src='./must:h.png'><img src=i.png:80>",
    ),
    Case(
        "dots",
        "<img src='./must-a.png'><img src='../must-b.png'><img src='../../../must-c.png'>"
        "<img src='x/./../must-d.png'><img src='%2e%2e/must-e.png'><img src='x/.%2E/must-f.png'>"
        "<img src='.../must-g.png'>"
        "<img src='/x//must-h.png'><img src='//127.0.0.1:PORT//must-i.png'><img src='x/%2e/must-j.png'>",
    ),
    Case(
        "percent",
        "<img src='must-a%20b.png'><img src='must-c%zz.png'><img src='must-d%.png'><img src='must-e%E9.png'>"
        "<img src='must-f%C3%A9.png'><img src='must-g[1].png'>"
        "<img src='must-h{x}^.png'><img src='must-i<j>.png'><img src='must-k~!$&()*+,;=:@.png'>"
        "<img src='must-l.png?[]{}|^`'><img src='must-m%41.png'><img src='must-n\"o.png'>",
    ),
    Case(
        "unicode",
        "<img src='must-é.png'><img src='must-é.png?é'><img src='must-日本.png'><img src='must-😀.png'>"
        "<img src='must-a\u200b.png'><img src='must-b\ufeff.png'><img src='must-c。png'>",
    ),
    Case(
        "hosts",
        "<img src='http://127.1:PORT/must-a.png'><img src='http://2130706433:PORT/must-b.png'>"
        "<img src='http://0x7f.1:PORT/must-c.png'><img src='http://0177.0.0.1:PORT/must-d.png'>"
        "<img src='http://127.0.0.1.:PORT/must-e.png'><img src='http://１２７.0.0.1:PORT/must-f.png'>"
        "<img src='http://%3127.0.0.1:PORT/must-g.png'><img src='http://127.0.0.1:0PORT/must-h.png'>",
    ),
    Case(
        "queries",
        "<img src='?must-a.png'><img src='must-b.png?'><img src='must-c.png??x'><img src='must-d.png?x?y#z?w'>"
        "<img src='must-e.png#x'><img src='must-f.png?a=%26&b=+%20'>"
        "<img src=';must-g.png'><img src='must-h.png;jsessionid=1'>",
    ),
    Case(
        "empty",
        "<img src=''><img src=' '><img src='#'><img src><img srcset=''><img src=must-a.png><img src='?'>"
        "<input type=image src=''><video poster=''></video>",
    ),
)

BASES = (
    Case(
        "base", "<base href='/other/'><img src=must-a.png><img src=/must-b.png><p style='background:url(must-c.png)'>x"
    ),
    Case("base-late", "<img src=must-a.png><base href='/other/'><img src=must-b.png>"),
    Case("base-body", "<body><p>x<base href='/other/'><img src=must-a.png>"),
    Case("base-two", "<base target=_top><base href='/one/'><base href='/two/'><img src=must-a.png>"),
    Case("base-empty", "<base href=''><base href='/two/'><img src=must-a.png>"),
    Case("base-bad", "<base href='http://['><base href='/two/'><img src=must-a.png>"),
    Case("base-data", "<base href='data:text/html,x'><img src=must-a.png>"),
    Case("base-script", "<base href='javascript:x'><img src=must-a.png>"),
    Case("base-relative", "<base href='sub/page.html?x#y'><img src=must-a.png><img src='?must-b.png'>"),
    Case("base-spaces", "<base href='\n /other/ \t'><img src=must-a.png>"),
    Case("base-entity", "<base href='/a&amp;b/'><img src=must-a.png>"),
    Case("base-comment", "<!--<base href='/no/'>--><img src=must-a.png>"),
    Case("base-textarea", "<textarea><base href='/no/'></textarea><img src=must-a.png>"),
    Case("base-template", "<template><base href='/no/'></template><img src=must-a.png>"),
    Case("base-svg", "<svg><base href='/no/'></base></svg><img src=must-a.png>"),
    Case("base-noscript", "<noscript><base href='/noscript/'></noscript><img src=must-a.png>"),
    Case("base-title", "<title><base href='/no/'></title><img src=must-a.png>"),
    Case(
        "base-srcdoc",
        "<base href='/other/'><iframe srcdoc='<img src=must-a.png>'></iframe><iframe srcdoc='<base href=/third/>"
        "<img src=must-b.png>'></iframe>",
    ),
    Case(
        "base-sheet",
        "<base href='/css/'><link rel=stylesheet href=second.css><style>"
        "@import 'imported.css';b{background:url(must-b.png)}</style><u>x</u><i>x</i><b>x</b>",
    ),
    Case(
        "base-style-late",
        "<style>b{background:url(must-b.png)}</style><b>x</b><base href='/other/'>"
        "<p style='background:url(must-c.png)'>x",
    ),
    Case("base-select", "<select><base href='/other/'></select><img src=must-a.png>"),
    Case("base-other-host", "<base href='//127.0.0.1:PORT/x/'><img src=must-a.png>"),
    Case("base-frameset", "<frameset><base href='/other/'><frame src=must-a.png></frameset>"),
    Case(
        "base-link-header",
        "<base href='/other/'><img src=must-b.png>",
        headers=(("Link", "<must-a.png>; rel=preload; as=image"),),
    ),
)

_ACCENTS = "<img src='must-a\u00e9.png?\u00e9=\u00fc'><img src='must-b.png?\u20ac'>"
_CYRILLIC = "<img src='must-\u0436.png?\u0436'><img src='must-b.png?\u20ac\u00e9'>"
_JAPANESE = "<img src='must-\u65e5.png?\u65e5\u672c'><img src='must-b.png?\u00e9'>"

ENCODINGS = (
    Case("latin-meta", _page("<meta charset=iso-8859-1>" + _ACCENTS, "cp1252"), "text/html"),
    Case("latin-http", _page(_ACCENTS, "cp1252"), "text/html; charset=windows-1252"),
    Case(
        "latin-equiv",
        _page("<meta http-equiv=Content-Type content='text/html; charset=latin1'>" + _ACCENTS, "cp1252"),
        "text/html",
    ),
    Case("http-over-meta", _page("<meta charset=utf-8>" + _ACCENTS, "cp1252"), "text/html; charset=iso-8859-1"),
    Case(
        "bom-over-all",
        b"\xef\xbb\xbf" + _page("<meta charset=koi8-r>" + _ACCENTS, "utf-8"),
        "text/html; charset=iso-8859-1",
    ),
    Case("utf16-bom", b"\xff\xfe" + _page(_ACCENTS, "utf-16-le"), "text/html; charset=utf-8"),
    Case("utf16be-bom", b"\xfe\xff" + _page(_ACCENTS, "utf-16-be"), "text/html"),
    Case("utf16-http", _page(_ACCENTS, "utf-16-le"), "text/html; charset=utf-16"),
    Case("utf16be-http", _page(_ACCENTS, "utf-16-be"), "text/html; charset=UTF-16BE"),
    Case("utf16-meta", _page("<meta charset=utf-16>" + _ACCENTS, "utf-8"), "text/html"),
    Case("koi8", _page("<meta charset=koi8-r>" + "<img src='must-\u0436.png?\u0436'>", "koi8-r"), "text/html"),
    Case(
        "cp1251", _page("<META CHARSET='Windows-1251'/>" + "<img src='must-\u0436.png?\u0436'>", "cp1251"), "text/html"
    ),
    Case(
        "shift-jis", _page("<meta charset=shift_jis>" + "<img src='must-\u65e5.png?\u65e5'>", "shift_jis"), "text/html"
    ),
    Case("euc-jp", _page("<meta charset=euc-jp>" + "<img src='must-\u65e5.png?\u65e5'>", "euc_jp"), "text/html"),
    Case(
        "iso-2022-jp",
        _page("<meta charset=iso-2022-jp>" + "<img src='must-\u65e5.png?\u65e5'>", "iso2022_jp"),
        "text/html",
    ),
    Case("gb2312", _page("<meta charset=gb2312>" + "<img src='must-\u65e5.png?\u65e5'>", "gb18030"), "text/html"),
    Case(
        "gb18030", _page("<meta charset=gb18030>" + "<img src='must-\u65e5.png?\u65e5&\u20ac'>", "gb18030"), "text/html"
    ),
    Case("big5", _page("<meta charset=big5>" + "<img src='must-\u65e5.png?\u65e5'>", "big5"), "text/html"),
    Case("euc-kr", _page("<meta charset=euc-kr>" + "<img src='must-\ud55c.png?\ud55c'>", "euc_kr"), "text/html"),
    Case(
        "lacking", _page("<meta charset=windows-1252>" + "<img src='must-a.png?&#x436;&#x65e5;'>", "ascii"), "text/html"
    ),
    Case("quoted-http", _page(_ACCENTS, "cp1252"), 'text/html; charset="iso-8859-1"'),
    Case("single-quoted-http", _page(_ACCENTS, "cp1252"), "text/html; charset='iso-8859-1'"),
    Case("unknown-http", _page("<meta charset=windows-1252>" + _ACCENTS, "cp1252"), "text/html; charset=nonsense"),
    Case("unknown-meta", _page("<meta charset=nonsense><meta charset=windows-1252>" + _ACCENTS, "cp1252"), "text/html"),
    Case(
        "meta-comment",
        _page("<!-- <meta charset=koi8-r> --><meta charset=windows-1252>" + _ACCENTS, "cp1252"),
        "text/html",
    ),
    Case("meta-late", _page("<!-- " + "x" * 900 + "--><meta charset=windows-1252>" + _ACCENTS, "cp1252"), "text/html"),
    Case(
        "meta-attribute-order",
        _page("<meta content='text/html;charset=windows-1252' http-equiv='content-type'>" + _ACCENTS, "cp1252"),
        "text/html",
    ),
    Case(
        "meta-in-title",
        _page("<title><meta charset=koi8-r></title><meta charset=windows-1252>" + _ACCENTS, "cp1252"),
        "text/html",
    ),
    Case("x-user-defined", _page("<meta charset=x-user-defined><img src='must-a.png?x'>", "ascii"), "text/html"),
    Case("bad-utf8", b"<meta charset=utf-8><img src='must-a\xe9\xff.png?\xc3'><img src=must-b.png>", "text/html"),
    Case(
        "xml-encoding", _page("<?xml version='1.0' encoding='windows-1252'?><html>" + _ACCENTS, "cp1252"), "text/html"
    ),
    Case(
        "xhtml-latin",
        _page(
            "<?xml version='1.0' encoding='iso-8859-1'?><html xmlns='http://www.w3.org/1999/xhtml'><body>"
            "<img src='must-aé.png?é'/></body></html>",
            "cp1252",
        ),
        "application/xhtml+xml",
    ),
)
