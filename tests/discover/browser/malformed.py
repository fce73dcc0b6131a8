"""Pages as people write them: markup that breaks rules."""

from __future__ import annotations

from tests.discover.browser.pages import Case

_LONG = "x" * 5_000


MARKUP = (
    Case("unclosed-tag", "<p><img src=must-a.png <p><img src=must-b.png>"),
    Case("unclosed-at-end", "<p>x<img src=must-a.png><img src=b.png"),
    Case("open-quote", "<img src='must-a.png'><img src=\"b.png><img src='c.png'>"),
    Case("open-quote-closed-later", "<img alt=\"x><img src='no.png'>\" src=must-a.png>"),
    Case("quote-inside", "<img src=must-a\"b.png><img src=must-c'd.png><img src=must-e`f.png>"),
    Case("backtick", "<img src=`must-a.png`><img src=must-b.png>"),
    Case(
        "no-space",
        "<img alt='x'src='must-a.png'><img/src=must-b.png><img/alt=/src=no.png><img alt=\"\"src=must-d.png/>",
    ),
    Case(
        "equals",
        "<img =src=a.png src=must-b.png><img src = 'must-c.png'><img src\n=\n\"must-d.png\"><img src==must-e.png>",
    ),
    Case("upper", "<IMG SRC=must-a.png><ImG sRc='must-b.png'><IMG\tSRC=must-c.png\n>"),
    Case("twice", "<img src=must-a.png src=no.png><img SRC=must-b.png src=no.png>"),
    Case(
        "greater",
        "<img alt='a>b' src=must-a.png><img alt=\"a>b\" src=must-b.png><img alt=a>b src=no.png><img src=must-c.png>",
    ),
    Case("slash", "<img src=must-a.png/><img src=must-b.png /><img / src=must-c.png / ><img src='must-d.png'/ alt>"),
    Case(
        "nul",
        "<im\0g src=no.png><img src=must-a\0.png><img src='must-b.png' \0alt=x><img alt='\0' src=must-c.png>"
        "<img s\0rc=no.png>",
    ),
    Case("formfeed", '<img\fsrc=must-a.png\f><img src=\f"must-b.png"><img\x0bsrc=no.png><img src=must-c.png>'),
    Case(
        "less", "<<img src=must-a.png>< img src=no.png><1><img src=must-b.png><img<img src=no.png><img src=must-c.png>"
    ),
    Case(
        "end-tags",
        "</img src=no.png></p><img src=must-a.png></br></><img src=must-b.png></ x><img src=must-c.png>"
        "</p title='>'><img src=must-d.png>",
    ),
    Case(
        "misnested",
        "<b><p></b><img src=must-a.png></p><table><img src=must-b.png><tr><img src=must-c.png><td></table><a><a>"
        "<img src=must-d.png>",
    ),
    Case(
        "select",
        "<select><option>x<img src=a.png></select><img src=must-b.png><select><img src=c.png>"
        "<input type=image src=must-d.png>",
    ),
    Case(
        "comments",
        "<!-- <img src=no.png> --><img src=must-a.png><!--><img src=must-b.png>--><!---><img src=must-c.png>-->"
        "<!-- x --!><img src=must-d.png>"
        "<!-- > <img src=no.png> -> <img src=no.png> --><!-->x--><img src=must-e.png>",
    ),
    Case("comment-open", "<img src=must-a.png><!-- <img src=no.png><!-- -- > <img src=no.png>"),
    Case(
        "comment-nested",
        "<!-- <!-- --><img src=must-a.png>--><!--<!--><img src=must-b.png><!--[if IE]><img src=no.png>"
        "<![endif]--><![if !IE]><img src=must-c.png><![endif]>",
    ),
    Case(
        "declarations",
        "<!img src=no.png><img src=must-a.png><?img src=no.png><img src=must-b.png><?php echo '<img src=no.png>"
        "'; ?><!DOCTYPE '><img src=must-d.png>",
    ),
    Case(
        "cdata-svg", "<svg><text><![CDATA[a > <!-- <style> ]]></text><image href=must-a.png width=9 height=9 /></svg>"
    ),
    Case("cdata-html", "<p><![CDATA[a > <img src=must-a.png> ]]><img src=must-b.png>"),
    Case(
        "cdata",
        "<![CDATA[<img src=no.png>]]><img src=must-a.png><svg><![CDATA[<img src=no.png>]]>"
        "<image href=must-b.png width=9 height=9 /></svg><img src=must-c.png>",
    ),
    Case(
        "title",
        "<title><img src=no.png></title><img src=must-a.png><title>x</titlex><img src=no.png></title >"
        "<img src=must-b.png>",
    ),
    Case(
        "textarea",
        "<textarea><img src=no.png></textarea/><img src=must-a.png><textarea>x</TEXTAREA\n><img src=must-b.png>"
        "<textarea><img src=no.png>",
    ),
    Case(
        "script",
        "<script>'<img src=no.png>'</script><img src=must-a.png><script><!-- <script> </script> <img src=no.png>"
        " --></script><img src=must-b.png>",
    ),
    Case("script-escaped", "<script><!--\n'<script>'\n</script><img src=no.png>--></script><img src=must-a.png>"),
    Case(
        "script-comment",
        "<script><!--\nvar x;\n//--></script><img src=must-a.png><script>x='<!--'</script><img src=must-b.png>",
    ),
    Case("script-double", "<img src=must-a.png><script>/*<!-- <script */</script><img src=b.png>-->"),
    Case("script-open", "<img src=must-a.png><script>x<img src=no.png>"),
    Case("style-open", "<img src=must-a.png><p>x</p><style>p{background:url(must-b.png)"),
    Case(
        "style-comment",
        "<style><!-- p{background:url(must-a.png)} --></style><p>x</p><style>p{}</stylex>"
        "b{background:url(b.png)}</style><b>x</b>",
    ),
    Case("plaintext", "<img src=must-a.png><plaintext><img src=no.png>"),
    Case(
        "xmp", "<xmp><img src=no.png></xmp><img src=must-a.png><noembed><img src=no.png></noembed><img src=must-b.png>"
    ),
    Case(
        "iframe-text",
        "<iframe><img src=no.png></iframe><img src=must-a.png><iframe src=/inner.html /><img src=no.png>"
        "</iframe><img src=must-b.png>",
    ),
    Case(
        "noscript-text",
        "<noscript><!-- </noscript><img src=a.png> --></noscript><img src=must-b.png><noscript>"
        "<p title='</noscript>'><img src=c.png></noscript>",
    ),
    Case(
        "svg-style",
        "<svg><style><img src=a.png></style></svg><img src=must-b.png><svg><title><img src=must-c.png></title>"
        "</svg>"
        "<svg><script/><image href=must-d.png width=9 height=9 /></svg>",
    ),
    Case(
        "svg-text-elements",
        "<svg><style/><image href=must-a.png width=9 height=9 /></svg><svg><title/>"
        "<image href=must-b.png width=9 height=9 /></svg>"
        "<svg><textarea/><image href=must-c.png width=9 height=9 /></svg><svg><iframe/>"
        "<image href=must-d.png width=9 height=9 /></svg>"
        "<svg><xmp/><image href=must-e.png width=9 height=9 /></svg>",
    ),
    Case(
        "svg-breakout",
        "<svg><p><img src=must-a.png><svg><desc><img src=must-b.png></desc></svg><math><img src=must-c.png>"
        "</math><math><mi><img src=must-d.png></mi></math>",
    ),
    Case(
        "template-open",
        "<img src=must-a.png><template><img src=no.png></template><img src=must-b.png><template><img src=no.png>",
    ),
    Case(
        "body-late",
        "<img src=must-a.png><html><head><body background=must-b.png><body style='color:red'>"
        "<html style='background:url(must-c.png)'>",
    ),
    Case("body-twice", "<body><p>x<body background=must-late.png style='color:red'>"),
    Case(
        "foster",
        "<table><tr><td><table><img src=must-a.png></td><img src=must-b.png></tr></table><form><table><form>"
        "<input type=image src=must-c.png></table>",
    ),
    Case(
        "unknown",
        "<blink><img src=must-a.png></blink><my-element><img src=must-b.png></my-element><o:p>"
        "<img src=must-c.png></o:p><x><img src=must-d.png>",
    ),
    Case(
        "many-attributes",
        "<img " + " ".join(f"a{number}=1" for number in range(2_000)) + " src=must-a.png><img src=must-b.png>",
    ),
    Case("long-attribute", f"<img alt='{_LONG * 20}' src=must-a.png>"),
    Case("deep", "<div>" * 3_000 + "<img src=must-a.png>"),
    Case("no-type", "<html><img src=must-a.png>", None),
    Case(
        "xml-declared",
        "<?xml version='1.0' encoding='utf-8'?>"
        "<!DOCTYPE html PUBLIC '-//W3C//DTD XHTML 1.0 Strict//EN' 'http://x/y'><html><img src='must-a.png'/>"
        "</html>",
    ),
    Case("json-like", "{<img src=must-a.png>}"),
    Case("css-like", "p { x } <img src=must-a.png>"),
    Case("rss-like", "<rss><img src=must-a.png></rss>"),
    Case("svg-like", "<svg><image href=must-a.png width=9 height=9 /></svg><img src=must-b.png>"),
    Case("listing-like", "<title>Index of /x</title><h1>Index of /x</h1><img src=must-a.png><a href=b.jpg>b.jpg</a>"),
    Case(
        "input-late",
        "<input src=a.png type=text><input src=must-b.png type=image><input type=' image' src=no.png>"
        "<input type=image src=must-c.png type=text>",
    ),
    Case(
        "style-quotes",
        "<p style=background:url(must-a.png)>x<p style=\"background:url('must-b.png'\">"
        "x<p style='background:url(must-c.png'>x"
        "<p style='color:red;;background:url(must-d.png)!important'>x<p style='{background:url(no.png)}'>"
        "x<p style='background:url(must-e.png);}'>x",
    ),
    Case(
        "css-broken",
        "<style>"
        "p{color:;background:url(must-a.png)} @media{ b{background:url(must-b.png)} } "
        "i{background:url('no\n.png');} u{background:url(c.png)}"
        "} em{background:url(em.png)} s{background:url(d.png)} q{content:'}';background:url(e.png)} /* </style>"
        "<p>x</p><b>x</b><i>x</i><u>x</u><em>x</em><s>x</s><q>x</q>",
    ),
    Case(
        "css-strings",
        "<style>"
        "p{background:url('must-a\\\n.png')} b{background:url(must-b\\26 x.png)} "
        "i{background:url(c'd.png)} u{background:url(must-e.png)}"
        "em{background:url(  must-f.png\n)} s{background:url(g.png x)} q{background:url('must-h.png' )} "
        "a{background:url(must-i.png\\)z)}</style>"
        "<p>x</p><b>x</b><i>x</i><u>x</u><em>x</em><s>x</s><q>x</q><a>x</a>",
    ),
    Case(
        "css-import-late",
        "<style>p{color:red} @import '/css/imported.css';</style><style>@import '/css/second.css'</style><style>"
        "@import url(/css/third.css</style>"
        "<style>@import/**/'/css/main.css';</style><i>x</i><u>x</u><em>x</em><p>x</p>",
    ),
)
