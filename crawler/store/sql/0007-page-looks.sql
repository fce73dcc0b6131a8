-- What the page that showed an image said when it was asked because the image was missed at its URL; NULL: not asked.
ALTER TABLE rechecks ADD COLUMN page TEXT;

CREATE INDEX hits_resource ON hits (resource_blind);
