# What kafka.sh, registry.sh and s3.sh share: they source it. A server has a file with
# its process id, written by whoever starts it; PIDS stands for such files.
tools=${TESTENGINE_TOOLS:-$HOME/.cache/connect-testengine}

die() { echo "${0##*/}: $*" >&2; exit 1; }

# usage prints the sentences at the head of the script.
usage() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; exit 2; }

# free_ports N prints ports below the range that the kernel hands to clients, so that none takes them between a kill and a restart.
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

# alive PID-FILE: a dead process that nobody has waited for yet is not alive.
alive() {
	[ -e "$1" ] || return 1
	case $(ps -o stat= -p "$(cat "$1")" 2>/dev/null) in "" | Z*) return 1 ;; esac
}

# await PID-FILE LOG COMMAND... returns when the command succeeds: the server answers.
await() {
	local pid=$1 log=$2
	shift 2
	for _ in $(seq 900); do
		if "$@" 2>/dev/null; then return 0; fi
		alive "$pid" || die "the server has ended: $(tail -5 "$log")"
		sleep 0.1
	done
	die "the server does not answer after 90 s: $(tail -5 "$log")"
}

# end PIDS... ends the servers, by force after 15 s.
end() {
	local pid
	for pid; do ! alive "$pid" || kill "$(cat "$pid")" 2>/dev/null || true; done
	for pid; do
		for _ in $(seq 150); do
			alive "$pid" || break
			sleep 0.1
		done
		! alive "$pid" || kill -9 "$(cat "$pid")" 2>/dev/null || true
		rm -f "$pid"
	done
}

kill9() {
	kill -9 "$(cat "$1")"
	while alive "$1"; do sleep 0.05; done
}

# end_with OWNER PIDS... ends the servers of a test that was killed before it could. Nothing without an owner.
end_with() {
	local owner=$1
	shift
	[ -n "$owner" ] || return 0
	(
		while kill -0 "$owner" 2>/dev/null && [ -e "$1" ]; do sleep 1; done
		end "$@"
	) >/dev/null 2>&1 </dev/null &
}
