#!/usr/bin/env bash
# Removes each guard of guards.tsv in turn, in a copy of the tree, and shows
# that the named test turns red. A mutant that survives is an error.
# guards.tsv: guard, file, Perl replacement, package (flags before it), test (tabs between).
# run.sh [FIRST [LAST]] takes only those lines of it.
set -euo pipefail
cd "$(dirname "$0")/../.."
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$copy"
survived=0 killed=0 unfit=0

# red says whether the test itself failed. A panic in a goroutine of it, or its
# deadline, names no test: then it must be the one that had begun.
red() {
	grep -q "^--- FAIL: $name " "$copy/out" ||
		grep -q "^panic: " "$copy/out" && grep -q "^=== RUN   $name\$" "$copy/out"
}

while IFS=$'\t' read -r guard file replace package name; do
	cp "$file" "$copy/$file"
	perl -0pi -e "$replace" "$copy/$file"
	if cmp -s "$file" "$copy/$file"; then
		echo "UNFIT     $guard: the replacement fits nothing in $file"
		unfit=$((unfit + 1))
		continue
	fi
	if ! (cd "$copy" && go vet $package) >"$copy/out" 2>&1; then
		echo "UNFIT     $guard: does not build without it"
		cat "$copy/out"
		unfit=$((unfit + 1))
	elif (cd "$copy" && go test -count=1 -timeout 5m -v -run "^$name\$" $package) >"$copy/out" 2>&1; then
		if grep -q "^--- PASS: $name " "$copy/out"; then
			echo "SURVIVED  $guard: $name is green without it"
			survived=$((survived + 1))
		else
			echo "UNFIT     $guard: there is no test $name in $package"
			unfit=$((unfit + 1))
		fi
	elif red; then
		echo "caught    $guard: $name"
		killed=$((killed + 1))
	else
		echo "UNFIT     $guard: something else than $name fails without it"
		tail -n 20 "$copy/out"
		unfit=$((unfit + 1))
	fi
	cp "$file" "$copy/$file"
done < <(sed -n "${1:-1},${2:-${1:-\$}}p" tests/mutants/guards.tsv)
echo "$killed caught, $survived survived, $unfit do not fit"
[ "$survived$unfit" = 00 ]
