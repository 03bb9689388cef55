#!/usr/bin/env bash
# Installs what tests need and the base machine lacks: a browser and the real
# collectors. Kept in TESTENGINE_TOOLS, so that a second run costs nothing.
set -euo pipefail
tools=${TESTENGINE_TOOLS:-$HOME/.cache/connect-testengine}
here=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$tools"

if ! command -v chromium >/dev/null; then
	as_root=""
	[ "$(id -u)" = 0 ] || as_root=sudo
	$as_root apt-get update -qq
	DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends chromium >/dev/null
fi

# A stamp names the versions; another version installs anew.
js_stamp=$tools/js/$(cat "$here"/clients/js/package.json | cksum | cut -d' ' -f1).done
if [ ! -e "$js_stamp" ]; then
	rm -rf "$tools/js" && mkdir -p "$tools/js"
	cp "$here/clients/js/package.json" "$tools/js/"
	(cd "$tools/js" && npm install --no-audit --no-fund --loglevel=error)
	touch "$js_stamp"
fi

py_stamp=$tools/python/$(cat "$here"/clients/python/requirements.txt | cksum | cut -d' ' -f1).done
if [ ! -e "$py_stamp" ]; then
	rm -rf "$tools/python"
	python3 -m venv "$tools/python"
	"$tools/python/bin/pip" install --quiet -r "$here/clients/python/requirements.txt"
	touch "$py_stamp"
fi
