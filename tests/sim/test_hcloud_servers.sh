#!/usr/bin/env bash
# Servers and networks of the simulator, raw: rules, refusals, actions, faults, the bill, restarts.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
. tests/sim/sim.sh
tap_begin
sim_start --token one --state "$TEST_DIR/state.json" --server-limit 120 --rate-limit 100000

order() { # name, further members
	printf '{"name":"%s","server_type":"cx23","image":"debian-12","location":"fsn1"%s}' "$1" "${2:-}"
}
private=',"public_net":{"enable_ipv4":false,"enable_ipv6":false}'
# Creates a server, waits for all of its actions, prints its id.
made() {
	local answer ids
	answer=$(api POST /servers "$(order "$@")")
	ids=$(field "' '.join(str(x['id']) for x in [a['action']] + a['next_actions'])" echo "$answer") || {
		echo "$answer" >&2
		return 1
	}
	for id in $ids; do action_ends "$id" || return 1; done
	field "a['server']['id']" echo "$answer"
}
network() { # name, range, further members
	field "a['network']['id']" api POST /networks "{\"name\":\"$1\",\"ip_range\":\"$2\"${3:-}}"
}
subnet() { # range, zone
	printf '{"type":"cloud","network_zone":"%s","ip_range":"%s"}' "${2:-eu-central}" "$1"
}
# POSTs an action and waits for it.
act() { # path, body
	local id
	id=$(field "a['action']['id']" api POST "$@") && action_ends "$id"
}

# Networks.
net=$(network n1 10.0.0.0/16 ",\"subnets\":[$(subnet 10.0.1.0/24)]")
check_output "the gateway of a subnet is the network's first address" "10.0.1.0/24 10.0.0.1" \
	field "a['network']['subnets'][0]['ip_range'] + ' ' + a['network']['subnets'][0]['gateway']" api GET "/networks/$net"
check_output "a public range" "422 invalid_input" code api POST /networks '{"name":"x","ip_range":"8.0.0.0/16"}'
check_output "a range that is too small" "422 invalid_input" code api POST /networks '{"name":"x","ip_range":"10.0.0.0/25"}'
check_output "a network's name is unique" "409 uniqueness_error" code api POST /networks '{"name":"n1","ip_range":"10.9.0.0/16"}'
check_output "a subnet that overlaps" "422 invalid_input" code api POST "/networks/$net/actions/add_subnet" "$(subnet 10.0.1.128/25)"
check_output "a zone that there is not" "422 invalid_input" code api POST "/networks/$net/actions/add_subnet" "$(subnet 10.0.2.0/24 mars)"
check "a subnet without a range" act "/networks/$net/actions/add_subnet" '{"type":"cloud","network_zone":"us-east"}'
check_output "… is the first free /24" "['10.0.1.0/24', '10.0.0.0/24']" \
	field "[s['ip_range'] for s in a['network']['subnets']]" api GET "/networks/$net"
check "a route" act "/networks/$net/actions/add_route" '{"destination":"0.0.0.0/0","gateway":"10.0.1.9"}'
check_output "a route that there is not" "404 not_found" code api POST "/networks/$net/actions/delete_route" \
	'{"destination":"10.7.0.0/16","gateway":"10.0.1.9"}'
check "a route is deleted" act "/networks/$net/actions/delete_route" '{"destination":"0.0.0.0/0","gateway":"10.0.1.9"}'
check_output "networks do not shrink" "422 invalid_input" code api POST "/networks/$net/actions/change_ip_range" '{"ip_range":"10.0.0.0/17"}'
check "networks grow" act "/networks/$net/actions/change_ip_range" '{"ip_range":"10.0.0.0/15"}'
fault "action:command=add_subnet,ms=60000"
slow=$(field "a['action']['id']" api POST "/networks/$net/actions/add_subnet" "$(subnet 10.0.3.0/24)")
check_output "a change while another one runs" "409 conflict" code api POST "/networks/$net/actions/add_subnet" "$(subnet 10.0.4.0/24)"
check_output "… is seen to run" running field "a['action']['status']" api GET "/actions/$slow"
sim_stop KILL
sim_start --token one --state "$TEST_DIR/state.json" --server-limit 120 --rate-limit 100000
check_output "an action outlives the simulator" running field "a['action']['status']" api GET "/actions/$slow"

# Orders.
net=$(network n2 10.4.0.0/16 ",\"subnets\":[$(subnet 10.4.1.0/24)]")
refused() { code api POST /servers "$(order "$@")"; }
check_output "a name that is no hostname" "422 invalid_input" refused w_1
check_output "a type that was withdrawn" "unsupported location for server type" \
	field "a['error']['message']" api POST /servers "$(order w1 | sed s/cx23/cx22/)"
check_output "a type that there never was" "422 invalid_input" code api POST /servers "$(order w1 | sed s/cx23/cx99/)"
check_output "an image of the other architecture" "422 invalid_input" code api POST /servers "$(order w1 | sed s/cx23/cax11/ | sed 's/"debian-12"/114690387/')"
check_output "a datacenter is no longer asked for" "422 invalid_input" refused w1 ',"datacenter":"fsn1-dc14"'
check_output "a network that there is not" "404 not_found" refused w1 ',"networks":[17]'
user_data() { /usr/bin/python3 -c "print(',\"user_data\":\"' + 'x' * $1 + '\"')"; }
check_output "user_data of 32 KiB and a byte" "422 invalid_input" refused w1 "$(user_data 32769)"
check_output "an American server in a European network" "422 no_subnet_available" code api POST /servers \
	"$(order w1 ",\"networks\":[$net]" | sed 's/fsn1/ash/; s/cx23/cpx11/')"
check_output "nothing was made" 0 field "len(a['servers'])" api GET /servers

w1=$(made w1 ",\"networks\":[$net]$private$(user_data 32768)")
check_output "a private server runs, at the lowest address, with a MAC" "running 10.4.1.1 86:00:00" \
	field "(lambda s: ' '.join([s['status'], s['private_net'][0]['ip'], s['private_net'][0]['mac_address'][:8]]))(a['server'])" api GET "/servers/$w1"
check_output "… has no public address" "None None" \
	field "' '.join(str(a['server']['public_net'][v]) for v in ('ipv4', 'ipv6'))" api GET "/servers/$w1"
check_output "… does not tell its user_data" False field "'user_data' in str(a)" api GET "/servers/$w1"
check_output "a name is used once" "409 uniqueness_error" refused w1
answer=$(api POST /servers "$(order w2 ",\"networks\":[$net]")")
check_output "an answer to an order: what comes next, nothing attached yet" \
	"initializing True [] create_server ['start_server', 'attach_to_network']" \
	field "' '.join(str(x) for x in (a['server']['status'], a['server']['locked'], a['server']['private_net'], a['action']['command'], [n['command'] for n in a['next_actions']]))" echo "$answer"
w2=$(field "a['server']['id']" echo "$answer")
for id in $(field "' '.join(str(n['id']) for n in a['next_actions'])" echo "$answer"); do action_ends "$id"; done
start_lonely() {
	local id
	id=$(field "a['next_actions'][0]['id']" api POST /servers "$(order lonely "$private")")
	action_ends "$id" error && field "a['action']['error']['message']" api GET "/actions/$id"
}
check_output "a server without any interface does not start" "no public or private network interfaces found, cannot start server" \
	start_lonely

# Joining and leaving.
attach() { code api POST "/servers/$w2/actions/attach_to_network" "$1"; }
check_output "attached already" "422 server_already_attached" attach "{\"network\":$net}"
check "detached" act "/servers/$w2/actions/detach_from_network" "{\"network\":$net}"
check_output "not attached any more" "422 invalid_input" code api POST "/servers/$w2/actions/detach_from_network" "{\"network\":$net}"
check_output "an address that is taken" "422 ip_not_available" attach "{\"network\":$net,\"ip\":\"10.4.1.1\"}"
check_output "the gateway" "422 invalid_input" attach "{\"network\":$net,\"ip\":\"10.4.0.1\"}"
check_output "an address outside of every subnet" "422 no_subnet_available" attach "{\"network\":$net,\"ip\":\"10.4.9.1\"}"
check "a chosen address" act "/servers/$w2/actions/attach_to_network" "{\"network\":$net,\"ip\":\"10.4.1.77\"}"
check_output "… is what it gets" 10.4.1.77 field "a['server']['private_net'][0]['ip']" api GET "/servers/$w2"
check "aliases" act "/servers/$w2/actions/change_alias_ips" "{\"network\":$net,\"alias_ips\":[\"10.4.1.78\"]}"
check_output "an alias is taken, too" "422 ip_not_available" code api POST "/servers/$w1/actions/change_alias_ips" \
	"{\"network\":$net,\"alias_ips\":[\"10.4.1.78\"]}"
overlapping=$(network n3 10.4.0.0/15 ",\"subnets\":[$(subnet 10.5.0.0/24)]")
check_output "networks that overlap" "422 networks_overlap" attach "{\"network\":$overlapping}"
for i in 1 2; do
	more=$(network "more$i" "192.168.$i.0/24" ",\"subnets\":[$(subnet "192.168.$i.0/24")]")
	act "/servers/$w2/actions/attach_to_network" "{\"network\":$more}"
done
fourth=$(network fourth 172.16.0.0/16 ",\"subnets\":[$(subnet 172.16.0.0/24)]")
check_output "three networks and no fourth" "403 resource_limit_exceeded" attach "{\"network\":$fourth}"
check_output "a subnet with servers stays" "422 service_error" code api POST "/networks/$net/actions/delete_subnet" '{"ip_range":"10.4.1.0/24"}'
check_output "a network that goes takes its servers out" "204" status api DELETE "/networks/$fourth"

# Locked, power, deletion.
fault "action:command=reboot_server,ms=60000"
api POST "/servers/$w2/actions/reboot" >/dev/null
check_output "a server with a running action is locked" "423 locked" code api POST "/servers/$w2/actions/poweroff"
check_output "… for deletion, too" "423 locked" code api DELETE "/servers/$w2"
check_output "… and says so" True field "a['server']['locked']" api GET "/servers/$w2"
check "power off" act "/servers/$w1/actions/poweroff"
check_output "… is off" off field "a['server']['status']" api GET "/servers/$w1"
check "protection" act "/servers/$w1/actions/change_protection" '{"delete":true,"rebuild":true}'
check_output "a protected server" "423 protected" code api DELETE "/servers/$w1"
act "/servers/$w1/actions/change_protection" '{"delete":false,"rebuild":false}'
api PUT "/servers/$w1" '{"labels":{"a":"1"}}' >/dev/null
check_output "labels are replaced, not merged" "{'b': '2'}" field "a['server']['labels']" api PUT "/servers/$w1" '{"labels":{"b":"2"}}'
check_output "a label that cannot be one" "422 invalid_input" code api PUT "/servers/$w1" '{"labels":{"a":"me@example.com"}}'
deleted=$(field "a['action']['id']" api DELETE "/servers/$w1")
check "deletion" action_ends "$deleted"
check_output "… leaves nothing" "404 not_found" code api GET "/servers/$w1"

# Faults.
fault "unavailable:type=cx23,location=fsn1,count=1"
check_output "sold out" "412 resource_unavailable" refused f1
fault "unsupported:type=cx23,count=1"
check_output "withdrawn" "422 invalid_input" refused f1
fault "quota:resource=server,max=1,name=server_limit,count=1"
check_output "the quota and its name" "403 server_limit" \
	field "status + ' ' + a['error']['details']['limits'][0]['name']" api POST /servers "$(order f1)"
fault "lost:method=POST,path=/servers,status=502"
check_output "an answer that is lost" "502 bad_gateway" refused f1
check_output "… of a server that is there" 1 field "len(a['servers'])" api GET '/servers?name=f1'
fault "action:command=create_server,error=action_failed,vanish=1"
id=$(field "a['action']['id']" api POST /servers "$(order f2)")
check "a creation that fails" action_ends "$id" error
check_output "… and vanishes" 0 field "len(a['servers'])" api GET '/servers?name=f2'
fault "private-net:server=f3,ms=60000"
api POST /servers "$(order f3 ",\"networks\":[$net]")" >/dev/null
late() { [ "$(field "a['servers'][0]['status'] + str(a['servers'][0]['private_net'])" api GET '/servers?name=f3')" = "running[]" ]; }
check "a private interface that is late" wait_until 60 late
fault "list-lag:ms=60000,count=1"
api POST /servers "$(order f4 ',"labels":{"lag":"1"}')" >/dev/null
check_output "a listing by label that lags" 0 field "len(a['servers'])" api GET '/servers?label_selector=lag'
check_output "… and catches up" 1 field "len(a['servers'])" api GET '/servers?label_selector=lag'
fault "retired:type=cx33"
check_output "a type that disappears" 0 field "len(a['server_types'])" api GET '/server_types?name=cx33'
fault "date:seconds=7200,count=1"
is_ahead() {
	local date
	date=$(curl -sS -m 60 -D - -o /dev/null "$HCLOUD_ENDPOINT/locations" | sed -n 's/^Date: *//ip' | tr -d '\r')
	[ $(($(date -d "$date" +%s) - $(date +%s))) -gt 7000 ]
}
check "a clock that is two hours ahead" is_ahead

# The bill.
bill() { field "$1" sim GET "/bill"; }
check_output "a server is billed for the hour that it began" "1 8800" \
	bill "(lambda i: '%d %d' % (i['hours'], i['cost_micros']))([i for i in a['bills'][0]['items'] if i['name'] == 'w1'][0])"
sim POST /clock '{"advance_seconds":7260}' >/dev/null
check_output "… until it was deleted, others go on" "1 3" \
	bill "' '.join(str([i for i in a['bills'][0]['items'] if i['name'] == n][0]['hours']) for n in ('w1', 'f1'))"

# A hundred servers in a network.
full=$(network full 10.200.0.0/16 ",\"subnets\":[$(subnet 10.200.0.0/24)]")
hundred() { # over one connection: a process for each would take longer than they
	for i in $(seq 100); do order "n$i" ",\"networks\":[$full],\"start_after_create\":false$private" && echo; done |
		/usr/bin/python3 -c '
import http.client, os, sys, urllib.parse
url = urllib.parse.urlsplit(os.environ["HCLOUD_ENDPOINT"])
connection = http.client.HTTPConnection(url.netloc, timeout=60)
for body in sys.stdin:
    connection.request("POST", url.path + "/servers", body, {"Authorization": "Bearer " + os.environ["HCLOUD_TOKEN"]})
    answer = connection.getresponse()
    if answer.status != 201:
        sys.exit(answer.read().decode())
    answer.read()'
}
check "a hundred servers are ordered for it" hundred
everybody() { [ "$(field "len(a['network']['servers'])" api GET "/networks/$full")" = 100 ]; }
check "a hundred servers of a network" wait_until 60 everybody
check_output "… and not one more" "403 resource_limit_exceeded" refused one-more ",\"networks\":[$full]$private"
pages() {
	for page in 1 2 3; do field "len(a['servers'])" api GET "/servers?per_page=50&page=$page"; done | paste -sd ' '
}
check_output "servers on pages" "50 50 5" pages
check "it ends cleanly" sim_stop TERM

tap_end
