#!/usr/bin/env bash
# A real S3 server for tests: versitygw over a folder, on a free loopback port. Access key "test", secret "testsecret".
#   s3.sh install       once; the binary stays in TESTENGINE_TOOLS
#   s3.sh start DIR     data, log and pid in DIR; prints the endpoint when it answers. Again on a stopped DIR: same port, same data.
#   s3.sh stop DIR      ends it, by process id
# A bucket is a folder under DIR/data. With S3_OWNER=PID the server ends when that process is gone.
set -euo pipefail
. "$(dirname "$0")/servers.sh"
version=v1.8.0
binary=$tools/bin/versitygw-$version

verb=${1:-}; dir=${2:-}

install() {
	[ ! -e "$binary" ] || return 0
	mkdir -p "$tools/bin"
	GOBIN=$tools/bin go install "github.com/versity/versitygw/cmd/versitygw@$version"
	mv "$tools/bin/versitygw" "$binary"
}

launch() {
	! alive "$dir/pid" || die "it is running"
	ROOT_ACCESS_KEY=test ROOT_SECRET_KEY=testsecret setsid "$binary" --port "127.0.0.1:$1" --health /health --quiet \
		posix --sidecar "$dir/meta" "$dir/data" >>"$dir/log" 2>&1 </dev/null &
	echo $! >"$dir/pid"
}

case $verb in
install) install; exit ;;
start | stop) [ -n "$dir" ] || die "$verb needs a folder" ;;
*) usage ;;
esac
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)

case $verb in
start)
	install
	mkdir -p "$dir/data" "$dir/meta"
	[ -e "$dir/port" ] || free_ports 1 >"$dir/port"
	port=$(cat "$dir/port")
	launch "$port"
	end_with "${S3_OWNER:-}" "$dir/pid"
	await "$dir/pid" "$dir/log" curl -fs -o /dev/null "http://127.0.0.1:$port/health"
	echo "http://127.0.0.1:$port"
	;;
stop) end "$dir/pid" ;;
esac
