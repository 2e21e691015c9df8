CREATE TABLE notification_channels (
    project_id TEXT,
    name TEXT NOT NULL,
    kind TEXT NOT NULL,
    address BYTEA NOT NULL,
    shown TEXT NOT NULL,
    secret BYTEA,
    events JSONB NOT NULL,
    environments JSONB NOT NULL,
    is_paused BOOLEAN NOT NULL,
    allows_local BOOLEAN NOT NULL,
    told_until BIGINT NOT NULL,
    id TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_notification_channels PRIMARY KEY (id),
    CONSTRAINT uq_notification_channels_project_id_name UNIQUE NULLS NOT DISTINCT (project_id, name),
    CONSTRAINT fk_notification_channels_project_id FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
);

CREATE TABLE notifications (
    channel_id TEXT NOT NULL,
    event_sequence BIGINT,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    title TEXT NOT NULL,
    text TEXT NOT NULL,
    path TEXT NOT NULL,
    status TEXT NOT NULL,
    reason TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    not_before TIMESTAMP WITH TIME ZONE NOT NULL,
    sent_at TIMESTAMP WITH TIME ZONE,
    id TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_notifications PRIMARY KEY (id),
    CONSTRAINT uq_notifications_channel_id_event_sequence UNIQUE (channel_id, event_sequence),
    CONSTRAINT fk_notifications_channel_id FOREIGN KEY(channel_id) REFERENCES notification_channels (id) ON DELETE CASCADE
);

CREATE INDEX ix_notifications_channel_id_created_at ON notifications (channel_id, created_at);

CREATE INDEX ix_notifications_queued ON notifications (not_before) WHERE status = 'queued';

CREATE TABLE troubles (
    key TEXT NOT NULL,
    kind TEXT NOT NULL,
    project_id TEXT,
    message TEXT NOT NULL,
    since TIMESTAMP WITH TIME ZONE NOT NULL,
    told_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_troubles PRIMARY KEY (key),
    CONSTRAINT fk_troubles_project_id FOREIGN KEY(project_id) REFERENCES projects (id) ON DELETE CASCADE
);

-- downgrade
DROP TABLE troubles;

DROP TABLE notifications;

DROP TABLE notification_channels;
