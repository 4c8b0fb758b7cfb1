#!/usr/bin/env bash
# The official hcloud command judges the simulator's firewalls, placement groups, primary IPs and catalog.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
. tests/sim/sim.sh
. tests/sim/cli.sh
tap_begin
check "the simulator starts" sim_start --listen 127.0.0.1:0 --token T
check "a network" h network create --name private --ip-range 10.0.0.0/16
check "… with a subnet" h network add-subnet private --type cloud --network-zone eu-central --ip-range 10.0.1.0/24
check "a server with a label" h server create --name web1 --type cx23 --image debian-13 --location fsn1 --label role=web
check "… one without" h server create --name copy --type cx23 --image debian-13 --location fsn1
check "… a private one" h server create --name db --type cx23 --image debian-13 --location fsn1 --without-ipv4 --without-ipv6 --network private

# Firewalls
check "a firewall is created" h firewall create --name edge --label kind=fw
check "… a rule is added" h firewall add-rule edge --direction in --protocol tcp --port 22 --source-ips 0.0.0.0/0 --source-ips ::/0 --description ssh
check "… another one" h firewall add-rule edge --direction out --protocol icmp --destination-ips 0.0.0.0/0
check_output "… both are there" '[["in","tcp","22",["0.0.0.0/0","::/0"],"ssh"],["out","icmp",null,[],null]]' \
	show firewall edge '[.rules[] | [.direction,.protocol,.port,.source_ips,.description]]'
refused invalid_input "a port that is none" firewall add-rule edge --direction in --protocol udp --port 70000 --source-ips 10.0.0.0/8
refused invalid_input "a range of ports that ends before it begins" firewall add-rule edge --direction in --protocol udp --port 90-80 --source-ips 10.0.0.0/8
check "a rule is deleted" h firewall delete-rule edge --direction out --protocol icmp --destination-ips 0.0.0.0/0
check_output "… one is left" 1 show firewall edge '.rules | length'
echo '[{"direction":"in","protocol":"udp","port":"1000-2000","source_ips":["10.0.0.0/8"]}]' >"$TEST_DIR/rules.json"
check "rules are replaced" h firewall replace-rules edge --rules-file "$TEST_DIR/rules.json"
check_output "… altogether" '["1000-2000"]' show firewall edge '[.rules[].port]'
refused uniqueness_error "the name of a firewall is taken" firewall create --name edge
check "a firewall is applied to a server" h firewall apply-to-resource edge --type server --server web1
check_output "… which shows it" '["applied"]' show server web1 '[.public_net.firewalls[].status]'
refused firewall_already_applied "… once" firewall apply-to-resource edge --type server --server web1
refused private_net_only_server "… not to a server without a public address" firewall apply-to-resource edge --type server --server db
refused resource_in_use "… then it cannot be deleted" firewall delete edge
check "… it is removed" h firewall remove-from-resource edge --type server --server web1
check_output "… and no more there" '[]' show server web1 .public_net.firewalls
check "a firewall is applied by labels" h firewall apply-to-resource edge --type label_selector --label-selector role=web
check_output "… to the servers that have them" '[["label_selector","role=web",1]]' \
	show firewall edge '[.applied_to[] | [.type,.label_selector.selector,(.applied_to_resources|length)]]'
refused firewall_managed_by_label_selector "… and not removed from one of them" firewall remove-from-resource edge --type server --server web1
check "a server that gets the label" h server add-label copy role=web
has_firewall() { [ "$(show server "$1" '.public_net.firewalls[0].status')" = "$2" ]; }
check "… gets the firewall" wait_until 10 has_firewall copy applied
check "… and loses it" h server remove-label copy role
check "… with the label" wait_until 10 has_firewall copy null
check "a new server with the firewall" h server create --name fresh --type cx23 --image debian-13 --location fsn1 --firewall edge
check_output "… has it" '["applied"]' show server fresh '[.public_net.firewalls[].status]'
check "labels are no more applied to" h firewall remove-from-resource edge --type label_selector --label-selector role=web
check "… the server is deleted" h server delete fresh
check "… and so can be the firewall" wait_until 10 h firewall delete edge

# Placement groups
check "a placement group is created" h placement-group create --name spread --type spread
refused uniqueness_error "… its name is taken" placement-group create --name spread --type spread
refused invalid_input "… there is one type" placement-group create --name packed --type pack
check "a server is created in it" h server create --name apart1 --type cx23 --image debian-13 --location fsn1 --placement-group spread
refused server_not_stopped "a running server cannot join" server add-to-placement-group copy --placement-group spread
check "… one that is off" h server poweroff copy
check "… can" h server add-to-placement-group copy --placement-group spread
check_output "… then two are in it" 2 h placement-group describe spread -o format='{{len .Servers}}'
refused already_in_placement_group "… each once" server add-to-placement-group copy --placement-group spread
check "a server leaves it" h server remove-from-placement-group copy
check_output "… then one is in it" 1 h placement-group describe spread -o format='{{len .Servers}}'
check "… its name changes" h placement-group update spread --name wide
check "… the group goes" h placement-group delete wide
check_output "… the server stays, without one" null show server apart1 .placement_group

# Primary IPs
refused invalid_input "datacenters are gone" primary-ip create --name p --type ipv4 --datacenter fsn1-dc14
refused deprecated_api_endpoint "… from the lists too" datacenter list
check "a server without public addresses, off" h server create --name bare --type cx23 --image debian-13 --location fsn1 --network private \
	--without-ipv4 --without-ipv6 --start-after-create=false
# The command of this age knows datacenters only.
says "primary IPs at a location" '^201 ' api POST /primary_ips '{"name":"fixed","type":"ipv4","location":"fsn1"}'
says "… another one" '^201 ' api POST /primary_ips '{"name":"more","type":"ipv4","location":"fsn1"}'
refused server_not_stopped "a running server gets no other address" primary-ip assign fixed --server web1
check "… one that is off does" h primary-ip assign fixed --server bare
check_output "… and has it" "$(show primary-ip fixed .ip)" show server bare .public_net.ipv4.ip
refused server_has_ipv4 "… one of each type" primary-ip assign more --server bare
refused must_be_unassigned "… and while it has it, it is not deleted" primary-ip delete fixed
check "… it is unassigned" h primary-ip unassign fixed
check_output "… and nobody's" '[null,"unassigned"]' show primary-ip fixed '[.assignee_id,.assignee_type]'
check "… assigned again" h primary-ip assign fixed --server bare
refused primary_ip_already_assigned "… once" primary-ip assign fixed --server apart1
check "reverse DNS" h primary-ip set-rdns fixed --ip "$(show primary-ip fixed .ip)" --hostname fixed.example.org
check_output "… is shown" '["fixed.example.org"]' show primary-ip fixed '[.dns_ptr[].dns_ptr]'
check "… protected" h primary-ip enable-protection fixed
check "… its server goes" h server delete bare
check_output "… it stays" '[null,false]' show primary-ip fixed '[.assignee_id,.auto_delete]'
refused protected "… protected from deletion" primary-ip delete fixed
check "… no more" h primary-ip disable-protection fixed
check "a server is created with it" h server create --name holder --type cx23 --image debian-13 --location fsn1 --primary-ipv4 fixed --without-ipv6
check_output "… and has it, and no other" '["fixed",null]' \
	bash -c 'hcloud server describe holder -o json | jq -c "[\"fixed\",.public_net.ipv6.ip]"'
refused primary_ip_assigned "… another server cannot" server create --name thief --type cx23 --image debian-13 --location fsn1 --primary-ipv4 fixed
check "… it is off" h server poweroff holder
check "… it goes, the address stays" h server delete holder
refused primary_ip_datacenter_mismatch "… which is of its place" server create --name elsewhere --type cx23 --image debian-13 --location hel1 --primary-ipv4 fixed
check "… and is deleted" h primary-ip delete fixed
ipv4=$(show server apart1 .public_net.ipv4.id)
check "a server's own address" h primary-ip describe "$ipv4"
check "… goes with it" h server delete apart1
check_exit 1 "… for good" h primary-ip describe "$ipv4"

# The catalog
says "prices of a type" 'fsn1' h server-type describe cx23
check_output "the types of today" cx23 bash -c 'hcloud server-type list -o noheader -o columns=name | grep -x "cx23 *" | tr -d " "'
check_output "locations" "fsn1 nbg1 hel1 ash hil sin" names location
for resource in volume floating-ip load-balancer load-balancer-type certificate iso; do
	check_output "there are no ${resource}s" "" h "$resource" list -o noheader
done
tap_end
