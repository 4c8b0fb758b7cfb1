#!/usr/bin/env bash
# The listener for workers: blobs, the bundle and a sign of life, for workers alone. Whatever else the API
# serves is not there.
set -u
shopt -s extglob
cd "$(dirname "$0")/../.." || exit 1
[ -n "${RGRID_TEST_CONNINFO-}" ] || exec tests/with-postgres "$0" "$@"
. tests/tap.sh
. tests/api/api.sh
tap_begin
tests/tools/make-certificates "$TEST_DIR" 127.0.0.1 2>/dev/null
api_start

# The second process, as packaging/systemd/rgrid-api-workers.service starts it.
users=$URL
listener_pid=
api_end=$(declare -f tap_at_exit)
eval "api_${api_end}"
tap_at_exit() {
	api_tap_at_exit
	[ -z "$listener_pid" ] || kill "$listener_pid" 2>/dev/null
}
export RGRID_DATABASE=${RGRID_TEST_CONNINFO/user=postgres/user=rgrid_api}
listener() { "$RGRIDD" api --listen 127.0.0.1:0 --blob-dir "$BLOBS" --tls-file "$TEST_DIR/server.pem" --serve "$1"; }
says_what_it_may_be() { listener some 2>&1 | grep -F 'serve is all or workers, not "some"'; }
check "whom to serve is all or workers" says_what_it_may_be
"$RGRIDD" api --listen 127.0.0.1:0 --blob-dir "$BLOBS" --tls-file "$TEST_DIR/server.pem" --serve workers \
	>"$TEST_DIR/listener.log" 2>&1 </dev/null &
listener_pid=$!
listener_is_ready() { grep -q '"api.ready"' "$TEST_DIR/listener.log"; }
check "a listener for workers starts beside the users'" wait_until 30 listener_is_ready
workers=https://$(sed -n 's/.*"api.ready".*"address":"\([^"]*\)".*/\1/p' "$TEST_DIR/listener.log")
at_workers() { URL=$workers req "$@" --cacert "$TEST_DIR/ca.crt"; }

# A worker with a job, and a user

seq 1000 >"$TEST_DIR/input"
input=$(sha256sum "$TEST_DIR/input" | cut -c1-64)
req PUT "/api/v1/blobs/$input" -T "$TEST_DIR/input"
worker_start w1
worker=rgw_$(req GET /api/v1/workers && get '.items[0].id' | sed 's/^worker_//')_$WORKER_SECRET
submit "{\"runtime\":\"bash\",\"script\":{\"name\":\"a.sh\",\"content\":\"true\"},\"files\":[{\"path\":\"in\",\"blob\":\"$input\"}]}" >/dev/null
worker_claim

KEY=$worker at_workers GET "/api/v1/blobs/$input"
is "a worker reads its job's input" 200
check "as it is" cmp "$TEST_DIR/input" "$TEST_DIR/body"
printf 'made by a job' >"$TEST_DIR/output"
made=$(sha256sum "$TEST_DIR/output" | cut -c1-64)
KEY=$worker at_workers PUT "/api/v1/blobs/$made" -T "$TEST_DIR/output"
is "and writes its output" 201
KEY=none at_workers GET "/bundle/$input.tar.gz"
is "the bundle is there, for a token" 401
at_workers GET /livez
is "so is a sign of life" 200

for key in "$ONE" "$OP"; do
	KEY=$key at_workers GET "/api/v1/blobs/$input"
	is "an API key is of no use here" 403
	has "and the answer says why" .detail "this listener serves workers only, and takes no API keys"
done

# All other routes

hidden=0
while read -r method path; do
	path=${path//\{*([a-z0-9.])\}/last}
	KEY=$OP at_workers "$method" "$path"
	is "$method $path is not there" 404
	hidden=$((hidden + 1))
done < <(sed -n 's/^ROUTE(\([A-Z]*\), "\([^"]*\)".*, USERS, .*/\1 \2/p' src/api/routes.def | grep -v blobs/check)
check "these were some" test "$hidden" -gt 30
at_workers GET /api/v1/jobs
has "and the answer says why" .detail "this listener serves workers only, and nothing at this address"
post=$(URL=$workers; post /api/v1/blobs/check '{"blobs":[]}' --cacert "$TEST_DIR/ca.crt"; echo "$STATUS")
check_output "a path that it shares takes workers' methods alone" 405 echo "$post"
URL=$users
req GET /api/v1/jobs
is "at the users' API all of it is" 200
listener_ends() { kill -TERM "$listener_pid" && wait "$listener_pid"; }
check "SIGTERM ends the listener well" listener_ends
listener_pid=
check "and the API" api_stop
tap_end
