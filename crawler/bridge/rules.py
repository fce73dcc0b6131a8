"""What the frontier keeps for a host after its robots.txt was asked for: the rules, or why there are none.

"R" and the rules' own bytes         the file was read, or there is none
"!" and the name of a failure class  it could not be had: nothing else is asked for on that host in this run
                                     (RFC 9309, 2.3.1.4), and every URL of it ends with that reason
"""

from __future__ import annotations

from crawler.errors import RecordCorrupt
from crawler.fetch.robots import RobotsRules
from crawler.records import Failed


def pack_rules(rules: RobotsRules) -> bytes:
    """As the frontier keeps rules."""
    return b"R" + rules.to_bytes()


def pack_unreachable(reason: str) -> bytes:
    """As the frontier keeps that there is no answer."""
    return b"!" + reason.encode()


def unpack_rules(stored: bytes) -> RobotsRules | Failed:
    """What is kept for a host. Raises RecordCorrupt for anything else."""
    if stored[:1] == b"R":
        return RobotsRules.from_bytes(stored[1:])
    if stored[:1] == b"!":
        return Failed(stored[1:].decode("ascii", "replace"))
    raise RecordCorrupt("the robots rules of a host are damaged")
