-- +goose Up
ALTER TABLE uploads ADD COLUMN chunk_index UINTEGER DEFAULT 0;
ALTER TABLE uploads ADD COLUMN chunk_count UINTEGER DEFAULT 1;
COMMENT ON COLUMN uploads.chunk_index IS 'Which piece of the upload the record was, from 0. Written by the output duckdb.';
COMMENT ON COLUMN uploads.chunk_count IS 'How many records the upload came in: each has a row of its own.';

CREATE VIEW deliveries AS
SELECT number, id, suite, log_id, partition_number, record_offset, time, received_at, format, run_id, run_key, collector, branch,
    commit_sha, bytes, received, accepted, rejected, duplicate, without_result, suite_errors, problems, problem_counts, reported
FROM uploads
WHERE chunk_count = 1
UNION ALL
SELECT min(number), id, suite, arg_min(log_id, chunk_index), arg_min(partition_number, chunk_index), arg_min(record_offset, chunk_index),
    max(time), received_at, arg_min(format, chunk_index), arg_min(run_id, chunk_index), arg_min(run_key, chunk_index),
    arg_min(collector, chunk_index), arg_min(branch, chunk_index), arg_min(commit_sha, chunk_index), sum(bytes)::BIGINT,
    sum(received)::UINTEGER, sum(accepted)::UINTEGER, sum(rejected)::UINTEGER, duplicate, sum(without_result)::UINTEGER,
    sum(suite_errors)::UINTEGER, string_agg(problems, chr(10) ORDER BY chunk_index), string_agg(problem_counts, chr(10) ORDER BY chunk_index),
    count(DISTINCT chunk_index) = chunk_count AND bool_and(reported)
FROM uploads
WHERE chunk_count > 1
GROUP BY id, suite, received_at, duplicate, chunk_count;
COMMENT ON VIEW deliveries IS 'One row an upload as it was sent: uploads, those that came in several records added up. Problems of several records stand on a line each.';
COMMENT ON COLUMN deliveries.number IS 'uploads.number of its first record.';
COMMENT ON COLUMN deliveries.id IS 'The upload''s id: suite and body as sent. A duplicate has the id of the first delivery.';
COMMENT ON COLUMN deliveries.suite IS 'suites.number.';
COMMENT ON COLUMN deliveries.log_id IS 'The log its first record came from, empty for streams without a log.';
COMMENT ON COLUMN deliveries.partition_number IS 'Lane or partition of its first record.';
COMMENT ON COLUMN deliveries.record_offset IS 'Offset of its first record, -1 for streams without a log.';
COMMENT ON COLUMN deliveries.time IS 'Log time (UTC) of its last record.';
COMMENT ON COLUMN deliveries.received_at IS 'The door''s clock (UTC).';
COMMENT ON COLUMN deliveries.format IS 'Format of the body: json, junit, and so on.';
COMMENT ON COLUMN deliveries.run_id IS 'The run''s name in links and answers, empty when the body could not be read.';
COMMENT ON COLUMN deliveries.run_key IS 'run_env[key] as sent, or invented.';
COMMENT ON COLUMN deliveries.collector IS 'Name of the collector, empty when not sent.';
COMMENT ON COLUMN deliveries.branch IS 'Branch, without refs/heads/; empty when not sent.';
COMMENT ON COLUMN deliveries.commit_sha IS 'Commit, empty when not sent.';
COMMENT ON COLUMN deliveries.bytes IS 'Size of the body as sent.';
COMMENT ON COLUMN deliveries.received IS 'Executions in the body.';
COMMENT ON COLUMN deliveries.accepted IS 'Executions taken over.';
COMMENT ON COLUMN deliveries.rejected IS 'Executions refused, for the reasons in problems.';
COMMENT ON COLUMN deliveries.duplicate IS 'Whether the same body had come before, so that nothing of it was processed again.';
COMMENT ON COLUMN deliveries.without_result IS 'Accepted executions that name no result.';
COMMENT ON COLUMN deliveries.suite_errors IS 'Accepted executions that are no test (an import error, a build failure).';
COMMENT ON COLUMN deliveries.problems IS 'JSON, a line for each of its records that had any: the first problems found. NULL when there were none.';
COMMENT ON COLUMN deliveries.problem_counts IS 'JSON, a line for each of its records that had any: number of problems by field and reason. NULL when there were none.';
COMMENT ON COLUMN deliveries.reported IS 'Whether the reports of all its records have arrived.';

-- +goose Down
DROP VIEW deliveries;
ALTER TABLE uploads DROP COLUMN chunk_index;
ALTER TABLE uploads DROP COLUMN chunk_count;
