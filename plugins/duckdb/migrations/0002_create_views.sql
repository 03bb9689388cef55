-- +goose Up

CREATE VIEW test_states AS
SELECT
    suite,
    test_id,
    variant,
    CASE
        WHEN arg_max(type, number) = 'flaky.suspected' THEN 'suspected'
        WHEN arg_max(type, number) IN ('flaky.detected', 'flaky.updated') THEN 'flaky'
        WHEN arg_max(type, number) = 'flaky.stale' THEN 'stale'
        WHEN arg_max(type, number) = 'test.broken' THEN 'broken'
        ELSE 'healthy'
    END AS state,
    arg_max(probability, number) AS probability,
    arg_max(time, number) AS last_time,
    max(number) AS last_number
FROM verdicts
WHERE test_id <> 0
    AND type IN (
        'flaky.suspected', 'flaky.detected', 'flaky.updated', 'flaky.healed',
        'flaky.stale', 'flaky.retracted', 'test.broken', 'test.fixed'
    )
GROUP BY suite, test_id, variant;
COMMENT ON VIEW test_states IS 'The state of each test and variant, from its newest event that sets one.';

CREATE VIEW executions AS
SELECT
    f.time,
    s.org,
    s.suite,
    u.id AS upload_id,
    u.run_id,
    u.run_key,
    u.branch,
    u.commit_sha,
    printf('%016x', t.id) AS test_id,
    t.scope,
    t.name,
    t.location,
    t.file,
    t.owner,
    list_extract(['unknown', 'passed', 'failed', 'skipped', 'pending'], f.result + 1) AS result,
    f.duration / 1e6 AS duration,
    f.started_at,
    map_concat(u.tags, g.tags, coalesce(x.tags, MAP {})) AS tags,
    d.reason AS failure_reason,
    d.expanded AS failure_expanded,
    d.history,
    d.signature,
    coalesce(d.suite_error, FALSE) AS suite_error,
    coalesce(d.retried_inside, FALSE) AS retried_inside,
    u.log_id || '/' || u.partition_number || '/' || u.record_offset || '/' || f.idx AS execution
FROM executions_fact f
JOIN suites s ON s.number = f.suite
JOIN tests t ON t.number = f.test
JOIN uploads u ON u.number = f.upload
JOIN tag_sets g ON g.number = f.tag_set
LEFT JOIN execution_tags x ON x.upload = f.upload AND x.idx = f.idx
LEFT JOIN failures d ON d.upload = f.upload AND d.idx = f.idx;
COMMENT ON VIEW executions IS 'Every execution as one wide row. Handy for questions by hand; the API asks executions_fact, which is faster.';
COMMENT ON COLUMN executions.time IS 'Log time (UTC) of the upload.';
COMMENT ON COLUMN executions.org IS 'Organisation.';
COMMENT ON COLUMN executions.suite IS 'Suite.';
COMMENT ON COLUMN executions.upload_id IS 'The upload''s id.';
COMMENT ON COLUMN executions.run_id IS 'The run''s name in links and answers.';
COMMENT ON COLUMN executions.run_key IS 'run_env[key] as sent, or invented.';
COMMENT ON COLUMN executions.branch IS 'Branch, empty when not sent.';
COMMENT ON COLUMN executions.commit_sha IS 'Commit, empty when not sent.';
COMMENT ON COLUMN executions.test_id IS 'The test''s identity, 16 hexadecimal digits.';
COMMENT ON COLUMN executions.scope IS 'The test''s group.';
COMMENT ON COLUMN executions.name IS 'The test''s description.';
COMMENT ON COLUMN executions.location IS 'The test''s newest location (file:line).';
COMMENT ON COLUMN executions.file IS 'The test''s newest file.';
COMMENT ON COLUMN executions.owner IS 'The test''s newest owner.';
COMMENT ON COLUMN executions.result IS 'passed, failed, skipped, pending or unknown.';
COMMENT ON COLUMN executions.duration IS 'Seconds, to the microsecond. NULL when none was sent.';
COMMENT ON COLUMN executions.started_at IS 'Start by a real clock (UTC). NULL when the format has none.';
COMMENT ON COLUMN executions.tags IS 'All tags: the execution''s own, then the upload''s, then core tags.';
COMMENT ON COLUMN executions.failure_reason IS 'Failure reason. NULL for executions without details.';
COMMENT ON COLUMN executions.failure_expanded IS 'JSON array as sent. NULL when none.';
COMMENT ON COLUMN executions.history IS 'JSON object of spans as sent. NULL when none or not kept.';
COMMENT ON COLUMN executions.signature IS 'Signature of the failure within its test. NULL for executions without details.';
COMMENT ON COLUMN executions.suite_error IS 'Whether it is no test at all (an import error, a build failure).';
COMMENT ON COLUMN executions.retried_inside IS 'Whether it passed after the runner retried it inside.';
COMMENT ON COLUMN executions.execution IS 'The execution''s name for ever: log id, partition, offset, index.';

-- +goose Down

DROP VIEW executions;
DROP VIEW test_states;
