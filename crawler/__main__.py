"""`python -m crawler` is `vangnet`."""

from crawler.cli.main import entry

entry()
