#!/usr/bin/env bash
# The official hcloud command judges the simulator: what it makes is there, what it is refused has the code
# and the message that Hetzner's API gives, and the state afterwards is as it says.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
. tests/sim/sim.sh
tap_begin
export HCLOUD_CONFIG=$TEST_DIR/none HOME=$TEST_DIR

h() { hcloud --poll-interval 10ms "$@"; }
refused() { # code, what, arguments of hcloud
	local code=$1 what=$2 output
	shift 2
	if output=$(h "$@" 2>&1) || [[ $output != *"($code)" ]]; then
		printf 'expected to be refused as %s, but:\n%s\n' "$code" "$output" >"$TEST_DIR/.output"
		tap_result 1 "$what"
	else
		tap_result 0 "$what"
	fi
}
says() { # what, extended regular expression, command
	local what=$1 pattern=$2 output code=0
	shift 2
	output=$("$@" 2>&1) || code=$?
	if [ "$code" -eq 0 ] && [[ $output =~ $pattern ]]; then
		tap_result 0 "$what"
	else
		printf 'exit code %s, expected /%s/:\n%s\n' "$code" "$pattern" "$output" >"$TEST_DIR/.output"
		tap_result 1 "$what"
	fi
}
show() { # resource, name, jq filter
	h "$1" describe "$2" -o json | jq -rc "$3"
}
names() { # resource, further arguments of list
	local resource=$1
	shift
	h "$resource" list -o noheader -o columns=name "$@" | tr -d ' ' | paste -sd' '
}
status_is() { [ "$(show server "$1" .status)" = "$2" ]; }

check "the simulator starts" sim_start --listen 127.0.0.1:0 --token T

# SSH keys
ssh-keygen -q -t ed25519 -N '' -C judge -f "$TEST_DIR/key"
ssh-keygen -q -t ecdsa -N '' -C judge -f "$TEST_DIR/other"
check "an SSH key is created" h ssh-key create --name laptop --public-key-from-file "$TEST_DIR/key.pub" --label team=blue
check_output "… with the fingerprint that ssh-keygen computes" \
	"$(ssh-keygen -l -E md5 -f "$TEST_DIR/key.pub" | sed 's/^[0-9]* MD5:\([^ ]*\) .*/\1/')" show ssh-key laptop .fingerprint
refused uniqueness_error "… the same key once only" ssh-key create --name again --public-key-from-file "$TEST_DIR/key.pub"
refused uniqueness_error "… the same name once only" ssh-key create --name laptop --public-key-from-file "$TEST_DIR/other.pub"
refused invalid_input "… and it has to be one" ssh-key create --name bad --public-key 'ssh-rsa nonsense'
check "… renamed" h ssh-key update laptop --name desktop
check_output "… found by its new name" desktop names ssh-key
check "… labelled" h ssh-key add-label desktop tier=1
check_output "… found by label" desktop names ssh-key -l tier=1,team=blue
check_output "… not by another" "" names ssh-key -l 'tier=1,team!=blue'

# Networks
check "a network is created" h network create --name private --ip-range 10.0.0.0/16 --label grid=a
check_output "… its range, without subnets" '["10.0.0.0/16",[],[],[],{"grid":"a"}]' \
	show network private '[.ip_range,.subnets,.routes,.servers,.labels]'
refused uniqueness_error "… its name is taken" network create --name private --ip-range 10.9.0.0/16
refused invalid_input "a network has a private range" network create --name p --ip-range 8.8.0.0/16
refused invalid_input "… of /24 at least" network create --name p --ip-range 10.9.0.0/25
check "a subnet is added" h network add-subnet private --type cloud --network-zone eu-central --ip-range 10.0.1.0/24
check_output "… its gateway is the first address of the network" \
	'[{"gateway":"10.0.0.1","ip_range":"10.0.1.0/24","network_zone":"eu-central","type":"cloud"}]' \
	show network private '[.subnets[] | {gateway,ip_range,network_zone,type}]'
refused invalid_input "… it may not overlap" network add-subnet private --type cloud --network-zone eu-central --ip-range 10.0.1.128/25
refused invalid_input "… nor lie outside" network add-subnet private --type cloud --network-zone eu-central --ip-range 10.1.1.0/24
refused invalid_input "… nor be smaller than /30" network add-subnet private --type cloud --network-zone eu-central --ip-range 10.0.2.0/31
refused invalid_input "… nor in an unknown zone" network add-subnet private --type cloud --network-zone moon --ip-range 10.0.2.0/24
check "without a range the first free /24 is taken" h network add-subnet private --type cloud --network-zone us-east
check_output "… which is the first of the network" '["10.0.1.0/24","10.0.0.0/24"]' show network private '[.subnets[].ip_range] | sort | reverse'
check "a subnet is removed" h network remove-subnet private --ip-range 10.0.0.0/24
check_output "… and gone" '["10.0.1.0/24"]' show network private '[.subnets[].ip_range]'
check "a route is added" h network add-route private --destination 192.168.0.0/24 --gateway 10.0.1.7
check_output "… and shown" '[{"destination":"192.168.0.0/24","gateway":"10.0.1.7"}]' show network private .routes
refused invalid_input "… it may not overlap another" network add-route private --destination 192.168.0.0/25 --gateway 10.0.1.7
refused invalid_input "… nor a subnet" network add-route private --destination 10.0.1.0/24 --gateway 10.0.1.7
refused invalid_input "… nor lead to the gateway of the network" network add-route private --destination 192.168.1.0/24 --gateway 10.0.0.1
refused invalid_input "… nor to 172.31.1.1" network add-route private --destination 192.168.1.0/24 --gateway 172.31.1.1
refused invalid_input "… nor is the public internet a destination" network add-route private --destination 9.9.9.0/24 --gateway 10.0.1.7
check "a default route is" h network add-route private --destination 0.0.0.0/0 --gateway 10.0.1.9
check "a route is removed" h network remove-route private --destination 192.168.0.0/24 --gateway 10.0.1.7
check "the range grows" h network change-ip-range private --ip-range 10.0.0.0/15
check_output "… and has grown" 10.0.0.0/15 show network private .ip_range
refused invalid_input "… it does not shrink" network change-ip-range private --ip-range 10.0.0.0/16
check "a network is protected" h network enable-protection private delete
refused protected "… from deletion" network delete private
check "… no more" h network disable-protection private delete
check "a second network, which overlaps the first" h network create --name twin --ip-range 10.0.0.0/16
check "… with a subnet" h network add-subnet twin --type cloud --network-zone eu-central --ip-range 10.0.1.0/24
check "a network in the US" h network create --name far --ip-range 10.8.0.0/16
check "… with a subnet" h network add-subnet far --type cloud --network-zone us-east --ip-range 10.8.1.0/24
check "a network is renamed" h network update far --name faraway
check_output "… sorted by name" "faraway private twin" names network -s name:asc
check_output "… and the other way" "twin private faraway" names network -s name:desc
check_output "… by label" private names network -l grid

# Servers
check "a server with all that it can have" h server create --name web1 --type cx23 --image ubuntu-24.04 --location fsn1 \
	--ssh-key desktop --label role=web --user-data-from-file "$0"
check_output "… runs, with two public addresses and no private one" '["running",true,true,0,"cx23","fsn1","ubuntu-24.04",false]' \
	show server web1 '[.status,.public_net.ipv4.ip!=null,.public_net.ipv6.ip!=null,(.private_net|length),.server_type.name,(.location//.datacenter.location).name,.image.name,.locked]'
check_output "… its IPv4 is no address of the internet's" "198.1" bash -c 'hcloud server ip web1 | cut -c1-5'
check_output "… user data is not shown" null show server web1 .user_data
refused uniqueness_error "… its name is taken" server create --name web1 --type cx23 --image ubuntu-24.04
refused invalid_input "a server's name is a host name" server create --name 'no_host!' --type cx23 --image ubuntu-24.04
refused invalid_input "a type that is gone cannot be ordered" server create --name x --type cx22 --image ubuntu-24.04 --location fsn1
refused invalid_input "… nor one that is not sold at the location" server create --name x --type cx23 --image ubuntu-24.04 --location ash
refused invalid_input "an image of another architecture" server create --name x --type cax11 --location fsn1 \
	--image "$(h image list -o noheader -o columns=id,name -s id | awk '$2 == "debian-12" { print $1; exit }')"
check "a private server, in the network" h server create --name db --type cx33 --image debian-12 --location nbg1 \
	--without-ipv4 --without-ipv6 --network private
check_output "… has the lowest free address and nothing public" '[["10.0.1.1"],null,null,"running"]' \
	show server db '[[.private_net[].ip],.public_net.ipv4.ip,.public_net.ipv6.ip,.status]'
says "… the type of its MAC address" '^86:00:00:' show server db '.private_net[0].mac_address'
check_output "… the network shows it" "[$(show server db .id)]" show network private .servers
check "servers are attached with a chosen address" h server attach-to-network web1 --network private --ip 10.0.1.2
check_output "… which they have" '["10.0.1.2"]' show server web1 '[.private_net[].ip]'
refused server_already_attached "… once" server attach-to-network web1 --network private
refused networks_overlap "… not to networks that overlap" server attach-to-network web1 --network twin
check "servers are detached" h server detach-from-network web1 --network private
check_output "… and have no private address then" '[]' show server web1 .private_net
refused ip_not_available "an address that somebody has" server attach-to-network web1 --network private --ip 10.0.1.1
refused invalid_input "the gateway of the network" server attach-to-network web1 --network private --ip 10.0.0.1
refused invalid_input "the last of a subnet" server attach-to-network web1 --network private --ip 10.0.1.255
refused no_subnet_available "a network of another zone" server attach-to-network web1 --network faraway
check "attached with alias addresses" h server attach-to-network web1 --network private --ip 10.0.1.2 --alias-ips 10.0.1.20,10.0.1.21
check_output "… which it has" '["10.0.1.20","10.0.1.21"]' show server web1 '.private_net[0].alias_ips'
check "… they are replaced" h server change-alias-ips web1 --network private --alias-ips 10.0.1.30
check_output "… altogether" '["10.0.1.30"]' show server web1 '.private_net[0].alias_ips'
check "… and cleared" h server change-alias-ips web1 --network private --clear
check_output "… and gone" '[]' show server web1 '.private_net[0].alias_ips'
refused ip_not_available "an alias that somebody has" server change-alias-ips web1 --network private --alias-ips 10.0.1.1
refused service_error "a subnet that is in use stays" network remove-subnet private --ip-range 10.0.1.0/24

# Power and the rest of a server's life
check "power off" h server poweroff web1
check "… is off" status_is web1 off
check "power on" h server poweron web1
check "… runs" status_is web1 running
check "reboot" h server reboot web1
check "reset" h server reset web1
check "shutdown" h server shutdown web1
check "… ends in off" wait_until 10 status_is web1 off
check "the type changes while it is off" h server change-type web1 cx33
check_output "… and the disk with it" '["cx33",80]' show server web1 '[.server_type.name,.primary_disk_size]'
check "… the other way only with the disk kept" h server change-type web1 cx43 --keep-disk
check_output "… then the disk stays" '["cx43",80]' show server web1 '[.server_type.name,.primary_disk_size]'
check "power on again" h server poweron web1
refused server_not_stopped "a running server keeps its type" server change-type web1 cx53
check "a snapshot is made" h server create-image web1 --type snapshot --description 'golden worker' --label golden=1
check_output "… and listed" 'golden worker' bash -c "hcloud image list -t snapshot -o noheader -o columns=description | sed 's/ *$//'"
snapshot=$(h image list -t snapshot -o noheader -o columns=id)
check_output "… of this server" "[\"snapshot\",\"web1\",\"x86\",80]" show image "$snapshot" '[.type,.created_from.name,.architecture,.disk_size]'
check "… labelled" h image add-label "$snapshot" build=7
check_output "… found by label" "$snapshot" bash -c 'hcloud image list -l build=7 -o noheader -o columns=id'
check "… described anew" h image update "$snapshot" --description fine
check "… protected" h image enable-protection "$snapshot" delete
refused protected "… from deletion" image delete "$snapshot"
check "… no more" h image disable-protection "$snapshot" delete
check "a server is made of it" h server create --name clone --type cx43 --image "$snapshot" --location hel1
refused invalid_input "… not with a smaller disk" server create --name small --type cx23 --image "$snapshot" --location hel1
check "a server is rebuilt of another image" h server rebuild clone --image debian-13
check_output "… and has it" debian-13 show server clone .image.name
check "a snapshot is deleted" h image delete "$snapshot"
refused unsupported_error "images of the system are not" image delete debian-13
check "a server is protected" h server enable-protection clone delete rebuild
refused protected "… from deletion" server delete clone
refused protected "… and from rebuilding" server rebuild clone --image debian-12
refused invalid_input "… from both or neither" server disable-protection clone delete
check "… no more" h server disable-protection clone delete rebuild
check "a server is renamed" h server update clone --name copy
check "rescue is enabled" h server enable-rescue copy
check_output "… and shown" true show server copy .rescue_enabled
check "… and disabled" h server disable-rescue copy
says "a password is set anew" 'Password' h server reset-password copy
check "reverse DNS" h server set-rdns copy --hostname copy.example.org
check_output "… is shown" copy.example.org show server copy .public_net.ipv4.dns_ptr

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

# Listing
check_output "servers by label" web1 names server -l role=web
check_output "… by one of several values" web1 names server -l 'role in (web,db)'
check_output "… by absence" "copy db" names server -s name -l '!role'
check_exit 1 "a broken selector is refused" h server list -l 'role web'
check_output "… sorted by name, descending" "web1 db copy" names server -s name:desc
check_exit 1 "what cannot be sorted by is refused" h server list -s status
says "prices of a type" 'fsn1' h server-type describe cx23
check_output "the types of today" cx23 bash -c 'hcloud server-type list -o noheader -o columns=name | grep -x "cx23 *" | tr -d " "'
check_output "locations" "fsn1 nbg1 hel1 ash hil sin" names location
for resource in volume floating-ip load-balancer load-balancer-type certificate iso; do
	check_output "there are no ${resource}s" "" h "$resource" list -o noheader
done
server_id=$(show server db .id)
check "a network goes, with servers in it" h network delete private
check_output "… they are detached" '[]' show server "$server_id" .private_net

HCLOUD_TOKEN=$(printf '%064d' 7)
refused unauthorized "a wrong token" server list
tap_end
