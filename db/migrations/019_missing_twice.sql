-- Version 0.17 of db/schema.md: what a list of GitHub's leaves out once is not removed.

ALTER TABLE installations ADD COLUMN missing_since TIMESTAMPTZ;
ALTER TABLE installations ADD COLUMN deleted_at TIMESTAMPTZ;
UPDATE installations SET deleted_at = updated_at WHERE status = 'deleted';

ALTER TABLE repos ADD COLUMN missing_since TIMESTAMPTZ;
ALTER TABLE repos ADD COLUMN held_since TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp();
UPDATE repos SET held_since = created_at;

CREATE FUNCTION note_held() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.held_since := clock_timestamp();
    NEW.missing_since := NULL;
    RETURN NEW;
END;
$$;
CREATE TRIGGER repos_note_held BEFORE UPDATE OF installation_id, removed_at ON repos
    FOR EACH ROW WHEN (
        NEW.installation_id IS DISTINCT FROM OLD.installation_id OR (OLD.removed_at IS NOT NULL AND NEW.removed_at IS NULL)
    ) EXECUTE FUNCTION note_held();
