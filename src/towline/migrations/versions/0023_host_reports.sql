CREATE TABLE host_reports (
    project_id TEXT NOT NULL,
    platform TEXT NOT NULL,
    repository TEXT NOT NULL,
    kind TEXT NOT NULL,
    target TEXT NOT NULL,
    facts JSONB NOT NULL,
    remote_id TEXT NOT NULL,
    sent_digest TEXT NOT NULL,
    sent_at TIMESTAMP WITH TIME ZONE,
    state TEXT NOT NULL,
    version INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    look_at TIMESTAMP WITH TIME ZONE NOT NULL,
    error TEXT NOT NULL,
    id TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_host_reports PRIMARY KEY (id),
    CONSTRAINT ck_host_reports_kind CHECK (kind IN ('hook', 'hook_removal', 'status', 'comment')),
    CONSTRAINT ck_host_reports_state CHECK (state IN ('open', 'settled', 'failed')),
    CONSTRAINT uq_host_reports_project_id_repository_kind_target UNIQUE (project_id, repository, kind, target),
    CONSTRAINT fk_host_reports_project_id FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
);

CREATE INDEX ix_host_reports_open ON host_reports (look_at) WHERE state = 'open';

-- downgrade
DROP TABLE host_reports;
