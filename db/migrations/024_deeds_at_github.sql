-- Version 0.22 of db/schema.md: what people ask for at GitHub is in the audit log too.

ALTER TABLE audit_log DROP CONSTRAINT audit_log_via_check;
ALTER TABLE audit_log ADD CONSTRAINT audit_log_via_check CHECK (via IN ('browser', 'token', 'link', 'github'));
