ALTER TABLE api_keys ADD COLUMN parent_id TEXT;

ALTER TABLE api_keys ADD COLUMN addresses TEXT[] NOT NULL DEFAULT '{}';

ALTER TABLE api_keys ALTER COLUMN addresses DROP DEFAULT;

ALTER TABLE api_keys ADD CONSTRAINT fk_api_keys_parent_id
    FOREIGN KEY (parent_id) REFERENCES api_keys (id) ON DELETE CASCADE;

CREATE INDEX ix_api_keys_parent_id ON api_keys (parent_id);

ALTER TABLE audit_entries ADD COLUMN sequence BIGINT;

ALTER TABLE audit_entries ADD COLUMN hash BYTEA;

ALTER TABLE audit_entries ADD COLUMN via TEXT NOT NULL DEFAULT '';

ALTER TABLE audit_entries ADD COLUMN session_id TEXT NOT NULL DEFAULT '';

ALTER TABLE audit_entries ADD COLUMN before JSONB NOT NULL DEFAULT '{}';

ALTER TABLE audit_entries ADD COLUMN after JSONB NOT NULL DEFAULT '{}';

UPDATE audit_entries SET via = 'key' WHERE key_id <> '';

ALTER TABLE audit_entries ALTER COLUMN via DROP DEFAULT, ALTER COLUMN session_id DROP DEFAULT,
    ALTER COLUMN before DROP DEFAULT, ALTER COLUMN after DROP DEFAULT;

ALTER TABLE audit_entries ADD CONSTRAINT uq_audit_entries_sequence UNIQUE (sequence);

CREATE INDEX ix_audit_entries_unnumbered ON audit_entries (id) WHERE sequence IS NULL;

CREATE INDEX ix_audit_entries_created_at ON audit_entries (created_at);

CREATE INDEX ix_audit_entries_actor_id_id ON audit_entries (actor_id, id);

CREATE TABLE audit_marks (
    kind TEXT NOT NULL,
    sequence BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    marked_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_audit_marks PRIMARY KEY (kind),
    CONSTRAINT ck_audit_marks_kind CHECK (kind IN ('start', 'head'))
);

CREATE FUNCTION keep_audit_entries() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF TG_OP = 'UPDATE' AND OLD.sequence IS NULL AND NEW.sequence IS NOT NULL
        AND to_jsonb(NEW) - 'sequence' - 'hash' = to_jsonb(OLD) - 'sequence' - 'hash' THEN RETURN NEW; END IF; --
    IF TG_OP = 'DELETE' AND current_setting('towline.trims_audit', true) = 'on' THEN RETURN OLD; END IF; --
    RAISE EXCEPTION 'entries of the audit log are neither changed nor deleted'; END $$;

CREATE TRIGGER keep_audit_entries BEFORE UPDATE OR DELETE ON audit_entries
    FOR EACH ROW EXECUTE FUNCTION keep_audit_entries();

CREATE TABLE key_checks (
    id INTEGER NOT NULL,
    value BYTEA NOT NULL,
    CONSTRAINT pk_key_checks PRIMARY KEY (id),
    CONSTRAINT ck_key_checks_only_one CHECK (id = 1)
);

CREATE TABLE webhook_secrets (
    service_id TEXT NOT NULL,
    value BYTEA NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    id TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_webhook_secrets PRIMARY KEY (id),
    CONSTRAINT fk_webhook_secrets_service_id FOREIGN KEY (service_id) REFERENCES services (id) ON DELETE CASCADE
);

CREATE INDEX ix_webhook_secrets_service_id ON webhook_secrets (service_id);

ALTER TABLE idempotent_answers ADD COLUMN project_id TEXT NOT NULL DEFAULT '';

ALTER TABLE idempotent_answers ADD COLUMN permission TEXT NOT NULL DEFAULT '';

DELETE FROM idempotent_answers;

ALTER TABLE idempotent_answers ALTER COLUMN project_id DROP DEFAULT, ALTER COLUMN permission DROP DEFAULT;

-- downgrade
ALTER TABLE idempotent_answers DROP COLUMN permission, DROP COLUMN project_id;

DROP TABLE webhook_secrets;

DROP TABLE key_checks;

DROP TRIGGER keep_audit_entries ON audit_entries;

DROP FUNCTION keep_audit_entries();

DROP TABLE audit_marks;

DROP INDEX ix_audit_entries_actor_id_id;

DROP INDEX ix_audit_entries_created_at;

DROP INDEX ix_audit_entries_unnumbered;

ALTER TABLE audit_entries DROP COLUMN after, DROP COLUMN before, DROP COLUMN session_id, DROP COLUMN via,
    DROP COLUMN hash, DROP COLUMN sequence;

DROP INDEX ix_api_keys_parent_id;

ALTER TABLE api_keys DROP COLUMN addresses, DROP COLUMN parent_id;
