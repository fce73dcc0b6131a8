"""Pages that a browser judges: every construct that shows an image. `must-…` names what it has to ask for."""

from __future__ import annotations

from dataclasses import dataclass

HTML = "text/html; charset=utf-8"
PIXEL = bytes.fromhex("47494638396101000100800000ffffff00000021f90401000000002c00000000010001000002024401003b")


@dataclass(frozen=True)
class Case:
    """One page. body: as served.  headers: besides the media type.  responsive: look at it in more sizes.

    alone: in a window of its own, to be scrolled.
    """

    name: str
    body: str | bytes
    content_type: str | None = HTML
    headers: tuple[tuple[str, str], ...] = ()
    responsive: bool = False
    alone: bool = False

    @property
    def path(self) -> str:
        return f"/dir/{self.name}.html"

    @property
    def bytes(self) -> bytes:
        return self.body.encode() if isinstance(self.body, str) else self.body


_SIZED = "<style>img{width:40px;height:30px}</style>"
_TALL = "<div style='height:20000px'></div>"
_STYLED = "".join(f"<i class=c{number}></i>" for number in range(40))


def _styles(*rules: str) -> str:
    """A page whose elements have one rule each."""
    sheet = "".join(f".c{number}{{display:block;width:20px;height:20px;{rule}}}\n" for number, rule in enumerate(rules))
    return f"<!doctype html><style>{sheet}</style>{_STYLED}"


CASES = (
    Case(
        "img", "<!doctype html><img src=must-a.png><p><img src='/must-b.png'><img src=\"//127.0.0.1:PORT/must-c.png\">"
    ),
    Case(
        "lazy",
        alone=True,
        body=f"<!doctype html><img loading=lazy src=must-near.png>{_TALL}<img loading=lazy src=must-far.png width=9>",
    ),
    Case(
        "hidden",
        "<!doctype html><details><img src=must-a.png></details><p hidden><img src=must-b.png></p>"
        "<dialog><img src=must-c.png></dialog><div popover><img src=must-d.png></div>",
    ),
    Case(
        "density",
        f"{_SIZED}<img srcset='one.png, two.png 2x, must,c.png 3x' src=none.png>"
        "<img srcset='one,1.png 1x,two,2.png 2x' src=none.png>",
        responsive=True,
    ),
    Case(
        "widths",
        "<img srcset='w320.png 320w,w640.png 640w, w1280.png 1280w,w2560.png 2560w' sizes='100vw' src=none.png>"
        "<img sizes='(max-width: 500px) 100vw, 50vw' srcset='h200.png 200w 100h, h800.png 800w 400h'>"
        "<img sizes=auto loading=lazy width=300 srcset='s100.png 100w, s900.png 900w'>",
        responsive=True,
    ),
    Case(
        "picture",
        "<picture><source media='(max-width: 500px)' srcset='narrow.png, narrow2.png 2x'>"
        "<source type=image/unheard-of srcset=no.png><source type=image/webp srcset='webp.png 1x, webp2.png 2x'>"
        "<img src=fallback.png></picture><picture><source media='(min-width: 9999px)' srcset=no.png>"
        "<img src=must-fallback.png></picture>",
        responsive=True,
    ),
    Case(
        "faulty-srcset",
        "<img srcset='a.png 1q, b.png' src=c.png><img srcset='a.png 10w 2x, d.png 1x'>"
        "<img srcset=',,,e.png,,, f.png 2x,'><img srcset='g.png 1x 1x, h.png'><img srcset='i.png (1,2) , j.png 1x'>"
        "<img srcset='k.png -1x, l.png 1.5e0x'><img srcset='m.png 0w' src=n.png>"
        "<img srcset=' o.png\n1x\n,\tp.png\t2x'>",
        responsive=True,
    ),
    Case("input", "<form><input type=image src=must-a.png><input type=IMAGE src=must-b.png></form>"),
    Case(
        "video",
        "<video poster=must-poster.png></video><video controls poster='must-b.png'><source src=/none.mp4></video>",
    ),
    Case(
        "old",
        "<body background=must-body.png><table background=must-table.png><tr background=must-tr.png>"
        "<td background=must-td.png>x<th background=must-th.png>y</table><image src=must-alias.png>",
    ),
    Case(
        "svg",
        "<svg width=99 height=99><image href=must-a.png width=9 height=9 />"
        "<image xlink:href=must-b.png width=9 height=9 />"
        "<IMAGE href='must-c.png' width=9 height=9></image><filter id=f><feImage href=must-fe.png /></filter>"
        "<rect width=9 height=9 filter='url(#f)' /><use href='sprite.svg#s' />"
        "<rect width=9 height=9 style='fill:red;mask:url(mask.svg#m)' />"
        "<rect width=9 height=9 filter='url(filter.svg#f)' />"
        "<foreignObject width=9 height=9><img src=must-foreign.png></foreignObject>"
        "<style>rect{cursor:url(must-svgstyle.png),auto}</style></svg>",
    ),
    Case(
        "embedded",
        "<object data=must-object.png></object><object data=must-typed.png type=image/png></object>"
        "<embed src=must-embed.png><embed src=must-embed2.png type=image/png><object data=picture.svg></object>"
        "<object data=/nothing-here type=image/png><img src=must-fallback.png></object>"
        "<object type=image/png data='must-noending'></object>",
    ),
    Case(
        "frames",
        "<iframe src=/inner.html></iframe><iframe srcdoc='<img src=must-srcdoc.png>"
        '<p style="background:url(must-srcdoc-css.png)">x\'>'
        "</iframe><iframe srcdoc='&lt;img src=&quot;must-escaped.png&quot;&gt;'></iframe>"
        "<iframe src=must-framed.png></iframe>",
    ),
    Case(
        "frameset",
        "<html><head><title>x</title></head><frameset cols='*,*'><frame src=/inner.html>"
        "<frame src=must-frame.png></frameset>"
        "<noframes><img src=no.png></noframes></html>",
    ),
    Case(
        "noscript",
        "<!doctype html><head><noscript><link rel=stylesheet href=/noscript.css><style>"
        "p{background:url(no-style.png)}</style></noscript></head>"
        "<p>x<noscript><img src=no-script.png></noscript><img src=must-a.png>",
    ),
    Case(
        "template",
        "<template><img src=no.png></template><div><template shadowrootmode=open><style>"
        ":host{background:url(must-host.png)}</style>"
        "<img src=must-shadow.png></template></div>",
    ),
    Case(
        "style-attribute",
        "<div style='background:url(must-a.png)'>x</div><div style=\"background-image:url('must-b.png')\">x</div>"
        "<div style='background: url(&quot;must-c.png&quot;)'>x</div>"
        "<div style='--x:url(must-var.png);background:var(--x)'>x</div>"
        "<div style='BACKGROUND:URL( must-d.png )'>x</div><ul style='list-style:url(must-e.png)'><li>x</ul>"
        "<div style='background:u\\72l(must-f.png)'>x</div><div style='background:url(must-\\67.png)'>x</div>"
        "<div style='background:url(must-h\\.png)'>x</div>"
        "<div style='background:/*url(no.png)*/url(must-i.png)'>x</div>",
    ),
    Case(
        "css",
        _styles(
            "background:url(must-a.png)",
            "background:url( 'must-b.png' )",
            'background:url("must-c.png"),url(must-d.png)',
            "background:image-set('must-e.png' 1x)",
            "background:-webkit-image-set(url(must-f.png) 1x)",
            "background:image-set(url('set1.png') 1x, 'set2.png' 2x)",
            "background:image-set('no.avif' type('image/none'), 'must-g.png' type('image/png'))",
            "background:-webkit-cross-fade(url(must-h.png),url(must-i.png),50%)",
            "border:9px solid;border-image:url(must-j.png) 3",
            "list-style:url(must-k.png);display:list-item",
            "mask:url(must-l.png);background:red",
            "-webkit-mask-image:url(must-m.png);background:red",
            "-webkit-box-reflect:below 0 url(must-n.png)",
            "shape-outside:url(must-o.png);float:left",
            "background-image:linear-gradient(red,blue),url(must-p.png)",
            "--own:url(must-q.png);background:var(--own)",
            "background:url(must-r\\ space.png)",
            "background:url(must-t.png) no-repeat, url(must-u.png)",
        ),
    ),
    Case(
        "css-content",
        "<style>p::before{content:url(must-a.png)}p::after{content:'x' url(must-b.png)}q{quotes:'a' 'b'}</style>"
        "<p>x</p>"
        "<img style='content:url(must-c.png)'>",
    ),
    Case(
        "css-conditions",
        "<style>"
        "@media screen{p{background:url(must-media.png)}}@supports "
        "(display:grid){b{background:url(must-supports.png)}}"
        "@layer x{i{background:url(must-layer.png)}}div{&>u{background:url(must-nested.png)}}"
        "@media (max-width:500px){em{background:url(narrow.png)}}@media "
        "(min-width:501px){em{background:url(wide.png)}}"
        "@container (min-width:1px){s{background:url(container.png)}}@scope "
        "(div){a{background:url(must-scope.png)}}"
        "@keyframes k{from{background:url(must-key.png)}to{background:url(must-key2.png)}}s{animation:k "
        "9s infinite}"
        "</style><p>x</p><b>x</b><i>x</i><div><u>x</u><a>x</a></div><em>x</em><div style='container-type:size'>"
        "<s>x</s></div><s>xx</s>",
        responsive=True,
    ),
    Case(
        "sheets",
        "<link rel=stylesheet href=/css/main.css><link rel='alternate stylesheet' title=x href=/css/other.css>"
        "<style>"
        "@import '/css/imported.css';@import url(/css/second.css) screen;"
        "@import url('/css/third.css') layer(a) supports(display:grid);</style>"
        "<link rel='STYLESHEET' href='/css/upper'><p>x</p><b>x</b><i>x</i><u>x</u><em>x</em><s>x</s>",
    ),
    Case(
        "preload",
        "<link rel=preload as=image href=must-a.png><link rel=preload as=image imagesrcset='b1.png 1x,b2.png 2x'>"
        "<link rel=preload as=image imagesrcset='c4.png 400w,c12.png 1200w' imagesizes=100vw href=no.png>"
        "<link rel='preload' as=style href=/css/main.css>",
        responsive=True,
    ),
    Case(
        "link-header",
        "<p>x",
        headers=(
            ("Link", "<must-a.png>; rel=preload; as=image"),
            (
                "Link",
                '</dir/no.png>; rel="preload"; as="image"; imagesrcset="h1.png 1x, h2.png 2x", </must-b.png>'
                ";rel=preload;as=image",
            ),
        ),
        responsive=True,
    ),
    Case(
        "icons",
        "<head><link rel='shortcut icon' href=icon.png><link rel=apple-touch-icon href=apple.png></head>"
        "<img src=must-a.png>",
    ),
    Case(
        "misc",
        "<img src=must-a.png usemap=#m><map name=m><area href=no.png></map><button><img src=must-b.png></button>"
        "<select><option><img src=no.png></select><fieldset><legend><img src=must-c.png></legend></fieldset>"
        "<math><mtext><img src=must-d.png></mtext></math><marquee><img src=must-e.png></marquee><picture>"
        "<img src=must-f.png></picture>"
        "<img src=must-redirected.png><audio></audio><canvas><img src=must-g.png></canvas>"
        "<img src='must-query.png?a=1&b=2#frag'>",
    ),
    Case("cursor", "<style>html{cursor:url(cursor.png),auto}</style><img src=must-a.png>"),
    Case(
        "tracked",
        "<img src='must-a.png?utm_source=x&id=1'><img src='must-b.png?'>"
        "<img src='http://127.0.0.1:PORT/./x/../must-c.png'>",
    ),
    Case(
        "xhtml",
        "<?xml version='1.0'?><?xml-stylesheet href='/css/pi.css' type='text/css'?>"
        "<html xmlns='http://www.w3.org/1999/xhtml' xmlns:h='http://www.w3.org/1999/xhtml' "
        "xmlns:s='http://www.w3.org/2000/svg' "
        "xmlns:l='http://www.w3.org/1999/xlink'><head><title>x</title><style>"
        "<![CDATA[p{background:url(must-cdata.png)}]]></style>"
        "<style>b{background:url(&quot;must-entity.png&quot;)}</style>"
        "<h:link rel='stylesheet' href='/css/prefixed.css'/></head>"
        "<body><p>x</p><b>x</b><em>y</em><u>z</u><h:img src='must-prefixed.png'/>"
        "<img src='must-amp.png?a=1&amp;b=2'/><title/><img src='must-after-title.png'/>"
        "<script/><img src='must-after-script.png'/><style/><img src='must-after-style.png'/><textarea/>"
        "<img src='must-after-area.png'/>"
        "<noscript/><img src='must-after-noscript.png'/><iframe/><img src='must-after-iframe.png'/>"
        "<s:svg><s:image l:href='must-xlink.png' width='9' height='9'/>"
        "<s:image href='must-svg.png' width='9' height='9'/></s:svg>"
        "<h:p style='background:url(must-hp.png)'>x</h:p><h:iframe src='/inner.html'/>"
        "<h:video poster='must-hposter.png'/>"
        "<h:input type='image' src='must-hinput.png'/><h:object data='must-hobject.png'/></body></html>",
        "application/xhtml+xml",
    ),
    Case(
        "svg-document",
        "<?xml version='1.0'?><?xml-stylesheet href='/css/pi.css'?>"
        "<svg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink' width='99' height='99'>"
        "<style>rect{cursor:url(x.png),auto}@import '/css/imported.css';</style>"
        "<image href='must-a.png' width='9' height='9'/>"
        "<image xlink:href='must-b.png' width='9' height='9'/><script/>"
        "<image href='must-c.png' width='9' height='9'/><title/><image href='must-d.png' width='9' height='9'/>"
        "</svg>",
        "image/svg+xml",
    ),
    Case(
        "svg-entities",
        "<?xml version='1.0'?><!DOCTYPE svg PUBLIC '-//W3C//DTD SVG 1.1//EN' 'http://w3.example/svg11.dtd' ["
        "<!ENTITY pic 'must-named.png'><!ENTITY ns 'http://www.w3.org/2000/svg'>"
        "<!ENTITY more \"<image href='must-more.png' width='9' height='9'/>\">"
        '<!ENTITY again \'&#60;image href="must-again.png" width="9" height="9"/>\'>]>'
        "<svg xmlns='&ns;' xmlns:xlink='http://www.w3.org/1999/xlink' width='99' height='99'>"
        "<image xlink:href='&pic;' width='9' height='9'/>&more;&again;"
        "<text><![CDATA[a > b <!-- <style> ]]></text><image href='must-behind.png' width='9' height='9'/></svg>",
        "image/svg+xml",
    ),
)

SHEETS = {
    "/css/main.css": "@charset 'utf-8'; @import 'deep/first.css'; p { background: url(must-main.png) }",
    "/css/deep/first.css": "@import url(../second.css); b { background: url(must-deep.png), url('../must-up.png') }",
    "/css/imported.css": "i { background: url(must-imported.png) }",
    "/css/second.css": "u { background: url(must-second.png) }",
    "/css/third.css": "em { background: url(must-third.png) }",
    "/css/other.css": "s { background: url(other.png) }",
    "/css/upper": "s { background: url(must-upper.png) }",
    "/css/pi.css": "em, rect { background: url(must-pi.png) }",
    "/css/prefixed.css": "u { background: url(must-prefixed-sheet.png) }",
    "/noscript.css": "p { background: url(no-sheet.png) }",
}
INNER = "<img src=must-inner.png><p style='background:url(must-inner-css.png)'>x"
SVG = "<svg xmlns='http://www.w3.org/2000/svg'><g id='s'/><filter id='f'/><mask id='m'/>"
"<image href='inside.png' width='9' height='9'/></svg>"
