"""Excerpts of address data, made by hand in the syntax of the real files, with their awkward cases."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

DELEGATED = """\
2|ripencc|20260617|7|19830705|20260616|+0200
ripencc|*|ipv4|*|4|summary
ripencc|*|asn|*|1|summary
ripencc|*|ipv6|*|2|summary
ripencc|NL|asn|64496|1|20010101|allocated|aaaa
ripencc|NL|ipv4|45.9.0.0|1024|20140101|allocated|aaaa
ripencc|EU|ipv4|45.10.0.0|768|19930901|assigned|bbbb
ripencc|BE|ipv4|45.11.0.0|256|20140101|allocated|cccc
ripencc||ipv4|45.12.0.0|256||available||
ripencc|NL|ipv6|2a10:1::|32|20200101|allocated|aaaa
ripencc||ipv6|2a10:2::|32||reserved||
"""

INETNUM = b"""\
#
# The contents of this file are subject to
# RIPE Database Terms and Conditions
#

inetnum:        0.0.0.0 - 255.255.255.255
netname:        IANA-BLK
descr:          The whole IPv4 address space
country:        EU # Country field is actually all countries in the world and not just EU countries
status:         ALLOCATED UNSPECIFIED
source:         RIPE

inetnum:        45.9.0.0 - 45.9.3.255
netname:        NL-POLDER-20140101
country:        NL
org:            ORG-PH1-RIPE
admin-c:        DUMY-RIPE
status:         ALLOCATED PA
created:        2014-01-01T10:00:00Z
last-modified:  2026-06-10T10:00:00Z
source:         RIPE

inetnum:        45.9.1.0 - 45.9.1.255
netname:        FERNLAND-CUSTOMER
descr:          Customer of Polder,
+               registered abroad
country:        BE
status:         ASSIGNED PA
last-modified:  2026-06-11T10:00:00Z
source:         RIPE

inetnum:        45.9.1.128 - 45.9.1.191
netname:        K\xfcche
descr:          Caf\xe9 K\xfcche
country:        NL
org:            ORG-GONE-RIPE
sponsoring-org: ORG-PH1-RIPE
abuse-c:        NOMB1-RIPE
status:         ASSIGNED PA
source:         RIPE

inetnum:        45.10.0.0 - 45.10.2.255
netname:        OUDE-NET
descr:          Legacy block
country:        EU
status:         LEGACY
source:         RIPE

inetnum:        45.10.2.0 - 45.10.3.255
netname:        OVERLAP-NET
country:        NL
org:            ORG-DU1-RIPE
status:         ASSIGNED PI
source:         RIPE
"""

INET6NUM = b"""\
inet6num:       2a10:1::/32
netname:        NL-POLDER-20200101
country:        NL
org:            ORG-PH1-RIPE
status:         ALLOCATED-BY-RIR
last-modified:  2026-06-12T10:00:00Z
source:         RIPE

inet6num:       2a10:1:ff::/48
netname:        POLDER-V6-KLANT
country:        DE
status:         ASSIGNED
source:         RIPE
"""

ORGANISATION = b"""\
organisation:   ORG-PH1-RIPE
org-name:       Polder Hosting B.V. # trading as Polder
country:        NL
org-type:       LIR
abuse-c:        AR1-RIPE
last-modified:  2026-06-12T10:00:00Z
source:         RIPE

organisation:   ORG-DU1-RIPE
org-name:       Duinen & S\xf8n
org-type:       OTHER
abuse-c:        AR2-RIPE
source:         RIPE
"""

ROLE = b"""\
role:           Polder Abuse
nic-hdl:        AR1-RIPE
e-mail:         noc@polder.example
abuse-mailbox:  abuse@polder.example
last-modified:  2026-06-12T10:00:00Z
source:         RIPE

role:           Duinen Abuse
nic-hdl:        AR2-RIPE
abuse-mailbox:  mail us at abuse@duinen
source:         RIPE

role:           Nobody
nic-hdl:        NOMB1-RIPE
source:         RIPE
"""

AUT_NUM = b"""\
aut-num:        AS64496
as-name:        POLDER-AS
org:            ORG-PH1-RIPE
sponsoring-org: ORG-DU1-RIPE
last-modified:  2026-06-12T10:00:00Z
source:         RIPE
"""

ROUTES4 = """\
% RIS whois dump

64496\t45.9.0.0/22\t340
64497\t45.9.0.0/22\t12
64499\t45.9.1.0/24\t331
{64501,64502}\t45.10.0.0/24\t300
64500\t45.10.0.0/23\t300
64509\t45.11.0.0/24\t2
64500\t104.16.0.0/13\t340
0\t45.12.0.0/24\t300
"""
ROUTES6 = "% RIS whois dump\n64496\t2a10:1::/32\t300\n"

AS_NAMES = "64496 POLDER-AS Polder Hosting B.V., NL\n64499 MOLENVELD Molenveld VPS, BE\n64500 LICHTSNEL Lichtsnel, US\n"

CLOUDFLARE4 = "173.245.48.0/20\n104.16.0.0/13\n"
CLOUDFLARE6 = "2400:cb00::/32\n2606:4700::/32"

FASTLY = json.dumps({"addresses": ["23.235.32.0/20"], "ipv6_addresses": ["2a04:4e40::/32"]})
AWS = json.dumps(
    {
        "syncToken": "1781000000",
        "createDate": "2026-06-09-10-13-20",
        "prefixes": [
            {"ip_prefix": "3.5.140.0/22", "region": "ap-northeast-2", "service": "AMAZON"},
            {"ip_prefix": "13.32.0.0/15", "region": "GLOBAL", "service": "CLOUDFRONT"},
            {"ip_prefix": "15.197.0.0/16", "region": "GLOBAL", "service": "GLOBALACCELERATOR"},
        ],
        "ipv6_prefixes": [{"ipv6_prefix": "2600:9000::/28", "region": "GLOBAL", "service": "CLOUDFRONT"}],
    }
)
GOOGLE = json.dumps(
    {
        "syncToken": "1",
        "creationTime": "2026-06-17T12:00:00.1",
        "prefixes": [{"ipv4Prefix": "34.0.0.0/15"}, {"ipv6Prefix": "2001:4860::/32"}],
    }
)
GOOGLE_CLOUD = json.dumps(
    {
        "syncToken": "1",
        "creationTime": "2026-06-17T12:00:00.1",
        "prefixes": [
            {"ipv4Prefix": "34.1.0.0/20", "service": "Google Cloud", "scope": "europe-west4"},
            {"ipv4Prefix": "34.0.0.0/20", "service": "Google Cloud", "scope": "global"},
        ],
    }
)

SUFFIXES = """\
// VERSION: 2026-06-16_08-00-00_UTC
// ===BEGIN ICANN DOMAINS===
com
org
nl
// comment
*.ck
!www.ck
co.uk
uk
// ===END ICANN DOMAINS===
// ===BEGIN PRIVATE DOMAINS===
// Polder : https://polder.example
polderpages.nl
// ===END PRIVATE DOMAINS===
"""

TEXTS: dict[str, str | bytes] = {
    "delegated": DELEGATED,
    "inetnum": INETNUM,
    "inet6num": INET6NUM,
    "organisation": ORGANISATION,
    "role": ROLE,
    "aut-num": AUT_NUM,
    "routes4": ROUTES4,
    "routes6": ROUTES6,
    "as-names": AS_NAMES,
    "cloudflare4": CLOUDFLARE4,
    "cloudflare6": CLOUDFLARE6,
    "fastly": FASTLY,
    "aws": AWS,
    "google": GOOGLE,
    "google-cloud": GOOGLE_CLOUD,
    "suffixes": SUFFIXES,
}
"""Every format but MMDB, by a short name."""


def write(directory: Path, *names: str, packed: bool = False) -> list[Path]:
    """Files of excerpts, whose names say nothing; all of them without `names`. packed: gzip."""
    directory.mkdir(exist_ok=True)
    made = []
    for number, name in enumerate(names or TEXTS):
        text = TEXTS[name]
        content = text.encode() if isinstance(text, str) else text
        path = directory / f"file{number}"
        path.write_bytes(gzip.compress(content, mtime=1_781_740_800) if packed else content)
        made.append(path)
    return made
