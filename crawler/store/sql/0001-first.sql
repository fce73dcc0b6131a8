-- Times are seconds since the epoch (UTC). "sealed" columns hold AES-256-GCM values, "_blind" columns HMACs of 16 bytes.

CREATE TABLE key_checks (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
);

CREATE TABLE actors (
    name TEXT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('person', 'service')),
    created_at REAL NOT NULL,
    disabled_at REAL
);

CREATE TABLE actor_roles (
    actor TEXT NOT NULL REFERENCES actors (name),
    role TEXT NOT NULL CHECK (role IN ('operator', 'analyst', 'approver', 'auditor', 'admin')),
    PRIMARY KEY (actor, role)
);

CREATE TABLE audit_events (
    serial INTEGER PRIMARY KEY,
    body TEXT NOT NULL,
    hash BLOB NOT NULL
);

CREATE INDEX audit_events_object ON audit_events (json_extract(body, '$.object'));

CREATE TRIGGER audit_events_in_order BEFORE INSERT ON audit_events
WHEN NEW.serial IS NULL OR NEW.serial <> (SELECT coalesce(max(serial), 0) + 1 FROM audit_events)
BEGIN SELECT RAISE(ABORT, 'audit events are appended in order'); END;

CREATE TRIGGER audit_events_unchanged BEFORE UPDATE ON audit_events
BEGIN SELECT RAISE(ABORT, 'audit events are append-only'); END;

CREATE TRIGGER audit_events_kept BEFORE DELETE ON audit_events
BEGIN SELECT RAISE(ABORT, 'audit events are append-only'); END;

CREATE TABLE audit_head (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    serial INTEGER NOT NULL,
    hash BLOB NOT NULL,
    signature BLOB NOT NULL
);

CREATE TABLE notes (
    id TEXT PRIMARY KEY,
    object TEXT NOT NULL,
    kind TEXT NOT NULL,
    actor TEXT NOT NULL REFERENCES actors (name),
    at REAL NOT NULL,
    text BLOB NOT NULL -- sealed
);

CREATE INDEX notes_object ON notes (object);

CREATE TABLE campaigns (
    name TEXT PRIMARY KEY,
    file BLOB NOT NULL, -- sealed: its seeds may be the pages of hits
    sha256 TEXT NOT NULL,
    state TEXT NOT NULL,
    created_at REAL NOT NULL,
    changed_at REAL NOT NULL
);

CREATE TABLE runs (
    campaign TEXT NOT NULL REFERENCES campaigns (name),
    number INTEGER NOT NULL CHECK (number >= 1),
    file_sha256 TEXT NOT NULL,
    started_at REAL NOT NULL,
    finished_at REAL,
    summary TEXT,
    PRIMARY KEY (campaign, number)
);

CREATE TABLE worker_keys (
    name TEXT PRIMARY KEY,
    verify_key BLOB NOT NULL CHECK (length(verify_key) = 32),
    added_at REAL NOT NULL,
    revoked_at REAL
);

CREATE TABLE hash_lists (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('block', 'benign')),
    enabled INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    near TEXT NOT NULL CHECK (near IN ('confirm', 'assess')), -- what hits without an exact digest need
    version INTEGER NOT NULL,
    created_at REAL NOT NULL,
    dropped_at REAL
);

CREATE TABLE list_versions (
    list_id INTEGER NOT NULL REFERENCES hash_lists (id),
    version INTEGER NOT NULL,
    imported_at REAL NOT NULL,
    actor TEXT NOT NULL REFERENCES actors (name),
    format TEXT NOT NULL,
    entries INTEGER NOT NULL,
    added INTEGER NOT NULL,
    withdrawn INTEGER NOT NULL,
    duplicates INTEGER NOT NULL,
    skipped TEXT NOT NULL,
    by_algorithm TEXT NOT NULL,
    PRIMARY KEY (list_id, version)
);

-- An entry's number is never given again: index files and matches name it.
CREATE TABLE hash_entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    list_id INTEGER NOT NULL REFERENCES hash_lists (id),
    first_version INTEGER NOT NULL,
    last_version INTEGER NOT NULL,
    withdrawn_version INTEGER,
    algorithm TEXT NOT NULL,
    value BLOB NOT NULL,
    category TEXT,
    size INTEGER,
    external_id TEXT
);

CREATE UNIQUE INDEX hash_entries_value ON hash_entries (list_id, algorithm, value) WHERE withdrawn_version IS NULL;

CREATE TABLE index_files (
    key TEXT PRIMARY KEY,
    sha256 TEXT NOT NULL,
    rows_by_algorithm TEXT NOT NULL,
    unsearchable TEXT NOT NULL,
    built_at REAL NOT NULL
);

CREATE TABLE index_lists (
    sha256 TEXT NOT NULL,
    list_id INTEGER NOT NULL REFERENCES hash_lists (id),
    version INTEGER NOT NULL,
    PRIMARY KEY (sha256, list_id)
);

CREATE TABLE images (
    id TEXT PRIMARY KEY,
    sha256_blind BLOB NOT NULL UNIQUE,
    sha256 BLOB NOT NULL, -- sealed
    md5 BLOB NOT NULL, -- sealed
    bytes INTEGER NOT NULL,
    width INTEGER,
    height INTEGER,
    quality INTEGER,
    first_seen_at REAL NOT NULL
);

-- One image at one registered domain (or bare address): what people decide on.
CREATE TABLE cases (
    id TEXT PRIMARY KEY,
    image_id TEXT NOT NULL REFERENCES images (id),
    site TEXT NOT NULL,
    opened_at REAL NOT NULL,
    UNIQUE (image_id, site)
);

-- One image at one resource.
CREATE TABLE hits (
    id TEXT PRIMARY KEY,
    image_id TEXT NOT NULL REFERENCES images (id),
    case_id TEXT NOT NULL REFERENCES cases (id),
    resource_blind BLOB NOT NULL,
    image_url_blind BLOB NOT NULL,
    page_url_blind BLOB,
    image_url BLOB NOT NULL, -- sealed
    page_url BLOB, -- sealed
    redirects BLOB NOT NULL, -- sealed
    campaign TEXT NOT NULL,
    run INTEGER NOT NULL,
    status TEXT NOT NULL,
    certainty TEXT NOT NULL CHECK (certainty IN ('A', 'B', 'C')),
    found_at REAL NOT NULL,
    domain TEXT,
    icann_domain TEXT,
    ip TEXT NOT NULL,
    attribution TEXT NOT NULL,
    changed_at REAL NOT NULL,
    UNIQUE (image_id, resource_blind)
);

CREATE INDEX hits_campaign ON hits (campaign, run);
CREATE INDEX hits_status ON hits (status, certainty, found_at);
CREATE INDEX hits_domain ON hits (domain);
CREATE INDEX hits_case ON hits (case_id);
CREATE INDEX hits_image_url ON hits (image_url_blind);
CREATE INDEX hits_page_url ON hits (page_url_blind);

CREATE TABLE sightings (
    id TEXT PRIMARY KEY,
    serial TEXT NOT NULL UNIQUE,
    hit_id TEXT NOT NULL REFERENCES hits (id),
    campaign TEXT NOT NULL,
    run INTEGER NOT NULL,
    found_at REAL NOT NULL,
    ip TEXT NOT NULL,
    index_sha256 TEXT NOT NULL,
    image_url BLOB NOT NULL, -- sealed
    page_url BLOB, -- sealed
    redirects BLOB NOT NULL, -- sealed
    attribution TEXT NOT NULL
);

CREATE INDEX sightings_hit ON sightings (hit_id);
CREATE INDEX sightings_run ON sightings (campaign, run);

-- list, version, label and category as they were when the match was recorded: lists change, and may be dropped.
CREATE TABLE matches (
    hit_id TEXT NOT NULL REFERENCES hits (id),
    entry_id INTEGER NOT NULL,
    algorithm TEXT NOT NULL,
    list_id INTEGER REFERENCES hash_lists (id),
    list_version INTEGER,
    label TEXT NOT NULL,
    category TEXT,
    size INTEGER,
    distance INTEGER NOT NULL,
    threshold INTEGER NOT NULL,
    transform TEXT NOT NULL,
    benign INTEGER NOT NULL CHECK (benign IN (0, 1)),
    PRIMARY KEY (hit_id, entry_id, algorithm)
) WITHOUT ROWID;

CREATE INDEX matches_entry ON matches (entry_id);

CREATE VIEW hit_rows AS
SELECT hits.*, images.sha256, images.md5, images.bytes, images.width, images.height, images.quality,
    (SELECT count(*) FROM sightings WHERE hit_id = hits.id) AS sightings
FROM hits JOIN images ON images.id = hits.image_id;

CREATE TABLE decisions (
    id TEXT PRIMARY KEY,
    hit_id TEXT NOT NULL REFERENCES hits (id),
    at REAL NOT NULL,
    actor TEXT NOT NULL REFERENCES actors (name),
    event TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    note_id TEXT NOT NULL REFERENCES notes (id),
    assessment BLOB -- sealed: reference of an assessment made elsewhere
);

CREATE INDEX decisions_hit ON decisions (hit_id, at);
