-- Version 0.15 of db/schema.md: a private repository becomes public only once GitHub was asked.

ALTER TABLE repos ADD COLUMN privatized_at TIMESTAMPTZ;

CREATE FUNCTION note_privatized() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.privatized_at := clock_timestamp();
    RETURN NEW;
END;
$$;
CREATE TRIGGER repos_note_privatized BEFORE UPDATE OF private ON repos
    FOR EACH ROW WHEN (NEW.private AND NOT OLD.private) EXECUTE FUNCTION note_privatized();

CREATE FUNCTION keep_private() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    asked_at TIMESTAMPTZ := nullif(current_setting('forgeguard.asked_at', true), '')::timestamptz;
BEGIN
    IF asked_at IS NULL OR OLD.privatized_at >= asked_at THEN
        NEW.private := true;
    END IF;
    RETURN NEW;
END;
$$;
CREATE TRIGGER repos_keep_private BEFORE UPDATE OF private ON repos
    FOR EACH ROW WHEN (OLD.private AND NOT NEW.private) EXECUTE FUNCTION keep_private();
