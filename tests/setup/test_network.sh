#!/bin/bash
# rgrid network setup, rollback and status against a simulated Hetzner Cloud: what they print, what they mend,
# what they refuse, and that faults and kills leave neither doubles nor halves.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
. tests/sim/sim.sh
. tests/setup/hetzner.sh
tap_begin

control='"rgrid-role":"control"'
managed='"ip_range":"10.0.0.0/16","labels":{"managed-by":"rgrid"}'
eu='"subnets":[{"type":"cloud","ip_range":"10.0.1.0/24","network_zone":"eu-central"}]'

says() { # exit code, a part of what is printed, command…
	local code=0
	"${@:3}" >"$TEST_DIR/.said" 2>&1 || code=$?
	cat "$TEST_DIR/.said"
	[ "$code" -eq "$1" ] && grep -qF -- "$2" "$TEST_DIR/.said"
}
changes() { sim GET /requests | python3 -c '
import json, sys
a = json.load(sys.stdin)
print(sum(r["method"] != "GET" for r in a["requests"]))'; }

check "without a token it says which to set" says 4 HETZNER_API_TOKEN env -u HCLOUD_TOKEN "$RGRIDD" network setup
hetzner_start --action-time fast

# from nothing, in the words of the guide
project fresh
server=$(server_create rgrid "$control")
check "a dry run tells the steps" says 0 "would create-network (rule 101)" network setup --dry-run
check_output "… and changes nothing" "0 False" \
	value "len(a['networks']), __import__('os').path.exists('$ENV_FILE')" /networks
check_output "… and changes nothing" "0" value "len(a['networks'])" /networks
network setup >"$TEST_DIR/said"
check "setup makes what the guide promises" project_is_good
id=$(value "a['networks'][0]['id']" /networks)
guide() { # the lines of steps 1 and 3, which differ
	cat <<-END
		=== RGrid Private Network Setup ===

		Step 1: Checking for existing network...
		$1

		Step 2: Finding staging server...
		✓ Found staging server: rgrid (ID: $server)

		Step 3: Attaching staging server to private network...
		$2
		  Private IP: 10.0.1.2

		==================================================
		SETUP COMPLETE!
		==================================================

		Network Configuration:
		  Network ID: $id
		  Network Name: rgrid-private
		  IP Range: 10.0.0.0/16
		  Subnet: 10.0.1.0/24

		Staging Server:
		  Server ID: $server
		  Server Name: rgrid
		  Private IP: 10.0.1.2
	END
}
guide "Creating network 'rgrid-private'...
✓ Network created successfully!
  Network ID: $id
  IP Range: 10.0.0.0/16" "✓ Server attached to network" >"$TEST_DIR/expected"
check "it prints the guide's lines" diff "$TEST_DIR/expected" <(head -n 29 "$TEST_DIR/said")
check "… and where the values went" grep -qF "Wrote RGRID_NETWORK_ID and RGRID_PRIVATE_DB_IP to $ENV_FILE" "$TEST_DIR/said"

before=$(changes)
network setup >"$TEST_DIR/said"
guide "✓ Network 'rgrid-private' already exists (ID: $id)
  IP Range: 10.0.0.0/16" "✓ Server already attached to network" >"$TEST_DIR/expected"
check "again: what exists already is said" diff "$TEST_DIR/expected" <(head -n 27 "$TEST_DIR/said")
check_output "… and nothing is changed" "$before" changes
check "a dry run has nothing to do" says 0 "Nothing to do." network setup --dry-run --no-write-env
check_output "as JSON" "$id 10.0.1.2 []" bash -c '"$@" | python3 -c "
import json, sys
a = json.load(sys.stdin)
print(a[\"network\"][\"id\"], a[\"server\"][\"private_ip\"], a[\"changes\"])"' - \
	"$RGRIDD" network setup --json --env-file "$ENV_FILE"
check "status: all is well" network status --server rgrid
check "impossible wishes are refused" says 2 "--ip: 10.0.2.2 is not within the subnet" network setup --ip 10.0.2.2

# rollback
printf 'FIRST=1\n' >"$TEST_DIR/env"
cat "$ENV_FILE" >>"$TEST_DIR/env"
cp "$TEST_DIR/env" "$ENV_FILE"
check "rollback says loudly what it means" says 0 "WARNING: without the private network" network rollback
check "… and comments the values out" grep -qx "# RGRID_NETWORK_ID=$id" "$ENV_FILE"
check "… and keeps the rest" grep -qx FIRST=1 "$ENV_FILE"
check "… and opens no range" says 0 "Nothing is opened yet" network rollback
check "again: it is rolled back" says 0 "sets neither" network rollback
check "… with the address to set" says 0 ">>$ENV_FILE" network rollback
check "… what moves the workers' API" says 0 "2. rgrid server setup" network rollback
check "… what lets workers in, one by one" says 0 "systemctl enable --now rgrid-public-workers.path" network rollback
check "… and the way back" says 0 "rgrid db expose (which closes the public side)" network rollback
check "setup goes back" network setup
check "… to what it was" project_is_good
check_output "… byte by byte" "" diff "$TEST_DIR/env" "$ENV_FILE"
worker=$(server_create worker-1 '"managed-by":"rgrid","rgrid-worker":"w1"')
attach "$worker" "$id" 10.0.1.77
check "deletion is refused while a worker is attached" says 1 "1 other server" network rollback --delete-network
check "… and nothing has changed" project_is_good
api POST "/servers/$worker/actions/detach_from_network" "{\"network\":$id}" >/dev/null
wait_until 60 servers_run
check "a dry run of the deletion" says 0 "would delete-network (rule 303)" network rollback --delete-network --dry-run
check "the network is deleted when nothing uses it" network rollback --delete-network
check_output "… and gone" 0 value "len(a['networks'])" /networks
check "again: there is none" says 0 "There is no network rgrid-private" network rollback --delete-network
check "status: it is missing" says 1 "the project has no network rgrid-private" network status
check "setup makes a new one" network setup
check "… as good as the first" project_is_good

# what is half done
project "no subnet"
server_create rgrid "$control" >/dev/null
network_create "$managed" >/dev/null
check "a network without subnet is mended" says 0 "Subnet added" network setup
check "… fully" project_is_good

project "wrong zone"
server_create rgrid "$control" >/dev/null
network_create "$managed,${eu/eu-central/us-east}" >/dev/null
check "a subnet in the wrong zone is replaced" says 0 "Subnet deleted" network setup
check "… fully" project_is_good

project "other address"
server=$(server_create rgrid "$control")
id=$(network_create "$managed,$eu")
attach "$server" "$id" 10.0.1.9
check "a server alone at another address is moved" says 0 "Detaching server, which has the address 10.0.1.9" network setup
check "… fully" project_is_good

project "other address, used"
server=$(server_create rgrid "$control")
worker=$(server_create worker-1 '"managed-by":"rgrid"')
id=$(network_create "$managed,$eu")
attach "$server" "$id" 10.0.1.9
attach "$worker" "$id" 10.0.1.10
check "… but not while others use the network" says 1 "--yes detaches it" network setup
check "… unless asked to" network setup --yes
check "… fully" project_is_good

project "not ours"
server_create rgrid "$control" >/dev/null
network_create "\"ip_range\":\"10.0.0.0/16\",\"labels\":{\"team\":\"db\"},$eu" >/dev/null
check "a network that is not ours is refused" says 1 "--adopt" network setup
check "… for deletion too" says 1 "is not RGrid's" network rollback --delete-network
check "… and adopted when asked" network setup --adopt
check "… fully" project_is_good
check_output "… with its labels" "{'managed-by': 'rgrid', 'team': 'db'}" \
	value "dict(sorted(a['networks'][0]['labels'].items()))" /networks

project "taken"
server_create rgrid "$control" >/dev/null
other=$(server_create db2 '')
id=$(network_create "$managed,$eu")
attach "$other" "$id" 10.0.1.2
check "an address that another server has is not taken" \
	says 1 "hcloud server detach-from-network --network rgrid-private db2" network setup

# which server this is
project "which server"
server=$(server_create rgrid '')
check "without a hint the candidates are listed" says 5 "candidates: rgrid (ID: $server)" network setup
check "by an unknown name too" says 5 "candidates: rgrid" network setup --server nobody
check "by id" says 0 "Found staging server: rgrid (ID: $server)" network setup --server "$server"
check "by name" says 0 "Server already attached" network setup --server rgrid
mkdir -p "$TEST_DIR/www/hetzner/v1/metadata"
printf '%s' "$server" >"$TEST_DIR/www/hetzner/v1/metadata/instance-id"
python3 -u -m http.server --bind 127.0.0.1 --directory "$TEST_DIR/www" 0 >"$TEST_DIR/www.log" 2>&1 &
www_pid=$!
tap_at_exit() { kill "$www_pid" 2>/dev/null; wait "$www_pid" 2>/dev/null; sim_stop TERM; }
wait_until 30 grep -q 'port [0-9]' "$TEST_DIR/www.log"
export RGRID_METADATA_ENDPOINT
RGRID_METADATA_ENDPOINT=http://127.0.0.1:$(sed -n 's/.*port \([0-9]*\).*/\1/p' "$TEST_DIR/www.log")
check "by the metadata service" says 0 "Server already attached" network setup
printf 4711 >"$TEST_DIR/www/hetzner/v1/metadata/instance-id"
check "a machine of another project" says 5 "which the token's project does not have" network setup
RGRID_METADATA_ENDPOINT=http://127.0.0.1:1

# faults: nothing double, nothing half
fault_check() { # description, fault
	project "$1"
	server_create rgrid "$control" >/dev/null
	fault "$2"
	check "$1" network setup
	faults_end
	fault "rate-limit:limit=3600,remaining=3600" # the test's own requests count, too
	check "… fully" project_is_good
	faults_end
}
fault_check "the answer to the creation is lost" "lost:method=POST,path=/networks,status=504"
fault_check "… and the connection with it" "reset:method=POST,path=/networks"
fault_check "the subnet conflicts with another change" "status:method=POST,path=/networks/*/actions/add_subnet,status=409,code=conflict,count=2"
fault_check "the server is locked" "status:method=POST,path=/servers/*/actions/attach_to_network,status=423,code=locked,count=3"
fault_check "the answer to the attachment is lost" "lost:method=POST,path=/servers/*/actions/attach_to_network,status=502"
fault_check "the attachment fails once" "action:command=attach_to_network,error=action_failed"
fault_check "the subnet's action fails once" "action:command=add_subnet,error=action_failed"
fault_check "the API fails for a moment" "status:status=502,code=bad_gateway,count=2"
fault_check "the attachment is slow" "action:command=attach_to_network,ms=1500"
fault_check "answers break off" "cut:method=GET,count=2"
fault_check "the answer to the creation breaks off" "cut:method=POST,path=/networks"
fault_check "every answer is late" "delay:ms=200,count=0"
fault_check "the request budget is used up" "rate-limit:limit=3600,remaining=0"
fault_check "the attachment is seen late" "private-net:ms=1500"
fault_check "listings are behind" "list-lag:ms=1500"

refusal_check() { # description, exit code, words, fault
	project "$1"
	server_create rgrid "$control" >/dev/null
	fault "$4"
	check "$1" says "$2" "$3" network setup
	faults_end
	check "… and done once it is mended" network setup
	check "… fully" project_is_good
}
says_or_waits() { network setup >"$TEST_DIR/.output" 2>&1 || grep -q "the address is taken, or was freed just now" "$TEST_DIR/.output"; }
refusal_check "a refusal is told as it is" 6 "resource_limit_exceeded" "status:method=POST,path=/networks,status=403,code=resource_limit_exceeded"
refusal_check "so is a quota" 6 "resource_limit_exceeded" "quota:resource=network"
refusal_check "so is a token that may only read" 4 "token_readonly" "token:mode=readonly"
refusal_check "so is one that was revoked" 4 "make a new API token" "token:mode=revoked"
refusal_check "so is one that is revoked on the way" 4 "make a new API token" "token:mode=revoked,skip=3"

project "an address that is not free yet"
server_create rgrid "$control" >/dev/null
network setup >/dev/null
fault "ip-busy:ms=3000"
network rollback >/dev/null
check "an address that was given back this moment is told to be taken, or waited for" says_or_waits
faults_end

# Two at once: what one has just made, the API refuses the other.
together() { # how many
	local i pids=() failed=0
	for ((i = 0; i < $1; i++)); do
		network setup >"$TEST_DIR/run-$i" 2>&1 &
		pids+=($!)
	done
	for i in "${pids[@]}"; do wait "$i" || failed=1; done
	cat "$TEST_DIR"/run-*
	return "$failed"
}
for ((round = 1; round <= 3; round++)); do
	project "together $round"
	server_create rgrid "$control" >/dev/null
	check "three runs at once" together 3
	check "… make one network" project_is_good
done

# Whatever call of the run it dies at, the next run completes it.
killed_at() { # number of calls that pass
	fault "delay:token=$HCLOUD_TOKEN,skip=$1,ms=600000"
	network setup >/dev/null 2>&1 &
	local pid=$!
	wait_until 60 is_held_or_over "$pid" || return 1
	kill -KILL "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	faults_end
}
is_held_or_over() {
	! kill -0 "$1" 2>/dev/null || sim GET /faults | grep -q '"hits": *1'
}
calls=0
whole=1
for ((calls = 0; calls < 40; calls++)); do
	project "killed at call $calls"
	server_create rgrid "$control" >/dev/null
	killed_at "$calls"
	done_before=1
	! project_is_good 2>/dev/null || done_before=0
	if ! network setup >"$TEST_DIR/.output" 2>&1 || ! project_is_good; then
		whole=0
		break
	fi
	[ "$done_before" -ne 0 ] || break
done
check "a run killed at any of its calls is completed by the next ($calls)" test "$whole" = 1
check "… and there were calls to be killed at" test "$calls" -ge 5 -a "$calls" -lt 40
tap_end
