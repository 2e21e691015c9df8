CREATE TABLE connections (
    project_id TEXT,
    kind TEXT NOT NULL,
    host TEXT NOT NULL,
    owner TEXT NOT NULL,
    api_url TEXT NOT NULL,
    username TEXT NOT NULL,
    app_id TEXT NOT NULL,
    secret BYTEA NOT NULL,
    allows_local BOOLEAN NOT NULL,
    created_by TEXT NOT NULL,
    id TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_connections PRIMARY KEY (id),
    CONSTRAINT uq_connections_project_id_kind_host_owner UNIQUE NULLS NOT DISTINCT (project_id, kind, host, owner),
    CONSTRAINT fk_connections_project_id FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
);

-- downgrade
DROP TABLE connections;
