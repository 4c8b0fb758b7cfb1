#!/usr/bin/env bash
# The command line against a server that misbehaves: lost connections, 503s, garbage, hostile names.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
. tests/cli/fake.sh
tap_begin
fake_start

printf 'import sys\nprint(sys.argv[1:])\nopen("out.txt", "w").write("out")\n' >show.py
jobs_total() { "$RGRID" list --all --quiet | wc -l; }

submits_once() { # fault
	local before
	before=$(jobs_total)
	fault 'POST /api/v1/jobs$' "$1" 2
	[ "$("$RGRID" run show.py x)" = "['x']" ] && [ $(($(jobs_total) - before)) -eq 1 ]
}
check "a submission is repeated after 503" submits_once 503
check "a submission is repeated after a lost connection" submits_once drop
check "a submission whose answer was lost is not made twice" submits_once drop-after
limited() { fault 'GET /api/v1/jobs' 429 1; "$RGRID" list; }
check "429 is waited out" limited
refused() { fault 'POST /api/v1/jobs$' 500 1; "$RGRID" run show.py; }
check_exit 125 "500 is not repeated" refused
shows_request() { fault 'POST /api/v1/jobs$' 500 1; "$RGRID" run show.py 2>&1 | grep -q req-1234; }
check "an error of the server carries the request id" shows_request
garbage() { fault 'GET /api/v1/jobs' garbage 1; "$RGRID" list; }
check_exit 7 "garbage instead of JSON" garbage
upload_again() {
	head -c 300000 /dev/urandom >big.bin
	fault 'PUT' 503 1
	"$RGRID" run show.py big.bin
}
check "an upload is repeated" upload_again
no_second_upload() {
	local before
	before=$(requests_like '^PUT')
	"$RGRID" run show.py big.bin && [ "$(requests_like '^PUT')" -eq "$before" ]
}
check "what the server has is not sent again" no_second_upload
check_exit 7 "nobody listens" env RGRID_URL=http://127.0.0.1:1 "$RGRID" list
check_exit 4 "a wrong key" env RGRID_TOKEN=rgk_wrong "$RGRID" list
check_exit 5 "an unknown id" "$RGRID" status job_zzzz
check_exit 2 "a malformed address" env RGRID_URL=localhost:8000 "$RGRID" list

cat >lines.py <<'PY'
import sys
for i in range(3000):
    print("out", i)
    print("err", i, file=sys.stderr)
PY
resumes() { # fault count
	python3 lines.py >expected.out 2>expected.err
	fault 'GET .*/logs' "$1" "$2"
	"$RGRID" run lines.py >got.out 2>got.err && cmp expected.out got.out && cmp expected.err got.err
}
check "a stream cut in the middle of an event loses and doubles nothing" resumes 'cut 3' 4
check "a stream cut at once" resumes 'cut 0' 3
check "a stream answered with 503" resumes 503 2
check "a stream never answered" resumes drop 2

hostile() { # path
	fake_control artifacts "[{\"path\": \"$1\", \"sha256\": \"2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae\", \"size_bytes\": 3, \"executable\": false, \"data\": \"foo\"}]"
	"$RGRID" run --output-dir in/here show.py
}
no_escape() {
	mkdir -p in
	hostile "$1"
	[ $? -eq 125 ] && [ ! -e "$TEST_DIR/work/escaped" ] && [ ! -e "$TEST_DIR/work/in/escaped" ] && [ ! -e /tmp/rgrid-escaped ]
}
check "an output with .. is refused" no_escape ../escaped
check "an output with .. inside is refused" no_escape a/../../escaped
check "an absolute output is refused" no_escape /tmp/rgrid-escaped
check "an output with a control character is refused" no_escape 'a\u001b[31m'
check "an empty component is refused" no_escape 'a//b'
through_link() {
	mkdir -p in/here elsewhere
	ln -sfn ../../elsewhere in/here/link
	hostile link/escaped
	[ $? -eq 125 ] && [ ! -e elsewhere/escaped ]
}
check "an output does not go through a symbolic link" through_link
damaged() {
	fake_control artifacts '[{"path": "foo", "sha256": "0000000000000000000000000000000000000000000000000000000000000000", "size_bytes": 3, "executable": false, "data": "foo"}]'
	"$RGRID" run show.py
	[ $? -eq 125 ] && [ ! -e foo ] && [ -z "$(find . -name '.rgrid-*')" ]
}
check "a damaged output is not stored" damaged
fake_control artifacts null

key_stays_home() {
	mkdir -p project/.rgrid "$HOME/.config/rgrid"
	printf 'url = %s\n' "$RGRID_URL" >project/.rgrid/config
	printf 'url = http://other.example\ntoken = %s\n' "$RGRID_TOKEN" >"$HOME/.config/rgrid/credentials"
	chmod 600 "$HOME/.config/rgrid/credentials"
	local before code=0
	before=$(requests_like .)
	(cd project && env -u RGRID_URL -u RGRID_TOKEN "$RGRID" list) || code=$?
	rm -r "$HOME/.config"
	[ "$code" -eq 4 ] && [ "$(requests_like .)" -eq "$before" ]
}
check "the key is not sent to the server that a project file names" key_stays_home

init_stores() {
	env -u RGRID_URL -u RGRID_TOKEN "$RGRID" init --url "$RGRID_URL/" <<<"$RGRID_TOKEN" &&
		[ "$(stat -c %a "$HOME/.config/rgrid/credentials")" = 600 ] &&
		env -u RGRID_URL -u RGRID_TOKEN "$RGRID" status
}
