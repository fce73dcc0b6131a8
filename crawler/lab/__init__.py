"""The lab: a mini-internet on 127.0.0.0/8 with its own names, hosters and sites, which knows what a crawl must find.

    sites/*.py  ->  plan.py  ->  serve.py (own process: dns.py, http.py, watch.py, log.py)
                             ->  truth.py (in the process that judges)

To add a site, put a module into `sites/` with a docstring that says what kind it is and `build(plan)`, which takes
hosts (`plan.host(NAME, ADDRESS)`, an address of one of `world.HOSTERS`) and fills them: `page`, `photo`, `lookalike`,
`plant`, or `add` with any `Reply` or function of the `Request`; `guard` shows a URL to some visitors only. Everything
on the plan is part of the truth by itself.
In a test: `with Lab(["mysite"]) as lab: …`.
"""
