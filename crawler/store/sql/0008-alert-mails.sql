-- Mails that tell of an alert: one for each level and each of those who are told. recipient: "first" or "next", as the
-- options name them. Nothing here is sealed: an alert names its object by an id.
CREATE TABLE alert_mails (
    alert TEXT NOT NULL REFERENCES alerts (id),
    level INTEGER NOT NULL,
    recipient TEXT NOT NULL CHECK (recipient IN ('first', 'next')),
    attempts INTEGER NOT NULL,
    next_attempt_at REAL, -- NULL once it was taken
    sent_at REAL,
    PRIMARY KEY (alert, level, recipient)
) WITHOUT ROWID;
