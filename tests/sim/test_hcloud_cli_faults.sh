#!/usr/bin/env bash
# The official hcloud command under the simulator's faults: what it says, and what is left.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
. tests/sim/sim.sh
. tests/sim/cli.sh
tap_begin
check "the simulator starts" sim_start --listen 127.0.0.1:0 --token T

fault() { sim POST /faults "{\"spec\":\"$1\"}" >/dev/null; }
heal() { sim DELETE /faults >/dev/null; }
create() { printf '%s ' server create --name "$1" --type "${2:-cx23}" --image debian-13 --location fsn1; }
fails() { # pattern, what, arguments of hcloud
	local pattern=$1 what=$2 output
	shift 2
	if output=$(h "$@" 2>&1) || ! [[ $output =~ $pattern ]]; then
		printf 'expected to fail with /%s/, but:\n%s\n' "$pattern" "$output" >"$TEST_DIR/.output"
		tap_result 1 "$what"
	else
		tap_result 0 "$what"
	fi
}

# shellcheck disable=SC2046 # create prints words
{
	fault 'unavailable:type=cx23,location=fsn1'
	refused resource_unavailable "sold out" $(create one)
	check "… another type is not" h $(create one cx33)
	heal
	fault 'unsupported:type=cx23,location=fsn1'
	fails 'unsupported location for server type \(invalid_input' "withdrawn" $(create two)
	heal
	fault 'quota:resource=server,max=1'
	fails 'server limit exceeded \(resource_limit_exceeded' "one server, no more" $(create two)
	heal
	fault 'rate-limit:limit=3600,remaining=0'
	refused rate_limit_exceeded "too many requests" server list
	fault 'rate-limit:limit=3600,remaining=3600'
	check "… not any more" h server list
	fault 'status:method=POST,path=/servers,code=conflict'
	check "a conflict is tried again" h $(create two)
	check "… and the server goes" h server delete two
	fault 'status:method=GET,path=/servers,code=unavailable'
	refused unavailable "503" server list
	check_output "one server is left" one names server
	fault 'lost:method=POST,path=/servers,status=504'
	refused timeout "an answer that is lost" $(create lost)
	fault 'lost:method=POST,path=/servers'
	fails 'EOF|reset' "… with the connection" $(create torn)
	check_output "… both servers are there" "lost one torn" names server -s name
	fault 'reset:method=POST,path=/servers'
	fails 'EOF|reset' "a connection that breaks before" $(create broken)
	fault 'cut:path=/servers'
	fails 'EOF' "an answer that is cut off" server list
	check_output "… no more servers" "lost one torn" names server -s name
	fault 'action:command=create_server,error=action_failed,message=no luck'
	fails 'no luck' "a creation that fails" $(create failed)
	check "… leaves a server that is off" status_is failed off
	fault 'action:command=create_server,error=action_failed,vanish=1'
	fails 'action_failed' "… or takes it away" $(create gone)
	check_exit 1 "… for good" h server describe gone
	fault 'action:command=delete_server,error=action_failed'
	check "a deletion that nobody waits for, and that fails" h server delete failed
	check "… leaves the server" wait_until 20 status_is failed off
	fault 'list-lag:path=/servers,ms=600000'
	check "a server with a label" h $(create late) --start-after-create=false --label late=yes
	check_output "… is not listed by it at first" "" names server -l late
	heal
	check_output "… but later" late names server -l late
	fault 'token:token=T,mode=revoked'
	refused unauthorized "a token that is revoked" server list
}
tap_end
