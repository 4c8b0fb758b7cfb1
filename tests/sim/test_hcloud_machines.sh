#!/usr/bin/env bash
# Servers of the API that are real hosts: what is ordered boots, what is asked of the API happens to the
# machine, and what happens to the machine is seen in the API.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
. tests/sim/sim.sh
. tests/machines.sh
machines_needed
tap_begin

instance=$(machines_instance)
root=$(machines_root) || {
	echo 'Bail out! no root file system for machines'
	exit 1
}
start() {
	sim_start --token one --state "$TEST_DIR/state.json" --machines netns --machine-root "$root" \
		--machine-dir "$TEST_DIR/machines" --instance "$instance"
}
inside() { machine_exec "$instance" "$@"; }
action() { # path, body
	local id
	id=$(field "a['action']['id']" api POST "$@") && action_ends "$id"
}
is_booted() { [ "$(field "a['booted']" sim GET "/servers/$1")" = True ]; }
has_status() { [ "$(field "a['server']['status']" api GET "/servers/$1")" = "$2" ]; }
has_user_data_run() { inside "$1" test -s /root/ran; }
# Creates a server with a script as user_data, waits until that has run, prints the id.
made() { # name, whether it has public addresses, image
	local answer id
	answer=$(api POST /servers "{\"name\":\"$1\",\"server_type\":\"cx23\",\"image\":\"${3-debian-12}\",\"networks\":[$network],
		\"user_data\":\"#!/bin/sh\\necho ran >>/root/ran\\n\",\"public_net\":{\"enable_ipv4\":$2,\"enable_ipv6\":$2}}")
	id=$(field "a['server']['id']" echo "$answer") || {
		echo "$answer" >&2
		return 1
	}
	wait_until 240 has_user_data_run "$id" >&2 && wait_until 120 is_booted "$id" >&2 && echo "$id"
}
address() { field "a['server']['private_net'][0]['ip']" api GET "/servers/$1"; }
own_address() { machine_net "$instance" "$1" ip -4 -o addr show scope global | awk '{print $4}'; }
# A connection to where nobody listens: who is there refuses it, who is not leaves it unanswered.
refuses() { # from, address
	machine_net "$instance" "$1" python3 -c '
import socket, sys
try:
    socket.create_connection((sys.argv[1], 9), 3)
except ConnectionRefusedError:
    sys.exit(0)
except OSError:
    pass
sys.exit(1)' "$2"
}

start
network=$(field "a['network']['id']" api POST /networks '{"name":"n","ip_range":"10.0.0.0/16",
	"subnets":[{"type":"cloud","network_zone":"eu-central","ip_range":"10.0.1.0/24"}]}')
w1=$(made w1 false)
w2=$(made w2 true)
check "a private server boots and runs its user_data" test -n "$w1"
check "a public one, too" test -n "$w2"
check_output "a machine has the name of its server" w1 inside "$w1" hostname
check_output "… and its id" "$w1" machine_net "$instance" "$w1" curl -sf -m 20 http://169.254.169.254/hetzner/v1/metadata/instance-id
check_output "… and its address" "$(address "$w1")/32" \
	own_address "$w1"
check "servers of a network reach each other" wait_until 30 refuses "$w1" "$(address "$w2")"

partition() { sim POST "/servers/$w2/partition" "$1"; }
is_away() { ! refuses "$w1" "$1"; }
partition '{"cut":true}'
check "a machine that is cut off" wait_until 30 is_away "$(address "$w2")"
partition '{"cut":false}'
check "… and healed" wait_until 30 refuses "$w1" "$(address "$w2")"
partition_refused() { field "a['error']['code']" partition "$1"; }
check_output "a partition that says nothing is refused" invalid_input partition_refused '{}'
check_output "… and one from a network that it is not in" invalid_input partition_refused '{"cut":true,"network":999}'
check_output "… and one of no server" not_found field "a['error']['code']" sim POST /servers/999/partition '{"cut":true}'

# Boots that are late, or never come to an end, and private interfaces that are late
ordered() { # name
	field "a['server']['id']" api POST /servers "{\"name\":\"$1\",\"server_type\":\"cx23\",\"image\":\"debian-12\",\"networks\":[$network]}"
}
fault "boot:server=late,ms=6000"
fault "boot:server=dud,fail=1"
fault "private-nic:server=bare,ms=6000"
began=$SECONDS
dud=$(ordered dud)
bare=$(ordered bare)
late=$(ordered late)
has_address() { [ "$(own_address "$bare" | grep -c '^10\.0\.1\.')" = "$1" ]; }
check "a machine whose private interface is late runs" wait_until 60 has_status "$bare" running
check "… without it at first" has_address 0
check "… and has it in the end" wait_until 120 has_address 1
check "… not too early" test $((SECONDS - began)) -ge 5
check "a machine that boots late boots" wait_until 180 is_booted "$late"
check "… not too early" test $((SECONDS - began)) -ge 5
check "one that never boots runs, all the same" has_status "$dud" running
check_exit 1 "… and has not booted" is_booted "$dud"
sim DELETE /faults >/dev/null
gone() { [ "$(status api GET "/servers/$1")" = 404 ]; }
for id in "$dud" "$bare" "$late"; do
	api DELETE "/servers/$id" >/dev/null
	check "it is deleted" wait_until 60 gone "$id"
done

# A network's route to the outside
public() { field "a['server']['public_net']['ipv4']['ip']" api GET "/servers/$1"; }
outside=$(made outside true)
check "a third server, outside" test -n "$outside"
outside_ip=$(public "$outside")
becomes_gateway() {
	inside "$w2" sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward && nft "add table ip nat; add chain ip nat out {
		type nat hook postrouting priority 100; }; add rule ip nat out oifname eth0 masquerade"'
}
check "a server becomes a gateway" becomes_gateway
machine_net "$instance" "$w1" ip route add default via 10.0.0.1
check "without a route, the outside is away" is_away "$outside_ip"
route="{\"destination\":\"0.0.0.0/0\",\"gateway\":\"$(address "$w2")\"}"
check "a route is added" action "/networks/$network/actions/add_route" "$route"
check "… and leads outside" refuses "$w1" "$outside_ip"
partition "{\"cut\":true,\"network\":$network}"
check "… but not while the gateway is cut off the network" is_away "$outside_ip"
check "… which stays reached outside" refuses "$outside" "$(public "$w2")"
partition "{\"cut\":false,\"network\":$network}"
check "… and does again" refuses "$w1" "$outside_ip"
check "an alias is given away" action "/servers/$w2/actions/change_alias_ips" "{\"network\":$network,\"alias_ips\":[\"10.0.1.99\"]}"
machine_net "$instance" "$w2" ip addr add 10.0.1.99/32 dev lo
check "… and reached" refuses "$w1" 10.0.1.99
check "the route is deleted" action "/networks/$network/actions/delete_route" "$route"
check "… and leads nowhere" is_away "$outside_ip"
deleted=$(field "a['action']['id']" api DELETE "/servers/$outside")
check "the third server goes" action_ends "$deleted"

action "/servers/$w2/actions/detach_from_network" "{\"network\":$network}"
check "a server that left the network" is_away 10.0.1.2
action "/servers/$w2/actions/attach_to_network" "{\"network\":$network,\"ip\":\"10.0.1.44\"}"
check "… comes back with the address that it asked for" wait_until 60 refuses "$w1" 10.0.1.44

check "power off" action "/servers/$w1/actions/poweroff"
is_off() { ! machine_runs "$instance" "$1"; }
check "… stops the machine" wait_until 60 is_off "$w1"
check "power on" action "/servers/$w1/actions/poweron"
check "… starts it on the same disk" wait_until 240 has_user_data_run "$w1"
wait_until 120 is_booted "$w1"
check "shutdown" action "/servers/$w1/actions/shutdown"
check "… is obeyed" wait_until 120 has_status "$w1" off
off_and_on() { action "/servers/$1/actions/poweroff" && action "/servers/$1/actions/poweron"; }
before=$(machine_leader "$instance" "$w2")
is_another() { [ "$(machine_leader "$instance" "$1")" != "$before" ] && is_booted "$1"; }
check "power off and on at once" off_and_on "$w2"
check "… is another boot in the end" wait_until 240 is_another "$w2"
check_output "… and says so" running field "a['server']['status']" api GET "/servers/$w2"
# It asks for a bus that is not shared with it, then finds its way.
inside "$w2" systemctl poweroff --no-block 2>/dev/null
check "a machine that goes off by itself is seen to be off" wait_until 120 has_status "$w2" off

action "/servers/$w1/actions/poweron" && wait_until 240 is_booted "$w1"
inside "$w1" sh -c 'echo kept >/root/kept'
check "reboot" action "/servers/$w1/actions/reset"
check "… keeps the disk" wait_until 240 inside "$w1" grep -q kept /root/kept
check "rebuild" action "/servers/$w1/actions/rebuild" '{"image":"debian-12"}'
check "… runs user_data again" wait_until 240 has_user_data_run "$w1"
check_exit 1 "… on a new disk" inside "$w1" test -e /root/kept

# Snapshots
image_made() { # server
	local answer
	answer=$(api POST "/servers/$1/actions/create_image" '{"type":"snapshot","description":"baked"}')
	action_ends "$(field "a['action']['id']" echo "$answer")" >&2 && field "a['image']['id']" echo "$answer"
}
inside "$w1" sh -c 'echo baked >/root/baked && rm /root/ran'
image=$(image_made "$w1")
check "a snapshot is made of a running server" test -n "$image"
check_output "… and available" available field "a['image']['status']" api GET "/images/$image"
made_of() { made "$1" false "$2"; }
w3=$(made_of w3 "$image")
check "a server is made of it, and runs its own user_data" test -n "$w3"
check_output "… on the disk of the other" baked inside "$w3" cat /root/baked
check "w2 is rebuilt from it" action "/servers/$w2/actions/rebuild" "{\"image\":$image}"
check "… and runs its user_data" wait_until 240 has_user_data_run "$w2"
check_output "… on that disk" baked inside "$w2" cat /root/baked
check "w2 is powered off" action "/servers/$w2/actions/poweroff"
check "the snapshot is deleted" api DELETE "/images/$image"
check "… but not what lies on it" inside "$w3" cat /root/baked
off_and_on_again() { off_and_on "$1" && wait_until 60 is_booted "$1"; }
check "… also not when that is switched off and on" off_and_on_again "$w3"
check_output "… again" baked inside "$w3" cat /root/baked
image=$(image_made "$w3")
check "a snapshot is made of a server of a snapshot" test -n "$image"

clean() { "$RGRID_BUILD/hcloud-sim" --clean --instance "$instance" --machine-dir "$TEST_DIR/machines"; }
check_exit 1 "what is in use is not cleaned" clean
check_exit 2 "… nor is without a directory" "$RGRID_BUILD/hcloud-sim" --clean --instance "$instance"
sim_stop KILL
check "after a kill, its machines run on" machine_runs "$instance" "$w1"
start
check "with its state, what ran runs again" wait_until 240 has_user_data_run "$w1"
check "… from its snapshot, deleted as it is" wait_until 240 inside "$w3" grep -qx baked /root/baked
w4=$(made_of w4 "$image")
check "the newer snapshot is still there" test -n "$w4"
check_output "… with the older one" baked inside "$w4" cat /root/baked
check "… and what was off stays off" is_off "$w2"
deleted=$(field "a['action']['id']" api DELETE "/servers/$w1")
check "deletion" action_ends "$deleted"
check "… takes the machine away" wait_until 60 is_off "$w1"
check "it ends cleanly" sim_stop TERM
check_output "nothing is left" "" machines_left "$instance"
check "but snapshots, which its state names" test -d "$TEST_DIR/machines/images/$image"
start
check "it starts again" has_status "$w2" off
sim_stop KILL
check "all is cleaned" clean
check_output "nothing is left" "" machines_left "$instance"
check_output "… not even disks" "$TEST_DIR/machines" find "$TEST_DIR/machines"
check "cleaning again is fine" clean

tap_end
