"""The frozen types that flow between the stages, one per arrow of the way of the data.

    Campaign -> FrontierUrl -> Lease -> Fetched -> Candidate -> (admitted) -> FrontierUrl …
                                     -> Examination -> FoundImage -> Hit -> attributed -> recorded

Units: times ending in `_at` are seconds since the epoch (UTC, float) unless a docstring says otherwise; durations are
seconds; sizes are bytes. None means unknown or not applicable, never zero.
"""

from __future__ import annotations

from crawler.records.attributed import AddressFacts, Attribution, Evidence, ScopeVerdict
from crawler.records.common import Kind, Rejected, RunId
from crawler.records.discovered import Candidate, DataImage, PageContent, PageSketch
from crawler.records.examined import Code, Digests, Examination, Fingerprint, FoundImage, RowMatch
from crawler.records.fetched import Fetched, FetchFailed, FetchOrder, Timings, TlsFacts
from crawler.records.queued import Discovered, Done, Failed, FrontierUrl, Lease, Outcome, Rekind, Retry, Skipped
from crawler.records.reported import Disclosure, HitReport, RecheckReport

__all__ = [
    "AddressFacts",
    "Attribution",
    "Candidate",
    "Code",
    "DataImage",
    "Digests",
    "Disclosure",
    "Discovered",
    "Done",
    "Evidence",
    "Examination",
    "Failed",
    "FetchFailed",
    "FetchOrder",
    "Fetched",
    "Fingerprint",
    "FoundImage",
    "FrontierUrl",
    "HitReport",
    "Kind",
    "Lease",
    "Outcome",
    "PageContent",
    "PageSketch",
    "RecheckReport",
    "Rejected",
    "Rekind",
    "Retry",
    "RowMatch",
    "RunId",
    "ScopeVerdict",
    "Skipped",
    "Timings",
    "TlsFacts",
]
