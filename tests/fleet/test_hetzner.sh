#!/usr/bin/env bash
# The fleet on a simulated Hetzner Cloud: the real decisions, client and database; the test plays the workers.
set -u
cd "$(dirname "$0")/../.." || exit 1
[ -n "${RGRID_TEST_CONNINFO-}" ] || exec tests/with-postgres "$0" "$@"
. tests/tap.sh
. tests/sim/sim.sh
. tests/store/store.sh
. tests/fleet/probe.sh
RGRID_BUILD=$(realpath "${RGRID_BUILD:-build}")
export RGRID_BUILD
tap_begin
store_migrate

claim() { as_worker "$1" "SELECT count(*) FROM rg_worker.step(1, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', $2, 0) WHERE kind = 2"; }
finish_all() { # name: all its leases end well
	as_worker "$1" "SELECT count(*) FROM rg_worker.step(1, $(store_ask "SELECT format('%L::bigint[], %L::integer[], %L::bigint[], %L::smallint[], %L::integer[], %L::text[], %L::boolean[], %L::bigint[], %L::bigint[], %L::bigint[], %L::bigint[], %L::bigint[], %L::text[]',
		array_agg(job_id), array_agg(attempt), array_agg(token), array_agg(1), array_agg(0), array_agg(''::text), array_agg(true), array_agg(1000000), array_agg(0), array_agg(0), array_agg(0), array_agg(0), array_agg(''::text))
		FROM rg.lease l JOIN rg.worker w ON w.id = l.worker_id WHERE w.name = '$1'"), 0, 0)"
}
events() { store_ask "SELECT count(*) FROM rg.event WHERE kind = '$1'"; }
states() { store_ask "SELECT string_agg(state || '×' || n, ' ' ORDER BY state) FROM (SELECT state, count(*) AS n FROM rg.worker GROUP BY state) s"; }

sim_start --listen 127.0.0.1:0 --token T || exit 1

network=$(field "a['network']['id']" api POST /networks \
	'{"name":"private","ip_range":"10.0.0.0/16","subnets":[{"type":"cloud","ip_range":"10.0.1.0/24","network_zone":"eu-central"}]}')

# jobs wait, servers come
probe_start cx23:nbg1,cx23:hel1 max=4 slots=2 network="$network"
check_output "nothing waits, nothing is made" "" step
submit 3 >/dev/null
step >"$TEST_DIR/said"
check "three jobs on two slots each take two servers" test "$(grep -c '^create rule=' "$TEST_DIR/said")" -eq 2
check_output "they are there" 2 count
check_output "named after their workers" "$(store_ask "SELECT string_agg(name, ' ' ORDER BY name) FROM rg.worker")" servers "s['name']"
check_output "with our labels" "rgrid testgrid worker rgrid testgrid worker" \
	servers "' '.join([s['labels']['managed-by'], s['labels']['rgrid-grid'], s['labels']['rgrid-role']])"
check_output "without a public address" "None None" servers "str(s['public_net']['ipv4'])"
check_output "the intents know them" 2 store_ask "SELECT count(*) FROM rg.worker WHERE server_id IS NOT NULL AND price_hour_micros = 8800"
check_output "and no more are made while they boot" "" step
waits >"$TEST_DIR/waits"
check "which is what the jobs wait for" grep -q '^booting 3: ' "$TEST_DIR/waits"
settled() { [ "$(events worker.provisioned)" = 2 ]; }
check "the actions of their creation are seen to end" steps_until 30 settled
first=$(store_ask "SELECT min(name) FROM rg.worker")
second=$(store_ask "SELECT max(name) FROM rg.worker")
join "$first" >/dev/null
check_output "a worker joins and claims" 2 claim "$first" 2
join "$second" >/dev/null
check_output "so does the other" 1 claim "$second" 2
check_output "all run, nothing is to do" "" step
check_output "a started hour of each is booked" "2 17600" store_ask "SELECT count(*) || ' ' || sum(price_micros) FROM rg.cost_ledger"

# the provider's troubles
fault "lost:method=POST,path=/servers,status=504" >/dev/null
submit 4 >/dev/null
step >"$TEST_DIR/said"
adopted() { sql_is 'SELECT count(*) FROM rg.worker WHERE state = 1 AND server_id IS NOT NULL' 2; }
check "an answer that is lost is found in the listing" steps_until 90 adopted
check_output "nothing was made twice" 4 count
submit 4 >/dev/null
step >/dev/null
waits >"$TEST_DIR/waits"
check "the maximum is kept, and told" grep -q '^maximum ' "$TEST_DIR/waits"
check_output "(still four)" 4 count

# another orchestrator, and the leader's death
probe_end KILL
probe_start cx23:nbg1,cx23:hel1 max=4 slots=2 network="$network"
check_output "a successor of a killed leader goes on where it was" "" step
check_output "(four)" 4 count
others=$(store_ask "SELECT string_agg(name, ' ' ORDER BY id) FROM rg.worker WHERE state = 1")
for name in $others; do
	join "$name" >/dev/null
	claim "$name" 2 >/dev/null
done

# a server is deleted behind our back
victim=$(store_ask "SELECT server_id FROM rg.worker WHERE name = '$first'")
api DELETE "/servers/$victim" >/dev/null
dead=$first
store_ask "UPDATE rg.worker SET created_at = created_at - interval '2 minutes'" >/dev/null
replaced() { sql_is "SELECT state FROM rg.worker WHERE name = '$first'" 5; }
check "a server that is gone is noticed, its worker is dead" steps_until 60 replaced
check_output "its jobs wait again" 2 store_ask "SELECT count(*) FROM rg.attempt WHERE outcome = 6"
four() { [ "$(count)" = 4 ]; }
check "and it is replaced" steps_until 60 four

# what is not ours, and what nobody wants any more
api POST /servers '{"name":"foreign","server_type":"cx23","image":"debian-12","location":"nbg1"}' >/dev/null
api POST /servers '{"name":"other-grid","server_type":"cx23","image":"debian-12","location":"nbg1","labels":{"managed-by":"rgrid","rgrid-grid":"elsewhere","rgrid-role":"worker","rgrid-worker":"worker_06zajp8940000"}}' >/dev/null
api POST /servers '{"name":"orphan","server_type":"cx23","image":"debian-12","location":"nbg1","labels":{"managed-by":"rgrid","rgrid-grid":"testgrid","rgrid-role":"worker","rgrid-worker":"worker_06zajp8940000"}}' >/dev/null
api POST /servers '{"name":"builder","server_type":"cx23","image":"debian-12","location":"nbg1","labels":{"managed-by":"rgrid","rgrid-grid":"testgrid","rgrid-role":"bake"}}' >/dev/null
probe_end TERM
probe_start cx23:nbg1,cx23:hel1 max=4 slots=2 network="$network" orphan_ms=1000
orphan_gone() { ! servers "s['name']" | grep -qw orphan; }
check "an orphan of this grid is deleted" steps_until 60 orphan_gone
check "what is not this grid's is left alone" grep -qw foreign <<<"$(servers "s['name']")"
check "also another grid's" grep -qw other-grid <<<"$(servers "s['name']")"
check "and a builder of images, while it may be at work" grep -qw builder <<<"$(servers "s['name']")"
probe_end TERM
probe_start cx23:nbg1,cx23:hel1 max=4 slots=2 network="$network" bake_ms=1000
builder_gone() { ! servers "s['name']" | grep -qw builder; }
check "one that is older is deleted" steps_until 60 builder_gone

# sold out, withdrawn, quota
store_ask "TRUNCATE rg.ready" >/dev/null
probe_end TERM
fault "unavailable:type=cx23,location=nbg1" >/dev/null
sim GET /faults >"$TEST_DIR/faults"
check "the simulator is told that the first choice is sold out" grep -q cx23 "$TEST_DIR/faults"
probe_start cx23:nbg1,cx23:hel1 max=8 slots=2 network="$network" margin_ms=600000
submit 6 >/dev/null
elsewhere() { [ "$(servers "s['location']['name']" | tr ' ' '\n' | grep -c hel1)" -ge 1 ]; }
check "sold out in one place, it is made in the other" steps_until 60 elsewhere
check_output "the first choice is left alone for a while" "cx23 nbg1 1" \
	store_ask "SELECT server_type || ' ' || location || ' ' || cause FROM rg.cooling"

# the end: idle workers go before their next hour, and the bill is the ledger
for name in $(store_ask "SELECT string_agg(name, ' ') FROM rg.worker WHERE state = 1"); do join "$name" >/dev/null; done
store_ask "TRUNCATE rg.ready" >/dev/null
for name in $(store_ask "SELECT string_agg(DISTINCT name, ' ') FROM rg.worker w JOIN rg.lease l ON l.worker_id = w.id"); do
	finish_all "$name" >/dev/null
done
check_output "(all jobs have ended)" 0 store_ask "SELECT count(*) FROM rg.lease"
api_delete() { api DELETE "/servers/$(field "[s['id'] for s in a['servers'] if s['name'] == '$1'][0]" api GET "/servers?per_page=50")" >/dev/null; }
api_delete foreign
api_delete other-grid
live=$(store_ask "SELECT count(*) FROM rg.worker WHERE state = 2")
check "workers are idle, and kept: their hour is paid" test "$live" -ge 4
check_output "nothing is to do in the middle of it" "" step
sim POST /clock '{"advance_seconds":3200}' >/dev/null
echo "advance 3200" >&8
beat
step >"$TEST_DIR/said"
check "minutes before the next hour they drain" test "$(grep -c '^drain rule=' "$TEST_DIR/said")" -eq "$live"
relabelled=$(store_ask "SELECT min(server_id) FROM rg.worker WHERE state = 3")
api PUT "/servers/$relabelled" '{"labels":{"managed-by":"rgrid","rgrid-grid":"elsewhere","rgrid-role":"worker"}}' >/dev/null
for name in $(store_ask "SELECT string_agg(name, ' ') FROM rg.worker WHERE state = 3"); do
	as_worker "$name" "SELECT rg_worker.leave(1, 'drained')" >/dev/null
done
fault "action:command=delete_server,ms=3000" >/dev/null
only_theirs() { [ "$(servers "str(s['id'])")" = "$relabelled" ]; }
check "and their servers are deleted, but for one that is another grid's by now" steps_until 60 only_theirs
# What never got a server is looked out for during an hour.
closed() { sql_is 'SELECT count(*) FROM rg.worker WHERE gone_at IS NULL AND server_id IS NOT NULL' 0; }
check "every row is closed" steps_until 120 closed
step >/dev/null
check "that one is left alone" only_theirs
check_output "which was said once" 1 grep -c "refused: server $relabelled does not carry the labels of this grid" "$TEST_DIR/steps"
api DELETE "/servers/$relabelled" >/dev/null
took=$(ask deletion told)
check "how long the slowest deletion took is known" test "$took" -ge 3000 -a "$took" -lt 30000
no_login() { sql_is "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'rgrid\\_w%' AND rolname <> 'rgrid_worker'" 0; }
check "no login is left" steps_until 60 no_login
ledger=$(store_ask "SELECT sum(price_micros) FROM rg.cost_ledger")
bill=$(sim GET /bill | tee "$TEST_DIR/bill.json" | /usr/bin/python3 -c '
import json, sys
print(sum(i["cost_micros"] for b in json.load(sys.stdin)["bills"] for i in b["items"] if i["name"].startswith("rgrid-worker-")))')
check_output "the bill is the ledger, to the micro-euro" "$bill" echo "$ledger"
check_output "each change has an event with its rule" 0 \
	store_ask "SELECT count(*) FROM rg.event WHERE kind IN ('worker.create', 'worker.drain', 'worker.end') AND (rule IS NULL OR key IS NULL)"

# a server that was made, but is not set up
probe_end TERM
sim DELETE /faults >/dev/null
store_ask "TRUNCATE rg.cooling" >/dev/null
fault "action:command=start_server,error=action_failed,message=no luck" >/dev/null
probe_start cx23:nbg1,cx23:hel1 max=4 min=1 slots=2
made() { [ "$(count)" = 1 ]; }
check "a server is made" steps_until 60 made
failed=$(servers "str(s['id'])")
replaced() { [ "$(servers "s['location']['name']")" = hel1 ]; }
check "a server whose start fails is replaced, elsewhere" steps_until 60 replaced
check_output "… and deleted" 404 status api GET "/servers/$failed"
check_output "… for that reason" "start_server: no luck (action_failed)" \
	store_ask "SELECT e.reason FROM rg.event e JOIN rg.worker w ON w.id = e.worker_id WHERE e.kind = 'worker.creation_failed' AND w.server_id = ${failed:-0}"
check_output "… by rule 104" 104 \
	store_ask "SELECT e.rule FROM rg.event e JOIN rg.worker w ON w.id = e.worker_id WHERE e.kind = 'worker.end' AND w.server_id = ${failed:-0}"
check_output "its choice is left alone for a while" "cx23 nbg1 3" \
	store_ask "SELECT server_type || ' ' || location || ' ' || cause FROM rg.cooling"
tap_end
