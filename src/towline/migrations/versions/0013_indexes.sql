CREATE INDEX ix_deployments_ended_badly ON deployments (status, id)
    WHERE status IN ('failed', 'cancelled', 'superseded');

CREATE INDEX ix_events_user_id_sequence ON events (user_id, sequence);

-- downgrade
DROP INDEX ix_events_user_id_sequence;

DROP INDEX ix_deployments_ended_badly;
