CREATE TABLE identity_providers (
    name TEXT NOT NULL,
    title TEXT NOT NULL,
    kind TEXT NOT NULL,
    issuer TEXT NOT NULL,
    client_id TEXT NOT NULL,
    client_secret BYTEA NOT NULL,
    is_enabled BOOLEAN NOT NULL,
    is_trusted BOOLEAN NOT NULL,
    allows_sign_up BOOLEAN NOT NULL,
    email_domains TEXT[] NOT NULL,
    id TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_identity_providers PRIMARY KEY (id),
    CONSTRAINT uq_identity_providers_name UNIQUE (name),
    CONSTRAINT ck_identity_providers_kind CHECK (kind IN ('github', 'gitlab', 'google', 'oidc'))
);

CREATE TABLE identities (
    user_id TEXT NOT NULL,
    provider_id TEXT NOT NULL,
    subject TEXT NOT NULL,
    email TEXT NOT NULL,
    last_used_at TIMESTAMP WITH TIME ZONE,
    id TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_identities PRIMARY KEY (id),
    CONSTRAINT uq_identities_provider_id_subject UNIQUE (provider_id, subject),
    CONSTRAINT fk_identities_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE,
    CONSTRAINT fk_identities_provider_id FOREIGN KEY(provider_id) REFERENCES identity_providers (id) ON DELETE CASCADE
);

CREATE INDEX ix_identities_user_id ON identities (user_id);

CREATE TABLE device_codes (
    code_hash TEXT NOT NULL,
    user_code TEXT NOT NULL,
    client_name TEXT NOT NULL,
    address TEXT NOT NULL,
    status TEXT NOT NULL,
    user_id TEXT,
    interval_seconds INTEGER NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    last_polled_at TIMESTAMP WITH TIME ZONE,
    id TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_device_codes PRIMARY KEY (id),
    CONSTRAINT uq_device_codes_code_hash UNIQUE (code_hash),
    CONSTRAINT ck_device_codes_status CHECK (status IN ('pending', 'approved', 'denied', 'used')),
    CONSTRAINT fk_device_codes_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);

CREATE INDEX ix_device_codes_expires_at ON device_codes (expires_at);

CREATE UNIQUE INDEX uq_device_codes_pending ON device_codes (user_code) WHERE status = 'pending';

-- downgrade
DROP TABLE device_codes;

DROP TABLE identities;

DROP TABLE identity_providers;
