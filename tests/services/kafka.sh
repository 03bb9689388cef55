#!/usr/bin/env bash
# A real Apache Kafka for tests, out of Maven Central's jars: one broker or three, KRaft, on free loopback ports.
#   kafka.sh install                 once; the jars stay in TESTENGINE_TOOLS
#   kafka.sh start DIR [BROKERS]     data, logs and pids in DIR; prints host:port,… when all listen. Again on a stopped DIR: same ports, same data.
#   kafka.sh kill9 DIR N             kill -9 of broker N (1, 2, 3)
#   kafka.sh restart DIR N           starts broker N again on its data
#   kafka.sh pid DIR N               prints its process id
#   kafka.sh stop DIR                ends them all, by process id
# KAFKA_HEAP is the heap of a broker (256m). With KAFKA_OWNER=PID the brokers end when that process is gone.
set -euo pipefail
here=$(cd "$(dirname "$0")/kafka" && pwd)
tools=${TESTENGINE_TOOLS:-$HOME/.cache/connect-testengine}
jars=$tools/kafka-$(cksum <"$here/pom.xml" | cut -d' ' -f1)
heap=${KAFKA_HEAP:-256m}
cluster=dGVzdGVuZ2luZS10ZXN0cw

die() { echo "kafka.sh: $*" >&2; exit 1; }
verb=${1:-}; dir=${2:-}; which=${3:-}

# Replaces the shell it is called in, so that $! is java's own process id.
java_of_kafka() {
	exec java "-Xms$heap" "-Xmx$heap" -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:-UsePerfData \
		"-Dlog4j2.configurationFile=$here/log4j2.properties" -cp "$jars/*" "$@"
}

install() {
	[ ! -e "$jars/.done" ] || return 0
	command -v mvn >/dev/null && command -v java >/dev/null || die "needs java 17 and mvn (Debian: openjdk-17-jre-headless, maven)"
	rm -rf "$jars"
	mvn -q -B -f "$here/pom.xml" dependency:copy-dependencies "-DoutputDirectory=$jars" -DincludeScope=runtime
	touch "$jars/.done"
}

# Ports below the range that the kernel hands to clients, so that none takes them between a kill and a restart.
free_ports() {
	python3 - "$1" <<'PY'
import random, socket, sys
held = []
while len(held) < int(sys.argv[1]):
    s = socket.socket()
    try:
        s.bind(("127.0.0.1", random.randrange(15000, 32000)))
        held.append(s)
    except OSError:
        s.close()
print(*[s.getsockname()[1] for s in held])
PY
}

# Writes the settings of n brokers. Each has three ports: for clients, for the
# controllers, and for clients that come through a proxy of a test, which are told
# to find the broker at a fourth, where the proxy listens.
configure() {
	local n=$1 replicas=1 in_sync=1 voters="" i
	[ "$n" -lt 3 ] || { replicas=3; in_sync=2; }
	read -r -a ports <<<"$(free_ports $((4 * n)))"
	for i in $(seq "$n"); do voters+="$i@127.0.0.1:${ports[n + i - 1]},"; done
	for i in $(seq "$n"); do
		{
			cat "$here/server.properties"
			echo "node.id=$i"
			echo "controller.quorum.voters=${voters%,}"
			echo "listeners=PLAINTEXT://127.0.0.1:${ports[i - 1]},CONTROLLER://127.0.0.1:${ports[n + i - 1]},PROXIED://127.0.0.1:${ports[2 * n + i - 1]}"
			echo "advertised.listeners=PLAINTEXT://127.0.0.1:${ports[i - 1]},PROXIED://127.0.0.1:${ports[3 * n + i - 1]}"
			echo "log.dirs=$dir/data$i"
			echo "default.replication.factor=$replicas"
			echo "min.insync.replicas=$in_sync"
			for topic in offsets.topic transaction.state.log share.coordinator.state.topic; do echo "$topic.replication.factor=$replicas"; done
			for topic in transaction.state.log share.coordinator.state.topic; do echo "$topic.min.isr=$in_sync"; done
		} >"$dir/broker$i.properties"
		(java_of_kafka kafka.tools.StorageTool format -t "$cluster" -c "$dir/broker$i.properties" --ignore-formatted) >"$dir/format$i.log" 2>&1 ||
			die "formatting the folder of broker $i: $(tail -3 "$dir/format$i.log")"
		echo "${ports[i - 1]}" >"$dir/port$i"
		echo "127.0.0.1:${ports[2 * n + i - 1]} 127.0.0.1:${ports[3 * n + i - 1]}" >"$dir/proxy$i"
	done
	echo "$n" >"$dir/brokers"
}

# A dead process that nobody has waited for yet is not alive.
alive() {
	[ -e "$dir/pid$1" ] || return 1
	case $(ps -o stat= -p "$(cat "$dir/pid$1")" 2>/dev/null) in "" | Z*) return 1 ;; esac
}

launch() {
	! alive "$1" || die "broker $1 is running"
	java_of_kafka kafka.Kafka "$dir/broker$1.properties" >>"$dir/broker$1.log" 2>&1 </dev/null &
	echo $! >"$dir/pid$1"
}

await() {
	for _ in $(seq 900); do
		if (exec 3<>"/dev/tcp/127.0.0.1/$(cat "$dir/port$1")") 2>/dev/null; then return 0; fi
		alive "$1" || die "broker $1 ended: $(tail -5 "$dir/broker$1.log")"
		sleep 0.1
	done
	die "broker $1 does not listen after 90 s: $(tail -5 "$dir/broker$1.log")"
}

end() {
	[ -e "$dir/brokers" ] || return 0
	local i
	for i in $(seq "$(cat "$dir/brokers")"); do ! alive "$i" || kill "$(cat "$dir/pid$i")" 2>/dev/null || true; done
	for i in $(seq "$(cat "$dir/brokers")"); do
		for _ in $(seq 150); do
			alive "$i" || break
			sleep 0.1
		done
		! alive "$i" || kill -9 "$(cat "$dir/pid$i")" 2>/dev/null || true
		rm -f "$dir/pid$i"
	done
}

# Ends the brokers of a test that was killed before it could.
watch_owner() {
	(
		while kill -0 "$KAFKA_OWNER" 2>/dev/null && [ -e "$dir/pid1" ]; do sleep 1; done
		end
	) >/dev/null 2>&1 </dev/null &
}

case $verb in
install) install; exit ;;
start | kill9 | restart | pid | stop) [ -n "$dir" ] || die "$verb needs a folder" ;;
*) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

case $verb in
start)
	install
	[ -e "$dir/brokers" ] || configure "${which:-1}"
	n=$(cat "$dir/brokers")
	for i in $(seq "$n"); do launch "$i"; done
	[ -z "${KAFKA_OWNER:-}" ] || watch_owner
	addresses=
	for i in $(seq "$n"); do
		await "$i"
		addresses+="127.0.0.1:$(cat "$dir/port$i"),"
	done
	echo "${addresses%,}"
	;;
kill9)
	kill -9 "$(cat "$dir/pid$which")"
	while alive "$which"; do sleep 0.05; done
	;;
restart)
	launch "$which"
	await "$which"
	;;
pid) cat "$dir/pid$which" ;;
stop) end ;;
esac
