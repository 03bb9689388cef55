#!/usr/bin/env bash
# The cluster on one machine, to look at: a real Kafka and one process for each
# pipeline, side by side. Ctrl-C ends them all, by process id. `make cluster`.
#   TESTENGINE_CLUSTER     the folder for all data (./data/cluster); it is kept, a second start goes on with it
#   TESTENGINE_PARTITIONS  partitions of the topics when they are made (8)
#   TESTENGINE_DETECTORS   how many processes share detection (2)
set -euo pipefail
cd "$(dirname "$0")/../.."
binary=bin/connect-testengine
data=${TESTENGINE_CLUSTER:-./data/cluster}
mkdir -p "$data"
data=$(cd "$data" && pwd)
pids=()

end() {
	trap - EXIT INT TERM
	echo "ending"
	for pid in "${pids[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
	for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
	tests/services/kafka.sh stop "$data/kafka"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# start NAME PIPELINE SERVICE-PORT: each process has a folder and a port of its own.
start() {
	mkdir -p "$data/$1"
	TESTENGINE_DATA=$data/$1 TESTENGINE_SERVICE_ADDRESS=127.0.0.1:$3 "$binary" run "pipelines/$2.yaml" >>"$data/$1/log" 2>&1 &
	pids+=($!)
	echo "$1: process $!, http://127.0.0.1:$3/metrics, log $data/$1/log"
}

# A broker in a process group of its own would not see Ctrl-C; this one is ended by `end`.
TESTENGINE_BROKERS=$(KAFKA_OWNER=$$ setsid tests/services/kafka.sh start "$data/kafka")
export TESTENGINE_BROKERS
echo "kafka: $TESTENGINE_BROKERS"
"$binary" topics create --replication 1 --min-in-sync 1 --partitions "${TESTENGINE_PARTITIONS:-8}"

TESTENGINE_ADDRESS=127.0.0.1:8420 start ingest_uploads ingest_uploads 4195
for i in $(seq "${TESTENGINE_DETECTORS:-2}"); do start "detect_flaky-$i" detect_flaky $((4195 + i)); done
TESTENGINE_ADDRESS=127.0.0.1:8421 start store_executions_locally store_executions_locally 4194

cat <<TEXT

Collectors report to http://127.0.0.1:8420 (the token of suite local/quickstart is in $data/ingest_uploads/log).
The page is http://127.0.0.1:8421. Further suites: $binary suite add ORG/SUITE.
Kill any of the processes and start it again by hand: nothing is lost or doubled.
Ctrl-C ends all.
TEXT
wait -n "${pids[@]}" || true
echo "a process has ended; the logs are in $data"
exit 1
