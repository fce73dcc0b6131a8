"""The command line as a user runs it, in a home of its own, with lab settings."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from unittest import mock

from crawler.cli.main import entry

COMMAND = (sys.executable, "-m", "crawler")
CAMPAIGN = """
[campaign]
name = "{name}"
purpose = "test"
legal_basis = "none, a test on loopback"
authorised_by = "the test"
valid_until = 2099-01-01
[scope]
prefixes = ["127.0.0.0/8"]
[seeds]
urls = [{seeds}]
[limits]
requests_per_second = {rate}
concurrency = {concurrency}
{limits}
[network]
allow_private = true
"""


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Vangnet:
    """home: of its own.  environment: on top of the process's.  program: what Python runs, in a process of its own."""

    home: Path
    settings: str = "settings.lab"
    environment: Mapping[str, str] | None = None
    program: Sequence[str] = ("-m", "crawler")

    def start(self, *arguments: object, log: IO[Any] | int = subprocess.PIPE) -> subprocess.Popen[str]:
        """log: where stderr goes."""
        return subprocess.Popen(
            [
                sys.executable,
                *self.program,
                "--home",
                str(self.home),
                "--settings",
                self.settings,
                *map(str, arguments),
            ],
            env=os.environ | dict(self.environment or {}),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )

    def run(self, *arguments: object) -> Ended:
        """In this process, which spares a start of seconds; as a process of its own where it runs a reactor."""
        if arguments[0] in ("worker", "recorder"):
            return self._run_apart(*arguments)
        out, err = io.StringIO(), io.StringIO()
        command = ["vangnet", "--home", str(self.home), "--settings", self.settings, *map(str, arguments)]
        with (
            mock.patch.dict(os.environ, self.environment or {}),
            mock.patch.object(sys, "argv", command),
            redirect_stdout(out),
            redirect_stderr(err),
        ):
            try:
                entry()
            except SystemExit as end:
                assert isinstance(end.code, int)
                return Ended(end.code, out.getvalue(), err.getvalue())
        raise AssertionError("the entry point returned")

    def _run_apart(self, *arguments: object) -> Ended:
        with self.start(*arguments) as process:
            try:
                out, err = process.communicate(timeout=120)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return Ended(process.returncode, out, err)

    def json(self, *arguments: object) -> Any:
        done = self.run(*arguments, "--json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def campaign(
        self, *seeds: str, name: str = "test", rate: float = 200, concurrency: int = 8, limits: str = ""
    ) -> Path:
        """A campaign file beside the home."""
        path = self.home.parent / f"{name}.toml"
        quoted = ", ".join(f'"{seed}"' for seed in seeds)
        path.write_text(CAMPAIGN.format(name=name, seeds=quoted, rate=rate, concurrency=concurrency, limits=limits))
        return path

    def hash_list(self, *lines: str, name: str = "known") -> None:
        """Import a list of `<type> <hash>` lines."""
        path = self.home.parent / f"{name}.txt"
        path.write_text("".join(f"{line}\n" for line in lines))
        done = self.run("hashes", "import", path, "--list", name)
        assert done.returncode == 0, done.stderr
