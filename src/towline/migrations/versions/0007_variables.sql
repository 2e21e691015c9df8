ALTER TABLE variables ADD COLUMN mount_path TEXT NOT NULL DEFAULT '';
ALTER TABLE variables ALTER COLUMN mount_path DROP DEFAULT;
ALTER TABLE projects ADD COLUMN takes_global_secrets BOOLEAN NOT NULL DEFAULT false;
ALTER TABLE projects ALTER COLUMN takes_global_secrets DROP DEFAULT;
CREATE INDEX ix_variables_environment_id ON variables (environment_id);

CREATE TABLE variable_changes (
    variable_id TEXT NOT NULL,
    level TEXT NOT NULL,
    project_id TEXT,
    service_id TEXT,
    environment_id TEXT,
    name TEXT NOT NULL,
    action TEXT NOT NULL,
    value_before BYTEA,
    value_after BYTEA,
    was JSONB NOT NULL,
    "now" JSONB NOT NULL,
    user_id TEXT NOT NULL,
    undoes TEXT,
    id TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_variable_changes PRIMARY KEY (id),
    CONSTRAINT fk_variable_changes_project_id FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE,
    CONSTRAINT fk_variable_changes_service_id FOREIGN KEY(service_id) REFERENCES services (id) ON DELETE CASCADE,
    CONSTRAINT fk_variable_changes_environment_id FOREIGN KEY(environment_id) REFERENCES environments (id) ON DELETE CASCADE
);
CREATE INDEX ix_variable_changes_project_id ON variable_changes (project_id, created_at DESC);
CREATE INDEX ix_variable_changes_service_id ON variable_changes (service_id);
CREATE INDEX ix_variable_changes_environment_id ON variable_changes (environment_id);

-- downgrade
DROP TABLE variable_changes;
DROP INDEX ix_variables_environment_id;
ALTER TABLE projects DROP COLUMN takes_global_secrets;
ALTER TABLE variables DROP COLUMN mount_path;
