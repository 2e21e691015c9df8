CREATE TABLE service_dependencies (
    service_id TEXT NOT NULL,
    depends_on_service_id TEXT NOT NULL,
    is_cascading BOOLEAN NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_service_dependencies PRIMARY KEY (service_id, depends_on_service_id),
    CONSTRAINT ck_service_dependencies_other CHECK (service_id <> depends_on_service_id),
    CONSTRAINT fk_service_dependencies_service_id FOREIGN KEY(service_id) REFERENCES services (id) ON DELETE CASCADE,
    CONSTRAINT fk_service_dependencies_depends_on_service_id FOREIGN KEY(depends_on_service_id) REFERENCES services (id) ON DELETE CASCADE
);

CREATE INDEX ix_service_dependencies_depends_on_service_id ON service_dependencies (depends_on_service_id);

CREATE TABLE groups (
    number INTEGER NOT NULL,
    project_id TEXT NOT NULL,
    environment_id TEXT NOT NULL,
    requested_by TEXT NOT NULL,
    trigger TEXT NOT NULL,
    rollback_to TEXT,
    interrupts JSONB NOT NULL,
    status TEXT NOT NULL,
    step TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    worker TEXT NOT NULL,
    lease_until TIMESTAMP WITH TIME ZONE,
    queue_reason TEXT NOT NULL,
    cancel_requested_at TIMESTAMP WITH TIME ZONE,
    cancel_status TEXT NOT NULL,
    error JSONB,
    started_at TIMESTAMP WITH TIME ZONE,
    switched_at TIMESTAMP WITH TIME ZONE,
    finished_at TIMESTAMP WITH TIME ZONE,
    id TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_groups PRIMARY KEY (id),
    CONSTRAINT uq_groups_environment_id_number UNIQUE (environment_id, number),
    CONSTRAINT fk_groups_project_id FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE,
    CONSTRAINT fk_groups_environment_id FOREIGN KEY(environment_id) REFERENCES environments (id) ON DELETE CASCADE
);

CREATE INDEX ix_groups_open ON groups (environment_id, number) WHERE status IN ('queued', 'building', 'deploying');

CREATE INDEX ix_groups_project_id ON groups (project_id, created_at DESC);

ALTER TABLE deployments ADD COLUMN group_id TEXT;

ALTER TABLE deployments ADD COLUMN is_built BOOLEAN NOT NULL DEFAULT false;

ALTER TABLE deployments ALTER COLUMN is_built DROP DEFAULT;

CREATE INDEX ix_deployments_group_id ON deployments (group_id) WHERE group_id IS NOT NULL;

CREATE TABLE deployment_needs (
    deployment_id TEXT NOT NULL,
    needs_deployment_id TEXT NOT NULL,
    CONSTRAINT pk_deployment_needs PRIMARY KEY (deployment_id, needs_deployment_id),
    CONSTRAINT fk_deployment_needs_deployment_id FOREIGN KEY(deployment_id) REFERENCES deployments (id) ON DELETE CASCADE,
    CONSTRAINT fk_deployment_needs_needs_deployment_id FOREIGN KEY(needs_deployment_id) REFERENCES deployments (id) ON DELETE CASCADE
);

CREATE INDEX ix_deployment_needs_needs_deployment_id ON deployment_needs (needs_deployment_id);

CREATE TABLE candidates (
    deployment_id TEXT NOT NULL,
    address TEXT NOT NULL,
    workload_id TEXT NOT NULL,
    environment_id TEXT NOT NULL,
    port INTEGER,
    CONSTRAINT pk_candidates PRIMARY KEY (deployment_id, address),
    CONSTRAINT fk_candidates_deployment_id FOREIGN KEY(deployment_id) REFERENCES deployments (id) ON DELETE CASCADE
);

CREATE INDEX ix_candidates_environment_id ON candidates (environment_id);
-- downgrade
DROP TABLE candidates;

DROP TABLE deployment_needs;

DROP INDEX ix_deployments_group_id;

ALTER TABLE deployments DROP COLUMN is_built;

ALTER TABLE deployments DROP COLUMN group_id;

DROP TABLE groups;

DROP TABLE service_dependencies;
