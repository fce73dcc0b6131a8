"""Every exception that Vangnet raises on purpose, and the exit code that it ends a command with.

    VangnetError                      1  anything that a person has to mend
    ├── InvalidInput                  2  wrong usage, or a file that is not what it should be
    │   ├── CampaignInvalid              a campaign file: file, key and reason
    │   ├── HashListInvalid              a hash list: file, line and reason
    │   ├── AddressDataInvalid           an address table: file, line and reason
    │   └── OptionInvalid                an option or an environment variable
    ├── Refused                       3  understood, and not allowed
    │   ├── NothingToMatch               no enabled, non-empty hash list
    │   ├── CampaignExpired              past `valid_until`
    │   ├── NotAuthorised                the actor's role does not permit the act
    │   └── OutOfScope                   an address, host or URL that no rule admits
    ├── Unavailable                   1  something that we depend on does not answer
    │   ├── RedisUnavailable             no server at REDIS_URL, or it stopped answering
    │   ├── HomeUnusable                 the home directory cannot be written, or belongs to another version
    │   ├── StoreUnavailable             the SQLite file is locked or full, or its keys do not fit
    │   │   └── StoreDamaged                 it is no database any more
    │   ├── RenderUnavailable            no browser could be started: pages made by script are taken as they came
    │   └── SandboxUnavailable           no sandbox process could be started
    └── Corrupt                       1  stored data that is not what we wrote
        ├── RecordCorrupt                a frontier or bus record: unknown version or damaged bytes
        ├── IndexCorrupt                 an index file: wrong magic, version, size or digest
        └── FrontierLost                 a running campaign's marker is gone from Redis

Messages are one line: what, where, and how to mend it. Foreign exceptions are translated where they enter
(`raise … from`), and nothing above that boundary catches a foreign type.
"""

from __future__ import annotations


class VangnetError(Exception):
    """Base of all. `exit_code` is what a command that ends with it returns to the shell."""

    exit_code = 1


class InvalidInput(VangnetError):
    exit_code = 2


class CampaignInvalid(InvalidInput): ...


class HashListInvalid(InvalidInput): ...


class AddressDataInvalid(InvalidInput): ...


class OptionInvalid(InvalidInput): ...


class Refused(VangnetError):
    exit_code = 3


class NothingToMatch(Refused): ...


class CampaignExpired(Refused): ...


class NotAuthorised(Refused): ...


class OutOfScope(Refused): ...


class Unavailable(VangnetError): ...


class RedisUnavailable(Unavailable): ...


class HomeUnusable(Unavailable): ...


class StoreUnavailable(Unavailable): ...


class StoreDamaged(StoreUnavailable): ...


class RenderUnavailable(Unavailable): ...


class SandboxUnavailable(Unavailable): ...


class Corrupt(VangnetError): ...


class RecordCorrupt(Corrupt): ...


class IndexCorrupt(Corrupt): ...


class FrontierLost(Corrupt): ...
