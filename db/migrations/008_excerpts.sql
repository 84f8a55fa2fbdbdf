-- Version 0.6 of db/schema.md: the lines around a new finding.

ALTER TABLE findings ADD COLUMN excerpt TEXT;
ALTER TABLE findings ADD COLUMN excerpt_line INTEGER;
