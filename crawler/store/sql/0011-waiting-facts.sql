-- What a version says otherwise of entries that stay counts when the version is in service, and not while it waits for a
-- second person. Each version repeats what the waiting ones before it say, so that only the one in service is copied.
ALTER TABLE entry_changes RENAME TO entry_changes_before;

CREATE TABLE entry_changes (
    list_id INTEGER NOT NULL REFERENCES hash_lists (id),
    version INTEGER NOT NULL,
    entry_id INTEGER NOT NULL,
    category TEXT,
    size INTEGER,
    external_id TEXT,
    PRIMARY KEY (list_id, version, entry_id)
) WITHOUT ROWID;

INSERT INTO entry_changes
SELECT hash_lists.id, coalesce(list_moves.version, hash_lists.version), entry_id, changes.category, changes.size,
    changes.external_id
FROM entry_changes_before AS changes
JOIN hash_entries ON hash_entries.id = entry_id
JOIN hash_lists ON hash_lists.id = hash_entries.list_id
LEFT JOIN list_moves ON list_moves.list_id = hash_lists.id AND move = 'arriving';

DROP TABLE entry_changes_before;
