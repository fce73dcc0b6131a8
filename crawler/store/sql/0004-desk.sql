-- Sign-in, sessions, and the desk's case items.

CREATE TABLE credentials (
    actor TEXT PRIMARY KEY REFERENCES actors (name),
    password TEXT NOT NULL, -- an argon2 hash in its own notation
    totp BLOB NOT NULL, -- sealed
    last_step INTEGER NOT NULL DEFAULT 0, -- of TOTP: a code is good once
    changed_at REAL NOT NULL
);

-- Only the hash of a token is kept: a stolen database signs nobody in.
CREATE TABLE sessions (
    token_hash BLOB PRIMARY KEY CHECK (length(token_hash) = 32),
    actor TEXT NOT NULL REFERENCES actors (name),
    origin TEXT NOT NULL,
    opened_at REAL NOT NULL,
    seen_at REAL NOT NULL,
    ended_at REAL
);

CREATE INDEX sessions_actor ON sessions (actor);

CREATE TABLE failed_sign_ins (
    at REAL NOT NULL,
    name_blind BLOB NOT NULL, -- what was typed may be a password
    origin TEXT NOT NULL
);

CREATE INDEX failed_sign_ins_at ON failed_sign_ins (at);

-- A case's version moves with whatever a person would see change, whoever changes it: a form that was read before is
-- stale then.
ALTER TABLE cases ADD COLUMN version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE cases ADD COLUMN lease_actor TEXT REFERENCES actors (name);
ALTER TABLE cases ADD COLUMN lease_until REAL;
ALTER TABLE cases ADD COLUMN hold_owner TEXT;
ALTER TABLE cases ADD COLUMN hold_until REAL;

CREATE INDEX hits_image ON hits (image_id);

CREATE TRIGGER cases_see_new_hits AFTER INSERT ON hits
BEGIN UPDATE cases SET version = version + 1 WHERE id = NEW.case_id; END;

CREATE TRIGGER cases_see_changed_hits AFTER UPDATE OF status, certainty ON hits
WHEN NEW.status IS NOT OLD.status OR NEW.certainty IS NOT OLD.certainty
BEGIN UPDATE cases SET version = version + 1 WHERE id = NEW.case_id; END;

CREATE TRIGGER cases_see_new_matches AFTER INSERT ON matches
BEGIN UPDATE cases SET version = version + 1 WHERE id = (SELECT case_id FROM hits WHERE id = NEW.hit_id); END;

-- Every event of a hit, claims and releases too; these need no reason, so the note is optional now.
CREATE TABLE decisions_of_hits (
    id TEXT PRIMARY KEY,
    act_id TEXT NOT NULL, -- the same for all hits that one act moved
    hit_id TEXT NOT NULL REFERENCES hits (id),
    at REAL NOT NULL,
    actor TEXT NOT NULL REFERENCES actors (name),
    event TEXT NOT NULL,
    before TEXT NOT NULL,
    after TEXT NOT NULL,
    note_id TEXT REFERENCES notes (id),
    assessment BLOB, -- sealed: reference of an assessment made elsewhere
    assessor BLOB -- sealed: who made it
);

INSERT INTO decisions_of_hits (id, act_id, hit_id, at, actor, event, before, after, note_id, assessment)
SELECT id, id, hit_id, at, actor, event, before, after, note_id, assessment FROM decisions;

DROP TABLE decisions;

ALTER TABLE decisions_of_hits RENAME TO decisions;

CREATE INDEX decisions_hit ON decisions (hit_id, at);
