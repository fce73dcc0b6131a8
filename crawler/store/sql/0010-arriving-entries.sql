-- An import writes its entries bit by bit under the number that the list's next version will have, and one short
-- transaction makes them that version. Dropping a list takes it out of everything at once, and deletes bit by bit.
-- What is under way, or was when a process was killed: arriving entries have numbers above after_entry and are taken
-- back; leaving ones are of versions up to this one and are deleted.
CREATE TABLE list_moves (
    list_id INTEGER NOT NULL REFERENCES hash_lists (id),
    move TEXT NOT NULL CHECK (move IN ('arriving', 'leaving')),
    version INTEGER NOT NULL,
    after_entry INTEGER NOT NULL,
    PRIMARY KEY (list_id, move)
) WITHOUT ROWID;

-- What a version says otherwise of entries that stay counts when the version is in service, and not while it waits for a
-- second person. Each version repeats what the waiting ones before it say, so that only the one in service is copied.
CREATE TABLE entry_changes (
    list_id INTEGER NOT NULL REFERENCES hash_lists (id),
    version INTEGER NOT NULL,
    entry_id INTEGER NOT NULL,
    category TEXT,
    size INTEGER,
    external_id TEXT,
    PRIMARY KEY (list_id, version, entry_id)
) WITHOUT ROWID;

-- So that a value is found among those that an arriving version, or one that waits, withdraws.
DROP INDEX hash_entries_withdrawn;
CREATE INDEX hash_entries_withdrawn ON hash_entries (list_id, withdrawn_version, algorithm, value)
WHERE withdrawn_version IS NOT NULL;

-- The entries of the latest versions. A list that was dropped, or whose first version is arriving, has none.
CREATE VIEW latest_entries AS
SELECT hash_entries.* FROM hash_entries JOIN hash_lists ON hash_lists.id = list_id
WHERE dropped_at IS NULL AND first_version <= version AND withdrawn_version IS NULL
UNION ALL
SELECT hash_entries.* FROM hash_entries JOIN hash_lists ON hash_lists.id = list_id
WHERE dropped_at IS NULL AND first_version <= version AND withdrawn_version = version + 1;

ALTER TABLE hash_entries DROP COLUMN last_version;
