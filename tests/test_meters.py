from __future__ import annotations

import re
import socket
import urllib.request
from typing import Any

import pytest
from prometheus_client import REGISTRY

from crawler import meters


def test_metrics_are_served_on_loopback_at_the_next_free_port(monkeypatch: pytest.MonkeyPatch) -> None:
    running: list[Any] = []
    start = meters.start_http_server
    monkeypatch.setattr(meters, "start_http_server", lambda *a, **k: running.append(start(*a, **k)))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        found = meters.serve(port)
        assert found is not None and port < found < port + 32
        meters.LEASES.labels("image", "done").inc()
        with urllib.request.urlopen(f"http://127.0.0.1:{found}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    for server, thread in running:
        server.shutdown()
        server.server_close()
        thread.join(5)
    assert 'vangnet_leases_total{lane="image",outcome="done"}' in text


def test_no_port_means_no_metrics() -> None:
    assert meters.serve(0) is None


def test_labels_have_no_room_for_a_url() -> None:
    ours = [family for family in REGISTRY.collect() if family.name.startswith("vangnet_")]
    assert {family.name for family in ours} >= {"vangnet_leases", "vangnet_recorded", "vangnet_frontier"}
    for family in ours:
        for sample in family.samples:
            assert set(sample.labels) <= {"lane", "outcome", "kind", "what", "le"}
            assert all(re.fullmatch(r"[a-z_]{1,32}", value) for value in sample.labels.values())
