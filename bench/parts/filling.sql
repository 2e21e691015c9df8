-- Copies of the project, service and deployment that were made first, as many of each as bench.* says. Copies take
-- whatever columns their original has; their ids begin with 00, so they count as older than any real one.

CREATE FUNCTION pg_temp.wanted(name text) RETURNS bigint LANGUAGE sql STABLE
    RETURN current_setting('bench.' || name)::bigint;

CREATE FUNCTION pg_temp.id_of(prefix text, n bigint) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN prefix || '_00' || lpad(n::text, 24, '0');

-- Half of the services are in the first project, so that also one project grows.
CREATE FUNCTION pg_temp.project_of(n bigint) RETURNS bigint LANGUAGE sql STABLE
    RETURN CASE WHEN pg_temp.wanted('is_even') = 1 THEN 1 + (n - 1) % pg_temp.wanted('projects')
        WHEN n % 2 = 0 OR n <= 10 THEN 1 ELSE 2 + n % (pg_temp.wanted('projects') - 1) END;

-- A fifth of the deployments are of the first service, so that also one service grows.
CREATE FUNCTION pg_temp.service_of(n bigint) RETURNS bigint LANGUAGE sql STABLE
    RETURN CASE WHEN n % 5 = 0 AND pg_temp.wanted('is_even') = 0 THEN 1 ELSE 1 + n % pg_temp.wanted('services') END;

CREATE FUNCTION pg_temp.time_of(n bigint) RETURNS timestamptz LANGUAGE sql STABLE
    RETURN now() - interval '1 day' - (pg_temp.wanted('deployments') - n) * interval '1 second';

INSERT INTO projects
SELECT copy.*
FROM projects first
CROSS JOIN generate_series(1, pg_temp.wanted('projects')) n
CROSS JOIN LATERAL jsonb_populate_record(first, jsonb_build_object(
    'id', pg_temp.id_of('prj', n),
    'name', 'p' || lpad(n::text, 4, '0'))) copy
WHERE first.id = (SELECT id FROM projects ORDER BY created_at LIMIT 1);

INSERT INTO environments
SELECT copy.*
FROM environments first
CROSS JOIN generate_series(1, pg_temp.wanted('projects')) n
CROSS JOIN LATERAL jsonb_populate_record(first, jsonb_build_object(
    'id', pg_temp.id_of('env', n),
    'project_id', pg_temp.id_of('prj', n),
    'network', '',
    'subnet', '')) copy
WHERE first.id = (SELECT id FROM environments ORDER BY created_at LIMIT 1);

INSERT INTO services
SELECT copy.*
FROM services first
CROSS JOIN generate_series(1, pg_temp.wanted('services')) n
CROSS JOIN LATERAL jsonb_populate_record(first, jsonb_build_object(
    'id', pg_temp.id_of('svc', n),
    'project_id', pg_temp.id_of('prj', pg_temp.project_of(n)),
    'name', 's' || lpad(n::text, 4, '0'))) copy
WHERE first.id = (SELECT id FROM services ORDER BY created_at LIMIT 1);

INSERT INTO workloads
SELECT copy.*
FROM workloads first
CROSS JOIN generate_series(1, pg_temp.wanted('services')) n
CROSS JOIN LATERAL jsonb_populate_record(first, jsonb_build_object(
    'id', pg_temp.id_of('wrk', n),
    'project_id', pg_temp.id_of('prj', pg_temp.project_of(n)),
    'service_id', pg_temp.id_of('svc', n),
    'environment_id', pg_temp.id_of('env', pg_temp.project_of(n)),
    'wanted', 'stopped')) copy
WHERE first.id = (SELECT id FROM workloads ORDER BY created_at LIMIT 1);

INSERT INTO routes
SELECT copy.*
FROM routes first
CROSS JOIN generate_series(1, pg_temp.wanted('services')) n
CROSS JOIN LATERAL jsonb_populate_record(first, jsonb_build_object(
    'id', pg_temp.id_of('rou', n),
    'workload_id', pg_temp.id_of('wrk', n),
    'host', 'h' || n || '.example.com')) copy
WHERE first.id = (SELECT id FROM routes ORDER BY created_at LIMIT 1);

INSERT INTO deployments
SELECT copy.*
FROM deployments first
CROSS JOIN generate_series(1, pg_temp.wanted('deployments')) n
JOIN workloads w ON w.id = pg_temp.id_of('wrk', pg_temp.service_of(n))
CROSS JOIN LATERAL jsonb_populate_record(first, jsonb_build_object(
    'id', pg_temp.id_of('dep', n),
    'number', n,
    'created_at', pg_temp.time_of(n),
    'project_id', w.project_id,
    'service_id', w.service_id,
    'environment_id', w.environment_id,
    'workload_id', w.id,
    'release_id', pg_temp.id_of('rel', n),
    'status', CASE WHEN n % 100 = 0 THEN 'failed' ELSE 'success' END)) copy
WHERE first.id = (SELECT id FROM deployments ORDER BY created_at LIMIT 1);

INSERT INTO releases
SELECT copy.*
FROM releases first
CROSS JOIN generate_series(1, pg_temp.wanted('deployments')) n
CROSS JOIN LATERAL jsonb_populate_record(first, jsonb_build_object(
    'id', pg_temp.id_of('rel', n),
    'number', n,
    'created_at', pg_temp.time_of(n),
    'workload_id', pg_temp.id_of('wrk', pg_temp.service_of(n)),
    'deployment_id', pg_temp.id_of('dep', n),
    'is_kept', false)) copy
WHERE first.id = (SELECT id FROM releases ORDER BY created_at LIMIT 1);

-- Of ten lines nine are in the logs of deployments, and one in the long log of the first service.
INSERT INTO logs (owner_id, project_id, first_sequence, last_sequence)
SELECT id, project_id, 1, 9 FROM deployments WHERE id LIKE 'dep\_00%' ORDER BY id;

INSERT INTO log_lines (log_id, sequence, at, stream, level, message)
SELECT l.id, n, now() - interval '1 day', 'stdout', 'info', 'step ' || n || ' of the build went well'
FROM logs l CROSS JOIN generate_series(1, 9) n
WHERE l.owner_id LIKE 'dep\_00%' AND pg_temp.wanted('is_even') = 0;

INSERT INTO logs (owner_id, project_id, first_sequence, last_sequence)
SELECT id, project_id, 1, pg_temp.wanted('lines') / 10 FROM workloads WHERE id = pg_temp.id_of('wrk', 1);

INSERT INTO log_lines (log_id, sequence, at, stream, level, message)
SELECT l.id, n, now() - interval '1 day' + n * interval '1 millisecond', 'stdout', 'info',
    'request ' || n || ' was answered with 200 within 12 milliseconds'
FROM logs l CROSS JOIN generate_series(1, pg_temp.wanted('lines') / 10) n
WHERE l.owner_id = pg_temp.id_of('wrk', 1);

INSERT INTO health_checks (workload_id, checked_at, status, response_ms, error)
SELECT pg_temp.id_of('wrk', pg_temp.service_of(n)), pg_temp.time_of(n), 'healthy', 2.5, ''
FROM generate_series(1, pg_temp.wanted('deployments')) n;

-- Numbered far from those that are made meanwhile: chaining a million entries would go on for the whole measurement.
INSERT INTO audit_entries
    (created_at, project_id, actor_id, key_id, session_id, via, address, action, object_id, outcome, detail, before, after, sequence, hash)
SELECT pg_temp.time_of(n), pg_temp.id_of('prj', 1), '', '', '', '', '127.0.0.1', 'services.deploy', '', 'allowed', '{}', '{}', '{}',
    1000000000 + n, ''
FROM generate_series(1, pg_temp.wanted('deployments')) n;
