-- An import gives its new entries consecutive numbers: what a version brought in is a range of them, which says in a few
-- numbers what a disabled list was. gone: the entries of this version were deleted.
ALTER TABLE list_versions ADD COLUMN first_entry INTEGER;
ALTER TABLE list_versions ADD COLUMN last_entry INTEGER;
ALTER TABLE list_versions ADD COLUMN gone INTEGER NOT NULL DEFAULT 0 CHECK (gone IN (0, 1));

UPDATE list_versions SET first_entry = added_entries.first, last_entry = added_entries.last
FROM (
    SELECT list_id, first_version, min(id) AS first, max(id) AS last FROM hash_entries GROUP BY list_id, first_version
) AS added_entries
WHERE added_entries.list_id = list_versions.list_id AND added_entries.first_version = list_versions.version;

UPDATE list_versions SET gone = 1 WHERE list_id IN (SELECT id FROM hash_lists WHERE dropped_at IS NOT NULL);

CREATE INDEX hash_entries_withdrawn ON hash_entries (list_id, withdrawn_version) WHERE withdrawn_version IS NOT NULL;

-- States of the lists that were sent to workers beside an index file: what hits name as FILE+NUMBER.
CREATE TABLE list_states (
    number INTEGER PRIMARY KEY,
    index_sha256 TEXT NOT NULL,
    made_at REAL NOT NULL
);

CREATE TABLE list_state_versions (
    number INTEGER NOT NULL REFERENCES list_states (number),
    list_id INTEGER NOT NULL REFERENCES hash_lists (id),
    version INTEGER NOT NULL,
    PRIMARY KEY (number, list_id)
) WITHOUT ROWID;

-- Open hits all of whose grounds are withdrawn, disabled or dropped. A mark stays when it is lifted, for the record.
CREATE TABLE hit_marks (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    hit_id TEXT NOT NULL REFERENCES hits (id),
    reason TEXT NOT NULL CHECK (reason IN ('entry-withdrawn', 'list-disabled', 'list-dropped')),
    marked_at REAL NOT NULL,
    lifted_at REAL
);

CREATE UNIQUE INDEX hit_marks_hit ON hit_marks (hit_id) WHERE lifted_at IS NULL;
CREATE INDEX matches_list ON matches (list_id);
