# shellcheck shell=bash
# A fake server for tests of the command line (see fake_api.py). Source after tests/tap.sh, then
# fake_start sets RGRID_URL and RGRID_TOKEN and a home directory of the test's own; stops at the end.

. tests/cli/program.sh

fake_start() {
	python3 "$PWD/tests/cli/fake_api.py" "$TEST_DIR/port" &
	fake_pid=$!
	tap_at_exit() { kill "$fake_pid" && wait "$fake_pid" 2>/dev/null; }
	wait_until 60 test -s "$TEST_DIR/port" || exit 1
	RGRID_URL=http://127.0.0.1:$(cat "$TEST_DIR/port")
	export RGRID_URL HOME=$TEST_DIR/home RGRID_TOKEN=rgk_testtest_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa_2ZXm7g
	unset XDG_CONFIG_HOME RGRID_CA_FILE
	mkdir -p "$HOME" "$TEST_DIR/work"
	cd "$TEST_DIR/work" || exit 1
}

fake_control() { # what json
	python3 - "$RGRID_URL/control/$1" "$2" <<'PY'
import sys, urllib.request
urllib.request.urlopen(urllib.request.Request(sys.argv[1], sys.argv[2].encode(), method="POST")).read()
PY
}

# fault 'POST /api/v1/jobs' 503 [count]
fault() { fake_control faults "[{\"match\": \"$1\", \"do\": \"$2\", \"count\": ${3:-1}}]"; }

# How many requests match a regular expression so far.
requests_like() {
	python3 - "$RGRID_URL/control/requests" "$1" <<'PY'
import json, re, sys, urllib.request
print(sum(bool(re.search(sys.argv[2], line)) for line in json.load(urllib.request.urlopen(sys.argv[1]))))
PY
}
