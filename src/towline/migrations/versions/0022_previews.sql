ALTER TABLE projects ADD COLUMN preview_rules JSONB DEFAULT '{}' NOT NULL;

ALTER TABLE projects ALTER COLUMN preview_rules DROP DEFAULT;

CREATE TABLE previews (
    project_id TEXT NOT NULL,
    environment_id TEXT NOT NULL,
    base_environment_id TEXT NOT NULL,
    origin TEXT NOT NULL,
    hook_id TEXT,
    number INTEGER,
    ref TEXT NOT NULL,
    title TEXT NOT NULL,
    subdomain TEXT NOT NULL,
    head_revision TEXT NOT NULL,
    is_fork BOOLEAN NOT NULL,
    approved_revision TEXT NOT NULL,
    approved_by TEXT NOT NULL,
    state TEXT NOT NULL,
    removal_reason TEXT NOT NULL,
    main_service_id TEXT,
    service_ids JSONB NOT NULL,
    shared JSONB NOT NULL,
    sources JSONB NOT NULL,
    copies JSONB NOT NULL,
    lifetime INTEGER,
    last_active_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    is_protected_from_cap BOOLEAN NOT NULL,
    created_by TEXT NOT NULL,
    webhook_trigger TEXT NOT NULL,
    id TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_previews PRIMARY KEY (id),
    CONSTRAINT uq_previews_environment_id UNIQUE (environment_id),
    CONSTRAINT ck_previews_origin CHECK (origin IN ('pull_request', 'branch', 'custom')),
    CONSTRAINT ck_previews_state CHECK (state IN ('waiting', 'active', 'removing')),
    CONSTRAINT fk_previews_project_id FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE,
    CONSTRAINT fk_previews_environment_id FOREIGN KEY(environment_id) REFERENCES environments (id) ON DELETE CASCADE,
    CONSTRAINT fk_previews_base_environment_id FOREIGN KEY(base_environment_id) REFERENCES environments (id) ON DELETE CASCADE,
    CONSTRAINT fk_previews_hook_id FOREIGN KEY(hook_id) REFERENCES hooks (id) ON DELETE SET NULL
);

CREATE UNIQUE INDEX uq_previews_number ON previews (hook_id, number) WHERE state <> 'removing';

CREATE UNIQUE INDEX uq_previews_branch ON previews (hook_id, ref) WHERE state <> 'removing' AND origin = 'branch';

CREATE INDEX ix_previews_project_id_id ON previews (project_id, id);

CREATE INDEX ix_previews_base_environment_id ON previews (base_environment_id);

CREATE INDEX ix_previews_expires_at ON previews (expires_at);

-- downgrade
DROP TABLE previews;

ALTER TABLE projects DROP COLUMN preview_rules;
