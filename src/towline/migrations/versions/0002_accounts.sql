ALTER TABLE users ADD COLUMN password_hash TEXT DEFAULT '' NOT NULL;

ALTER TABLE users ALTER COLUMN password_hash DROP DEFAULT;

ALTER TABLE users ADD COLUMN password_changed_at TIMESTAMP WITH TIME ZONE;

CREATE TABLE sessions (
    user_id TEXT NOT NULL,
    token_hash TEXT NOT NULL,
    method TEXT NOT NULL,
    device TEXT NOT NULL,
    address TEXT NOT NULL,
    last_used_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    revoked_at TIMESTAMP WITH TIME ZONE,
    authenticated_at TIMESTAMP WITH TIME ZONE NOT NULL,
    id TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_sessions PRIMARY KEY (id),
    CONSTRAINT fk_sessions_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT uq_sessions_token_hash UNIQUE (token_hash)
);

CREATE INDEX ix_sessions_user_id ON sessions (user_id);

CREATE TABLE tickets (
    token_hash TEXT NOT NULL,
    kind TEXT NOT NULL,
    user_id TEXT,
    content JSONB NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    used_at TIMESTAMP WITH TIME ZONE,
    tries INTEGER NOT NULL,
    CONSTRAINT pk_tickets PRIMARY KEY (token_hash),
    CONSTRAINT fk_tickets_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);

CREATE INDEX ix_tickets_user_id ON tickets (user_id);

CREATE INDEX ix_tickets_expires_at ON tickets (expires_at);

-- downgrade
DROP TABLE tickets;

DROP TABLE sessions;

ALTER TABLE users DROP COLUMN password_changed_at;

ALTER TABLE users DROP COLUMN password_hash;
