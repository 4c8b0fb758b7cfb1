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
check "init asks the server and stores the key" init_stores
init_refuses() {
	rm -rf "$HOME/.config"
	env -u RGRID_TOKEN "$RGRID" init --url "$RGRID_URL" --token "rgk_testtest_bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb_2ZXm7g"
	[ $? -eq 2 ] && [ ! -e "$HOME/.config" ]
}
check "a mistyped key is found out before it is sent" init_refuses

cat >slow.py <<'PY'
import sys, time
for i in range(200):
    print(i, flush=True)
    time.sleep(0.05)
PY
last_is() { [ "$("$RGRID" status last --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["state"])')" = "$1" ]; }
first_interrupt() {
	"$RGRID" run slow.py >slow.out 2>slow.err &
	local client=$! code=0
	wait_until 30 grep -q '^2$' slow.out || return 1
	kill -INT "$client"
	wait "$client" || code=$?
	[ "$code" -eq 130 ] && grep -q 'rgrid attach job_' slow.err && last_is running && "$RGRID" cancel last && wait_until 60 last_is cancelled
}
check "the first Ctrl-C detaches" first_interrupt
cancelling() {
	"$RGRID" run --cancel-on-interrupt slow.py >slow.out 2>slow.err &
	local client=$! code=0
	wait_until 30 grep -q '^2$' slow.out || return 1
	kill -INT "$client"
	wait "$client" || code=$?
	[ "$code" -eq 130 ] && wait_until 60 last_is cancelled
}
check "--cancel-on-interrupt cancels" cancelling
head_leaves() {
	"$RGRID" run slow.py 2>slow.err | head -n 1 >slow.out
	local codes=("${PIPESTATUS[@]}")
	"$RGRID" cancel last
	[ "${codes[0]}" -eq 141 ] && [ ! -s slow.err ] && [ "$(cat slow.out)" = 0 ]
}
check "a reader that leaves ends it quietly" head_leaves

stdin_variants() {
	printf 'import sys\nprint(repr(sys.stdin.read()))\n' >stdin.py
	printf 'one\ntwo\n' >lines.txt
	[ "$("$RGRID" run stdin.py <lines.txt)" = "'one\\ntwo\\n'" ] &&
		[ "$(printf 'piped' | "$RGRID" run stdin.py)" = "'piped'" ] &&
		[ "$({ read -r _; "$RGRID" run stdin.py; } <lines.txt)" = "'two\\n'" ] &&
		[ "$("$RGRID" run stdin.py </dev/null)" = "''" ] &&
		[ "$("$RGRID" run --no-stdin stdin.py <lines.txt)" = "''" ]
}
check "standard input: a file, a pipe, the rest of a file, nothing, --no-stdin" stdin_variants
waiting_is_said() {
	mkfifo never
	sleep 60 >never &
	local holder=$! client
	"$RGRID" run stdin.py <never >slow.out 2>slow.err &
	client=$!
	wait_until 60 grep -q -- --no-stdin slow.err
	local said=$?
	kill "$holder"
	wait "$client"
	[ "$said" -eq 0 ]
}
check "waiting for standard input is said" waiting_is_said

two_attempts() {
	printf 'print("the same")\n' >same.py
	"$RGRID" run same.py && "$RGRID" retry last && "$RGRID" attach last >slow.out 2>slow.err &&
		[ "$(cat slow.out)" = $'the same\nthe same' ] && grep -q 'attempt 2 begins' slow.err
}
check "a new attempt's output is shown from its own beginning" two_attempts

rm -f out.txt
mkdir -p data/deep
for i in 1 2 3 4 5 6 7; do echo $i >data/$i.csv; done
echo 8 >data/deep/8.csv
cat >double.py <<'PY'
import os, sys
n = int(open(sys.argv[1]).read())
print("doubling", n)
if n == 3 and "--fail" in sys.argv:
    sys.exit("three is refused")
os.makedirs("sub", exist_ok=True)
open("sub/double.txt", "w").write(str(2 * n))
PY
batch_outputs() {
	"$RGRID" run --batch 'data/**/*.csv' --parallel 3 double.py || return 1
	[ "$(cat outputs/data/7.csv/sub/double.txt)" = 14 ] && [ "$(cat outputs/data/deep/8.csv/sub/double.txt)" = 16 ] &&
		[ "$(cat outputs/data/1.csv.stdout)" = "doubling 1" ] && [ ! -e outputs/data/1.csv.stderr ]
}
check "a batch: outputs and logs below outputs/" batch_outputs
batch_failure() {
	"$RGRID" run --batch 'data/*.csv' -o failing double.py {} --fail >fail.out 2>fail.err
	[ $? -eq 1 ] && [ ! -s fail.out ] && grep -q '^failed data/3.csv: exit 1, job_[0-9a-z]*: three is refused$' fail.err &&
		grep -q -- '--failed' fail.err && [ "$(cat failing/data/4.csv/sub/double.txt)" = 8 ]
}
check "a failure in a batch is named as it happens" batch_failure
batch_survives() {
	fault 'GET .*/(results|artifacts|batches/batch_[0-9]*$)' 503 6
	"$RGRID" run --batch 'data/*.csv' -o shaky double.py && [ "$(cat shaky/data/7.csv/sub/double.txt)" = 14 ]
}
check "a batch survives 503s" batch_survives
batch_infra() {
	"$RGRID" run --batch 'data/1.csv' --env FAKE_OUTCOME=lost double.py 2>&1
	[ $? -eq 125 ]
}
check "a batch whose jobs RGrid failed is 125" batch_infra
batch_flat() {
	"$RGRID" run --batch 'data/*.csv' -o flat --flat double.py || return 1
	[ "$(find flat -name '*double.txt' | wc -l)" -eq 7 ] && [ -e flat/double.txt ] && [ ! -d flat/data/1.csv ]
}
check "--flat keeps all files apart" batch_flat
batch_download() {
	"$RGRID" download "$("$RGRID" batch list --quiet | head -n 1)" -o again && [ "$(cat again/data/7.csv/sub/double.txt)" = 14 ]
}
check "download fetches a batch as run laid it out" batch_download
batch_large() {
	seq 1 25000 >many.txt
	fake_control hold 1
	local id
	id=$("$RGRID" run --each-line many.txt --detach double.py) || return 1
	[ "$("$RGRID" batch status "$id" --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["counts"]["total"])')" = 25000 ] || return 1
	"$RGRID" batch cancel "$id" && fake_control hold 0 && [ "$(requests_like 'POST /api/v1/batches/.*/jobs')" -eq 2 ]
}
check "25,000 jobs are submitted in three requests" batch_large
unquoted() { "$RGRID" run --batch data/*.csv double.py 2>&1 | grep -q 'quote the pattern'; }
check "an unquoted pattern is recognised" unquoted
retried() {
	local id
	id=$("$RGRID" batch list --json | python3 -c 'import json, sys; print([b["id"] for b in json.load(sys.stdin)["items"] if b["counts"]["failed"] == 1 and b["counts"]["total"] == 7][0])')
	"$RGRID" retry --batch "$id" --failed 2>&1 | grep -q '1 jobs queued' && "$RGRID" attach "$id"
	[ $? -eq 1 ]
}
check "retry --batch --failed, and attach to the batch" retried
paging() {
	local all
	all=$(jobs_total)
	[ "$all" -gt 25000 ] && [ "$("$RGRID" list --limit 3 --quiet | wc -l)" -eq 3 ] && "$RGRID" list --limit 3 2>&1 | grep -q -- --cursor
}
check "lists page on" paging
json_is_json() {
	"$RGRID" status last --json | python3 -m json.tool && "$RGRID" status --json | python3 -m json.tool &&
		"$RGRID" list --json | python3 -m json.tool && "$RGRID" batch list --json | python3 -m json.tool &&
		"$RGRID" worker list --json | python3 -m json.tool && "$RGRID" download --list --json last | python3 -m json.tool
}
check "--json is JSON" json_is_json
tap_end
