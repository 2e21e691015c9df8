CREATE TABLE invitations (
    id TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    email TEXT NOT NULL,
    project_id TEXT,
    role TEXT NOT NULL,
    is_administrator BOOLEAN NOT NULL,
    token_hash TEXT NOT NULL,
    invited_by TEXT NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    accepted_at TIMESTAMP WITH TIME ZONE,
    revoked_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_invitations PRIMARY KEY (id),
    CONSTRAINT fk_invitations_project_id FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE,
    CONSTRAINT uq_invitations_token_hash UNIQUE (token_hash),
    CONSTRAINT fk_invitations_invited_by FOREIGN KEY(invited_by) REFERENCES users (id) ON DELETE CASCADE
);

CREATE INDEX ix_invitations_project_id ON invitations (project_id);

CREATE INDEX ix_invitations_email ON invitations (email);

CREATE TABLE mails (
    id TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    recipient TEXT NOT NULL,
    subject TEXT NOT NULL,
    text BYTEA NOT NULL,
    attempts INTEGER NOT NULL,
    not_before TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    sent_at TIMESTAMP WITH TIME ZONE,
    given_up_at TIMESTAMP WITH TIME ZONE,
    error TEXT NOT NULL,
    CONSTRAINT pk_mails PRIMARY KEY (id)
);

CREATE INDEX ix_mails_waiting ON mails (not_before) WHERE sent_at IS NULL AND given_up_at IS NULL;

CREATE INDEX ix_mails_created_at ON mails (created_at);

CREATE TABLE reset_requests (
    id TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    email TEXT NOT NULL,
    address TEXT NOT NULL,
    done_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_reset_requests PRIMARY KEY (id)
);

CREATE INDEX ix_reset_requests_waiting ON reset_requests (created_at) WHERE done_at IS NULL;

CREATE INDEX ix_reset_requests_email_created_at ON reset_requests (email, created_at);

CREATE INDEX ix_reset_requests_address_created_at ON reset_requests (address, created_at);

-- downgrade
DROP TABLE reset_requests;

DROP TABLE mails;

DROP TABLE invitations;
