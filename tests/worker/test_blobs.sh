#!/bin/bash
# Inputs and outputs of jobs: fetched once, copied, collected, uploaded; and what happens while the blob
# service is away, full, or forgetful.
# shellcheck disable=SC2016 # scripts of jobs are not ours to expand
cd "$(dirname "$0")/../.." || exit 1
[ -n "${RGRID_TEST_CONNINFO:-}" ] || exec tests/with-postgres "$0" "$@"
# shellcheck source=tests/tap.sh
. tests/tap.sh
# shellcheck source=tests/worker/worker.sh
. tests/worker/worker.sh
tap_begin
worker_begin

BLOBS=$TEST_DIR/blobs
mkdir "$BLOBS"
SERVICE_PID=
service_port=0
has_port() { [ -s "$BLOBS/.port" ]; }
service_start() {
	rm -f "$BLOBS/.port"
	python3 tests/worker/fake_blobs.py "$BLOBS" "$service_port" >"$TEST_DIR/service.log" 2>&1 &
	SERVICE_PID=$!
	wait_until 60 has_port || { cat "$TEST_DIR/service.log"; return 1; }
	service_port=$(cat "$BLOBS/.port")
}
service_stop() {
	kill -KILL "$SERVICE_PID"
	wait "$SERVICE_PID" 2>/dev/null
	SERVICE_PID=
}
more_at_exit() { [ -z "$SERVICE_PID" ] || service_stop; }

blob_put() { # bytes on stdin → digest
	local digest
	cat >"$TEST_DIR/blob"
	digest=$(sha256sum <"$TEST_DIR/blob" | cut -c1-64)
	mv "$TEST_DIR/blob" "$BLOBS/$digest"
	echo "$digest"
}
requests() { grep -c "$1" "$BLOBS/.requests"; }
artifacts() { # of a job: "path size executable", sorted
	store_ask "SELECT path || ' ' || size_bytes || CASE WHEN executable THEN ' x' ELSE '' END
		FROM rg.artifact WHERE job_id = $1 ORDER BY path"
}
artifact() { # job path → its bytes
	cat "$BLOBS/$(store_ask "SELECT encode(sha256, 'hex') FROM rg.artifact WHERE job_id = $1 AND path = '$2'")"
}

check 'the blob service starts' service_start
API_URL=http://127.0.0.1:$service_port
check 'a worker joins' worker_start w1 --slots 4

# In and out

input=$(printf 'a,b\n1,2\n' | blob_put)
big=$(head -c 20000000 /dev/zero | blob_put)
script=$(printf '%s\n' 'mkdir -p out' 'tr a-z A-Z <data/in.csv >out/upper.csv' 'cat >out/stdin' \
	'stat -c %%s big >size' 'printf x >>data/changed' 'chmod +x out/stdin' | sed 's/%%/%/g' | blob_put)
more="{script: {name: \"run.sh\", blob: \"$script\", content: null}, stdin: {blob: \"$input\"}, directories: [\"empty\"],
	files: [{path: \"data/in.csv\", blob: \"$input\"}, {path: \"data/changed\", blob: \"$input\"}, {path: \"big\", blob: \"$big\"}]}
	| ."
job=$(job_submit bash '' "$more")
check 'a job with inputs completes' job_ended "$job" '1 1'
check_output 'what it made or changed is kept, inputs are not' 'data/changed 9
out/stdin 8 x
out/upper.csv 8
size 9' artifacts "$job"
check_output 'byte for byte' 'A,B
1,2' artifact "$job" out/upper.csv
check_output 'the large input was whole' 20000000 artifact "$job" size
job=$(job_submit bash '' "$more")
check 'the same again completes' job_ended "$job" '1 1'
check_output 'each input was fetched once' '1 1 1' echo "$(requests "GET .*$input 200")" "$(requests "GET .*$script 200")" "$(requests "GET .*$big 200")"

job=$(job_submit bash 'echo kept >log.txt; exit 7')
check 'a failed script' job_ended "$job" '1 2'
check_output 'leaves its outputs too' 'log.txt 5' artifacts "$job"
job=$(job_submit bash 'head -c 30000000 /dev/urandom >random; for i in 1 2 3; do echo same >copy$i; done')
check 'a large output' job_ended "$job" '1 1' 60
check_output 'is uploaded whole' 30000000 stat -c %s "$BLOBS/$(store_ask "SELECT encode(sha256, 'hex') FROM rg.artifact WHERE job_id = $job AND path = 'random'")"
check_output 'equal outputs travel once' 1 requests "PUT .*$(echo same | sha256sum | cut -c1-64) 201"

job=$(job_submit bash 'mkdir d; for i in {1..3000}; do : >d/$i; done')
check 'thousands of outputs' job_ended "$job" '1 1' 60
check_output 'are all recorded' 3000 store_ask "SELECT count(*) FROM rg.artifact WHERE job_id = $job"

missing=$(printf 'nobody has this' | sha256sum | cut -c1-64)
job=$(job_submit bash 'cat in' "{files: [{path: \"in\", blob: \"$missing\"}]}")
check 'an input that is nowhere rejects the job' job_ended "$job" '1 10'
check_output 'by name' "input in: blob ${missing:0:12} is not in the blob store" job_field "$job" message
job=$(job_submit bash 'true' "{limits: {disk_bytes: 8388608}, files: [{path: \"big\", blob: \"$big\"}]}")
if [[ ,$(store_ask "SELECT array_to_string(unenforced, ',') FROM rg.worker"), != *,disk,* ]]; then
	check 'an input larger than the disk limit' job_ended "$job" '1 8'
else
	skip 'an input larger than the disk limit' 'this machine cannot hold limits of disk space'
	check 'it completes, where that cannot be held' job_ended "$job" '1 1'
fi

# Away

service_stop
fresh=$(date +%s%N | blob_put)
job=$(job_submit bash 'cat in >out' "{files: [{path: \"in\", blob: \"$fresh\"}]}")
check 'without the service a job with inputs is claimed' wait_until 60 job_is "$job" running
other=$(job_submit bash 'echo fine')
check 'one without runs all the same' job_ended "$other" '1 1'
check 'the first still waits' job_is "$job" running
check 'the service comes back' service_start
check 'and the job goes on' job_ended "$job" '1 1'
check_output 'to its end' "$(cat "$BLOBS/$fresh")" artifact "$job" out

service_stop
job=$(job_submit bash 'echo late >late; echo ready; sleep 1.2345')
wait_until 60 job_log_has "$job" 1 ready
script_is_over() { ! pgrep -f '^sleep 1.2345$' >/dev/null; }
check 'a script ends while the service is away' wait_until 60 script_is_over
check 'its job does not, for its outputs are due' job_is "$job" running
check 'it comes back' service_start
check 'no output is lost' job_ended "$job" '1 1' 30
check_output 'none' 'late' artifact "$job" late

echo 503 >"$BLOBS/.fault"
job=$(job_submit bash 'echo stuck >stuck')
stuck() { requests 'PUT .* 503'; }
check 'an overloaded service is asked again' wait_until 60 stuck
store_ask "SELECT rg.cancel_job(1, $job); NOTIFY rg_kill" >/dev/null
check 'cancelling ends the wait' job_ended "$job" '1 5' 60
rm "$BLOBS/.fault"

echo 507 >"$BLOBS/.fault"
job=$(job_submit bash 'echo full >full')
full() { [ "$(job_field "$job" outcome)" = 9 ]; }
check 'a full blob store is our fault, not the script'"'"'s' wait_until 90 full
check_output 'and is named' 'output full: the blob store is full' job_field "$job" message
rm "$BLOBS/.fault"
ticked() { store_ask 'SELECT rg.tick()' >/dev/null && job_is "$1" "$2"; }
check 'the job is tried again when there is room' wait_until 30 ticked "$job" 'ended 2 1'

worker_kill TERM
check 'the worker leaves' worker_wait
check_output 'the queue is consistent' '' store_ask 'SELECT * FROM t.violations()'
tap_end
