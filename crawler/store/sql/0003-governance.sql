-- served_version: the version that is matched against, NULL while none is; entries of later versions wait.
-- governed: the list came with a manifest, so that two persons bring a version into service.
ALTER TABLE hash_lists ADD COLUMN served_version INTEGER;
ALTER TABLE hash_lists ADD COLUMN governed INTEGER NOT NULL DEFAULT 0 CHECK (governed IN (0, 1));
UPDATE hash_lists SET served_version = version;

-- categories: those that the import let count, as a JSON array, NULL for all.  by_category: live entries of each.
ALTER TABLE list_versions ADD COLUMN categories TEXT;
ALTER TABLE list_versions ADD COLUMN by_category TEXT NOT NULL DEFAULT '{}';

CREATE TABLE owner_keys (
    name TEXT PRIMARY KEY,
    verify_key BLOB NOT NULL UNIQUE CHECK (length(verify_key) = 32),
    added_at REAL NOT NULL,
    added_by TEXT NOT NULL REFERENCES actors (name),
    revoked_at REAL
);

CREATE TABLE list_manifests (
    list_id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    manifest TEXT NOT NULL, -- the TOML text that was signed
    signature BLOB NOT NULL,
    key_name TEXT NOT NULL REFERENCES owner_keys (name),
    PRIMARY KEY (list_id, version),
    FOREIGN KEY (list_id, version) REFERENCES list_versions (list_id, version)
);

CREATE TABLE list_enablings (
    list_id INTEGER NOT NULL,
    version INTEGER NOT NULL,
    actor TEXT NOT NULL REFERENCES actors (name),
    at REAL NOT NULL,
    corpus INTEGER NOT NULL, -- harmless images that the version was tried on
    would_hit INTEGER NOT NULL, -- how many of these it would hit
    PRIMARY KEY (list_id, version),
    FOREIGN KEY (list_id, version) REFERENCES list_manifests (list_id, version)
);

CREATE TRIGGER list_enablings_by_another BEFORE INSERT ON list_enablings
WHEN NEW.actor = (SELECT actor FROM list_versions WHERE list_id = NEW.list_id AND version = NEW.version)
BEGIN SELECT RAISE(ABORT, 'a list is enabled by another person than the one who imported it'); END;

CREATE TRIGGER list_enablings_unchanged BEFORE UPDATE ON list_enablings
BEGIN SELECT RAISE(ABORT, 'enablings are append-only'); END;

CREATE TRIGGER hash_lists_served_by_two BEFORE UPDATE OF served_version, enabled ON hash_lists
WHEN NEW.governed = 1 AND NEW.enabled = 1 AND (OLD.enabled = 0 OR NEW.served_version IS NOT OLD.served_version)
    AND NOT EXISTS (SELECT 1 FROM list_enablings WHERE list_id = NEW.id AND version IS NEW.served_version)
BEGIN SELECT RAISE(ABORT, 'a governed list serves a version only after a second person enabled it'); END;

CREATE TRIGGER hash_lists_stay_governed BEFORE UPDATE OF governed ON hash_lists
WHEN OLD.governed = 1 AND NEW.governed = 0
BEGIN SELECT RAISE(ABORT, 'a governed list stays governed'); END;

-- An entry whose near-only matches spread too far. waiting: its hits wait for a person; lifted: they go on;
-- upheld: it is matched against no more.
CREATE TABLE entry_quarantines (
    entry_id INTEGER PRIMARY KEY,
    list_id INTEGER REFERENCES hash_lists (id),
    state TEXT NOT NULL CHECK (state IN ('waiting', 'lifted', 'upheld')),
    since REAL NOT NULL,
    domains INTEGER NOT NULL, -- unrelated ones, when it was put there or when it was lifted
    decided_at REAL,
    decided_by TEXT REFERENCES actors (name),
    note_id TEXT REFERENCES notes (id)
);

CREATE INDEX entry_quarantines_state ON entry_quarantines (state, list_id);

-- Matches by a near code of a block list: what can flood. A pHash only corroborates.
CREATE VIEW near_matches AS
SELECT * FROM matches WHERE benign = 0 AND algorithm NOT IN ('md5', 'sha1', 'sha256', 'phash');

-- The entries of the lists' versions in service. Versions that no second person has enabled yet wait; what was upheld
-- in quarantine is matched against no more.
CREATE VIEW served_entries AS
SELECT hash_entries.* FROM hash_entries JOIN hash_lists ON hash_lists.id = list_id
WHERE first_version <= served_version AND (withdrawn_version IS NULL OR withdrawn_version > served_version)
    AND hash_entries.id NOT IN (SELECT entry_id FROM entry_quarantines WHERE state = 'upheld');

CREATE TABLE alerts (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    object TEXT NOT NULL,
    level INTEGER NOT NULL CHECK (level >= 1),
    opened_at REAL NOT NULL,
    escalated_at REAL,
    closed_at REAL,
    closed_by TEXT REFERENCES actors (name)
);

CREATE UNIQUE INDEX alerts_open ON alerts (kind, object) WHERE closed_at IS NULL;

CREATE TABLE check_counts (
    actor TEXT NOT NULL,
    day TEXT NOT NULL, -- UTC
    checked INTEGER NOT NULL,
    PRIMARY KEY (actor, day)
) WITHOUT ROWID;

-- Values of options that decide what is matched or held back, as they were last seen in force.
CREATE TABLE thresholds_noted (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL,
    noted_at REAL NOT NULL
) WITHOUT ROWID;

-- Which index file a run matched against from when on.
CREATE TABLE run_indexes (
    campaign TEXT NOT NULL,
    run INTEGER NOT NULL,
    index_sha256 TEXT NOT NULL,
    at REAL NOT NULL,
    PRIMARY KEY (campaign, run, index_sha256),
    FOREIGN KEY (campaign, run) REFERENCES runs (campaign, number)
) WITHOUT ROWID;
