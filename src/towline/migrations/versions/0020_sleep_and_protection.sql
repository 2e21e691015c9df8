ALTER TABLE environments ADD COLUMN sleeps_after INTEGER;

ALTER TABLE environments ADD COLUMN sleep TEXT DEFAULT 'awake' NOT NULL;

ALTER TABLE environments ALTER COLUMN sleep DROP DEFAULT;

ALTER TABLE environments ADD COLUMN sleep_changed_at TIMESTAMP WITH TIME ZONE;

ALTER TABLE environments ADD COLUMN last_asked_at TIMESTAMP WITH TIME ZONE;

ALTER TABLE environments ADD COLUMN protection TEXT DEFAULT 'none' NOT NULL;

ALTER TABLE environments ALTER COLUMN protection DROP DEFAULT;

ALTER TABLE environments ADD COLUMN share_secret BYTEA;

ALTER TABLE environments ADD CONSTRAINT ck_environments_sleep CHECK (sleep IN ('awake', 'asleep', 'waking'));

ALTER TABLE environments ADD CONSTRAINT ck_environments_protection CHECK (protection IN ('none', 'sign_in', 'link'));

CREATE INDEX ix_environments_not_awake ON environments (id) WHERE sleep <> 'awake';

-- downgrade
UPDATE workloads SET wanted = 'running' WHERE wanted = 'sleeping';

DROP INDEX ix_environments_not_awake;

ALTER TABLE environments DROP CONSTRAINT ck_environments_protection;

ALTER TABLE environments DROP CONSTRAINT ck_environments_sleep;

ALTER TABLE environments DROP COLUMN share_secret;

ALTER TABLE environments DROP COLUMN protection;

ALTER TABLE environments DROP COLUMN last_asked_at;

ALTER TABLE environments DROP COLUMN sleep_changed_at;

ALTER TABLE environments DROP COLUMN sleep;

ALTER TABLE environments DROP COLUMN sleeps_after;
