#!/usr/bin/env bash
# Fuzzes every fuzz target of the bundle, one after the other: fuzz.sh DURATION.
set -euo pipefail
cd "$(dirname "$0")/.."
duration=${1:-30s}
output=$(mktemp)
trap 'rm -f "$output"' EXIT

# At the end of its time Go's fuzzer can report its own deadline as a failure (golang/go#75804, mended in 1.27): that, with
# no failing input beside it, is the end of a clean run. Anything else is a finding.
only_the_end_of_time() {
	! grep -qE 'Failing input written|panic:|fuzzing process' "$output" &&
		[ "$(grep -A1 -E '^--- FAIL' "$output" | tail -n +2 | tr -d ' ')" = contextdeadlineexceeded ]
}

fuzz() { # PACKAGE TARGET
	echo "fuzzing $1 $2 for $duration"
	go test -run '^$' -fuzz "^$2\$" -fuzztime "$duration" -fuzzminimizetime 100x "./$1" 2>&1 | tee "$output" || only_the_end_of_time
}

grep -rlE '^func Fuzz' --include='*_test.go' plugins | xargs -n1 dirname | sort -u | while read -r package; do
	for target in $(grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$package"/*_test.go | sed 's/^func //'); do
		fuzz "$package" "$target"
	done
done
