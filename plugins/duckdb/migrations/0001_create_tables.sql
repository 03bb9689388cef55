-- +goose Up

CREATE TABLE suites (
    number         UINTEGER  NOT NULL PRIMARY KEY,
    org            VARCHAR   NOT NULL,
    suite          VARCHAR   NOT NULL,
    default_branch VARCHAR   NOT NULL,
    first_seen     TIMESTAMP NOT NULL,
    tags_mode      UTINYINT  NOT NULL
);
COMMENT ON TABLE suites IS 'The suites that have reported. The output duckdb writes a row with a suite''s first record.';
COMMENT ON COLUMN suites.number IS 'The suite''s number in this database; no meaning elsewhere.';
COMMENT ON COLUMN suites.org IS 'The organisation, as in suites.yaml.';
COMMENT ON COLUMN suites.suite IS 'The suite''s name within its organisation.';
COMMENT ON COLUMN suites.default_branch IS 'The newest default branch, empty when none was named.';
COMMENT ON COLUMN suites.first_seen IS 'Log time (UTC) of the suite''s first record.';
COMMENT ON COLUMN suites.tags_mode IS '0: tag_sets hold all tags. 1: they hold executions'' own tags, since the upload''s made too many sets. 2: as 1, and further sets lie in execution_tags.';

CREATE TABLE tests (
    number     UINTEGER  NOT NULL,
    id         UBIGINT   NOT NULL,
    suite      UINTEGER  NOT NULL,
    scope      VARCHAR   NOT NULL,
    name       VARCHAR   NOT NULL,
    location   VARCHAR   NOT NULL,
    file       VARCHAR   NOT NULL,
    owner      VARCHAR   NOT NULL,
    place_hash UBIGINT   NOT NULL,
    first_seen TIMESTAMP NOT NULL
);
COMMENT ON TABLE tests IS 'Managed tests: suite, scope and name. The output duckdb writes a row when a test is first seen, and moves its place when that changes.';
COMMENT ON COLUMN tests.number IS 'The test''s number in this database; no meaning elsewhere.';
COMMENT ON COLUMN tests.id IS 'The test''s identity, hash of suite, scope and name; printed as 16 hexadecimal digits.';
COMMENT ON COLUMN tests.suite IS 'suites.number.';
COMMENT ON COLUMN tests.scope IS 'The group as sent, empty when none.';
COMMENT ON COLUMN tests.name IS 'The description as sent, with the upload''s prefix and suffix.';
COMMENT ON COLUMN tests.location IS 'The newest location seen (file:line); may lie some seconds behind.';
COMMENT ON COLUMN tests.file IS 'The newest file seen; may lie some seconds behind.';
COMMENT ON COLUMN tests.owner IS 'The newest owner annotated, empty when nobody owns the file.';
COMMENT ON COLUMN tests.place_hash IS 'Hash of location, file and owner, by which the writer sees a change.';
COMMENT ON COLUMN tests.first_seen IS 'Log time (UTC) of the test''s first execution.';

CREATE TABLE uploads (
    number            UINTEGER NOT NULL,
    id                VARCHAR  NOT NULL,
    suite             UINTEGER NOT NULL,
    log_id            VARCHAR  NOT NULL,
    partition_number  INTEGER  NOT NULL,
    record_offset     BIGINT   NOT NULL,
    time              TIMESTAMP NOT NULL,
    received_at       TIMESTAMP NOT NULL,
    format            VARCHAR NOT NULL,
    run               UBIGINT NOT NULL,
    run_id            VARCHAR NOT NULL,
    run_key           VARCHAR NOT NULL,
    run_key_missing   BOOLEAN NOT NULL,
    branch            VARCHAR NOT NULL,
    commit_sha        VARCHAR NOT NULL,
    ci                VARCHAR NOT NULL,
    url               VARCHAR NOT NULL,
    build_number      VARCHAR NOT NULL,
    job_id            VARCHAR NOT NULL,
    message           VARCHAR NOT NULL,
    collector         VARCHAR NOT NULL,
    collector_version VARCHAR NOT NULL,
    test_runner       VARCHAR NOT NULL,
    language_version  VARCHAR NOT NULL,
    tags              MAP(VARCHAR, VARCHAR) NOT NULL,
    passed            UINTEGER NOT NULL,
    failed            UINTEGER NOT NULL,
    skipped           UINTEGER NOT NULL,
    pending           UINTEGER NOT NULL,
    unknown           UINTEGER NOT NULL,
    bytes             BIGINT  NOT NULL,
    received          UINTEGER NOT NULL,
    accepted          UINTEGER NOT NULL,
    rejected          UINTEGER NOT NULL,
    duplicate         BOOLEAN NOT NULL,
    without_result    UINTEGER NOT NULL,
    suite_errors      UINTEGER NOT NULL,
    problems          VARCHAR,
    problem_counts    VARCHAR,
    reported          BOOLEAN NOT NULL
);
COMMENT ON TABLE uploads IS 'One row a delivery, duplicates included: the facts its executions share, and its report. Written by the output duckdb.';
COMMENT ON COLUMN uploads.number IS 'The delivery''s number in this database; grows, with gaps.';
COMMENT ON COLUMN uploads.id IS 'The upload''s id: suite and body as sent. A duplicate has the id of the first delivery.';
COMMENT ON COLUMN uploads.suite IS 'suites.number.';
COMMENT ON COLUMN uploads.log_id IS 'The log the record came from, empty for streams without a log.';
COMMENT ON COLUMN uploads.partition_number IS 'Lane or partition of the record.';
COMMENT ON COLUMN uploads.record_offset IS 'Offset of the record, -1 for streams without a log.';
COMMENT ON COLUMN uploads.time IS 'Log time (UTC): the time of all its executions.';
COMMENT ON COLUMN uploads.received_at IS 'The door''s clock (UTC).';
COMMENT ON COLUMN uploads.format IS 'Format of the body: json, junit, and so on.';
COMMENT ON COLUMN uploads.run IS 'The run''s identity as a number; run_id prints it.';
COMMENT ON COLUMN uploads.run_id IS 'The run''s name in links and answers, empty when the body could not be read.';
COMMENT ON COLUMN uploads.run_key IS 'run_env[key] as sent, or invented.';
COMMENT ON COLUMN uploads.run_key_missing IS 'Whether the run key was invented because the collector sent none.';
COMMENT ON COLUMN uploads.branch IS 'Branch, without refs/heads/; empty when not sent.';
COMMENT ON COLUMN uploads.commit_sha IS 'Commit, empty when not sent.';
COMMENT ON COLUMN uploads.ci IS 'CI system, empty when not sent.';
COMMENT ON COLUMN uploads.url IS 'Link to the build, empty when not sent.';
COMMENT ON COLUMN uploads.build_number IS 'Number of the build, empty when not sent.';
COMMENT ON COLUMN uploads.job_id IS 'Job of the build, empty when not sent.';
COMMENT ON COLUMN uploads.message IS 'Commit message, empty when not sent.';
COMMENT ON COLUMN uploads.collector IS 'Name of the collector, empty when not sent.';
COMMENT ON COLUMN uploads.collector_version IS 'Version of the collector, empty when not sent.';
COMMENT ON COLUMN uploads.test_runner IS 'Test runner, empty when not sent.';
COMMENT ON COLUMN uploads.language_version IS 'Version of the language, empty when not sent.';
COMMENT ON COLUMN uploads.tags IS 'Tags that hold for the whole upload: those sent, and core tags where none was sent.';
COMMENT ON COLUMN uploads.passed IS 'Executions of the upload that passed.';
COMMENT ON COLUMN uploads.failed IS 'Executions of the upload that failed.';
COMMENT ON COLUMN uploads.skipped IS 'Executions of the upload that were skipped.';
COMMENT ON COLUMN uploads.pending IS 'Executions of the upload that are pending.';
COMMENT ON COLUMN uploads.unknown IS 'Executions of the upload without a result.';
COMMENT ON COLUMN uploads.bytes IS 'Size of the body as sent.';
COMMENT ON COLUMN uploads.received IS 'Executions in the body.';
COMMENT ON COLUMN uploads.accepted IS 'Executions taken over.';
COMMENT ON COLUMN uploads.rejected IS 'Executions refused, for the reasons in problems.';
COMMENT ON COLUMN uploads.duplicate IS 'Whether the same body had come before, so that nothing of it was processed again.';
COMMENT ON COLUMN uploads.without_result IS 'Accepted executions that name no result.';
COMMENT ON COLUMN uploads.suite_errors IS 'Accepted executions that are no test (an import error, a build failure).';
COMMENT ON COLUMN uploads.problems IS 'JSON: the first problems found. NULL when there were none.';
COMMENT ON COLUMN uploads.problem_counts IS 'JSON: number of problems by field and reason. NULL when there were none.';
COMMENT ON COLUMN uploads.reported IS 'Whether the record''s report has arrived; false only while a record comes in several batches.';

CREATE TABLE tag_sets (
    number UINTEGER NOT NULL,
    suite  UINTEGER NOT NULL,
    hash   UBIGINT  NOT NULL,
    whole  BOOLEAN  NOT NULL,
    tags   MAP(VARCHAR, VARCHAR) NOT NULL
);
COMMENT ON TABLE tag_sets IS 'The different sets of tags that executions have. Written by the output duckdb when a set is first seen.';
COMMENT ON COLUMN tag_sets.number IS 'The set''s number in this database; 0 is the empty set.';
COMMENT ON COLUMN tag_sets.suite IS 'suites.number of the suite that has the set; 0 for the empty set.';
COMMENT ON COLUMN tag_sets.hash IS 'Identity of the set within its suite.';
COMMENT ON COLUMN tag_sets.whole IS 'Whether the upload''s tags are in it (tags_mode 0), or the execution''s own alone.';
COMMENT ON COLUMN tag_sets.tags IS 'The tags. What has a column in uploads or tests (branch, commit, build, file) is left out.';
INSERT INTO tag_sets VALUES (0, 0, 0, FALSE, MAP {});

CREATE TABLE executions_fact (
    time       TIMESTAMP NOT NULL,
    suite      UINTEGER  NOT NULL,
    test       UINTEGER  NOT NULL,
    upload     UINTEGER  NOT NULL,
    idx        UINTEGER  NOT NULL,
    result     UTINYINT  NOT NULL,
    duration   BIGINT,
    tag_set    UINTEGER  NOT NULL,
    started_at TIMESTAMP
);
COMMENT ON TABLE executions_fact IS 'One row an execution, numbers only, in the order of arrival; the view executions makes it readable. Written by the output duckdb.';
COMMENT ON COLUMN executions_fact.time IS 'Log time (UTC) of the upload.';
COMMENT ON COLUMN executions_fact.suite IS 'suites.number.';
COMMENT ON COLUMN executions_fact.test IS 'tests.number.';
COMMENT ON COLUMN executions_fact.upload IS 'uploads.number.';
COMMENT ON COLUMN executions_fact.idx IS 'The execution''s place in the upload''s data; with the upload''s position it names the execution for ever.';
COMMENT ON COLUMN executions_fact.result IS '0 unknown, 1 passed, 2 failed, 3 skipped, 4 pending.';
COMMENT ON COLUMN executions_fact.duration IS 'Duration in microseconds. NULL when none was sent.';
COMMENT ON COLUMN executions_fact.tag_set IS 'tag_sets.number.';
COMMENT ON COLUMN executions_fact.started_at IS 'Start by a real clock (UTC). NULL for formats that have none.';

CREATE TABLE execution_tags (
    upload UINTEGER NOT NULL,
    idx    UINTEGER NOT NULL,
    suite  UINTEGER NOT NULL,
    time   TIMESTAMP NOT NULL,
    tags   MAP(VARCHAR, VARCHAR) NOT NULL
);
COMMENT ON TABLE execution_tags IS 'Executions'' own tags where a suite has more sets of them than the output''s limit (suites.tags_mode 2).';
COMMENT ON COLUMN execution_tags.upload IS 'uploads.number.';
COMMENT ON COLUMN execution_tags.idx IS 'executions_fact.idx.';
COMMENT ON COLUMN execution_tags.suite IS 'suites.number.';
COMMENT ON COLUMN execution_tags.time IS 'Log time (UTC), for retention.';
COMMENT ON COLUMN execution_tags.tags IS 'The execution''s own tags.';

CREATE TABLE failures (
    upload            UINTEGER NOT NULL,
    idx               UINTEGER NOT NULL,
    suite             UINTEGER NOT NULL,
    test              UINTEGER NOT NULL,
    time              TIMESTAMP NOT NULL,
    result            UTINYINT NOT NULL,
    reason            VARCHAR NOT NULL,
    expanded          VARCHAR,
    history           VARCHAR,
    location          VARCHAR NOT NULL,
    external_id       VARCHAR,
    signature         UBIGINT NOT NULL,
    message_signature UBIGINT NOT NULL,
    suite_error       BOOLEAN NOT NULL,
    retried_inside    BOOLEAN NOT NULL
);
COMMENT ON TABLE failures IS 'Details of executions that failed, that the runner retried inside before they passed, or that carry details because keep_details says so.';
COMMENT ON COLUMN failures.upload IS 'uploads.number.';
COMMENT ON COLUMN failures.idx IS 'executions_fact.idx.';
COMMENT ON COLUMN failures.suite IS 'suites.number.';
COMMENT ON COLUMN failures.test IS 'tests.number.';
COMMENT ON COLUMN failures.time IS 'Log time (UTC) of the upload.';
COMMENT ON COLUMN failures.result IS 'As executions_fact.result.';
COMMENT ON COLUMN failures.reason IS 'Failure reason as sent, empty when none.';
COMMENT ON COLUMN failures.expanded IS 'JSON array failure_expanded as sent. NULL when none.';
COMMENT ON COLUMN failures.history IS 'JSON object of spans as sent. NULL when none or not kept.';
COMMENT ON COLUMN failures.location IS 'Location (file:line) as sent with this execution.';
COMMENT ON COLUMN failures.external_id IS 'The collector''s own id of the execution. NULL when none.';
COMMENT ON COLUMN failures.signature IS 'Signature of the failure within its test, 0 when none was annotated.';
COMMENT ON COLUMN failures.message_signature IS 'Signature of the failure''s message across tests, 0 when none was annotated.';
COMMENT ON COLUMN failures.suite_error IS 'Whether it is no test at all (an import error, a build failure).';
COMMENT ON COLUMN failures.retried_inside IS 'Whether it passed after the runner retried it inside.';

CREATE TABLE run_events (
    id              VARCHAR  NOT NULL PRIMARY KEY,
    suite           UINTEGER NOT NULL,
    run             UBIGINT  NOT NULL,
    run_id          VARCHAR  NOT NULL,
    run_key         VARCHAR  NOT NULL,
    event           VARCHAR  NOT NULL,
    generation      INTEGER  NOT NULL,
    time            TIMESTAMP NOT NULL,
    branch          VARCHAR  NOT NULL,
    commit_sha      VARCHAR  NOT NULL,
    storm           VARCHAR  NOT NULL,
    uploads         UINTEGER NOT NULL,
    executions      UINTEGER NOT NULL,
    failed          UINTEGER NOT NULL
);
COMMENT ON TABLE run_events IS 'What happened to runs: opened, closed, reopened. Comes from flaky_detect, written by the output duckdb.';
COMMENT ON COLUMN run_events.id IS 'The event''s id; a repeat is dropped by it.';
COMMENT ON COLUMN run_events.suite IS 'suites.number.';
COMMENT ON COLUMN run_events.run IS 'The run''s identity as a number, as in uploads.run.';
COMMENT ON COLUMN run_events.run_id IS 'The run''s name in links and answers.';
COMMENT ON COLUMN run_events.run_key IS 'run_env[key] as sent, or invented.';
COMMENT ON COLUMN run_events.event IS 'opened, closed or reopened.';
COMMENT ON COLUMN run_events.generation IS 'How often the run was opened before.';
COMMENT ON COLUMN run_events.time IS 'Log time (UTC) of the event; for a timer the time it was due.';
COMMENT ON COLUMN run_events.branch IS 'Branch, empty when not sent.';
COMMENT ON COLUMN run_events.commit_sha IS 'Commit, empty when not sent.';
COMMENT ON COLUMN run_events.storm IS 'The guard that fired, empty when none did.';
COMMENT ON COLUMN run_events.uploads IS 'Uploads of the run so far.';
COMMENT ON COLUMN run_events.executions IS 'Executions of the run so far.';
COMMENT ON COLUMN run_events.failed IS 'Executions of the run so far that failed.';

CREATE TABLE verdicts (
    number       UBIGINT  NOT NULL,
    id           VARCHAR  NOT NULL PRIMARY KEY,
    time         TIMESTAMP NOT NULL,
    type         VARCHAR  NOT NULL,
    suite        UINTEGER NOT NULL,
    test_id      UBIGINT  NOT NULL,
    variant      VARCHAR  NOT NULL,
    owner        VARCHAR  NOT NULL,
    rule         VARCHAR  NOT NULL,
    rule_version INTEGER  NOT NULL,
    probability  DOUBLE   NOT NULL,
    episode      INTEGER  NOT NULL,
    body         VARCHAR  NOT NULL
);
COMMENT ON TABLE verdicts IS 'Events about tests and runs, in the order of the log. Come from flaky_detect, written by the output duckdb.';
COMMENT ON COLUMN verdicts.number IS 'Order of arrival; grows, with gaps.';
COMMENT ON COLUMN verdicts.id IS 'The verdict''s id; a repeat is dropped by it.';
COMMENT ON COLUMN verdicts.time IS 'Log time (UTC) of the event; for a timer the time it was due.';
COMMENT ON COLUMN verdicts.type IS 'The event: flaky.detected, test.broken, and so on.';
COMMENT ON COLUMN verdicts.suite IS 'suites.number.';
COMMENT ON COLUMN verdicts.test_id IS 'tests.id, 0 for events of a run or a host.';
COMMENT ON COLUMN verdicts.variant IS 'The test''s variant, empty when suites have none.';
COMMENT ON COLUMN verdicts.owner IS 'Owner of the test at the event, empty when nobody.';
COMMENT ON COLUMN verdicts.rule IS 'The rule that spoke.';
COMMENT ON COLUMN verdicts.rule_version IS 'Version of the rule.';
COMMENT ON COLUMN verdicts.probability IS 'Calibrated probability that the event is right.';
COMMENT ON COLUMN verdicts.episode IS 'Which alarm of the test it belongs to.';
COMMENT ON COLUMN verdicts.body IS 'JSON: the whole verdict with its evidence, as the API serves it.';

CREATE TABLE watermarks (
    log_id           VARCHAR  NOT NULL,
    partition_number INTEGER  NOT NULL PRIMARY KEY,
    next_offset      BIGINT   NOT NULL,
    next_first       INTEGER  NOT NULL,
    open_upload      UINTEGER NOT NULL,
    time             TIMESTAMP NOT NULL
);
COMMENT ON TABLE watermarks IS 'How far each partition of the log is stored. Moved in the transaction that stores the rows, so that a replay is dropped.';
COMMENT ON COLUMN watermarks.log_id IS 'The log''s identity; records of another log are refused.';
COMMENT ON COLUMN watermarks.partition_number IS 'Lane or partition.';
COMMENT ON COLUMN watermarks.next_offset IS 'First record that is not stored whole.';
COMMENT ON COLUMN watermarks.next_first IS 'Executions of that record that are stored, 0 for none.';
COMMENT ON COLUMN watermarks.open_upload IS 'uploads.number of that record when a part of it is stored, else 0.';
COMMENT ON COLUMN watermarks.time IS 'Log time (UTC) of the last message stored.';

-- +goose Down

DROP TABLE watermarks;
DROP TABLE verdicts;
DROP TABLE run_events;
DROP TABLE failures;
DROP TABLE execution_tags;
DROP TABLE executions_fact;
DROP TABLE tag_sets;
DROP TABLE uploads;
DROP TABLE tests;
DROP TABLE suites;
