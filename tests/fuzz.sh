#!/usr/bin/env bash
# Fuzzes every fuzz target of the bundle, one after the other: fuzz.sh DURATION.
set -euo pipefail
cd "$(dirname "$0")/.."
duration=${1:-30s}
grep -rlE '^func Fuzz' --include='*_test.go' plugins | xargs -n1 dirname | sort -u | while read -r package; do
	for target in $(grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$package"/*_test.go | sed 's/^func //'); do
		echo "fuzzing $package $target for $duration"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$duration" -fuzzminimizetime 100x "./$package"
	done
done
