#!/usr/bin/env bash
# Firewalls, images, primary IPs, catalog and prices where official clients cannot look: raw answers, actions
# that fail, quotas, retired types, and what is left of it all after a restart.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
. tests/sim/sim.sh
tap_begin
sim_start --token T --state "$TEST_DIR/state.json" --server-limit 3

field() { # jq filter over the answer, arguments of api
	local filter=$1
	shift
	api "$@" | sed 's/^[0-9]* //' | jq -rc "$filter"
}
status() { api "$@" | cut -d' ' -f1; }
code() { api "$@" | sed 's/^\([0-9]*\) .*"code":"\([a-z_]*\)".*/\1 \2/'; }
fault() { sim POST /faults "{\"spec\":\"$1\"}" >/dev/null; }
is() { # expected value, jq filter, path
	[ "$(field "$2" GET "$3")" = "$1" ]
}
order() { # name, further members
	printf '{"name":"%s","server_type":"cx23","image":"debian-13","location":"fsn1"%s}' "$1" "${2:-}"
}
server=$(field .server.id POST /servers "$(order web)")
private=$(field .server.id POST /servers "$(order inside ',"start_after_create":false,"public_net":{"enable_ipv4":false,"enable_ipv6":false}')")
wait_until 20 is false .server.locked "/servers/$server"
wait_until 20 is off .server.status "/servers/$private"

# The catalog
check_output "a location" '{"id":1,"name":"fsn1","description":"Falkenstein DC Park 1","country":"DE","city":"Falkenstein","latitude":50.47612,"longitude":12.370071,"network_zone":"eu-central"}' \
	field .location GET /locations/1
check_output "a server type where it is sold" '[null,"x86",["fsn1",true,null],["hel1",true,null]]' \
	field '.server_types[0] | [.deprecation,.architecture,(.locations[] | select(.name!="nbg1") | [.name,.available,.deprecation])]' GET '/server_types?name=cx23'
check_output "… and where it is gone" '["fsn1",false,true]' \
	field '.server_types[0].locations[0] | [.name,.available,.deprecation!=null]' GET '/server_types?name=cpx11'
check_output "… everywhere" true field '.server_types[0] | .deprecation!=null and (.locations | all(.available | not))' GET '/server_types?name=cx22'
check_output "'deprecated' is no member any more" false field '.server_types[0] | has("deprecated")' GET /server_types
fault 'retired:type=cx33'
check_output "a type that is taken away is not listed" 0 field '.server_types | length' GET '/server_types?name=cx33'
check_output "… nor found" "404 not_found" code GET /server_types/115
check_output "… nor ordered" "422 invalid_input" code POST /servers "$(order late | sed s/cx23/cx33/)"
fault 'deprecated:type=cx23,location=fsn1,seconds=86400'
check_output "a type whose end is announced" '[["fsn1",true],["hel1",false]]' \
	field '[.server_types[0].locations[] | select(.name!="nbg1") | [.name,.deprecation!=null]]' GET '/server_types?name=cx23'
check_output "… can still be ordered" 201 status POST /servers "$(order ends)"
ends=$(field '.servers[0].id' GET '/servers?name=ends')
ends_goes() { [ "$(status DELETE "/servers/$ends")" = 200 ]; }
ends_is_gone() { [ "$(status GET "/servers/$ends")" = 404 ]; }
check "… and goes, once it is made" wait_until 20 ends_goes
check "… for good" wait_until 20 ends_is_gone
sim DELETE /faults >/dev/null
check_output "prices of all types" true field '.pricing.server_types | length > 20' GET /pricing
check_output "… of addresses" '["0.0008000000","0.5000000000"]' \
	field '.pricing.primary_ips[] | select(.type=="ipv4").prices[] | select(.location=="fsn1") | [.price_hourly.net,.price_monthly.net]' GET /pricing
check_output "… of the rest" '["EUR","19.000000","20.0000000000"]' \
	field '.pricing | [.currency,.vat_rate,.server_backup.percentage]' GET /pricing
check_output "datacenters are gone" "410 deprecated_api_endpoint" code GET /datacenters
check_output "… one by one" "410 deprecated_api_endpoint" code GET /datacenters/1

# Firewalls
rules='[{"direction":"in","protocol":"tcp","port":"80","source_ips":["10.0.0.0/8"]}]'
wall=$(field .firewall.id POST /firewalls "{\"name\":\"wall\",\"rules\":$rules}")
check_output "a rule is told with all its members" \
	'{"description":null,"destination_ips":[],"direction":"in","port":"80","protocol":"tcp","source_ips":["10.0.0.0/8"]}' \
	field '.firewall.rules[0] | to_entries | sort_by(.key) | from_entries' GET "/firewalls/$wall"
target="[{\"type\":\"server\",\"server\":{\"id\":$server}}]"
check_output "what is not there is 404 when applied to" "404 firewall_resource_not_found" \
	code POST "/firewalls/$wall/actions/apply_to_resources" '{"apply_to":[{"type":"server","server":{"id":1}}]}'
check_output "… and 422 on creation" "422 firewall_resource_not_found" \
	code POST /firewalls '{"name":"x","apply_to":[{"type":"server","server":{"id":1}}]}'
check_output "nothing to apply to" "422 invalid_input" code POST "/firewalls/$wall/actions/apply_to_resources" '{"apply_to":[]}'
check_output "an unknown type of resource" "422 invalid_input" \
	code POST "/firewalls/$wall/actions/apply_to_resources" '{"apply_to":[{"type":"network"}]}'
fault 'action:command=apply_firewall,ms=2000'
check_output "applied" 201 status POST "/firewalls/$wall/actions/apply_to_resources" "{\"apply_to\":$target}"
check_output "… pending at first" '[["pending"],true]' field '.server | [[.public_net.firewalls[].status],.locked]' GET "/servers/$server"
check_output "… when it is not removed" "423 locked" \
	code POST "/firewalls/$wall/actions/remove_from_resources" "{\"remove_from\":$target}"
check_output "… nor does the firewall change" "409 conflict" code PUT "/firewalls/$wall" '{"name":"other"}'
check "… then applied" wait_until 20 is applied '.server.public_net.firewalls[0].status' "/servers/$server"
fault 'action:command=remove_firewall,error=action_failed'
check_output "a removal that fails" 201 status POST "/firewalls/$wall/actions/remove_from_resources" "{\"remove_from\":$target}"
check "… leaves it" wait_until 20 is '[false,"applied"]' '.server | [.locked,.public_net.firewalls[0].status]' "/servers/$server"
check_output "… in use" "422 resource_in_use" code DELETE "/firewalls/$wall"
selector='[{"type":"label_selector","label_selector":{"selector":"role in (web,db)"}}]'
check_output "a selector that chooses nobody: what was left is removed now" '["remove_firewall"]' \
	field '[.actions[].command]' POST "/firewalls/$wall/actions/apply_to_resources" "{\"apply_to\":$selector}"
check "… and the server is without" wait_until 20 is '[]' .server.public_net.firewalls "/servers/$server"
check_output "labels bring it back" 200 status PUT "/servers/$server" '{"labels":{"role":"web"}}'
check "… applied" wait_until 20 is applied '.server.public_net.firewalls[0].status' "/servers/$server"
check_output "… and told as the selector's" "[\"label_selector\",[{\"type\":\"server\",\"server\":{\"id\":$server}}]]" \
	field '.firewall.applied_to[0] | [.type,.applied_to_resources]' GET "/firewalls/$wall"
check_output "its actions" '["set_firewall_rules","apply_firewall","remove_firewall","remove_firewall","apply_firewall"]' \
	field '[.actions[].command]' GET "/firewalls/$wall/actions?sort=id"
check_output "… of all firewalls" 5 field '.actions | length' GET /firewalls/actions
check_output "firewalls are 50 rules long" "422 invalid_input" code POST "/firewalls/$wall/actions/set_rules" \
	"{\"rules\":[$(for i in $(seq 51); do printf '%s{"direction":"in","protocol":"icmp","source_ips":["::/0"]}' "${i:+$([ "$i" -eq 1 ] || echo ,)}"; done)]}"
for number in 2 3 4 5; do api POST /firewalls "{\"name\":\"wall$number\",\"apply_to\":$target}" >/dev/null && wait_until 20 is false .server.locked "/servers/$server"; done
check_output "five of them for a server" 5 field '.server.public_net.firewalls | length' GET "/servers/$server"
check_output "… and no more" "403 resource_limit_exceeded" code POST /firewalls "{\"name\":\"wall6\",\"apply_to\":$target}"

# Images
fault 'action:command=create_image,ms=2000'
image=$(field .image.id POST "/servers/$server/actions/create_image" '{"type":"snapshot","description":"one"}')
check_output "an image that is not finished is locked" "423 locked" code DELETE "/images/$image"
check "… finished" wait_until 20 is available .image.status "/images/$image"
fault 'action:command=create_image,error=action_failed'
failed=$(field .image.id POST "/servers/$server/actions/create_image" '{}')
check "one that failed is of no use" wait_until 20 is unavailable .image.status "/images/$failed"
check_output "… not for servers" "422 invalid_input" code POST /servers "$(order x | sed "s/\"debian-13\"/$failed/")"
check_output "images by status" "[$failed]" field '[.images[].id]' GET '/images?status=unavailable'
check_output "… by architecture" '["arm"]' field '[.images[].architecture] | unique' GET '/images?architecture=arm'
check_output "a name by architecture" 1 field '.images | length' GET '/images?name=debian-13&architecture=arm'
check_output "a snapshot does not become a backup" "422 invalid_input" code PUT "/images/$image" '{"type":"backup"}'
check_output "images of the system stay as they are" "422 unsupported_error" code PUT /images/161547269 '{"labels":{}}'

# Primary IPs
check_output "a place or a server" "422 invalid_input" code POST /primary_ips '{"name":"a","type":"ipv4"}'
check_output "… not both" "422 invalid_input" code POST /primary_ips "{\"name\":\"a\",\"type\":\"ipv4\",\"location\":\"fsn1\",\"assignee_id\":$private}"
check_output "an unknown type" "422 invalid_input" code POST /primary_ips '{"name":"a","type":"ipv5","location":"fsn1"}'
check_output "an unknown place" "422 invalid_input" code POST /primary_ips '{"name":"a","type":"ipv4","location":"mars1"}'
check_output "a server that is not there" "404 not_found" code POST /primary_ips '{"name":"a","type":"ipv4","assignee_id":1}'
free=$(field .primary_ip.id POST /primary_ips '{"name":"free","type":"ipv4","location":"fsn1"}')
check_output "nobody's" '[null,"unassigned","fsn1",false,["198.18","198.19"]]' \
	field '.primary_ip | [.assignee_id,.assignee_type,.location.name,has("datacenter"),(if (.ip | startswith("198.18.") or startswith("198.19.")) then ["198.18","198.19"] else .ip end)]' GET "/primary_ips/$free"
wide=$(field .primary_ip.id POST /primary_ips '{"name":"wide","type":"ipv6","location":"fsn1"}')
check_output "the wrong version for a server" "412 primary_ip_version_mismatch" code POST /servers "$(order x ",\"public_net\":{\"ipv4\":$wide}")"
fault 'action:command=assign_primary_ip,error=action_failed,ms=2000'
api POST "/primary_ips/$free/actions/assign" "{\"assignee_type\":\"server\",\"assignee_id\":$private}" >/dev/null
check_output "while it is assigned it does not change" "409 conflict" code PUT "/primary_ips/$free" '{"name":"x"}'
check_output "… nor is it assigned again" "423 locked" \
	code POST "/primary_ips/$free/actions/assign" "{\"assignee_type\":\"server\",\"assignee_id\":$private}"
check "an assignment that fails" wait_until 20 is false .server.locked "/servers/$private"
check_output "… leaves the address free" null field .primary_ip.assignee_id GET "/primary_ips/$free"
check_output "… and the server without" null field .server.public_net.ipv4 GET "/servers/$private"
check_output "what is unassigned cannot be unassigned" "422 unsupported_error" code POST "/primary_ips/$free/actions/unassign"
api POST /primary_ips '{"name":"five","type":"ipv4","location":"fsn1"}' >/dev/null
api POST /primary_ips '{"name":"six","type":"ipv4","location":"fsn1"}' >/dev/null
check_output "twice as many as servers, no more" '["resource_limit_exceeded","Primary IP limit exceeded","primary_ip_limit"]' \
	field '.error | [.code,.message,.details.limits[0].name]' POST /primary_ips '{"name":"seven","type":"ipv4","location":"fsn1"}'
check_output "… which a server's own count among" '["resource_limit_exceeded","Primary IP limit exceeded"]' \
	field '.error | [.code,.message]' POST /servers "$(order x)"

# After a restart
before=$(api GET "/firewalls/$wall"; api GET "/images/$image"; api GET "/primary_ips/$free"; api GET "/servers/$server")
sim_stop KILL
check "killed, it starts again" sim_start --token T --state "$TEST_DIR/state.json" --server-limit 3
check_output "all is as it was" "$before" eval "api GET /firewalls/$wall; api GET /images/$image; api GET /primary_ips/$free; api GET /servers/$server"
check_output "the server goes" 200 status DELETE "/servers/$server"
check "… and its firewalls have nobody" wait_until 20 is '[]' '[.firewalls[].applied_to[] | select(.type=="server" or .applied_to_resources!=[])]' /firewalls
check_output "a new address is another one" true field ".primary_ip.id > $wide" POST /primary_ips '{"name":"new","type":"ipv4","location":"fsn1"}'
check_output "… with its own number" 5 field '[.primary_ips[].ip] | unique | length' GET /primary_ips
tap_end
