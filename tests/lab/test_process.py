from __future__ import annotations

import asyncio
import datetime
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from crawler.attribute.text_table import read_text_table
from crawler.campaign import check_startable, load_campaign
from crawler.errors import Unavailable
from crawler.lab.listed import LISTED
from crawler.lab.log import RequestLog
from crawler.lab.process import Lab
from crawler.lab.watch import peers, watch
from tests.lab.naive import fetch

ROOT = Path(__file__).parents[2]


def test_two_labs_at_once_and_an_end() -> None:
    with Lab(["galerij"]) as one, Lab(["galerij"]) as other:
        assert one.port != other.port
        assert fetch(one, one.plan.seeds[0])[0] == 200
        assert one.seen().requests == 1
        assert other.seen().requests == 0
        one.stop()
        with pytest.raises(Unavailable):
            one.seen()
        assert other.seen().requests == 0


def test_the_process_ends_with_its_parent() -> None:
    code = (
        "from crawler.lab.process import Lab; import time\n"
        "lab = Lab(['galerij']); print(lab.port, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        assert parent.stdout is not None
        port = int(parent.stdout.readline())
        socket.create_connection(("127.10.1.1", port), 5).close()
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 5
    while _listening(port) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _listening(port)


def _listening(port: int) -> bool:
    try:
        socket.create_connection(("127.10.1.1", port), 5).close()
    except OSError:
        return False
    return True


def test_an_unknown_site_is_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(Unavailable):
        Lab(["bestaat-niet"])
    assert "bestaat-niet" in capfd.readouterr().err


def test_the_campaign_is_valid_and_can_be_changed(lab: Lab, tmp_path: Path) -> None:
    campaign = load_campaign(lab.write_campaign(tmp_path / "a.toml"), lab=True)
    check_startable(campaign, datetime.date(2030, 1, 1))
    assert campaign.limits_for("127.10.1.1") == (50.0, 4)
    assert campaign.network.nameservers == (lab.nameserver,)
    changed = lab.write_campaign(tmp_path / "b.toml", limits={"concurrency": 1, "render": None}, match={"lists": ["x"]})
    campaign = load_campaign(changed, lab=True)
    assert campaign.limits_for("127.10.1.1") == (50.0, 1)
    assert campaign.match.lists == ("x",)


def test_the_address_table_is_valid(lab: Lab, tmp_path: Path) -> None:
    info, rows = read_text_table(lab.write_table(tmp_path / "table"))
    assert info.source == "vangnet-lab"
    assert {row.values.country for row in rows} == {"NL", "XZ"}
    assert all(64496 <= (row.values.asn or 0) <= 64511 for row in rows)


def test_the_list_holds_what_it_says(lab: Lab, tmp_path: Path) -> None:
    lines = lab.write_list(tmp_path / "list").read_text().splitlines()
    rows = [line.split() for line in lines if not line.startswith("#")]
    assert len(rows) == sum(len(entry.algorithms) for entry in LISTED.values())
    lengths = {"md5": 32, "sha1": 40, "sha256": 64, "pdq": 64}
    assert all(len(bytes.fromhex(value)) * 2 == lengths[algorithm] for algorithm, value in rows)
    assert len({value for _, value in rows}) == len(rows)


async def test_attempts_to_connect_are_seen() -> None:
    log = RequestLog()
    with socket.create_server(("127.0.0.1", 0)) as server:
        target = server.getsockname()
        watching = asyncio.create_task(watch([target], log))
        with socket.create_connection(target):
            for _ in range(500):
                await asyncio.sleep(0 if log.trespass else 0.01)
        watching.cancel()
    assert log.trespass == {f"attempt to connect to 127.0.0.1:{target[1]}": 1}


def test_the_kernel_table_is_read() -> None:
    table = "  sl  local_address rem_address   st\n   0: 0100007F:9C40 0100420A:1F90 02 00000000:00000000\n"
    assert peers(table) == {("0100007F:9C40", "10.66.0.1", 8080)}
