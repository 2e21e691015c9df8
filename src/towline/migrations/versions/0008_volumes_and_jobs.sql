CREATE TABLE backups (
    project_id TEXT NOT NULL,
    service_id TEXT NOT NULL,
    environment_id TEXT NOT NULL,
    workload_id TEXT NOT NULL,
    service_name TEXT NOT NULL,
    environment_name TEXT NOT NULL,
    kind TEXT NOT NULL,
    volume TEXT NOT NULL,
    trigger TEXT NOT NULL,
    requested_by TEXT NOT NULL,
    settings JSONB NOT NULL,
    variables BYTEA,
    image TEXT NOT NULL,
    status TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    error TEXT NOT NULL,
    digest TEXT NOT NULL,
    size BIGINT NOT NULL,
    stored_size BIGINT NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE,
    finished_at TIMESTAMP WITH TIME ZONE,
    test_status TEXT NOT NULL,
    test_error TEXT NOT NULL,
    tested_at TIMESTAMP WITH TIME ZONE,
    id TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_backups PRIMARY KEY (id),
    CONSTRAINT ck_backups_kind CHECK (kind IN ('dump', 'snapshot')),
    CONSTRAINT ck_backups_status CHECK (status IN ('queued', 'running', 'success', 'failed')),
    CONSTRAINT fk_backups_project_id FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE,
    CONSTRAINT fk_backups_service_id FOREIGN KEY(service_id) REFERENCES services (id) ON DELETE CASCADE,
    CONSTRAINT fk_backups_environment_id FOREIGN KEY(environment_id) REFERENCES environments (id) ON DELETE CASCADE,
    CONSTRAINT fk_backups_workload_id FOREIGN KEY(workload_id) REFERENCES workloads (id) ON DELETE CASCADE
);

CREATE INDEX ix_backups_project_id_created_at ON backups (project_id, created_at);

CREATE INDEX ix_backups_workload_id_created_at ON backups (workload_id, created_at);

CREATE INDEX ix_backups_open ON backups (created_at) WHERE status IN ('queued', 'running');

CREATE TABLE restores (
    project_id TEXT NOT NULL,
    backup_id TEXT,
    kind TEXT NOT NULL,
    service_id TEXT NOT NULL,
    service_name TEXT NOT NULL,
    environment_id TEXT NOT NULL,
    workload_id TEXT NOT NULL,
    deployment_id TEXT,
    volume TEXT NOT NULL,
    check_command JSONB NOT NULL,
    was_running BOOLEAN NOT NULL,
    requested_by TEXT NOT NULL,
    status TEXT NOT NULL,
    error TEXT NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE,
    finished_at TIMESTAMP WITH TIME ZONE,
    id TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_restores PRIMARY KEY (id),
    CONSTRAINT ck_restores_kind CHECK (kind IN ('service', 'test', 'volume')),
    CONSTRAINT ck_restores_status CHECK (status IN ('queued', 'running', 'success', 'failed')),
    CONSTRAINT fk_restores_project_id FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE,
    CONSTRAINT fk_restores_backup_id FOREIGN KEY(backup_id) REFERENCES backups (id) ON DELETE SET NULL,
    CONSTRAINT fk_restores_service_id FOREIGN KEY(service_id) REFERENCES services (id) ON DELETE CASCADE,
    CONSTRAINT fk_restores_environment_id FOREIGN KEY(environment_id) REFERENCES environments (id) ON DELETE CASCADE,
    CONSTRAINT fk_restores_workload_id FOREIGN KEY(workload_id) REFERENCES workloads (id) ON DELETE CASCADE
);

CREATE INDEX ix_restores_project_id_created_at ON restores (project_id, created_at);

CREATE INDEX ix_restores_backup_id ON restores (backup_id);

CREATE INDEX ix_restores_open ON restores (created_at) WHERE status IN ('queued', 'running');
-- downgrade
DROP TABLE restores;

DROP TABLE backups;
