CREATE TABLE hooks (
    project_id TEXT NOT NULL,
    source_type TEXT NOT NULL,
    repository TEXT NOT NULL,
    secret BYTEA NOT NULL,
    old_secret BYTEA,
    old_secret_until TIMESTAMP WITH TIME ZONE,
    rules JSONB NOT NULL,
    id TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_hooks PRIMARY KEY (id),
    CONSTRAINT uq_hooks_project_id_repository UNIQUE (project_id, repository),
    CONSTRAINT fk_hooks_project_id FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
);

CREATE TABLE hook_deliveries (
    hook_id TEXT NOT NULL,
    delivery_key TEXT NOT NULL,
    kind TEXT NOT NULL,
    event JSONB NOT NULL,
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    not_before TIMESTAMP WITH TIME ZONE,
    group_id TEXT,
    deployment_ids JSONB NOT NULL,
    replay_of TEXT,
    processed_at TIMESTAMP WITH TIME ZONE,
    id TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_hook_deliveries PRIMARY KEY (id),
    CONSTRAINT uq_hook_deliveries_hook_id_delivery_key UNIQUE (hook_id, delivery_key),
    CONSTRAINT fk_hook_deliveries_hook_id FOREIGN KEY(hook_id) REFERENCES hooks (id) ON DELETE CASCADE
);
CREATE INDEX ix_hook_deliveries_hook_id_created_at ON hook_deliveries (hook_id, created_at);
CREATE INDEX ix_hook_deliveries_queued ON hook_deliveries (created_at) WHERE status = 'queued';

-- downgrade
DROP TABLE hook_deliveries;
DROP TABLE hooks;
