CREATE TABLE service_calls (
    service_id TEXT NOT NULL,
    delivery_key TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    deployment_id TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_service_calls PRIMARY KEY (service_id, delivery_key),
    CONSTRAINT fk_service_calls_service_id FOREIGN KEY(service_id) REFERENCES services (id) ON DELETE CASCADE
);
CREATE INDEX ix_service_calls_created_at ON service_calls (created_at);

-- downgrade
DROP TABLE service_calls;
