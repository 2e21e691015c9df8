CREATE TABLE metric_samples (
    workload_id TEXT NOT NULL,
    sampled_at TIMESTAMP WITH TIME ZONE NOT NULL,
    is_thinned BOOLEAN NOT NULL,
    instances INTEGER NOT NULL,
    cpu FLOAT NOT NULL,
    memory_bytes BIGINT NOT NULL,
    memory_limit_bytes BIGINT NOT NULL,
    received_rate FLOAT,
    sent_rate FLOAT,
    request_rate FLOAT,
    failure_rate FLOAT,
    request_ms FLOAT,
    CONSTRAINT pk_metric_samples PRIMARY KEY (workload_id, sampled_at),
    CONSTRAINT fk_metric_samples_workload_id FOREIGN KEY(workload_id) REFERENCES workloads (id) ON DELETE CASCADE
);

CREATE INDEX ix_metric_samples_is_thinned_sampled_at ON metric_samples (is_thinned, sampled_at);

-- downgrade
DROP TABLE metric_samples;
