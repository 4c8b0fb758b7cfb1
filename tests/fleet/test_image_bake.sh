#!/usr/bin/env bash
# `image bake` against a simulated Hetzner Cloud whose servers are words: the test switches the builder off, as a
# real one does when it is ready (test_bake.sh has real ones). What is made, found again, kept; what is left after
# each failure: nothing.
set -u
cd "$(dirname "$0")/../.." || exit 1
[ -n "${RGRID_TEST_CONNINFO-}" ] || exec tests/with-postgres "$0" "$@"
. tests/tap.sh
. tests/sim/sim.sh
. tests/store/store.sh
RGRID_BUILD=$(realpath "${RGRID_BUILD:-build}")
unset RGRID_NETWORK_ID RGRID_PRIVATE_DB_IP RGRID_SERVER_IMAGE RGRID_CONFIG HETZNER_API_TOKEN
tap_begin
store_migrate
sim_start --listen 127.0.0.1:0 --token T || exit 1
network=$(field "a['network']['id']" api POST /networks \
	'{"name":"private","ip_range":"10.0.0.0/16","subnets":[{"type":"cloud","ip_range":"10.0.1.0/24","network_zone":"eu-central"}]}')
echo "-----BEGIN CERTIFICATE-----" >"$TEST_DIR/ca.crt"
bundle=$(printf 'ab%.0s' {1..32})
grid=$(store_ask "SELECT id FROM rg.grid")

bake_pid=
tap_at_exit() {
	[ -z "$bake_pid" ] || kill -KILL "$bake_pid" 2>/dev/null
	sim_stop TERM
}
# No shell between, so that it is the bake that gets a signal.
exec_bake() {
	exec "$RGRID_BUILD/rgridd" image bake --database "${RGRID_TEST_CONNINFO/user=postgres/user=rgrid_orchestrator}" \
		--network-id "$network" --private-db-ip 10.0.1.2 --worker-api-url https://10.0.1.2:8443 --worker-ca "$TEST_DIR/ca.crt" \
		--worker-bundle "$bundle" --server-types cx33:nbg1,cx23:hel1 "$@"
}
bake() { (exec_bake "$@") >"$TEST_DIR/said" 2>&1; }
bake_start() {
	exec_bake "$@" >"$TEST_DIR/said" 2>&1 &
	bake_pid=$!
}
bake_ends() { # its exit code
	local pid=$bake_pid
	bake_pid=
	wait "$pid"
}
says() { grep -qF -- "$1" "$TEST_DIR/said" || { sed 's/^/# /' "$TEST_DIR/said"; return 1; }; }
servers() { field "' '.join(str($1) for s in a['servers'])" api GET /servers; }
images() { field "' '.join(str($1) for s in sorted(a['images'], key=lambda s: s['id']))" api GET '/images?type=snapshot'; }
runs() { [ "$(servers "s['status']")" = running ]; }
passes() { store_ask "SELECT count(*) FROM rg.bundle_pass"; }
looks() { field "sum(r['method'] == 'GET' and r['path'].endswith('/servers/$1') for r in a['requests'])" sim GET /requests; }
looked_again() { [ "$(looks "$1")" -gt "$2" ]; }
builder_ready() { # when it runs, and was seen to: as if it had all it needs
	local id
	wait_until 30 runs && id=$(servers "s['id']") && wait_until 30 looked_again "$id" "$(looks "$id")" &&
		api POST "/servers/$id/actions/poweroff" >/dev/null
}
baked() { # options…: a whole bake
	bake_start "$@"
	builder_ready || return 1
	bake_ends || { sed 's/^/# /' "$TEST_DIR/said"; return 1; }
}
left() { echo "$(servers "s['name']")$(passes)"; } # "0" is nothing

# nothing is done
public_side=(--network-id 0 --public-db-ip 46.62.246.120 --worker-api-url https://46.62.246.120:8443)
check_exit 1 "without a private network" bake "${public_side[@]}"
check "… it is refused, and said why" says "this needs a private network, and there is none"
check_output "… before anything is made" 0 left
check "a dry run" bake --dry-run
check "… says what would be done" says "- Would make a builder, cx23 in hel1, from debian-12, and an image of it with the bundle abababababab"
check_output "… and does nothing" 0 left

# a bake
bake_start
check "a builder comes" wait_until 30 runs
check_output "… like a worker's server, on the smallest disk, private" "cx23 hel1 debian-12 None" \
	servers "' '.join([s['server_type']['name'], s['location']['name'], s['image']['name'], str(s['public_net']['ipv4'])])"
check_output "… with its labels" "rgrid $grid bake" servers "' '.join(s['labels'][k] for k in ('managed-by', 'rgrid-grid', 'rgrid-role'))"
check_output "… named after its run" True servers "s['name'] == 'rgrid-bake-' + s['labels']['rgrid-bake']"
check_output "it has a pass to the bundle" 1 passes
check_exit 1 "another bake is refused meanwhile" bash -c "$(declare -p bundle network); $(declare -f exec_bake); exec_bake >'$TEST_DIR/other' 2>&1"
check "… which is said" grep -q "another bake of this grid is at work" "$TEST_DIR/other"
check "the builder is ready" builder_ready
check_exit 0 "the bake succeeds" bake_ends
first=$(images "s['id']")
check "it prints what to set" says "RGRID_SERVER_IMAGE=$first"
check_output "the image is there" available images "s['status']"
check_output "… with its labels" "rgrid $grid worker-image ${bundle:0:63} debian-12" \
	images "' '.join(s['labels'][k] for k in ('managed-by', 'rgrid-grid', 'rgrid-role', 'rgrid-bundle', 'rgrid-base'))"
check_output "neither builder nor pass is left" 0 left

# again
check "a second bake" bake
check "… finds the first" says "RGRID_SERVER_IMAGE=$first"
check_output "… and makes nothing" "$first" images "s['id']"
check "as JSON" bake --json
check_output "… the same" "$first False []" /usr/bin/python3 -c '
import json, sys
a = json.load(open(sys.argv[1]))
print(a["image"]["id"], a["made"], a["deleted_images"])' "$TEST_DIR/said"
check "with a baked image configured, the base is the default" bake --server-image "$first"
check "… and it is found" says "RGRID_SERVER_IMAGE=$first"

# answers that are lost
sim DELETE /requests >/dev/null
fault "lost:method=POST,path=/servers,status=504"
fault "lost:method=POST,path=/servers/*/actions/create_image,status=502"
check "a bake whose answers are lost succeeds" baked --force
check_output "… with one server only" 1 field "sum(r['method'] == 'POST' and r['path'].endswith('/servers') for r in a['requests'])" sim GET /requests
check_output "… and one image" "available available" images "s['status']"
check_output "… and leaves nothing" 0 left

# old ones
foreign=$(field "a['server']['id']" api POST /servers '{"name":"foreign","server_type":"cx23","image":"debian-12","location":"nbg1"}')
foreign_runs() { [ "$(field "a['server']['status']" api GET "/servers/$foreign")" = running ]; }
wait_until 30 foreign_runs
foreign_image=$(field "a['image']['id']" api POST "/servers/$foreign/actions/create_image" '{"type":"snapshot","description":"of somebody","labels":{"rgrid-role":"worker-image"}}')
foreign_gone() { [ "$(status api GET "/servers/$foreign")" = 404 ] || { api DELETE "/servers/$foreign" && false; }; }
wait_until 30 foreign_gone
second=$(images "s['id'] if s['labels'].get('managed-by') and s['id'] != $first else ''" | xargs)
check "what is configured stays, however old" bake --keep 1 --server-image "$first"
check "… which is said" says "Keeping the older image $first: RGRID_SERVER_IMAGE names it"
check "a dry run with --keep" bake --keep 1 --dry-run
check "… says what would go" says "- Would delete the older image $first"
check "--keep 1 keeps the newest" bake --keep 1
check_output "… and what is not ours" "$second $foreign_image" images "s['id']"

# failures
fault 'action:command=create_image,error=action_failed'
bake_start --force
check "(a builder is ready)" builder_ready
check_exit 1 "an image that fails is a failure" bake_ends
check "… which is said" says "the image was not made"
check_output "… and leaves nothing" 0 left
check_output "… no broken image either" "$second $foreign_image" images "s['id']"
check_exit 7 "a builder that never gets ready is given up" bake --force --timeout 3s
check "… which says where to look" says "journalctl -u rgrid-bake"
check_output "… and leaves nothing" 0 left
fault 'action:command=create_server,error=action_failed'
check_exit 1 "so is one that is not set up" bake --force
check "… which is said" says "the builder was not set up"
check_output "… and leaves nothing" 0 left
fault 'unavailable:type=cx23,count=1'
bake_start --force
check "where the smallest is sold out" wait_until 30 runs
check_output "… the next is taken" "cx33 nbg1" servers "s['server_type']['name'] + ' ' + s['location']['name']"

# a bake that is stopped, and one that is killed
kill -TERM "$bake_pid"
check_exit 7 "a bake that is stopped" bake_ends
check_output "… leaves nothing" 0 left
bake_start --force
check "(a builder)" wait_until 30 runs
killed=$(servers "s['name']")
kill -KILL "$bake_pid"
wait "$bake_pid" 2>/dev/null
bake_pid=
check_output "a bake that is killed leaves its builder" "$killed" servers "s['name']"
check "the next bake" bake
check "… deletes it" says "Deleting the builder $killed"
check_output "… and nothing is left but a pass that ends" "1" left
check_exit 2 "without a bundle it does not begin" bake --worker-bundle ""
check "… which is said" says "the setting worker-bundle is missing"
tap_end
