#!/usr/bin/env bash
# The cluster on one machine, to look at: a real Kafka and one process for each
# pipeline, side by side. Ctrl-C ends them all, by process id. `make cluster`.
#   TESTENGINE_CLUSTER     the folder for all data (./data/cluster); it is kept, a second start goes on with it
#   TESTENGINE_PARTITIONS  partitions of the topics when they are made (8)
#   TESTENGINE_DETECTORS   how many processes share detection (2)
#   TESTENGINE_DOOR_PORT   where collectors report (8420); the page is one above, that of the replay two
#   TESTENGINE_FIRST_PORT  of the processes' own ports with /metrics and /ready (4194)
set -euo pipefail
cd "$(dirname "$0")/../.."
binary=bin/connect-testengine
data=${TESTENGINE_CLUSTER:-./data/cluster}
door=${TESTENGINE_DOOR_PORT:-8420}
first=${TESTENGINE_FIRST_PORT:-4194}
mkdir -p "$data"
data=$(cd "$data" && pwd)
declare -A again=() # by process id, its name and the command that starts it again

end() {
	trap - EXIT INT TERM
	echo "ending"
	for pid in "${!again[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
	for pid in "${!again[@]}"; do wait "$pid" 2>/dev/null || true; done
	tests/services/kafka.sh stop "$data/kafka"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# start NAME PIPELINE SERVICE-PORT [VARIABLE=VALUE]...: each process has a folder and a port of its own.
start() {
	local name=$1 pipeline=$2 port=$3
	shift 3
	mkdir -p "$data/$name"
	local run=(env "TESTENGINE_BROKERS=$TESTENGINE_BROKERS" "TESTENGINE_DATA=$data/$name" "TESTENGINE_SERVICE_ADDRESS=127.0.0.1:$port" "$@"
		"$binary" run "pipelines/$pipeline.yaml")
	"${run[@]}" >>"$data/$name/log" 2>&1 &
	again[$!]="$name|$(printf ' %q' "${run[@]}")"
	echo "$name: process $!, http://127.0.0.1:$port/metrics, log $data/$name/log"
}

# A broker in a process group of its own would not see Ctrl-C; this one is ended by `end`.
TESTENGINE_BROKERS=$(KAFKA_OWNER=$$ setsid tests/services/kafka.sh start "$data/kafka")
echo "kafka: $TESTENGINE_BROKERS"
"$binary" topics create --brokers "$TESTENGINE_BROKERS" --replication 1 --min-in-sync 1 --partitions "${TESTENGINE_PARTITIONS:-8}" \
	--group replay_executions=uploads

start ingest_uploads ingest_uploads $((first + 1)) "TESTENGINE_ADDRESS=127.0.0.1:$door"
detectors=${TESTENGINE_DETECTORS:-2}
for i in $(seq "$detectors"); do
	# Snapshots lie where every detector finds them, so a partition moves without its whole log.
	start "detect_flaky-$i" detect_flaky $((first + 1 + i)) "TESTENGINE_STATE_STORE=$data/snapshots"
done
start store_executions_locally store_executions_locally "$first" "TESTENGINE_ADDRESS=127.0.0.1:$((door + 1))"
start replay_executions replay_executions $((first + 2 + detectors)) "TESTENGINE_ADDRESS=127.0.0.1:$((door + 2))"

cat <<TEXT

Collectors report to http://127.0.0.1:$door (the token of suite local/quickstart is in $data/ingest_uploads/log).
The page is http://127.0.0.1:$((door + 1)); what the replay of all uploads makes of them is http://127.0.0.1:$((door + 2)). Further suites: $binary suite add ORG/SUITE.
Kill any of the processes: the others go on, nothing is lost or doubled, and the command that starts it again is printed here.
Ctrl-C ends all.
TEXT
while ((${#again[@]})); do
	wait -n -p ended "${!again[@]}" && status=0 || status=$?
	[ -n "${ended:-}" ] || continue
	name=${again[$ended]%%|*}
	printf '%s\n' "" "$name has ended with status $status; its log is $data/$name/log. In this folder it is started again by" " ${again[$ended]#*|}"
	unset "again[$ended]"
done
echo "all have ended; Kafka runs on until Ctrl-C"
while sleep 1; do :; done
