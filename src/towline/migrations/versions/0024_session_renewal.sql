ALTER TABLE sessions ADD COLUMN is_renewal_due BOOLEAN DEFAULT false NOT NULL;

ALTER TABLE sessions ALTER COLUMN is_renewal_due DROP DEFAULT;

ALTER TABLE sessions ADD COLUMN previous_hash TEXT;

ALTER TABLE sessions ADD COLUMN previous_until TIMESTAMP WITH TIME ZONE;

ALTER TABLE sessions ADD CONSTRAINT uq_sessions_previous_hash UNIQUE (previous_hash);

-- downgrade
ALTER TABLE sessions DROP CONSTRAINT uq_sessions_previous_hash;

ALTER TABLE sessions DROP COLUMN previous_until;

ALTER TABLE sessions DROP COLUMN previous_hash;

ALTER TABLE sessions DROP COLUMN is_renewal_due;
