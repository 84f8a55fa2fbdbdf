-- Version 0.10 of db/schema.md.
ALTER TABLE findings ADD COLUMN is_verified BOOLEAN NOT NULL DEFAULT false;
