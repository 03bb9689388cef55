#!/usr/bin/env bash
# Installs what tests need and the base machine lacks: a browser, Kafka, a Schema Registry and the real
# collectors. Kept in TESTENGINE_TOOLS, so that a second run costs nothing.
set -euo pipefail
tools=${TESTENGINE_TOOLS:-$HOME/.cache/connect-testengine}
here=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$tools"

"$here"/page/install.sh

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

gotestsum=$tools/gotestsum-1.13.0
[ -e "$gotestsum/gotestsum" ] || GOBIN=$gotestsum go install gotest.tools/gotestsum@v1.13.0

"$here"/services/kafka.sh install
"$here"/services/registry.sh install
"$here"/services/s3.sh install
