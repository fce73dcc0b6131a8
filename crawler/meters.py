"""What a worker and a recorder count for Prometheus. Labels are short stable names; none has a URL, host or digest."""

from __future__ import annotations

import structlog
from prometheus_client import Counter, Gauge, start_http_server

LEASES = Counter("vangnet_leases", "Leases that ended, by lane and kind of outcome.", ("lane", "outcome"))
RECORDED = Counter("vangnet_recorded", "Reports that were recorded.", ("kind",))
REFUSED = Counter("vangnet_refused", "Results that were refused: not sealed to us, or of a worker that is unknown.")
FRONTIER = Gauge("vangnet_frontier", "The frontier at a glance; see FrontierState.", ("what",))

LOOPBACK = "127.0.0.1"
_TRIES, _LAST = 32, 65_535
_log = structlog.get_logger()


def serve(port: int) -> int | None:
    """Serve the metrics of this process on loopback; 0: not at all. Returns the port, None without one.

    Several processes of a machine have the same option, so the next free port is taken.
    """
    if not port:
        return None
    last = min(port + _TRIES - 1, _LAST)
    for candidate in range(port, last + 1):
        try:
            start_http_server(candidate, addr=LOOPBACK)
        except OSError:
            continue
        _log.info("metrics", address=LOOPBACK, port=candidate)
        return candidate
    _log.warning("no port is free for metrics", first=port, last=last)
    return None
