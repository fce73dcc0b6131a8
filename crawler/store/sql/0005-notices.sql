-- Notices to hosters, what became of them, re-visits of what they name, and planned runs.
-- Sealed here: notices.mail, notice_attempts.said, notice_receipts.text, rechecks.moved_to.

CREATE TABLE notices (
    id TEXT PRIMARY KEY,
    instrument TEXT NOT NULL,
    deadline_hours INTEGER NOT NULL CHECK (deadline_hours BETWEEN 1 AND 8760),
    contact TEXT NOT NULL, -- a hoster's abuse contact, as the attribution of its hits has it
    hoster TEXT,
    asn INTEGER,
    state TEXT NOT NULL,
    revision INTEGER NOT NULL, -- grows with every change of a draft
    created_at REAL NOT NULL,
    created_by TEXT NOT NULL REFERENCES actors (name),
    approved_at REAL,
    approved_by TEXT REFERENCES actors (name),
    message_id TEXT UNIQUE,
    mail BLOB, -- sealed: the message as it leaves, fixed at approval
    attempts INTEGER NOT NULL DEFAULT 0,
    next_attempt_at REAL,
    delivered_at REAL,
    due_at REAL,
    changed_at REAL NOT NULL,
    CHECK (state IN ('draft', 'approved', 'sending', 'doubt', 'sent', 'failed', 'withdrawn')),
    CHECK (
        state IN ('draft', 'withdrawn')
        OR (approved_at IS NOT NULL AND approved_by IS NOT NULL AND message_id IS NOT NULL AND mail IS NOT NULL)
    ),
    CHECK ((state = 'sent') = (delivered_at IS NOT NULL)),
    CHECK ((delivered_at IS NULL) = (due_at IS NULL))
);

CREATE UNIQUE INDEX notices_one_draft ON notices (contact, instrument, deadline_hours) WHERE state = 'draft';
CREATE INDEX notices_state ON notices (state, next_attempt_at);

-- live: from the draft until the notice was sent, or will never be.
CREATE TABLE notice_hits (
    notice_id TEXT NOT NULL REFERENCES notices (id),
    hit_id TEXT NOT NULL REFERENCES hits (id),
    live INTEGER NOT NULL DEFAULT 1 CHECK (live IN (0, 1)),
    PRIMARY KEY (notice_id, hit_id)
);

CREATE UNIQUE INDEX notice_hits_live ON notice_hits (hit_id) WHERE live = 1;
CREATE INDEX notice_hits_hit ON notice_hits (hit_id);

CREATE TRIGGER notices_begin_as_drafts BEFORE INSERT ON notices
WHEN NEW.state <> 'draft' OR NEW.approved_by IS NOT NULL
BEGIN SELECT RAISE(ABORT, 'a notice begins as a draft'); END;

-- Whoever approved may confirm a hit later; that is found when the notice is to leave, and stops nothing else.
CREATE TRIGGER notices_second_person BEFORE UPDATE OF approved_by ON notices
WHEN NEW.approved_by IS NOT NULL AND NEW.approved_by IS NOT OLD.approved_by AND EXISTS (
    SELECT 1 FROM notice_hits JOIN decisions ON decisions.hit_id = notice_hits.hit_id
    WHERE notice_id = NEW.id AND event = 'confirm' AND actor = NEW.approved_by
)
BEGIN SELECT RAISE(ABORT, 'whoever confirmed a hit may not approve its notice'); END;

CREATE TRIGGER notices_states BEFORE UPDATE OF state ON notices
WHEN OLD.state <> NEW.state AND (OLD.state || ' ' || NEW.state) NOT IN (
    'draft approved', 'draft withdrawn', 'approved draft', 'approved sending', 'approved withdrawn',
    'sending sent', 'sending approved', 'sending failed', 'sending doubt', 'doubt sent', 'doubt approved',
    'doubt failed'
)
BEGIN SELECT RAISE(ABORT, 'a notice does not go from that state to this one'); END;

CREATE TRIGGER notices_approved_as_they_are BEFORE UPDATE OF message_id, approved_by, approved_at ON notices
WHEN OLD.state NOT IN ('draft', 'approved') AND (
    NEW.message_id IS NOT OLD.message_id OR NEW.approved_by IS NOT OLD.approved_by
    OR NEW.approved_at IS NOT OLD.approved_at
)
BEGIN SELECT RAISE(ABORT, 'an approved notice stays as it was approved'); END;

CREATE TRIGGER notices_kept BEFORE DELETE ON notices
BEGIN SELECT RAISE(ABORT, 'notices are kept'); END;

CREATE TRIGGER notice_hits_in_drafts BEFORE INSERT ON notice_hits
WHEN (SELECT state FROM notices WHERE id = NEW.notice_id) <> 'draft'
BEGIN SELECT RAISE(ABORT, 'only a draft takes further hits'); END;

CREATE TRIGGER notice_hits_out_of_drafts BEFORE DELETE ON notice_hits
WHEN (SELECT state FROM notices WHERE id = OLD.notice_id) <> 'draft'
BEGIN SELECT RAISE(ABORT, 'only a draft lets go of hits'); END;

CREATE TRIGGER notice_hits_stay BEFORE UPDATE OF notice_id, hit_id ON notice_hits
BEGIN SELECT RAISE(ABORT, 'a hit stays in its notice'); END;

-- finished_at, result, said: NULL while the attempt is under way, or when its process died in it.
CREATE TABLE notice_attempts (
    id TEXT PRIMARY KEY,
    notice_id TEXT NOT NULL REFERENCES notices (id),
    channel TEXT NOT NULL,
    place TEXT, -- the outbox directory; NULL for other channels
    started_at REAL NOT NULL,
    finished_at REAL,
    result TEXT CHECK (result IN ('accepted', 'refused', 'later', 'doubt')),
    said BLOB -- sealed: what the server answered
);

CREATE INDEX notice_attempts_notice ON notice_attempts (notice_id, started_at);

-- What came back: receipts of mail servers, answers, and what a person found out. notice_id: NULL when it is of none.
CREATE TABLE notice_receipts (
    id TEXT PRIMARY KEY,
    notice_id TEXT REFERENCES notices (id),
    kind TEXT NOT NULL CHECK (kind IN ('delivered', 'delayed', 'failed', 'reply', 'automatic', 'resolved')),
    received_at REAL NOT NULL,
    message_blind BLOB UNIQUE,
    actor TEXT NOT NULL REFERENCES actors (name),
    text BLOB NOT NULL -- sealed
);

CREATE INDEX notice_receipts_notice ON notice_receipts (notice_id, received_at);

-- Runs of re-visits are counted apart from the campaign's own.
CREATE TABLE recheck_runs (
    campaign TEXT NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 1),
    started_at REAL NOT NULL,
    finished_at REAL,
    PRIMARY KEY (campaign, number)
);

-- One visit of one hit. checked_at, outcome, detail: NULL until it is over.
CREATE TABLE rechecks (
    id TEXT PRIMARY KEY,
    campaign TEXT NOT NULL,
    run INTEGER NOT NULL,
    hit_id TEXT NOT NULL REFERENCES hits (id),
    target_blind BLOB NOT NULL,
    planned_at REAL NOT NULL,
    checked_at REAL,
    outcome TEXT CHECK (outcome IN ('up', 'absent', 'changed', 'moved', 'expired', 'unreachable', 'blocked', 'unknown')),
    detail TEXT,
    ip TEXT,
    holder TEXT,
    moved_to BLOB, -- sealed
    UNIQUE (campaign, run, hit_id),
    FOREIGN KEY (campaign, run) REFERENCES recheck_runs (campaign, number)
);

CREATE INDEX rechecks_hit ON rechecks (hit_id, checked_at);
CREATE INDEX rechecks_target ON rechecks (campaign, run, target_blind);

-- A removal lies between two visits: it was seen until, and was missing from.
CREATE TABLE removals (
    hit_id TEXT NOT NULL REFERENCES hits (id),
    seen_until REAL NOT NULL,
    missing_from REAL NOT NULL CHECK (missing_from >= seen_until),
    recorded_at REAL NOT NULL,
    PRIMARY KEY (hit_id, recorded_at)
);

CREATE TABLE schedules (
    name TEXT PRIMARY KEY,
    campaign TEXT, -- NULL: re-visits what is due
    cron TEXT NOT NULL,
    zone TEXT NOT NULL,
    window REAL NOT NULL CHECK (window > 0), -- seconds within which a missed run is caught up
    workers INTEGER NOT NULL CHECK (workers >= 0), -- 0: those of the deployment
    paused INTEGER NOT NULL DEFAULT 0 CHECK (paused IN (0, 1)),
    created_at REAL NOT NULL,
    created_by TEXT NOT NULL REFERENCES actors (name),
    removed_at REAL
);

CREATE TABLE schedule_runs (
    schedule TEXT NOT NULL REFERENCES schedules (name),
    planned_at REAL NOT NULL,
    started_at REAL NOT NULL,
    finished_at REAL,
    result TEXT CHECK (result IN ('done', 'failed', 'overlap', 'missed', 'superseded', 'interrupted')),
    detail TEXT,
    PRIMARY KEY (schedule, planned_at)
);
