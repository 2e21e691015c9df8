ALTER TABLE workloads ADD COLUMN next_run_at TIMESTAMP WITH TIME ZONE;

ALTER TABLE workloads ADD COLUMN next_run_release_id TEXT;

CREATE TABLE cron_runs (
    project_id TEXT NOT NULL,
    service_id TEXT NOT NULL,
    workload_id TEXT NOT NULL,
    release_id TEXT,
    scheduled_at TIMESTAMP WITH TIME ZONE NOT NULL,
    trigger TEXT NOT NULL,
    requested_by TEXT NOT NULL,
    status TEXT NOT NULL,
    exit_code INTEGER,
    error TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    worker TEXT NOT NULL,
    lease_until TIMESTAMP WITH TIME ZONE,
    cancel_requested_at TIMESTAMP WITH TIME ZONE,
    started_at TIMESTAMP WITH TIME ZONE,
    finished_at TIMESTAMP WITH TIME ZONE,
    id TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_cron_runs PRIMARY KEY (id),
    CONSTRAINT uq_cron_runs_workload_id_scheduled_at UNIQUE (workload_id, scheduled_at),
    CONSTRAINT fk_cron_runs_project_id FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE,
    CONSTRAINT fk_cron_runs_service_id FOREIGN KEY(service_id) REFERENCES services (id) ON DELETE CASCADE,
    CONSTRAINT fk_cron_runs_workload_id FOREIGN KEY(workload_id) REFERENCES workloads (id) ON DELETE CASCADE
);

CREATE INDEX ix_cron_runs_open ON cron_runs (created_at) WHERE status IN ('queued', 'running');

CREATE INDEX ix_cron_runs_project_id ON cron_runs (project_id);

CREATE INDEX ix_cron_runs_service_id ON cron_runs (service_id);

-- downgrade
DROP TABLE cron_runs;

ALTER TABLE workloads DROP COLUMN next_run_release_id;

ALTER TABLE workloads DROP COLUMN next_run_at;
