#!/usr/bin/env bash
# The official hcloud command judges the simulator: what it makes is there, what it is refused has the code
# and the message that Hetzner's API gives, and the state afterwards is as it says.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
. tests/sim/sim.sh
. tests/sim/cli.sh
tap_begin
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
says "its metrics are drawn" 'Metric: cpu.*┤' h server metrics web1 --type cpu
check_output "… all of a type" '["disk.0.bandwidth.read","disk.0.bandwidth.write","disk.0.iops.read","disk.0.iops.write"]' \
	bash -c 'hcloud server metrics web1 --type disk -o json | jq -c ".metrics.time_series | keys"'
refused invalid_input "… of the types there are" server metrics web1 --type memory
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

# Listing
check_output "servers by label" web1 names server -l role=web
check_output "… by one of several values" web1 names server -l 'role in (web,db)'
check_output "… by absence" "copy db" names server -s name -l '!role'
check_exit 1 "a broken selector is refused" h server list -l 'role web'
check_output "… sorted by name, descending" "web1 db copy" names server -s name:desc
check_exit 1 "what cannot be sorted by is refused" h server list -s status
server_id=$(show server db .id)
check "a network goes, with servers in it" h network delete private
check_output "… they are detached" '[]' show server "$server_id" .private_net

HCLOUD_TOKEN=$(printf '%064d' 7)
refused unauthorized "a wrong token" server list
tap_end
