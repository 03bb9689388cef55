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
. "$here/../servers.sh"
jars=$tools/kafka-$(cksum <"$here/pom.xml" | cut -d' ' -f1)
heap=${KAFKA_HEAP:-256m}
cluster=dGVzdGVuZ2luZS10ZXN0cw

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

launch() {
	! alive "$dir/pid$1" || die "broker $1 is running"
	java_of_kafka kafka.Kafka "$dir/broker$1.properties" >>"$dir/broker$1.log" 2>&1 </dev/null &
	echo $! >"$dir/pid$1"
}

listens() { (exec 3<>"/dev/tcp/127.0.0.1/$(cat "$dir/port$1")"); }

case $verb in
install) install; exit ;;
start | kill9 | restart | pid | stop) [ -n "$dir" ] || die "$verb needs a folder" ;;
*) usage ;;
esac
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

case $verb in
start)
	install
	[ -e "$dir/brokers" ] || configure "${which:-1}"
	n=$(cat "$dir/brokers")
	for i in $(seq "$n"); do launch "$i"; done
	end_with "${KAFKA_OWNER:-}" "$dir"/pid?
	addresses=
	for i in $(seq "$n"); do
		await "$dir/pid$i" "$dir/broker$i.log" listens "$i"
		addresses+="127.0.0.1:$(cat "$dir/port$i"),"
	done
	echo "${addresses%,}"
	;;
kill9) kill9 "$dir/pid$which" ;;
restart)
	launch "$which"
	await "$dir/pid$which" "$dir/broker$which.log" listens "$which"
	;;
pid) cat "$dir/pid$which" ;;
stop) end "$dir"/pid? ;;
esac
