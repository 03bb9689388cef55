-- +goose Up

CREATE OR REPLACE VIEW runs AS
SELECT
    s.org,
    s.suite,
    u.run_id,
    any_value(u.run_key) AS run_key,
    max(u.branch) AS branch,
    max(u.commit_sha) AS commit_sha,
    max(u.url) AS url,
    max(u.build_number) AS build_number,
    min(u.time) AS first_upload_at,
    max(u.time) AS last_upload_at,
    count(DISTINCT hash(u.log_id, u.partition_number, u.record_offset, CASE WHEN u.record_offset < 0 THEN u.number END)) AS uploads,
    sum(u.accepted) AS executions,
    sum(u.passed) AS passed,
    sum(u.failed) AS failed,
    sum(u.skipped) + sum(u.pending) AS skipped,
    sum(u.unknown) AS unknown,
    any_value(e.event) AS last_event,
    any_value(e.storm) AS storm
FROM uploads u
JOIN suites s ON s.number = u.suite
LEFT JOIN (
    SELECT suite, run, arg_max(event, (time, generation)) AS event, arg_max(storm, (time, generation)) AS storm
    FROM run_events
    GROUP BY suite, run
) e ON e.suite = u.suite AND e.run = u.run
WHERE NOT u.duplicate AND u.run_id <> ''
GROUP BY s.org, s.suite, u.run_id;
COMMENT ON VIEW runs IS 'One row a run: its uploads added up, and what flaky_detect last said of it.';
COMMENT ON COLUMN runs.org IS 'Organisation.';
COMMENT ON COLUMN runs.suite IS 'Suite.';
COMMENT ON COLUMN runs.run_id IS 'The run''s name in links and answers.';
COMMENT ON COLUMN runs.run_key IS 'run_env[key] as sent, or invented.';
COMMENT ON COLUMN runs.branch IS 'Branch, empty when not sent.';
COMMENT ON COLUMN runs.commit_sha IS 'Commit, empty when not sent.';
COMMENT ON COLUMN runs.url IS 'Link to the build, empty when not sent.';
COMMENT ON COLUMN runs.build_number IS 'Number of the build, empty when not sent.';
COMMENT ON COLUMN runs.first_upload_at IS 'Log time (UTC) of its first upload.';
COMMENT ON COLUMN runs.last_upload_at IS 'Log time (UTC) of its newest upload.';
COMMENT ON COLUMN runs.uploads IS 'Uploads, duplicates left out. Rows of one upload that came through several topics have its place in the log in common.';
COMMENT ON COLUMN runs.executions IS 'Executions taken over.';
COMMENT ON COLUMN runs.passed IS 'Executions that passed.';
COMMENT ON COLUMN runs.failed IS 'Executions that failed; a retry that passed does not take it back.';
COMMENT ON COLUMN runs.skipped IS 'Executions that were skipped or are pending.';
COMMENT ON COLUMN runs.unknown IS 'Executions without a result.';
COMMENT ON COLUMN runs.last_event IS 'opened, closed or reopened. NULL before detection has said anything.';
COMMENT ON COLUMN runs.storm IS 'The storm guard that fired, empty when none did. NULL before detection has said anything.';

-- +goose Down

CREATE OR REPLACE VIEW runs AS
SELECT
    s.org,
    s.suite,
    u.run_id,
    any_value(u.run_key) AS run_key,
    max(u.branch) AS branch,
    max(u.commit_sha) AS commit_sha,
    max(u.url) AS url,
    max(u.build_number) AS build_number,
    min(u.time) AS first_upload_at,
    max(u.time) AS last_upload_at,
    count(*) AS uploads,
    sum(u.accepted) AS executions,
    sum(u.passed) AS passed,
    sum(u.failed) AS failed,
    sum(u.skipped) + sum(u.pending) AS skipped,
    sum(u.unknown) AS unknown,
    any_value(e.event) AS last_event,
    any_value(e.storm) AS storm
FROM uploads u
JOIN suites s ON s.number = u.suite
LEFT JOIN (
    SELECT suite, run, arg_max(event, (time, generation)) AS event, arg_max(storm, (time, generation)) AS storm
    FROM run_events
    GROUP BY suite, run
) e ON e.suite = u.suite AND e.run = u.run
WHERE NOT u.duplicate AND u.run_id <> ''
GROUP BY s.org, s.suite, u.run_id;
COMMENT ON VIEW runs IS 'One row a run: its uploads added up, and what flaky_detect last said of it.';
COMMENT ON COLUMN runs.org IS 'Organisation.';
COMMENT ON COLUMN runs.suite IS 'Suite.';
COMMENT ON COLUMN runs.run_id IS 'The run''s name in links and answers.';
COMMENT ON COLUMN runs.run_key IS 'run_env[key] as sent, or invented.';
COMMENT ON COLUMN runs.branch IS 'Branch, empty when not sent.';
COMMENT ON COLUMN runs.commit_sha IS 'Commit, empty when not sent.';
COMMENT ON COLUMN runs.url IS 'Link to the build, empty when not sent.';
COMMENT ON COLUMN runs.build_number IS 'Number of the build, empty when not sent.';
COMMENT ON COLUMN runs.first_upload_at IS 'Log time (UTC) of its first upload.';
COMMENT ON COLUMN runs.last_upload_at IS 'Log time (UTC) of its newest upload.';
COMMENT ON COLUMN runs.uploads IS 'Uploads, duplicates left out.';
COMMENT ON COLUMN runs.executions IS 'Executions taken over.';
COMMENT ON COLUMN runs.passed IS 'Executions that passed.';
COMMENT ON COLUMN runs.failed IS 'Executions that failed; a retry that passed does not take it back.';
COMMENT ON COLUMN runs.skipped IS 'Executions that were skipped or are pending.';
COMMENT ON COLUMN runs.unknown IS 'Executions without a result.';
COMMENT ON COLUMN runs.last_event IS 'opened, closed or reopened. NULL before detection has said anything.';
COMMENT ON COLUMN runs.storm IS 'The storm guard that fired, empty when none did. NULL before detection has said anything.';
