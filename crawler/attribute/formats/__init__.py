"""Readers of the files that `vangnet data load` takes, one module a format."""
