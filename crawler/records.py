"""The frozen types that flow between the stages, one per arrow of the way of the data.

    Campaign -> FrontierUrl -> Lease -> Fetched -> Candidate -> (admitted) -> FrontierUrl …
                                     -> Examination -> FoundImage -> Hit -> attributed -> recorded

Units: times ending in `_at` are seconds since the epoch (UTC, float) unless a docstring says otherwise; durations are
seconds; sizes are bytes. None means unknown or not applicable, never zero.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What a URL in the frontier is for. Images travel on the image lane, everything else on the page lane.

    PART is in no queue: it is what the script of a page asks for while the page is rendered.
    """

    PAGE = "page"
    IMAGE = "image"
    ROBOTS = "robots"
    SHEET = "sheet"
    FEED = "feed"
    SWEEP = "sweep"
    RECHECK = "recheck"
    PART = "part"

    @property
    def on_image_lane(self) -> bool:
        return self is Kind.IMAGE


@dataclass(frozen=True, slots=True)
class Rejected:
    """In place of a value: why there is none. `reason` is a short stable name that counters use."""

    reason: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class RunId:
    """One numbered run of a campaign. `number` counts from 1."""

    campaign: str
    number: int

    def __str__(self) -> str:
        return f"{self.campaign}#{self.number}"


# ---------------------------------------------------------------- discovery


@dataclass(frozen=True, slots=True)
class Candidate:
    """A URL that a page, a sitemap, a redirect or a seed named, in canonical form.

    source: where it stood, a short stable name such as "img", "srcset", "a", "redirect", "seed".
    priority: 0 (first) to 9 (last); see `PRIORITY`.
    """

    url: str
    kind: Kind
    source: str
    priority: int = 5


@dataclass(frozen=True, slots=True)
class DataImage:
    """An image that stood in the page itself as a `data:` URL. `number` counts them from 0 within the page."""

    number: int
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PageSketch:
    """What a page says and shows, small enough to be compared with others.

    text: the smallest hashes of its sequences of words, 4 bytes each.  images: digest of the set of its images, 8
    bytes.  missing: it says that there is no such page.  wall: it asks for consent to cookies, and shows nothing else.
    """

    text: bytes = field(repr=False)
    images: bytes = field(repr=False)
    missing: bool = False
    wall: bool = False

    def packed(self) -> bytes:
        """For comparing with others."""
        return self.images + self.text


@dataclass(frozen=True, slots=True)
class PageContent:
    """What discovery made of one page.

    rejected: reason -> number of references that are no crawlable URL (for the counters).  sketch: of an HTML page.
    """

    candidates: tuple[Candidate, ...] = ()
    data_images: tuple[DataImage, ...] = ()
    rejected: dict[str, int] = field(default_factory=dict)
    sketch: PageSketch | None = None


# ---------------------------------------------------------------- frontier


@dataclass(frozen=True, slots=True)
class FrontierUrl:
    """A URL that was admitted: in scope, new, within its budgets.

    address: the IP address (canonical text) that was judged and that will be connected to.
    depth: links followed from a seed, 0 for seeds; requisites of a page (images, sheets) have the page's depth + 1.
    referrer: the page that showed it, None for seeds.  via: URLs that redirected to it, oldest first.
    context: bounded context class; what is seen is (url, context). 0 is the usual one.
    attempts: deliveries so far that ended without an outcome or with a retry; 0 at first.
    """

    url: str
    run: RunId
    kind: Kind
    address: str
    depth: int = 0
    priority: int = 5
    referrer: str | None = None
    via: tuple[str, ...] = ()
    context: int = 0
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to send one request for `item`.

    token: fencing token, unique within the partition; completing with an old one has no effect.
    not_before, send_by, expires: readings of this process's monotonic clock (seconds). A request is sent within
    [not_before, send_by], else the lease is given back; at `expires` a fetch in progress is aborted.
    queue: opaque; changes when the robots rules or the session of the lease's host do.
    """

    item: FrontierUrl
    partition: int
    token: int
    queue: str
    not_before: float
    send_by: float
    expires: float


@dataclass(frozen=True, slots=True)
class Discovered:
    """What one page (or redirect, or seed list) named, on its way to the admitter.

    depth: of the candidates.  referrer: the page, None for seeds.  via: URLs that redirected here, oldest first.
    tries: times that the candidates came to an admitter which could not judge them yet.
    moved: they were admitted before, and are judged only for where they lie now.
    """

    candidates: tuple[Candidate, ...]
    depth: int = 0
    referrer: str | None = None
    via: tuple[str, ...] = ()
    tries: int = 0
    moved: bool = False


# ---------------------------------------------------------------- outcomes of a lease


@dataclass(frozen=True, slots=True)
class Done:
    """The URL was fetched (redirects included).

    discovered: what it named, None for nothing.  results: sealed records for the recorder, opaque to the frontier.
    tally: counters to move with the outcome, for instance {"images": 1}.
    """

    discovered: Discovered | None = None
    results: tuple[bytes, ...] = ()
    tally: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Failed:
    """No usable answer, for good. An undecodable image may still carry results (its digests matched)."""

    reason: str
    results: tuple[bytes, ...] = ()
    tally: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Skipped:
    """Deliberately not fetched, or not looked at: robots, unsupported content and the like."""

    reason: str
    tally: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Retry:
    """Try again after `after` seconds; becomes Failed(reason) when the attempts are used up."""

    reason: str
    after: float


@dataclass(frozen=True, slots=True)
class Rekind:
    """What came back belongs on the other lane: queue it again as `kind`, without counting an attempt.

    url: where a robots.txt of this address has moved to; None for the same URL.
    """

    kind: Kind
    url: str | None = None


Outcome = Done | Failed | Skipped | Retry | Rekind


# ---------------------------------------------------------------- fetch


@dataclass(frozen=True, slots=True)
class TlsFacts:
    """What a TLS server showed. `sha256` is the certificate's fingerprint (hex); `valid` says whether a browser would
    have accepted it, `problem` why not."""

    protocol: str
    sha256: str
    names: tuple[str, ...]
    valid: bool
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class FetchOrder:
    """One request to send. The connection goes to `address` and nowhere else.

    headers: in order, complete but for Host and the connection's own.  accept_bodies: kinds of body worth reading, as
    `fetch/sniff.py` names them; None for what the crawler can use (page, image, feed, sheet, JSON, text).
    digest_bodies: kinds of which only the digests are wanted; the bytes are hashed and dropped.
    max_bytes: cap on the body after decompression.  deadline: monotonic seconds at which all must be over.
    allow_partial: a body that broke off is handed over with `truncated` set, in place of a FetchFailed.
    connect: seconds until TCP stands, where the fetcher's own limit is too long; None: that limit.
    ready: asked once the connection stands, right before the request is sent; False: it is not sent ("late").
    """

    url: str
    address: str
    headers: tuple[tuple[str, str], ...] = ()
    max_bytes: int = 33_554_432
    deadline: float | None = None
    accept_bodies: frozenset[str] | None = None
    digest_bodies: frozenset[str] = frozenset()
    allow_partial: bool = False
    connect: float | None = None
    ready: Callable[[], Awaitable[bool]] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds that the phases of one fetch took. connect and tls are 0.0 when a connection was used again.

    connect: until TCP stood.  tls: until TLS stood.  header: from sending to the end of the headers.  body: from there
    to the last byte.
    """

    connect: float
    tls: float
    header: float
    body: float


@dataclass(frozen=True, slots=True)
class Fetched:
    """An answer, of any status. Redirects are not followed: `location` is the absolute target of one, else None.

    body: decompressed. Empty when `skipped_body` says why it was not read ("video", "archive", "pdf", …).
    elapsed: seconds from sending to the last byte.  kind: what the first bytes show the body to be, None without one.
    truncated: the failure that broke the body off (only with `allow_partial`), None when it is whole.
    wire_bytes: bytes of the answer as received, headers included, before decompression.
    digests: of a body that was hashed and dropped (`digest_bodies`), else None.  digested_bytes: how long that was.
    """

    url: str
    address: str
    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)
    elapsed: float
    location: str | None = None
    tls: TlsFacts | None = None
    skipped_body: str | None = None
    kind: str | None = None
    truncated: str | None = None
    wire_bytes: int = 0
    timings: Timings | None = None
    digests: Digests | None = None
    digested_bytes: int = 0

    def header(self, name: str) -> str | None:
        """The first header of this name (any case), or None."""
        wanted = name.lower()
        return next((value for key, value in self.headers if key.lower() == wanted), None)


@dataclass(frozen=True, slots=True)
class FetchFailed:
    """No answer. `reason` is the name of a class in `fetch/failures.py`, `retry` whether trying again can help."""

    reason: str
    retry: bool
    detail: str = ""


# ---------------------------------------------------------------- fingerprint and match


@dataclass(frozen=True, slots=True)
class Digests:
    """Digests over the bytes as received."""

    md5: bytes = field(repr=False)
    sha1: bytes = field(repr=False)
    sha256: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Code:
    """One PDQ code: 32 bytes, in the byte order of the hexadecimal form that the reference prints.

    transform: what was done to the image before, "+"-joined, "none" for nothing: "mirror", "rot90", "on-white",
    "exif", "trimmed", "frame-12", "512" (the squeezed convention) …
    quality: 0 to 100.
    """

    value: bytes = field(repr=False)
    quality: int
    transform: str = "none"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """All that is computed for an image. Lives inside the sandbox, and in `vangnet fingerprint`.

    phash: 64-bit pHash, 8 bytes.  partial: the data ended before the image did.
    """

    digests: Digests
    format: str
    width: int
    height: int
    frames: int
    codes: tuple[Code, ...] = field(repr=False)
    phash: bytes = field(repr=False)
    partial: bool = False


@dataclass(frozen=True, slots=True)
class RowMatch:
    """An entry of the index that the image agrees with. `entry` is the entry's number in the store.

    algorithm: "sha256", "sha1", "md5", "pdq", "phash".  distance, threshold: bits; 0 and 0 for digests.
    benign: the entry stands on a list of harmless images; reported beside a block match, never alone.
    """

    entry: int
    algorithm: str
    distance: int = 0
    threshold: int = 0
    transform: str = "none"
    benign: bool = False


@dataclass(frozen=True, slots=True)
class FoundImage:
    """A matching image: the only thing about an image that leaves the sandbox.

    width, height, quality: None when only the digests matched because the image could not be decoded.
    """

    sha256: bytes = field(repr=False)
    md5: bytes = field(repr=False)
    size: int
    width: int | None
    height: int | None
    quality: int | None
    matches: tuple[RowMatch, ...]


@dataclass(frozen=True, slots=True)
class Examination:
    """What the sandbox answers for one image.

    decoded: False with a `reason` ("truncated", "not an image", "bomb", "unsupported(svg)", "deadline", …). True also
    where digests alone were looked up, so that there was nothing to decode.
    partial: decoded, but the data ended early.  found: None when nothing matched.
    against: index file and state of the lists that `found` rests on, as `crawler.match.names` writes them.
    """

    decoded: bool
    reason: str | None = None
    partial: bool = False
    found: FoundImage | None = None
    against: str | None = field(default=None, compare=False)


# ---------------------------------------------------------------- hit


@dataclass(frozen=True, slots=True)
class HitReport:
    """What a worker reports to the recorder about one matching image at one URL.

    serial: unique per report, the same at every delivery of it; a second one with this serial changes nothing.
    index: sha256 (hex) of the index file, with "+" and the number of the state of the lists when there was one.
    """

    serial: str
    run: RunId
    image_url: str
    page_url: str | None
    redirects: tuple[str, ...]
    found_at: float
    address: str
    index: str
    found: FoundImage


@dataclass(frozen=True, slots=True)
class RecheckReport:
    """What a worker reports to the recorder about one visit of a URL that stands in a notice.

    serial: as in HitReport.  target: the URL that was to be visited.  url: the one that answered, after redirects.
    answer: "image", "page", or a short stable name of what came instead, such as "http-404", "robots", "dns-nxdomain".
    found: the listed images in the answer; what does not match is not in here, by no digest and no code.
    look: the image was missed at its own URL; target is the page that showed it, and url that page, or an image on it.
    """

    serial: str
    run: RunId
    target: str
    url: str
    checked_at: float
    address: str
    index: str
    answer: str
    found: tuple[FoundImage, ...] = ()
    look: bool = False


# ---------------------------------------------------------------- addresses and attribution


@dataclass(frozen=True, slots=True)
class Evidence:
    """One fact and where it comes from. source: a table's name; date: ISO day of that table; prefix: the range."""

    fact: str
    source: str
    date: str | None = None
    prefix: str | None = None


@dataclass(frozen=True, slots=True)
class AddressFacts:
    """What the address tables say of one address; None where no table has it.

    prefix: the smallest range that anything is said of.  network, holder: of the most specific registered network;
    sponsor: the organisation that answers for the holder.  hoster, hoster_country: the brand that is known to announce
    the address, and whose hoster it is.  cdn: the CDN that it is the front of.  anycast: many places announce it.
    """

    country: str | None = None
    prefix: str | None = None
    asn: int | None = None
    as_name: str | None = None
    network: str | None = None
    holder: str | None = None
    abuse_contact: str | None = None
    cdn: str | None = None
    evidence: Sequence[Evidence] = ()
    anycast: bool = False
    hoster: str | None = None
    hoster_country: str | None = None
    sponsor: str | None = None


@dataclass(frozen=True, slots=True)
class ScopeVerdict:
    """Whether an address may be connected to, why (a short stable name), and what that rests on."""

    in_scope: bool
    reason: str
    evidence: Sequence[Evidence] = ()


@dataclass(frozen=True, slots=True)
class Attribution:
    """Who is answerable for a URL at an address, taken at the moment of the hit and stored with it.

    domain: registered domain by the private suffix list; icann_domain: by ICANN's part only. None for IP literals.
    """

    domain: str | None
    icann_domain: str | None
    address: str
    facts: AddressFacts


# ---------------------------------------------------------------- what may leave


@dataclass(frozen=True, slots=True)
class Disclosure:
    """What the owner of a hash list lets a notice say about a match. Nothing, unless the list's manifest says so.

    digest: the image's digests.  code: perceptual codes.  list_name: the list and its entry.  distance: distance,
    threshold and algorithm of the match.
    """

    digest: bool = False
    code: bool = False
    list_name: bool = False
    distance: bool = False
