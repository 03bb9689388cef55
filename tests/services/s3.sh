#!/usr/bin/env bash
# A real S3 server for tests: versitygw over a folder, on a free loopback port. Access key "test", secret "testsecret".
#   s3.sh install       once; the binary stays in TESTENGINE_TOOLS
#   s3.sh start DIR     data, log and pid in DIR; prints the endpoint when it answers. Again on a stopped DIR: same port, same data.
#   s3.sh stop DIR      ends it, by process id
# A bucket is a folder under DIR/data. With S3_OWNER=PID the server ends when that process is gone.
set -euo pipefail
tools=${TESTENGINE_TOOLS:-$HOME/.cache/connect-testengine}
version=v1.8.0
binary=$tools/bin/versitygw-$version

die() { echo "s3.sh: $*" >&2; exit 1; }
verb=${1:-}; dir=${2:-}

install() {
	[ ! -e "$binary" ] || return 0
	mkdir -p "$tools/bin"
	GOBIN=$tools/bin go install "github.com/versity/versitygw/cmd/versitygw@$version"
	mv "$tools/bin/versitygw" "$binary"
}

start() {
	[ -n "$dir" ] || die "start needs a folder"
	install
	mkdir -p "$dir/data" "$dir/meta"
	[ -e "$dir/port" ] || python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])' >"$dir/port"
	local port
	port=$(cat "$dir/port")
	ROOT_ACCESS_KEY=test ROOT_SECRET_KEY=testsecret setsid "$binary" --port "127.0.0.1:$port" --health /health --quiet \
		posix --sidecar "$dir/meta" "$dir/data" >"$dir/log" 2>&1 &
	echo $! >"$dir/pid"
	for _ in $(seq 300); do
		if curl -fs -o /dev/null "http://127.0.0.1:$port/health"; then
			[ -z "${S3_OWNER:-}" ] || watch_owner &
			echo "http://127.0.0.1:$port"
			return 0
		fi
		kill -0 "$(cat "$dir/pid")" 2>/dev/null || die "the server has ended: $(tail -3 "$dir/log")"
		sleep 0.1
	done
	die "the server does not answer: $(tail -3 "$dir/log")"
}

watch_owner() {
	exec >/dev/null 2>&1 </dev/null
	while kill -0 "$S3_OWNER" 2>/dev/null && kill -0 "$(cat "$dir/pid")" 2>/dev/null; do sleep 1; done
	stop
}

stop() {
	[ -e "$dir/pid" ] || return 0
	kill "$(cat "$dir/pid")" 2>/dev/null || true
	rm -f "$dir/pid"
}

case $verb in
install) install ;;
start) start ;;
stop) stop ;;
*) die "install, start DIR or stop DIR" ;;
esac
