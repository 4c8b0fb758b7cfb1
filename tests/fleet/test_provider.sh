#!/usr/bin/env bash
# The orchestrator itself with provider=hetzner: what it makes of its settings, in the orders that reach the cloud.
set -u
cd "$(dirname "$0")/../.." || exit 1
[ -n "${RGRID_TEST_CONNINFO-}" ] || exec tests/with-postgres "$0" "$@"
. tests/tap.sh
. tests/sim/sim.sh
. tests/store/store.sh
RGRID_BUILD=$(realpath "${RGRID_BUILD:-build}")
unset RGRID_NETWORK_ID RGRID_PRIVATE_DB_IP RGRID_PUBLIC_DB_IP RGRID_CONFIG HETZNER_API_TOKEN
tap_begin
store_migrate
sim_start --listen 127.0.0.1:0 --token T || exit 1
network=$(field "a['network']['id']" api POST /networks \
	'{"name":"private","ip_range":"10.0.0.0/16","subnets":[{"type":"cloud","ip_range":"10.0.1.0/24","network_zone":"eu-central"}]}')
echo "-----BEGIN CERTIFICATE-----" >"$TEST_DIR/ca.crt"

list=$TEST_DIR/public-workers
orchestrator_pid=
api_pid=
tap_at_exit() {
	orchestrator_stop
	api_stops
	sim_stop TERM
}
orchestrator_run() { # settings…; takes the place of the shell
	exec timeout -k 5 300 "$RGRID_BUILD/rgridd" orchestrator --provider hetzner --database "${RGRID_TEST_CONNINFO/user=postgres/user=rgrid_orchestrator}" \
		--worker-ca "$TEST_DIR/ca.crt" --public-workers "$list" --worker-bundle "$(printf '0%.0s' {1..64})" \
		--server-types cx23:nbg1 --workers-min 1 "$@"
}
private() { orchestrator_run --network-id "$network" --private-db-ip 10.0.1.2 --worker-api-url https://10.0.1.2:8443 "$@"; }
public() { orchestrator_run --public-db-ip 198.18.0.2 --worker-api-url https://198.18.0.2:8443 "$@"; }
orchestrator_start() { # function settings…
	: >"$TEST_DIR/orchestrator.log"
	"$@" >"$TEST_DIR/orchestrator.log" 2>&1 &
	orchestrator_pid=$!
}
orchestrator_stop() {
	[ -z "$orchestrator_pid" ] || { kill "$orchestrator_pid" && wait "$orchestrator_pid"; } 2>/dev/null
	orchestrator_pid=
}
api_stops() {
	[ -z "$api_pid" ] || { kill "$api_pid" && wait "$api_pid"; } 2>/dev/null
	api_pid=
}
orchestrator_code() {
	local code=0
	wait "$orchestrator_pid" || code=$?
	orchestrator_pid=
	echo "$code"
}
says() { grep -qF -- "$1" "$TEST_DIR/orchestrator.log"; }
refused() { # words settings…: it does not start, and says why
	local words=$1
	shift
	refused_as private "$words" "$@"
}
refused_as() { # function words settings…
	local mode=$1 words=$2
	shift 2
	if ("$mode" "$@") >"$TEST_DIR/refused" 2>&1; then return 1; fi
	grep -qF -- "$words" "$TEST_DIR/refused" || { sed 's/^/# /' "$TEST_DIR/refused"; return 1; }
}
count_is() { [ "$(field "len(a['servers'])" api GET /servers)" = "$1" ]; }
server() { field "$1" api GET /servers; }
# A server that is still being made is locked, and is asked again.
is_gone() { # server
	[ "$(status api GET "/servers/$1")" = 404 ] || { api DELETE "/servers/$1" && false; }
}
# A new fleet: nothing of the last one is left.
anew() {
	local id
	orchestrator_stop
	for id in $(server "' '.join(str(s['id']) for s in a['servers'])"); do wait_until 30 is_gone "$id"; done
	store_ask "DELETE FROM rg.worker; DELETE FROM rg.cooling" >/dev/null
}

# what must be right before anything starts
check "a key that is none" refused 'ssh-keys: the project has none with the name or number "nobody"' --ssh-keys nobody
check "a firewall that is none" refused 'firewalls: the project has none with the name or number "4711"' --firewalls 4711
check "too many firewalls" refused 'firewalls: a server takes at most 5' --firewalls 1,2,3,4,5,6
check "a placement that is none" refused 'placement-group is none or spread, not "pack"' --placement-group pack
check "no API for workers" refused "rgridd api --serve workers" --worker-api-url ""
check "choices that are none" refused 'server-types: "cx23" is not a server type and a location' --server-types cx23
check "no network and no public address" refused_as orchestrator_run "neither network-id nor public-db-ip is set"
check "… with what to do" grep -F "rgrid network setup" "$TEST_DIR/refused"
check "… and the other way" grep -F "set public-db-ip to this server's public address" "$TEST_DIR/refused"
check "a public address that is private" refused_as public "public-db-ip: 10.0.1.2 is not a public address" --public-db-ip 10.0.1.2
check "an API where no public worker gets" refused_as public "worker-api-url is https://10.0.1.2:8443" --worker-api-url https://10.0.1.2:8443
check "… with what to do" grep -F "set it to https://198.18.0.2:8443" "$TEST_DIR/refused"
check "more public workers than can be named" refused_as public "workers-max is more than 1024" --workers-max 1025

# what would be done
store_ask "SELECT count(*) FROM rg.submit(1, NULL, ARRAY['{\"limits\": {}}'], ARRAY[NULL::text], ARRAY[NULL::text], ARRAY[0::int2])" >/dev/null
events=$(store_ask "SELECT count(*) FROM rg.event")
sim DELETE /requests >/dev/null
planned() { (private --workers-min 0 --dry-run) >"$TEST_DIR/plan" 2>"$TEST_DIR/planning"; }
plan_says() { grep -qE -- "$1" "$TEST_DIR/plan" || { sed 's/^/# /' "$TEST_DIR/plan" "$TEST_DIR/planning"; return 1; }; }
check "a dry run" planned
check "… tells of the job that waits" plan_says '^  1 jobs of [0-9.]+ cpus, .*, the first for '
check "… of the choices and their prices" plan_says '^  cx23 in nbg1, [1-9][0-9]* micro-euros an hour$'
check "… of what would be done, why, and by which rule" plan_says '^  rule [0-9]+: create a new worker: jobs wait for a worker \[.+\]$'
check_output "… orders nothing" 0 field "sum(r['method'] != 'GET' for r in a['requests'])" sim GET /requests
check_output "… and writes nothing" "0 $events" store_ask "SELECT (SELECT count(*) FROM rg.worker) || ' ' || (SELECT count(*) FROM rg.event)"

# what there is without a word
echo 198.18.0.99/32 >"$list"
orchestrator_start private
check "a worker's server is ordered" wait_until 60 count_is 1
check "the private network is announced" says "Private network enabled (Network ID: $network, DB IP: 10.0.1.2)"
check "… and the database's address" says "Using private network IP for database: 10.0.1.2"
check "… and no list of an earlier public mode is left" test ! -e "$list"
check_output "without keys, firewalls, groups, public addresses" "0 [] None None None" \
	server "' '.join(map(str, (len(a['servers'][0].get('_ssh_keys', [])), a['servers'][0]['public_net']['firewalls'], a['servers'][0]['placement_group'], a['servers'][0]['public_net']['ipv4'], a['servers'][0]['public_net']['ipv6'])))"

# the way out of a private network
told() { # the ways out that the servers' user data names
	sim GET /state | /usr/bin/python3 -c '
import base64, json, re, sys
def texts(a):
    if isinstance(a, str): yield a
    for b in a.values() if isinstance(a, dict) else a if isinstance(a, list) else (): yield from texts(b)
files = (base64.b64decode(f) for t in texts(json.load(sys.stdin)) if t.startswith("#cloud-config") for f in re.findall(r"[A-Za-z0-9+/=]{60,}", t))
print(*sorted({n.decode() for f in files for n in re.findall(rb"RGRID_(?:WAY_OUT|DNS)=[^\n]*", f) if b"$" not in n}))'
}
check_output "without a route out, servers are told of none" 'RGRID_DNS="" RGRID_WAY_OUT="no"' told
anew
api POST "/networks/$network/actions/add_route" '{"destination":"0.0.0.0/0","gateway":"10.0.1.200"}' >/dev/null
orchestrator_start private
check "a worker's server is ordered" wait_until 60 count_is 1
check_output "with one, they take it, and Hetzner's resolvers" 'RGRID_DNS="185.12.64.1 185.12.64.2" RGRID_WAY_OUT="yes"' told

# what was asked for
anew
api POST /ssh_keys "{\"name\":\"alice's laptop\",\"public_key\":\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILtbrBrv18eaPMpjjFSSsQHQCNQsM5BPVfCzvKqr7Orf alice\"}" >/dev/null
api POST /ssh_keys '{"name":"bob","public_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILtbrBrv18eaPMpjjFSSsQHQCNQsM5BPVfCzvKqr7Org bob"}' >/dev/null
bob=$(field "a['ssh_keys'][0]['id']" api GET '/ssh_keys?name=bob')
wall=$(field "a['firewall']['id']" api POST /firewalls '{"name":"workers","rules":[]}')
other=$(field "a['firewall']['id']" api POST /firewalls '{"name":"other","rules":[]}')
orchestrator_start private --ssh-keys "alice's laptop, $bob" --firewalls "workers,$other" --placement-group spread --server-ipv4 1
check "a worker's server is ordered" wait_until 60 count_is 1
keys() {
	sim GET /state | python3 -c '
import json, sys
def find(a):
    if isinstance(a, dict):
        yield from (key.split()[-1] for key in a.get("_ssh_keys", []))
        for b in a.values(): yield from find(b)
    elif isinstance(a, list):
        for b in a: yield from find(b)
print(*sorted(find(json.load(sys.stdin))))'
}
check_output "with the keys, by name and by number" "alice bob" keys
check_output "with the firewalls" "$wall $other" server "' '.join(str(f['id']) for f in sorted(a['servers'][0]['public_net']['firewalls'], key=lambda f: f['id']))"
check_output "in a placement group of the grid" "spread spread" \
	server "a['servers'][0]['placement_group']['type'] + ' ' + a['servers'][0]['placement_group']['labels']['rgrid-role']"

# a firewall has nothing to filter on a private server
anew
orchestrator_start private --firewalls workers
check "a private server is ordered without" wait_until 60 count_is 1
check_output "…" "[]" server "a['servers'][0]['public_net']['firewalls']"
check "and it is said" says "firewalls are left out: servers have no public address to filter"

# without a private network: each server by its own address
addresses() { server "'\n'.join(sorted(s['public_net']['ipv4']['ip'] + '/32' for s in a['servers']))"; }
list_is_right() { [ "$(sort "$list")" = "$(addresses)" ]; }
anew
check "a network that is set goes before a public address" orchestrator_start private --public-db-ip 198.18.0.2
check "… which is said" wait_until 60 says "public-db-ip is not used: network-id is set"
in_network() { [ "$(server "sum(len(s['private_net']) for s in a['servers'])")" = 1 ]; }
check "… with a server in the network" wait_until 60 in_network
anew
orchestrator_start public --workers-min 3
check "three workers' servers are ordered" wait_until 60 count_is 3
check "it is announced as the guide has it" says "Using public IP for database: 198.18.0.2"
check "… and loudly" says "NO PRIVATE NETWORK: the database is reached over the PUBLIC side at 198.18.0.2"
check_output "with public addresses, in no network" "True 0" \
	server "f\"{all(s['public_net']['ipv4'] for s in a['servers'])} {sum(len(s['private_net']) for s in a['servers'])}\""
check "the list names them" wait_until 30 list_is_right
check_output "… one address a line" 3 grep -cE '^[0-9]+(\.[0-9]+){3}/32$' "$list"
check_output "… for its owner to write" 640 stat -c %a "$list"
stamp() { stat -c '%i %Y' "$list"; }
before=$(stamp)
sim DELETE /requests >/dev/null
asked() { [ "$(field "sum(r['method'] == 'GET' and r['path'].endswith('/servers') for r in a['requests'])" sim GET /requests)" != 0 ]; }
check "another listing" wait_until 90 asked
check_output "… does not touch it" "$before" stamp
first=$(server "a['servers'][0]['id']")
wait_until 30 is_gone "$first"
check "a server that is gone leaves it, and its successor stands in it" wait_until 120 eval 'list_is_right && count_is 3'
check "it is another" test "$(stamp)" != "$before"

whole() { ! grep -qvxE '([0-9]+\.){3}[0-9]+/32' "$list" && [ -z "$(tail -c 1 "$list" | tr -d '\n')" ]; }
killed() { # after how many servers
	orchestrator_start public --workers-min 8
	wait_until 60 eval "[ \"\$(server \"len(a['servers'])\")\" -ge $1 ]"
	kill -KILL "$(pgrep -P "$orchestrator_pid" || echo "$orchestrator_pid")"
	wait "$orchestrator_pid" 2>/dev/null
	orchestrator_pid=
	whole
}
for count in 1 4 8; do
	anew
	check "killed after $count servers it leaves a whole list" killed "$count"
	orchestrator_start public --workers-min 8
	check "… which the next one completes" wait_until 90 eval 'count_is 8 && list_is_right'
done
orchestrator_stop
check "stopped it leaves its workers in" list_is_right
before=$(stamp)
(public --workers-min 8 --dry-run) >"$TEST_DIR/dry" 2>&1
check_output "a dry run does not touch the list" "$before" stamp
# what it keeps to
is() { [ "$(store_ask "$2")" = "$1" ]; }
anew
store_ask "TRUNCATE rg.ready" >/dev/null
orchestrator_start private --workers-min 0 --workers-warm 2 --worker-age-max 10m
check "two workers are kept warm, though nothing waits" wait_until 60 count_is 2
check_output "… by rule 118" "118 118" store_ask "SELECT string_agg(e.rule::text, ' ') FROM rg.event e JOIN rg.worker w ON w.id = e.worker_id WHERE e.kind = 'worker.create'"
oldest=$(store_ask "UPDATE rg.worker SET created_at = created_at - interval '11 minutes' WHERE id = (SELECT min(id) FROM rg.worker) RETURNING id")
check "one that has reached its age drains" wait_until 60 is 115 "SELECT rule FROM rg.event WHERE kind = 'worker.drain' AND worker_id = $oldest"
check "… and is replaced" wait_until 60 is 2 "SELECT count(*) FROM rg.worker WHERE state = 1 AND id <> $oldest"
check_output "… while the younger one stays" 0 store_ask "SELECT count(*) FROM rg.event e JOIN rg.worker w ON w.id = e.worker_id WHERE e.kind = 'worker.drain' AND w.id <> $oldest"
anew
jobs() { # N: so many wait from now on
	store_ask "TRUNCATE rg.ready" >/dev/null
	store_ask "SELECT count(*) FROM rg.submit(1, NULL, array_fill('{\"limits\": {}}'::text, ARRAY[$1]), array_fill(NULL::text, ARRAY[$1]), array_fill(NULL::text, ARRAY[$1]), array_fill(0::int2, ARRAY[$1]))" >/dev/null
}
rgrid() { RGRID_URL=$url RGRID_TOKEN=$key HOME=$TEST_DIR "$RGRID_BUILD/rgrid" "$@"; }
explained() { rgrid explain last >"$TEST_DIR/explained" 2>&1 </dev/null && grep -qE -- "$1" "$TEST_DIR/explained"; }
explains() { wait_until 60 explained "$1" || { sed 's/^/# /' "$TEST_DIR/explained"; return 1; }; }
api_starts() {
	"$RGRID_BUILD/rgridd" api --listen 127.0.0.1:0 --blob-dir "$TEST_DIR/blobs" \
		--database "${RGRID_TEST_CONNINFO/user=postgres/user=rgrid_api}" >"$TEST_DIR/api.log" 2>&1 &
	api_pid=$!
	wait_until 30 grep -q api.ready "$TEST_DIR/api.log"
	url=http://$(grep -o '127\.0\.0\.1:[0-9]*' "$TEST_DIR/api.log" | head -1)
	key=$("$RGRID_BUILD/rgridd" key create --database "$RGRID_TEST_CONNINFO" --project one --scopes read,run,admin test | grep -o 'rgk_[0-9A-Za-z_]*')
}
api_starts
jobs 1
store_ask "DELETE FROM rg.cost_ledger; INSERT INTO rg.cost_ledger (server_id, hour, worker_id, from_at, price_micros) VALUES (1, 0, 1, clock_timestamp(), 995000)" >/dev/null
orchestrator_start private --workers-min 0 --spend-limit 1
check "a job is told that an hour more would break the spending limit" \
	explains "a worker's next hour would break the fleet's monthly spending limit: 0\.9950 of 1\.0000 euros are spent"
check "… and no server is ordered" count_is 0
orchestrator_stop
orchestrator_start private --workers-min 0 --spend-limit 2 --workers-max 1 --slots 2
check "with a higher one it is" wait_until 60 count_is 1
check "a job is told where the worker boots that it waits for, and since when" explains 'a worker boots, since [0-9]+ s: cx23 in nbg1$'
jobs 9
check "… that there may be no more of them" explains 'the fleet is at its maximum of 1 worker$'
rgrid fleet pause --reason "the network moves" >/dev/null
check "… that an operator wants none, and why" explains 'provisioning is paused: the network moves$'
rgrid fleet resume >/dev/null
anew
fault "unavailable:type=cx23"
orchestrator_start private --workers-min 0 --server-types cx23:nbg1,cx23:hel1
check "… what is sold out, and where" explains '^cx23 in nbg1 is sold out, cx23 in hel1 is sold out$'
check "… and when it is tried again" explains 'creation is tried again .* \(.+ at the latest\)$'
anew
sim DELETE /faults >/dev/null
fault "quota:resource=server,max=0"
orchestrator_start private --workers-min 0
check "… that the account's limit is reached" explains "^the provider's account limit is reached$"
check "… and when it is tried again" explains 'creation is tried again when the pause is over \(.+ at the latest\)$'
anew
sim DELETE /faults >/dev/null
store_ask "UPDATE rg.grid SET quota_until = NULL; TRUNCATE rg.ready" >/dev/null
api_stops
# every started hour is booked, however long an hour is said to be
anew
store_ask "DELETE FROM rg.cost_ledger" >/dev/null
orchestrator_start private --billed-hour 2s
booked() { [ "$(store_ask "SELECT count(*) >= 3 AND count(DISTINCT server_id) = 1 AND max(from_at) - min(from_at) = (count(*) - 1) * interval '2 s' FROM rg.cost_ledger")" = t ]; }
check "a worker's third hour is booked in its fifth second" wait_until 60 booked

# what the provider does not tell is asked again
fault "status:method=GET,path=/servers,status=503,count=0"
check "a listing that fails is said" wait_until 90 says fleet.look_failed
sim DELETE /faults >/dev/null
sim DELETE /requests >/dev/null
check "and asked for again" wait_until 90 asked

# no answer of the provider's ends it. More failures than the client repeats a request for.
anew
sim DELETE /requests >/dev/null
fault "status:method=GET,path=/pricing,status=502,count=6"
fault "lost:method=POST,path=/servers,status=504"
orchestrator_start private
check "prices that cannot be read are said" wait_until 90 says "cannot read the provider's prices"
check "and a worker's server is ordered in the end" wait_until 90 count_is 1
check "whose lost answer is looked for" wait_until 90 says adopt
ordered() { field "sum(r['method'] == 'POST' and r['path'].endswith('/servers') for r in a['requests'])" sim GET /requests; }
check_output "it was ordered once" 1 ordered
check "… and is there" count_is 1
anew
fault "cut:method=GET,path=/actions,count=6"
orchestrator_start private
struck() { [ "$(field "a['faults'][-1]['hits']" sim GET /faults)" = "$1" ]; }
check "what became of an order cannot be asked" wait_until 120 struck 6
check "the orchestrator is the one that was started" kill -0 "$orchestrator_pid"
sim DELETE /faults >/dev/null
sim DELETE /requests >/dev/null

# two of them: one leads; when it is killed, the other goes on where it was
anew
orchestrator_start private
leads() { grep -qF '"event":"orchestrator.leads"' "$TEST_DIR/$1.log"; }
check "an orchestrator leads" wait_until 60 leads orchestrator
check "and orders a server" wait_until 60 count_is 1
sessions() { store_ask "SELECT count(*) FROM pg_stat_activity WHERE usename = 'rgrid_orchestrator'"; }
of_first=$(sessions)
private --workers-min 2 >"$TEST_DIR/second.log" 2>&1 &
second_pid=$!
both_ask() { [ "$(sessions)" -gt "$of_first" ]; }
check "another is there" wait_until 60 both_ask
check_exit 1 "… and does not lead" leads second
kill -KILL "$(pgrep -P "$orchestrator_pid" || echo "$orchestrator_pid")"
wait "$orchestrator_pid" 2>/dev/null
check "the first is killed, the second leads within seconds" wait_until 20 leads second
check "… and acts by its own settings" wait_until 60 count_is 2
check_output "… without a server too many" 2 store_ask "SELECT count(*) FROM rg.worker WHERE state <= 3"
orchestrator_pid=$second_pid
sim DELETE /requests >/dev/null

# a request that hangs does not hold it up
ended() { ! kill -0 "$orchestrator_pid" 2>/dev/null; }
fault "delay:method=GET,path=/servers,ms=25000"
sim DELETE /requests >/dev/null
check "a listing hangs" wait_until 90 asked
kill -TERM "$orchestrator_pid"
check "it ends all the same" wait_until 8 ended
check_output "in good order" 0 orchestrator_code
tap_end
