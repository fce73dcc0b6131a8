-- Dropping a governed list takes two persons. version: the latest when it was asked for.
CREATE TABLE list_drops (
    list_id INTEGER PRIMARY KEY REFERENCES hash_lists (id),
    version INTEGER NOT NULL,
    asked_by TEXT NOT NULL REFERENCES actors (name),
    asked_at REAL NOT NULL,
    done_by TEXT REFERENCES actors (name) CHECK (done_by IS NULL OR done_by <> asked_by)
);

CREATE TRIGGER list_drops_asked_by_one BEFORE UPDATE OF list_id, version, asked_by, asked_at ON list_drops
BEGIN SELECT RAISE(ABORT, 'who asked to drop a list stays who asked'); END;

CREATE TRIGGER hash_lists_dropped_by_two BEFORE UPDATE OF dropped_at ON hash_lists
WHEN NEW.governed = 1 AND OLD.dropped_at IS NULL AND NEW.dropped_at IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM list_drops WHERE list_id = NEW.id AND version = NEW.version AND done_by IS NOT NULL)
BEGIN SELECT RAISE(ABORT, 'a governed list is dropped by another person than the one who asked'); END;
