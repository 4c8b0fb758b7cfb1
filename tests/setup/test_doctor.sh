#!/bin/bash
# rgrid doctor: each thing is broken on purpose, and doctor names it and nothing else.
set -u
cd "$(dirname "$0")/../.." || exit 1
# In a network of its own, where this machine may have the address 10.0.1.2.
if [ "$(id -u)" -eq 0 ] && [ -z "${OWN_NETWORK-}" ]; then
	exec env OWN_NETWORK=1 unshare --net "$0" "$@"
fi
if [ -z "${RGRID_TEST_CONNINFO-}" ]; then
	exec tests/with-postgres "$0" "$@"
fi
. tests/tap.sh
. tests/sim/sim.sh
. tests/setup/hetzner.sh
. tests/store/store.sh
tap_begin
if [ "$(id -u)" -eq 0 ]; then
	ip link set lo up
	ip link add private type veth peer name outside
	ip link set private mtu 1450 up
	ip address add 10.0.1.2/32 dev private
fi
store_migrate
grid=$(store_ask 'SELECT id FROM rg.grid')

ids() { # finding, what doctor prints as JSON on stdin
	python3 -c '
import json, sys
print(" ".join(c["id"] for c in json.load(sys.stdin)["checks"] if c["finding"] == sys.argv[1]))' "$1"
}
# Runs doctor and prints what it found wrong: "exit code: broken; warnings". The environment file, the project
# and this server are checked, the database is configured only where the test says so.
found() {
	local code=0
	doctor --json "$@" >"$TEST_DIR/.findings" 2>"$TEST_DIR/.stderr" || code=$?
	cat "$TEST_DIR/.stderr" >&2
	printf '%s: %s; %s\n' "$code" "$(ids broken <"$TEST_DIR/.findings")" "$(ids warn <"$TEST_DIR/.findings")"
}
# Every finding but "ok" explains itself, and what is wrong says what to do.
explains() {
	python3 - "$TEST_DIR/.findings" <<-'END'
		import json, sys
		for c in json.load(open(sys.argv[1]))["checks"]:
		    assert c["evidence"], c
		    assert c["finding"] not in ("broken", "warn") or c["fix"], c
	END
}
here() { found --server rgrid "$@"; }
network_id() { value "a['networks'][0]['id']" /networks; }
detach() {
	api POST "/servers/$1/actions/detach_from_network" "{\"network\":$(network_id)}" >/dev/null
	wait_until 60 servers_run
}
delete_subnet() {
	api POST "/networks/$(network_id)/actions/delete_subnet" '{"ip_range":"10.0.1.0/24"}' >/dev/null
	wait_until 60 subnets_are 0
}
add_subnet() { # range zone
	api POST "/networks/$(network_id)/actions/add_subnet" "{\"type\":\"cloud\",\"ip_range\":\"$1\",\"network_zone\":\"$2\"}" >/dev/null
	wait_until 60 subnets_are 1
}
subnets_are() { [ "$(value "len(a['networks'][0]['subnets'])" /networks)" = "$1" ]; }
healthy() {
	project "$1"
	server=$(server_create rgrid '"rgrid-role":"control"')
	network setup >/dev/null
}
worker_is_off() { [ "$(value "a['server']['status']" "/servers/$worker")" = off ]; }
worker_labels() { printf '"managed-by":"rgrid","rgrid-role":"worker","rgrid-grid":"%s","rgrid-worker":"%s"' "$grid" "$1"; }

hetzner_start --state "$TEST_DIR/sim.json"

# nothing configured, nothing wrong
project nothing
check_output "where nothing is configured nothing is broken" "0: ; env-file net-exists net-server" found
check "… and the rest says why it is skipped" explains
without_token() { (unset HCLOUD_TOKEN; found "$@"); }
check_output "without a token as well" "0: ; env-file" without_token

# the whole deployment, then one thing broken at a time
healthy base
if [ "$(id -u)" -eq 0 ]; then
	check_output "a healthy deployment" "0: ; " found
	check "… is told as text, too" doctor
	ip link set private mtu 1500
	check_output "the interface's MTU is too large" "0: ; net-interface" found
	ip link set private mtu 1450
	ip address del 10.0.1.2/32 dev private
	check_output "no interface has the address" "1: net-interface; " found
	check "… which is explained" explains
	ip address add 10.0.1.2/32 dev private
else
	skip "the private interface" "needs root for a network of its own"
fi
check_output "a healthy deployment, by the server's name" "0: ; " here
check_output "with a database" "0: ; " here --database "$RGRID_TEST_CONNINFO"
check_output "a database that is away" "1: db-answers; " here --database "host=$TEST_DIR dbname=absent"
check "… which is explained" explains
store_ask "UPDATE rg_meta.migration SET sha256 = sha256('other') WHERE name = 'functions'"
check_output "another program's functions" "1: db-schema; " here --database "$RGRID_TEST_CONNINFO"
check "… which is explained" explains
check "(migrated)" "$RGRID_BUILD/tests/unit/store/migrate_database" "$RGRID_TEST_CONNINFO"
check_output "… which are put in" "0: ; " here --database "$RGRID_TEST_CONNINFO"

HCLOUD_TOKEN=bogus check_output "a token that is not valid" "1: api-answers; " here
check "… which is explained" explains
check_output "no token" "1: api-token; " without_token --server rgrid
check "… which is explained" explains
fault "token:token=$HCLOUD_TOKEN,mode=readonly"
check_output "a token that may only read" "1: api-scope; " here
check "… which is explained" explains
faults_end
fault "date:seconds=600"
check_output "this machine's clock is wrong" "1: api-clock; " here
faults_end
fault "date:seconds=-20"
check_output "… a little" "0: ; api-clock" here
check "… which is explained" explains
faults_end

# the token's file
if [ "$(id -u)" -eq 0 ]; then
	(umask 077 && echo "HETZNER_API_TOKEN=$HCLOUD_TOKEN" >"$TEST_DIR/hetzner.env")
	check_output "the token is taken from its own file" "0: ; " without_token --server rgrid
	chmod 640 "$TEST_DIR/hetzner.env"
	check_output "… which others may read" "1: env-token; " here
	check "… which is explained" explains
	rm "$TEST_DIR/hetzner.env"
	cp "$ENV_FILE" "$TEST_DIR/without.env"
	echo "HCLOUD_TOKEN=$HCLOUD_TOKEN" >>"$ENV_FILE"
	check_output "the token is in a file that the API reads" "0: ; env-token" here
	check "… which is explained" explains
	cp "$TEST_DIR/without.env" "$ENV_FILE"
	echo "RGRID_DATABASE='host=$TEST_DIR dbname=absent'" >>"$ENV_FILE"
	check_output "the orchestrator's database is looked at" "1: db-answers; " here
	cp "$TEST_DIR/without.env" "$ENV_FILE"
	echo "RGRID_DATABASE='$RGRID_TEST_CONNINFO password=secret'" >>"$ENV_FILE"
	chmod 640 "$ENV_FILE"
	check_output "its password is for others to read" "1: env-login; " here
	check "… which is explained" explains
	chmod 600 "$ENV_FILE"
	check_output "… for root alone" "0: ; " here
	mv "$TEST_DIR/without.env" "$ENV_FILE"
else
	skip "the token's file" "needs root, whose it is"
fi

# the environment file
cp "$ENV_FILE" "$TEST_DIR/good.env"
with_env() { # sed script
	sed "$1" "$TEST_DIR/good.env" >"$ENV_FILE"
	here
	cp "$TEST_DIR/good.env" "$ENV_FILE"
}
check_output "the network id of another network" "1: net-env; " with_env 's/^\(RGRID_NETWORK_ID=\).*/\1999/'
check "… which is explained" explains
check_output "another database address" "1: net-env; " with_env 's/^\(RGRID_PRIVATE_DB_IP=\).*/\110.0.1.9/'
check_output "no network id" "1: env-network-id; " with_env '/^RGRID_NETWORK_ID/d'
check_output "no database address" "1: env-db-ip; " with_env '/^RGRID_PRIVATE_DB_IP/d'
check_output "a comment behind the value" "1: env-network-id; " with_env 's/^RGRID_NETWORK_ID.*/&  # of setup/'
check_output "an address that is none" "1: env-db-ip; " with_env 's/^\(RGRID_PRIVATE_DB_IP=\).*/\1db.example/'
check "… which is explained" explains
check_output "a name that is set twice" "0: ; env-once" with_env '1iRGRID_PRIVATE_DB_IP=10.0.1.2'
check_output "both commented out" "0: ; env-file" with_env 's/^RGRID/# &/'
check "… which is explained" explains
check_output "all is well again" "0: ; " here

# the network
api PUT "/networks/$(network_id)" '{"labels":{}}' >/dev/null
check_output "the network is not RGrid's" "1: net-ours; " here
check "… which is explained" explains
network setup --adopt >/dev/null
detach "$server"
check_output "this server is not attached" "1: net-address; " here
attach "$server" "$(network_id)" 10.0.1.9
check_output "this server has another address" "1: net-address; " here
check "… which is explained" explains
detach "$server"
delete_subnet
check_output "there is no subnet" "1: net-subnet; " here
add_subnet 10.0.1.0/24 us-east
check_output "the subnet is in another zone" "1: net-zone; " here
check "… which is explained" explains
check "setup mends it" network setup
check_output "all is well again" "0: ; " here
# An API whose answer is another, which the simulator's never is.
python3 - "$HCLOUD_ENDPOINT" >"$TEST_DIR/port" <<-'END' &
	import http.server, sys, urllib.error, urllib.request
	class Handler(http.server.BaseHTTPRequestHandler):
	    def answer(self):
	        body = self.rfile.read(int(self.headers["Content-Length"] or 0))
	        asked = urllib.request.Request(sys.argv[1] + self.path[3:], body or None, method=self.command,
	            headers={k: self.headers[k] for k in ("Authorization", "Content-Type") if self.headers[k]})
	        try: answer = urllib.request.urlopen(asked)
	        except urllib.error.HTTPError as refusal: answer = refusal
	        told = answer.read().replace(b'"10.0.0.1"', b'"10.0.1.1"')
	        self.send_response(answer.status)
	        for k, v in answer.headers.items():
	            if k not in ("Content-Length", "Connection", "Transfer-Encoding", "Date", "Server"): self.send_header(k, v)
	        self.send_header("Content-Length", str(len(told)))
	        self.end_headers()
	        self.wfile.write(told)
	    do_GET = do_POST = answer
	    def log_message(self, *args): pass
	server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
	print(server.server_port, flush=True)
	server.serve_forever()
END
proxy=$!
check "(an API that says another gateway)" wait_until 30 test -s "$TEST_DIR/port"
through_proxy() { HCLOUD_ENDPOINT=http://127.0.0.1:$(cat "$TEST_DIR/port")/v1 here; }
check_output "another gateway" "0: ; net-gateway" through_proxy
check "… which is explained" explains
kill "$proxy"
wait "$proxy" 2>/dev/null
check_output "another range is meant" "1: net-range; " here --ip-range 10.0.0.0/15
stranger=$(server_create stranger '')
attach "$stranger" "$(network_id)" 10.0.1.50
check_output "a server that is not RGrid's is in the network" "0: ; net-strangers" here
check "… which is explained" explains
api DELETE "/servers/$stranger" >/dev/null
api DELETE "/networks/$(network_id)" >/dev/null
check_output "the network is gone" "1: net-exists; " here
check "… which is explained" explains

# what the orchestrator is told to order
healthy orders
cp "$ENV_FILE" "$TEST_DIR/good.env"
bundle=$(printf 'ab%.0s' {1..32})
mkdir -p "$TEST_DIR/blobs/objects/ab"
echo archive >"$TEST_DIR/blobs/objects/ab/${bundle#ab}"
echo "RGRID_BLOB_DIR=$TEST_DIR/blobs" >"$TEST_DIR/api.env"
ordering() { # lines of the environment file
	printf '%s\n' RGRID_PROVIDER=hetzner RGRID_WORKER_BUNDLE="$bundle" "$@" >>"$ENV_FILE"
	here
	cp "$TEST_DIR/good.env" "$ENV_FILE"
}
evidence() { python3 -c 'import json, sys; print(*[c["evidence"] + " | " + c["fix"] for c in json.load(open(sys.argv[1]))["checks"] if c["id"] == sys.argv[2]])' "$TEST_DIR/.findings" "$1"; }
public_side=(RGRID_NETWORK_ID= RGRID_PRIVATE_DB_IP= RGRID_PUBLIC_DB_IP=198.51.100.1)
check_output "the public side, for want of a network" "0: ; env-file" ordering "${public_side[@]}"
check "… which is explained" explains
check "… with the address" grep -q 'workers use the public address of the database, 198.51.100.1 |' <<<"$(evidence env-file)"
ordering_without_token() { (unset HCLOUD_TOKEN; ordering "$@"); }
check_output "… needs a token, too" "1: api-token; env-file" ordering_without_token "${public_side[@]}"
detach "$server"
check_output "… and no attachment" "0: ; env-file" ordering "${public_side[@]}"
network setup >/dev/null
check_output "neither a network nor a public address" "1: env-file; " ordering RGRID_NETWORK_ID= RGRID_PRIVATE_DB_IP=
check "… which is explained" explains
check_output "a bundle that the blob store lacks" "1: orchestrator-bundle; " ordering "RGRID_WORKER_BUNDLE=${bundle/ab/cd}"
check "… which is explained" explains
check_output "no bundle" "1: orchestrator-bundle; " ordering RGRID_WORKER_BUNDLE=
check_output "what is ordered by default can be had" "0: ; " ordering
check_output "one of two server types is withdrawn" "0: ; choice-types" ordering RGRID_SERVER_TYPES=cx22:nbg1,cx33:nbg1
check "… and named, with what takes its place" grep -q '^1 of 2 choices cannot be had: cx22 is not sold at nbg1 since 2026-01-01 | take cx23:nbg1 instead of cx22:nbg1: ' <<<"$(evidence choice-types)"
check_output "all are" "1: choice-types; " ordering "RGRID_SERVER_TYPES='cx22:nbg1, cx32:hel1'"
check "… which is explained" explains
check_output "a server type that is none" "1: choice-types; " ordering RGRID_SERVER_TYPES=cx99:nbg1
check "… which is explained" explains
check_output "one that is not sold there, without a private network" "0: ; env-file choice-types" ordering RGRID_SERVER_TYPES=cx23:nbg1,cpx12:nbg1,cx23:ash "${public_side[@]}"
check_output "no choice at all" "1: choice-types; " ordering RGRID_SERVER_TYPES=cx23
check "… which is explained" explains
fault "retired:type=cx23"
check_output "a type that was taken away" "0: ; choice-types" ordering RGRID_SERVER_TYPES=cx33:nbg1,cx23:nbg1
faults_end
fault "deprecated:type=cx23,location=nbg1,seconds=8640000"
check_output "a type whose end is announced" "0: ; choice-types" ordering RGRID_SERVER_TYPES=cx23:nbg1
check "… with its day" grep -q "cx23 is sold at nbg1 until $(date -u -d '+100 days' +%Y-%m)" <<<"$(evidence choice-types)"
check_output "… elsewhere is of no interest" "0: ; " ordering RGRID_SERVER_TYPES=cx23:hel1
faults_end
check_output "a location that is none" "0: ; choice-locations" ordering RGRID_SERVER_TYPES=cx23:nbg1,cx23:dus1
check_output "… the only one" "1: choice-locations; " ordering RGRID_SERVER_TYPES=cx23:dus1
check "… which is explained" explains
check_output "a location that the private network does not reach" "0: ; choice-locations" ordering RGRID_SERVER_TYPES=cpx22:nbg1,cpx22:sin
check "… which is explained" explains
check_output "an image that is none" "1: choice-image; " ordering RGRID_SERVER_IMAGE=debian-7
check "… which is explained" explains
check_output "an image on its way out" "0: ; choice-image" ordering RGRID_SERVER_IMAGE=ubuntu-20.04
check "… with the day" grep -q 'image ubuntu-20.04 is deprecated since 2025-05-05' <<<"$(evidence choice-image)"
check_output "a snapshot that is none" "1: choice-image; " ordering RGRID_SERVER_IMAGE=12345
check_output "the number of an image" "0: ; " ordering RGRID_SERVER_IMAGE=114690387
check_output "… of another architecture" "1: choice-image; " ordering RGRID_SERVER_IMAGE=114690387 RGRID_SERVER_TYPES=cax11:nbg1
check_output "… than one of the choices" "0: ; choice-image" ordering RGRID_SERVER_IMAGE=114690387 RGRID_SERVER_TYPES=cax11:nbg1,cx23:nbg1
api POST /ssh_keys '{"name":"my key","public_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILtbrBrv18eaPMpjjFSSsQHQCNQsM5BPVfCzvKqr7Orf x"}' >/dev/null
api POST /firewalls '{"name":"wall","rules":[]}' >/dev/null
check_output "keys and firewalls that exist" "0: ; " ordering "RGRID_SSH_KEYS='my key, $(value "a['ssh_keys'][0]['id']" /ssh_keys)'" RGRID_FIREWALLS=wall
check_output "a key that was deleted" "1: choice-ssh-keys; " ordering "RGRID_SSH_KEYS=my key,yours"
check "… which is explained" explains
check_output "a firewall that was" "1: choice-firewalls; " ordering RGRID_FIREWALLS=wall,4711
check "… which is explained" explains
check_output "nothing is looked at for another provider" "0: ; " ordering RGRID_PROVIDER=local RGRID_SERVER_TYPES=nonsense

healthy "who is who"
server_create rgrid2 '"rgrid-role":"control"' >/dev/null
check_output "two servers have the control label" "0: ; net-server" found
check "… which is explained" explains

healthy budget
spend() { # what is left
	fault "rate-limit:project=project-${HCLOUD_TOKEN#token-},remaining=$1"
	here
	faults_end
}
check_output "few requests are left" "0: ; api-budget" spend 300
check_output "none is left" "1: api-budget; " spend 0
check "… which is explained" explains

healthy crowd
crowd() { # numbers of the first and the last server
	local i
	for ((i = $1; i <= $2; i++)); do
		api POST /servers "{\"name\":\"crowd-$i\",\"server_type\":\"cx23\",\"image\":\"debian-12\",\"location\":\"nbg1\",
			\"start_after_create\":false,\"labels\":{\"managed-by\":\"rgrid\"},\"networks\":[$(network_id)]}" >/dev/null
	done
	wait_until 60 members_are $(($2 + 1))
}
members_are() { [ "$(value "len(a['networks'][0]['servers'])" /networks)" = "$1" ]; }
crowd 1 89
check_output "the network is nearly full" "0: ; net-members" here
check "… which is explained" explains
crowd 90 99
check_output "the network is full" "1: net-members; " here

# workers, which must have lived a while: the simulator's memory is put two hours back
healthy fleet
printf '%s\n' RGRID_PROVIDER=hetzner RGRID_WORKER_BUNDLE="$bundle" >>"$ENV_FILE"
network_id >"$TEST_DIR/id"
id=$(cat "$TEST_DIR/id")
coproc LEADER { exec psql -XAtq "$RGRID_TEST_CONNINFO"; }
# shellcheck disable=SC2153 # of the coprocess
leader_pid=$LEADER_PID
lead() {
	echo "SELECT rg.fleet_lead('host:7', '1 day');" >&"${LEADER[1]}"
	read -r <&"${LEADER[0]}"
}
lead
alive=worker_000000000001a # 42
worker=$(server_create alive "$(worker_labels $alive)")
attach "$worker" "$id" 10.0.1.42
store_ask "INSERT INTO rg.worker (id, name, login, state, joined_at, server_id) VALUES (42, 'alive', 'alive', 2, now(), $worker)"
other=$(server_create other "$(worker_labels $alive | sed "s/$grid/another/; s/$alive/worker_000000000001b/")")
attach "$other" "$id" 10.0.1.43
age() { # what is there becomes two hours older
	sim_stop TERM
	python3 - "$TEST_DIR/sim.json" <<-'END'
		import datetime, json, sys
		def older(a):
		    if isinstance(a, list):
		        for b in a: older(b)
		    elif isinstance(a, dict):
		        for k, b in a.items():
		            if k == "created" and isinstance(b, str):
		                t = datetime.datetime.fromisoformat(b.replace("Z", "+00:00")) - datetime.timedelta(hours=2)
		                a[k] = t.strftime("%Y-%m-%dT%H:%M:%S+00:00")
		            else: older(b)
		state = json.load(open(sys.argv[1]))
		older(state)
		json.dump(state, open(sys.argv[1], "w"))
	END
	local token=$HCLOUD_TOKEN
	sim_again
	export HCLOUD_TOKEN=$token
}
with_database() { here --database "$RGRID_TEST_CONNINFO"; }
age
check_output "workers that are as they should be, and another grid's" "0: ; " with_database

# what the orchestrator says of itself
touch -d '10 seconds' "$ENV_FILE"
check_output "its files were changed since it started" "0: ; orchestrator-current" with_database
check "… which is explained" explains
touch -d '1 hour ago' "$ENV_FILE"
check_output "… before" "0: ; " with_database
store_ask "UPDATE rg.worker SET server_id = 999, created_at = now() - interval '1 hour' WHERE id = 42"
check_output "a worker whose server the project lacks" "1: fleet-missing; " with_database
check "… which is explained" explains
store_ask "UPDATE rg.worker SET created_at = now() WHERE id = 42"
check_output "… or has not told yet" "0: ; " with_database
store_ask "UPDATE rg.worker SET server_id = $worker WHERE id = 42"
store_ask "SELECT rg.fleet_pause(true, 'moving house', 'me')" >/dev/null
check_output "an operator has paused the fleet" "0: ; orchestrator-paused" with_database
check "… which is explained" explains
check "… with the reason" grep -q 'UTC: moving house | rgrid fleet resume' <<<"$(evidence orchestrator-paused)"
store_ask "SELECT rg.fleet_pause(false, NULL, 'me')" >/dev/null
store_ask "UPDATE rg.grid SET quota_until = now() + interval '1 hour', quota_message = 'server limit reached'"
check_output "the account may have no more servers" "0: ; orchestrator-quota" with_database
check "… which is explained" explains
store_ask "UPDATE rg.grid SET quota_until = now() - interval '1 second'"
check_output "… and may again" "0: ; " with_database
store_ask "INSERT INTO rg.fleet_choice VALUES (1, 'cx23', 'nbg1', 2000, 4e9, 2, 6000, false), (2, 'cx23', 'hel1', 2000, 4e9, 2, 6000, false)"
store_ask "INSERT INTO rg.cooling VALUES ('cx23', 'nbg1', now() + interval '1 hour', 1, 'out of stock')"
check_output "one of two choices is out of stock" "0: ; " with_database
store_ask "INSERT INTO rg.cooling VALUES ('cx23', 'hel1', now() + interval '2 hours', 1, 'out of stock')"
check_output "both are" "0: ; orchestrator-stock" with_database
check "… which is explained" explains
store_ask "DELETE FROM rg.cooling"
store_ask "INSERT INTO rg.worker (id, name, login, state, ended_at, server_id, reason) VALUES (50, 'silent', 'silent', 6, now(), 998, 'it did not start within the time limit')"
check_output "a server never became a worker, another did" "0: ; orchestrator-starts" with_database
check "… which is explained" explains
store_ask "UPDATE rg.worker SET joined_at = now() - interval '2 hours' WHERE id = 42"
check_output "none does" "1: orchestrator-starts; " with_database
check "… and it is said why" grep -q 'the last silent: it did not start within the time limit |' <<<"$(evidence orchestrator-starts)"
store_ask "UPDATE rg.worker SET ended_at = now() - interval '2 hours' WHERE id = 50"
check_output "… long ago" "0: ; " with_database
store_ask "UPDATE rg.leader SET until_at = now() - interval '1 minute'"
check_output "the orchestrator hangs" "1: orchestrator-leads; " with_database
check "… which is explained" explains
check "… as that" grep -q '^host:7 has led until .* and hangs' <<<"$(evidence orchestrator-leads)"
lead
check_output "it leads again" "0: ; " with_database
kill "$leader_pid"
wait "$leader_pid" 2>/dev/null
no_session() { [ "$(store_ask "SELECT count(*) FROM pg_stat_activity a JOIN rg.leader l ON l.holder_pid = a.pid")" = 0 ]; }
check "(its session ends)" wait_until 30 no_session
check_output "the orchestrator is gone" "1: orchestrator-leads; " with_database
check "… which is explained" explains
store_ask "UPDATE rg.leader SET fence = 0"
check_output "none has ever led" "1: orchestrator-leads; " with_database
sed -i 's/^RGRID_PROVIDER=.*/RGRID_PROVIDER=local/' "$ENV_FILE"
check_output "… where none is needed" "0: ; " with_database

# its servers
orphan=$(server_create orphan "$(worker_labels worker_000000000001c)")
attach "$orphan" "$id" 10.0.1.44
check_output "a server that is new needs no worker yet" "0: ; " with_database
age
check_output "a server without a worker" "1: fleet-orphans; " with_database
check "… which is explained" explains
api DELETE "/servers/$orphan" >/dev/null
detach "$worker"
check_output "a worker that is not in the network" "1: fleet-private-ip; " with_database
check "… which is explained" explains
attach "$worker" "$id" 10.0.1.42
api POST "/servers/$worker/actions/poweroff" >/dev/null
wait_until 60 worker_is_off
check_output "a worker that is off" "0: ; fleet-off" with_database
check "… which is explained" explains
api DELETE "/servers/$worker" >/dev/null
store_ask "INSERT INTO rg.worker (id, name, login) VALUES (43, 'stuck', 'stuck')"
fault "action:command=create_server,ms=3600000"
api POST /servers "{\"name\":\"stuck\",\"server_type\":\"cx23\",\"image\":\"debian-12\",\"location\":\"nbg1\",\"networks\":[$id],
	\"labels\":{$(worker_labels worker_000000000001b)}}" >/dev/null
age
check_output "a worker that never comes to start" "0: ; fleet-stuck" with_database
check "… which is explained" explains
tap_end
