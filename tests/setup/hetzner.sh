# shellcheck shell=bash
# A project of a simulated Hetzner Cloud with a control server, and the verbs under test. Source it after
# tap.sh and ../sim/sim.sh, then:
#
#   project NAME                   from now on all is about this project, which is empty at first
#   server_create NAME [LABELS]    a server; LABELS are JSON members; prints its id
#   network ARGS…, doctor ARGS…    rgridd with an environment file of the project ($ENV_FILE)
#   fault SPEC                     see sim/hcloud/fault.h
#   value EXPRESSION PATH          prints a Python expression of the API's answer `a`
#   project_is_good                network, subnet and attachment are as setup promises, each of them once
#
# No metadata service answers unless a test makes one.

PROJECTS_MAX=80
RGRIDD=$RGRID_BUILD/src/main/rgridd
[ -x "$RGRIDD" ] || RGRIDD=$RGRID_BUILD/rgridd
export RGRID_METADATA_ENDPOINT=http://127.0.0.1:1
unset HETZNER_API_TOKEN RGRID_DATABASE RGRID_CONFIG
export RGRID_DATA_DIR=

hetzner_start() { # options of hcloud-sim
	local i
	sim_options=("$@")
	for ((i = 0; i < PROJECTS_MAX; i++)); do
		sim_options+=(--token "token-$i=project-$i")
	done
	sim_again || exit 1
	RGRID_DATA_DIR=$TEST_DIR/data
	project_count=0
}
# After sim_stop.
sim_again() { sim_start --listen 127.0.0.1:0 "${sim_options[@]}"; }

project() {
	export HCLOUD_TOKEN=token-$project_count
	ENV_FILE=$TEST_DIR/orchestrator-$project_count.env
	project_count=$((project_count + 1))
	[ "$project_count" -le "$PROJECTS_MAX" ] || { echo "Bail out! too many projects"; exit 1; }
	: "$1"
}

value() {
	api GET "$2" | sed 's/^[0-9]* //' | python3 -c "import json, sys; a = json.load(sys.stdin); print($1)"
}

server_create() {
	api POST /servers "{\"name\":\"$1\",\"server_type\":\"cx23\",\"image\":\"debian-12\",\"location\":\"${3:-nbg1}\",\"labels\":{${2:-}}}" \
		>"$TEST_DIR/.created"
	python3 -c 'import json, sys; print(json.loads(sys.stdin.read().split(" ", 1)[1])["server"]["id"])' <"$TEST_DIR/.created"
	wait_until 60 servers_run
}
servers_run() { [ "$(value "all(s['status'] == 'running' and not s['locked'] for s in a['servers'])" /servers)" = True ]; }

network_create() { # JSON members besides the name; prints the id
	api POST /networks "{\"name\":\"rgrid-private\",$1}" | sed 's/^[0-9]* //' |
		python3 -c 'import json, sys; print(json.load(sys.stdin)["network"]["id"])'
}

# What the API has done is done: no action runs any more.
attach() { # server network ip
	api POST "/servers/$1/actions/attach_to_network" "{\"network\":$2,\"ip\":\"$3\"}" >/dev/null
	wait_until 60 servers_run
}

network() { timeout -k 5 120 "$RGRIDD" network "$@" --env-file "$ENV_FILE"; }
doctor() { timeout -k 5 120 "$RGRIDD" doctor "$@" --env-file "$ENV_FILE"; }

fault() { sim POST /faults "{\"spec\":\"$1\"}" >/dev/null; }
faults_end() { sim DELETE /faults; }

project_is_good() {
	local id
	[ "$(value "len(a['networks'])" /networks)" = 1 ] || return 1
	id=$(value "a['networks'][0]['id']" /networks)
	[ "$(value "[(n['name'], n['ip_range'], n['labels'].get('managed-by'), [(s['ip_range'], s['type'], s['network_zone']) for s in n['subnets']]) for n in a['networks']]" /networks)" = \
		"[('rgrid-private', '10.0.0.0/16', 'rgrid', [('10.0.1.0/24', 'cloud', 'eu-central')])]" ] || return 1
	[ "$(value "[(p['network'], p['ip']) for s in a['servers'] if s['name'] == 'rgrid' for p in s['private_net']]" /servers)" = \
		"[($id, '10.0.1.2')]" ] || return 1
	grep -qx "RGRID_NETWORK_ID=$id" "$ENV_FILE" && grep -qx "RGRID_PRIVATE_DB_IP=10.0.1.2" "$ENV_FILE"
}
