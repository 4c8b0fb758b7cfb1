#!/usr/bin/env bash
# The simulator's API where official clients cannot look: raw answers, order of refusals, faults, state.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
. tests/sim/sim.sh
tap_begin
sim_start --token first=one --token second=two --state "$TEST_DIR/state.json"

is() { [ "$("${@:2}")" = "$1" ]; }
as() { # token, then as api
	local HCLOUD_TOKEN=$1
	shift
	api "$@"
}

check_output "an unknown path is 404 before the token is asked for" "404 not_found" code as wrong GET /nowhere
check_output "a known path asks for the token" "401 unauthorized" code as wrong GET /ssh_keys
check_output "the token comes before the method" "401 unauthorized" code as wrong PATCH /ssh_keys
check_output "a wrong method" "405 method_not_allowed" code api PATCH /ssh_keys
check_output "no such id" "404 not_found" code api GET /ssh_keys/17
check_output "a body that is not JSON" "400 json_error" code api POST /ssh_keys '{'
check_output "a missing field is named" "422 name" \
	field "status + ' ' + a['error']['details']['fields'][0]['name']" api POST /ssh_keys '{}'
check_output "actions are not listed without ids" "410 deprecated_api_endpoint" code api GET /actions

key() { # seed
	printf '{"name":"key-%s","labels":{"seed":"%s"},"public_key":"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5%044d"}' "$1" "$1" "$1"
}
for seed in $(seq 7); do api POST /ssh_keys "$(key "$seed")" >/dev/null; done
check_output "sorting" "key-7" field "a['ssh_keys'][0]['name']" api GET '/ssh_keys?sort=name:desc'
check_output "sorting by what cannot be sorted by" "422 invalid_input" code api GET '/ssh_keys?sort=created'
check_output "label selectors" "['key-3', 'key-7']" \
	field "[k['name'] for k in a['ssh_keys']]" api GET '/ssh_keys?label_selector=seed+in+(3,7)'
check_output "a broken label selector says where" "invalid label_selector: expected comma at pos 5" \
	field "a['error']['message']" api GET '/ssh_keys?label_selector=seed+7'
check_output "a fingerprint is there once" "409 uniqueness_error" code api POST /ssh_keys "$(key 5)"
check_output "projects are apart" 0 field "len(a['ssh_keys'])" as second GET /ssh_keys

sim POST /faults '{"spec":"lost:method=POST,path=/ssh_keys,status=504"}' >/dev/null
check_output "a lost answer" "504 timeout" code api POST /ssh_keys "$(key 8)"
check_output "… whose effect is there" "409 uniqueness_error" code api POST /ssh_keys "$(key 8)"
sim POST /faults '{"spec":"status:path=/ssh_keys,code=conflict,count=2,skip=1"}' >/dev/null
check_output "a fault lets the first pass" 200 status api GET /ssh_keys
check_output "… then strikes" "409 conflict" code api GET /ssh_keys
check_output "… as often as it says" "409 conflict" code api GET /ssh_keys
check_output "… and no more" 200 status api GET /ssh_keys
check_output "an unknown fault is refused" "there is no fault \"typo\"" \
	field "a['error']['message']" sim POST /faults '{"spec":"typo:count=1"}'
sim POST /faults '{"spec":"token:token=second,mode=readonly"}' >/dev/null
check_output "a token that may only read" "401 token_readonly" code as second POST /ssh_keys "$(key 1)"
check_output "… reads" 200 status as second GET /ssh_keys
breaks_with() { # exit code of curl, fault
	sim POST /faults "{\"spec\":\"$2:path=/ssh_keys\"}" >/dev/null
	curl -sS -m 60 -o /dev/null -H "Authorization: Bearer first" "$HCLOUD_ENDPOINT/ssh_keys"
	[ $? -eq "$1" ]
}
check "a connection that is reset" breaks_with 56 reset
check "an answer that breaks off" breaks_with 18 cut
sim POST /faults '{"spec":"rate-limit:project=two,remaining=0"}' >/dev/null
check_output "the rate limit" "429 rate_limit_exceeded" code as second GET /ssh_keys
check_output "… is a project's own" 200 status as first GET /ssh_keys

sim_stop KILL
sim_start --token first=one --state "$TEST_DIR/state.json"
check_output "state outlives a kill" 8 field "a['meta']['pagination']['total_entries']" api GET /ssh_keys

fault "delay:path=/ssh_keys,ms=600000"
held() { curl -sS -m 1 -o /dev/null -H "Authorization: Bearer first" "$HCLOUD_ENDPOINT/ssh_keys"; }
check_exit 28 "an answer that is held back" held
check_output "… holds up nobody else" 200 status api GET /ssh_keys
check "it ends cleanly, with an answer held back" sim_stop TERM

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=IP:127.0.0.1 \
	-keyout "$TEST_DIR/key.pem" -out "$TEST_DIR/cert.pem" 2>/dev/null
sim_start --token first --tls-cert "$TEST_DIR/cert.pem" --tls-key "$TEST_DIR/key.pem" --control-token secret
check "TLS" curl -sS -m 60 --cacert "$TEST_DIR/cert.pem" -f -o /dev/null -H "Authorization: Bearer first" "$HCLOUD_ENDPOINT/servers"
control() { curl -sS -m 60 -k -o /dev/null -w '%{http_code}' "$@" "$HCLOUD_SIM_URL/_sim/health"; }
check_output "the control token is asked for" 401 control
check_output "… and taken" 200 control -H 'Authorization: Bearer secret'
check "it ends cleanly" sim_stop TERM

# A clock on which an hour takes a tenth of a second: the bill, the dates and the request budget run by it.
sim_start --token first --clock-rate 36000 --rate-limit 1
check_output "an order takes the hour's only request" 201 status api POST /servers '{"name":"w","server_type":"cx23","image":"debian-12"}'
check "… and there is another one an hour later" wait_until 20 is 200 status api GET /servers
hours() { field "a['bills'][0]['items'][0]['hours']" sim GET /bill; }
unix() { field "a['unix']" sim GET /clock; }
began=$(field "a['bills'][0]['items'][0]['from_us'] // 1000000" sim GET /bill)
paid_three() { [ "$(hours)" -ge 3 ]; }
check "three hours are billed in a moment" wait_until 20 paid_three
least=$((($(unix) - began) / 3600))
hours=$(hours)
most=$((($(unix) - began) / 3600 + 1))
check "… those that have begun by its clock" test "$least" -le "$hours" -a "$hours" -le "$most"
date_ahead() { # seconds that an answer's date is ahead of ours
	local date
	date=$(curl -sS -m 60 -D - -o /dev/null "$HCLOUD_ENDPOINT/locations" | sed -n 's/^Date: *//ip' | tr -d '\r')
	echo $(($(date -d "$date" +%s) - $(date +%s)))
}
check "… which dates its answers" test "$(date_ahead)" -ge $((2 * 3600))
check_output "it can be told another rate" 1 field "a['rate']" sim POST /clock '{"rate":1}'
stands() { [ "$(hours)" = "$1" ] && [ "$(hours)" = "$1" ]; }
check "… and then keeps to that" stands "$(hours)"
check "it ends cleanly" sim_stop TERM

# What it says about itself.
about() { "$RGRID_BUILD/hcloud-sim" "$1" >"$TEST_DIR/$2"; }
check "it explains itself" about --help help
check "… at length" about man hcloud-sim.1
page() { { LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -l "$TEST_DIR/hcloud-sim.1" >"$TEST_DIR/page"; } 2>&1; }
if command -v man >/dev/null; then
	check_output "the manual page is one" "" page
	options() { sed -nE 's/^ +(-h, )?(--[a-z-]+).*/\2/p' "$TEST_DIR/$1" | sort -u; }
	check_output "… which names every option that the short help names" "$(options help)" options page
	faults() { sed -nE 's/^ *([a-z-]+): ([a-z ]+)$/\1 \2/p' "$TEST_DIR/$1"; }
	check_output "… and every fault, with its keys" "$(sed -nE 's/^X\([A-Z_]+, "([a-z-]+)", [01], "([a-z ]+)"\)/\1 \2/p' sim/hcloud/faults.def)" faults page
else
	skip "the manual page is one" "there is no man here"
fi
check_exit 2 "an option that there is not" "$RGRID_BUILD/hcloud-sim" --fault-rate 3

tap_end
