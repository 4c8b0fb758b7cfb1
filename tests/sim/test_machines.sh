#!/bin/bash
# The machines of `--machines netns`, driven through machine.h: networks, metadata, cloud-init, power.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
. tests/machines.sh
machines_needed
tap_begin

probe_pid=
elsewhere=
instance=$(machines_instance)
directory=$TEST_DIR/hcs
declare -a listeners=()

tap_at_exit() {
	local pid
	for pid in "${listeners[@]}"; do
		kill -KILL "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	if [ -n "$probe_pid" ]; then
		kill -TERM "$probe_pid" 2>/dev/null
		wait "$probe_pid" 2>/dev/null
	fi
	"$probe" clean "$instance" "$directory" || true
	[ -z "$elsewhere" ] || losetup --detach "$elsewhere" 2>/dev/null || true
}

probe=${RGRID_BUILD:-build}/tests/sim/machine_probe
root=$(machines_root) || {
	echo 'Bail out! no root file system for machines'
	exit 1
}

probe_said() { grep -qxF -- "$1" "$TEST_DIR/said"; }
probe_said_times() { [ "$(grep -cxF -- "$2" "$TEST_DIR/said")" -eq "$1" ]; }
probe_start() {
	rm -f "$TEST_DIR/commands" "$TEST_DIR/said" # the last one said "ready" too
	mkfifo "$TEST_DIR/commands"
	"$probe" "$instance" "$directory" "$root" <"$TEST_DIR/commands" >"$TEST_DIR/said" 2>&1 &
	probe_pid=$!
	exec 7>"$TEST_DIR/commands"
	wait_until 60 probe_said ready
}
probe_has_ended() { ! kill -0 "$probe_pid" 2>/dev/null; }
probe_ends() {
	wait_until 60 probe_has_ended || return 1
	wait "$probe_pid"
}
say() { # a command; waits for its answer
	local before
	before=$(grep -c -e '^ok ' -e '^error ' "$TEST_DIR/said")
	echo "$*" >&7
	answered() { [ "$(grep -c -e '^ok ' -e '^error ' "$TEST_DIR/said")" -gt "$before" ]; }
	wait_until 60 answered
	grep -e '^ok ' -e '^error ' "$TEST_DIR/said" | tail -n 1 | grep '^ok '
}

on() { machine_net "$instance" "$@"; }
inside() { machine_exec "$instance" "$@"; }
metadata() { on "$1" curl -sf --max-time 10 "http://169.254.169.254/hetzner/v1/$2"; }
metadata_status() { on "$1" curl -s --max-time 10 -o /dev/null -w '%{http_code}' "http://169.254.169.254$2"; }
user_data_ran() { [ -s "$directory/machines/$1/disk/root/ran" ]; }
boots() { [ "$(wc -l <"$directory/machines/$1/disk/root/boots")" -eq "$2" ]; }
console() { cat "$directory/machines/$1/console.log"; }

# Something to reach on every host: port 7000 tells whose it is.
listen_on() {
	# No shell between, so that the listener is what is killed.
	nsenter --net="/run/netns/hcs-$instance-$1" -- python3 -c '
import socket, sys
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(("0.0.0.0", 7000))
listener.listen(16)
while True:
    client, address = listener.accept()
    client.sendall(("%s %s\n" % (sys.argv[1], address[0])).encode())
    client.close()' "$1" >"$TEST_DIR/listener.log" 2>&1 </dev/null &
	listeners+=($!)
	listens() { on "$1" python3 -c 'import socket; socket.create_connection(("127.0.0.1", 7000), 5)'; }
	wait_until 60 listens "$1"
}
# Prints which host answers and as whom it sees the caller.
reach() { # FROM ADDRESS [SOURCE]
	on "$1" python3 -c '
import socket, sys
source = (sys.argv[2], 0) if len(sys.argv) > 2 else None
with socket.create_connection((sys.argv[1], 7000), 3, source) as connection:
    print(connection.makefile().readline(), end="")' "${@:2}"
}
not_reached() { ! reach "$@"; }

cat >"$TEST_DIR/user-data" <<'END'
#cloud-config
bootcmd:
  - [sh, -c, "echo boot >>/root/boots"]
write_files:
  - path: /etc/rgrid/worker.env
    permissions: '0600'
    content: |
      GREETING=hello
runcmd:
  - [sh, -c, "hostname >>/root/ran; ip -o -4 addr >/root/addresses"]
END

office() { echo "10,office,10.0.0.0/16,10.0.1.0/24,10.0.0.1,10.0.1.$1,86:00:00:00:10:0$1"; }
other() { echo "20,other,10.0.0.0/16,10.0.1.0/24,10.0.0.1,10.0.1.$1,86:00:00:00:20:0$1"; }
later() { echo "30,lab: \"x\",10.9.0.0/16,10.9.1.0/24,10.9.0.1,10.9.1.$1,86:00:00:00:30:0$1" | tr ' ' _; }

# The computer's own limit is left alone: what is written is a file's in this process's view.
few_instances() {
	: | timeout 60 unshare --mount sh -c 'echo 128 >"$0" && mount --bind "$0" /proc/sys/fs/inotify/max_user_instances && exec "$@"' \
		"$TEST_DIR/instances" "$@"
}
check 'a backend on a computer that has few instances of inotify' \
	few_instances "$probe" "$instance" "$directory" "$root"
check_output 'raises their limit' 8192 cat "$TEST_DIR/instances"
check 'the backend starts' probe_start
check_exit 1 'a second one of the same instance is refused' "$probe" "$instance" "$directory-2" "$root"
check 'a machine with both interfaces starts' \
	say "on 1 web-1 198.18.0.2 $TEST_DIR/user-data $(office 2)"
check 'a private one starts, whose interface is late' \
	say "on 2 db-1 - $TEST_DIR/user-data late=1500 $(office 3)"
check 'one in another network of the same range starts' \
	say "on 3 web-2 198.18.0.3 $TEST_DIR/user-data $(other 2)"
for id in 1 2 3; do
	check "machine $id boots" wait_until 180 probe_said "booted $id"
	check "its user data is run ($id)" wait_until 180 user_data_ran "$id"
done

# What the machine is
check_output 'user data ran on the machine that it was for' web-1 cat "$directory/machines/1/disk/root/ran"
check_output 'write_files wrote' 'GREETING=hello' inside 1 cat /etc/rgrid/worker.env
check_output 'the private machine has its hostname' db-1 inside 2 hostname
check_output 'PID 1 is systemd' systemd inside 1 cat /proc/1/comm
check 'cloud-init is content' wait_until 120 inside 1 sh -c 'cloud-init status | grep -qx "status: done"'
check_output 'cloud-init found the provider' DataSourceHetzner \
	inside 1 sh -c 'grep -o "DataSourceHetzner" /run/cloud-init/result.json | head -n 1'
check 'the SSH key is installed' inside 1 grep -q 'AAAAC3Nz "quoted" probe' /root/.ssh/authorized_keys
check 'the console is logged' grep -q cloud-init "$directory/machines/1/console.log"
root_is_pristine() { [ ! -e "$root/etc/rgrid" ] && [ ! -s "$root/etc/machine-id" ]; }
check 'the shared root is not written' root_is_pristine

# Addresses
address() { on "$1" ip -o -4 addr show dev "$2" | awk '{print $4}'; }
check_output 'the public address' 198.18.0.2/32 address 1 eth0
check_output 'the private address' 10.0.1.2/32 address 1 enp7s0
mtu_of() { on "$1" cat "/proc/self/net/dev" >/dev/null && on "$1" ip -o link show "$2" | grep -o 'mtu [0-9]*'; }
check_output 'the public MTU' 'mtu 1500' mtu_of 1 eth0
check_output 'the private MTU' 'mtu 1450' mtu_of 1 enp7s0
mac_of() { on "$1" ip -o link show "$2" | grep -o 'link/ether [0-9a-f:]*'; }
check_output 'the private MAC address' 'link/ether 86:00:00:00:10:02' mac_of 1 enp7s0
routes() { on "$1" ip -4 route show | sed 's/ *$//' | sort; }
check_output 'the routes' "10.0.0.0/16 via 10.0.0.1 dev enp7s0
10.0.0.1 dev enp7s0 scope link
172.31.1.1 dev eth0 scope link
default via 172.31.1.1 dev eth0" routes 1
check_exit 1 'a private machine has no public interface' on 2 ip link show eth0
check_output 'a private machine has no way out' '10.0.0.0/16 via 10.0.0.1 dev enp7s0
10.0.0.1 dev enp7s0 scope link
169.254.169.254 via 10.0.0.1 dev enp7s0 metric 100' routes 2

# Who reaches whom
for id in 1 2 3; do listen_on "$id"; done
check_output 'members of a network reach each other' '2 10.0.1.2' reach 1 10.0.1.3
check_output 'in both directions' '1 10.0.1.3' reach 2 10.0.1.2
check_output 'public addresses reach each other' '3 198.18.0.2' reach 1 198.18.0.3
check_output 'an address of two networks is one in each' '3 10.0.1.2' reach 3 10.0.1.2
check 'a member of another network is not reached' not_reached 3 10.0.1.3
check 'nor from the other side' not_reached 2 198.18.0.3
on 3 ip route add 10.0.1.3/32 via 172.31.1.1 dev eth0 onlink
check 'a host route through the public side does not help' not_reached 3 10.0.1.3
on 3 ip route del 10.0.1.3/32 via 172.31.1.1 dev eth0
gateway_hop() { on 1 ip -4 neigh show dev enp7s0 | awk '{print $1}'; }
check_output 'the only neighbour is the gateway' 10.0.0.1 gateway_hop
on 3 ip addr add 198.18.0.9/32 dev lo
check 'a foreign source address gets no answer' not_reached 3 198.18.0.2 198.18.0.9
received() {
	on 1 python3 -c '
import socket, subprocess, sys
sink = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sink.bind(("0.0.0.0", 7001))
sink.settimeout(30)
for source in ("198.18.0.9", "10.0.1.2", "198.18.0.3"):
    subprocess.run(["nsenter", "--net=/run/netns/" + sys.argv[1], "python3", "-c", """
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 0))
s.sendto(b"x", ("198.18.0.2", 7001))""", source], check=True)
print(sink.recvfrom(16)[1][0])' "hcs-$instance-3"
}
check_output 'packets under a foreign source are dropped on their way' 198.18.0.3 received

# Metadata
check_output 'its instance id' 1 metadata 1 metadata/instance-id
check_output 'its hostname' web-1 metadata 1 metadata/hostname
check_output 'its public address' 198.18.0.2 metadata 1 metadata/public-ipv4
check_output 'its zone' fsn1-dc14 metadata 1 metadata/availability-zone
check_output 'its region' eu-central metadata 1 metadata/region
check_output 'its user data' "$(cat "$TEST_DIR/user-data")" metadata 1 userdata
check_output 'a private machine has its own' 2 metadata 2 metadata/instance-id
check_output 'its private network' "- ip: 10.0.1.2
  alias_ips: []
  interface_num: 1
  mac_address: 86:00:00:00:10:02
  network_id: 10
  network_name: \"office\"
  network: 10.0.0.0/16
  subnet: 10.0.1.0/24
  gateway: 10.0.0.1" metadata 1 metadata/private-networks
metadata_is_yaml() {
	metadata 1 metadata | inside 1 python3 -c '
import sys, yaml
told = yaml.safe_load(sys.stdin)
assert told["instance-id"] == 1 and told["hostname"] == "web-1", told
assert told["private-networks"][0]["network"] == "10.0.0.0/16", told
assert told["public-keys"] == ["ssh-ed25519 AAAAC3Nz \"quoted\" probe"], told'
}
check 'the whole is YAML' metadata_is_yaml
check_output 'the old EC2 paths are gone' 404 metadata_status 1 /latest/meta-data/instance-id
check_output 'and so is what never was' 404 metadata_status 1 /hetzner/v1/metadata/nonsense
# shellcheck disable=SC2016 # the shell in the machine's network expands it
status_of_nul() {
	on 1 bash -c 'exec 3<>/dev/tcp/169.254.169.254/80 && printf "GET /\0 HTTP/1.1\r\n\r\n" >&3 && timeout 5 head -n 1 <&3' | tr -d '\r'
}
check_output 'a request with a zero byte is answered at once' 'HTTP/1.1 400 Bad Request' status_of_nul
check_output 'only GET is served' 405 on 1 curl -s --max-time 10 -o /dev/null -w '%{http_code}' -X POST \
	http://169.254.169.254/hetzner/v1/metadata

# Networks come and go
check 'a running machine is attached' say "attach 1 $(later 2)"
check 'and so is another' say "attach 3 $(later 3)"
check_output 'the second private interface' 10.9.1.2/32 address 1 enp8s0
check_output 'the new network carries' '3 10.9.1.2' reach 1 10.9.1.3
check_output 'metadata has it' '  network_name: "lab:_\"x\""' \
	sh -c "nsenter --net=/run/netns/hcs-$instance-1 curl -s --max-time 10 http://169.254.169.254/hetzner/v1/metadata/private-networks | grep lab"
check_exit 1 'twice is refused' say "attach 1 $(later 4)"
check 'it is detached' say 'detach 1 30'
check_exit 1 'the interface is gone' on 1 ip link show enp8s0
check 'the network no longer carries' not_reached 1 10.9.1.3
check_exit 1 'metadata has forgotten it' \
	sh -c "nsenter --net=/run/netns/hcs-$instance-1 curl -s --max-time 10 http://169.254.169.254/hetzner/v1/metadata/private-networks | grep lab"
check_output 'the other one stays' '2 10.0.1.2' reach 1 10.0.1.3

# Aliases and routes
nobody_uses() { ! on 2 ip -4 addr | grep -qF "$1"; }
check 'an alias is added' say 'alias 2 10 10.0.1.77'
check 'which the machine has to take itself' nobody_uses 10.0.1.77
on 2 ip addr add 10.0.1.77/32 dev lo
check_output 'it is reached there' '2 10.0.1.2' reach 1 10.0.1.77
check_output 'and speaks from there' '1 10.0.1.77' reach 2 10.0.1.2 10.0.1.77
check 'the network gets a route to the outside' say 'routes 10 0.0.0.0/0 10.0.1.2'
check 'which does nothing yet for a machine that does not take it' not_reached 2 198.18.0.3
on 2 ip route add default via 10.0.0.1
check 'nor where the gateway does not forward' not_reached 2 198.18.0.3
gateway() {
	echo 1 | inside 1 tee /proc/sys/net/ipv4/ip_forward &&
		inside 1 nft 'add table ip nat; add chain ip nat out { type nat hook postrouting priority 100; };
			add rule ip nat out ip saddr 10.0.0.0/16 oifname eth0 masquerade'
}
check 'the gateway becomes one' gateway
check_output 'the outside is reached, and sees the gateway' '3 198.18.0.2' reach 2 198.18.0.3
check_output 'inside, all is as before' '2 10.0.1.2' reach 1 10.0.1.3
check 'the outside does not reach in' not_reached 3 10.0.1.3
check 'another network has no such route' not_reached 3 10.0.1.3 10.0.1.2
check 'the gateway leaves the network' say 'detach 1 10'
check 'and nothing leads outside' not_reached 2 198.18.0.3
check 'it comes back' say "attach 1 $(office 2)"
check_output 'and so does the route' '3 198.18.0.2' reach 2 198.18.0.3
check 'the gateway is cut off from the network' say 'cut 1 10'
check 'neither it' not_reached 2 10.0.1.2
check 'nor the outside is reached' not_reached 2 198.18.0.3
check_output 'though it is outside' '1 198.18.0.3' reach 3 198.18.0.2
check 'it heals' say 'heal 1 10'
check_output 'and is the gateway again' '3 198.18.0.2' reach 2 198.18.0.3
check 'the route goes' say 'routes 10'
check 'and nothing leads outside any more' not_reached 2 198.18.0.3
check_exit 1 'a route of nonsense is refused' say 'routes 10 0.0.0.0/0;reboot 10.0.1.2'
on 2 ip route del default via 10.0.0.1

# A partition
check 'a machine with an alias is cut off' say 'cut 2'
check 'its alias is, too' not_reached 1 10.0.1.77
check 'also as a source' not_reached 2 10.0.1.2 10.0.1.77
check 'it heals' say 'heal 2'
check_output 'its alias does, too' '2 10.0.1.2' reach 1 10.0.1.77
check 'the alias is taken away' say 'alias 2 10'
check 'nobody is there' not_reached 1 10.0.1.77
check 'a machine is cut off' say 'cut 1'
check 'from its network' not_reached 2 10.0.1.2
check 'from the public side' not_reached 3 198.18.0.2
check 'in both directions' not_reached 1 10.0.1.3
check 'it heals' say 'heal 1'
check_output 'and reaches again' '2 10.0.1.2' reach 1 10.0.1.3
check_output 'and is reached' '1 198.18.0.3' reach 3 198.18.0.2
check_output 'and has its metadata' 1 metadata 1 metadata/instance-id

# A job's sandbox in the machine
# shellcheck disable=SC2016 # the machine's shell expands it
bring_programs() { # a worker's bundle, as the provider's images have no crun
	local digest
	digest=$("${RGRID_BUILD:-build}/rgridd" bundle make --json --blob-dir "$TEST_DIR/blobs" | grep -o '[0-9a-f]\{64\}') &&
		inside 1 sh -c 'mkdir -p /opt/rgrid/current && tar -xzC /opt/rgrid/current' <"$TEST_DIR/blobs/objects/${digest:0:2}/${digest:2}"
}
check 'programs are brought into the machine' bring_programs
# shellcheck disable=SC2016 # the machine's shell expands it
sandboxed() { # PYTHON
	inside 1 env PATH=/opt/rgrid/current/bin:/usr/sbin:/usr/bin unshare --mount --propagation private sh -c '
		[ ! -d /sys/fs/cgroup/unified ] || mount -t tmpfs none /sys/fs/cgroup/unified
		mkdir -p /root/bundle/rootfs && mount --bind / /root/bundle/rootfs && cd /root/bundle && rm -f config.json && crun spec && python3 -c "
import json, sys
config = json.load(open(\"config.json\"))
config[\"process\"].update(terminal=False, args=[\"python3\", \"-c\", sys.argv[1]])
config[\"root\"] = dict(path=\"rootfs\", readonly=True)
config[\"linux\"][\"resources\"] = dict(memory=dict(limit=64 << 20, swap=64 << 20), pids=dict(limit=32))
json.dump(config, open(\"config.json\", \"w\"))" "$1" && exec crun --cgroup-manager=cgroupfs run job' sh "$1"
}
check_output 'crun runs a container in the machine' sandboxed sandboxed 'print("sandboxed")'
check_exit 137 'whose memory limit holds' sandboxed 'bytearray(300 << 20)'

# What a worker's unit does in the machine
cat >"$TEST_DIR/unit" <<'END'
[Service]
Type=oneshot
Delegate=yes
PrivateTmp=yes
ExecStart=/bin/bash /root/needs
END
cat >"$TEST_DIR/needs" <<'END'
can() { # NAME COMMAND…
	echo "# $1" >&2
	if "${@:2}" >&2; then echo "$1" >>/root/can; fi
}
volume() {
	truncate -s 32M /root/volume.img && mkfs.ext4 -q -F /root/volume.img && mkdir -p /root/volume &&
		mount -o loop,nosuid,nodev /root/volume.img /root/volume && mountpoint -q /root/volume
}
quota() {
	! dd if=/dev/zero of=/root/volume/all bs=1M count=40 status=none && [ "$(stat -c %s /root/volume/all)" -lt 33554432 ]
}
memory_limit() {
	local group=/sys/fs/cgroup/memory/needs
	mkdir "$group" && echo 64M >"$group/memory.limit_in_bytes" || return 1
	sh -c 'echo $$ >/sys/fs/cgroup/memory/needs/cgroup.procs && exec python3 -c "bytearray(300 << 20)"'
	[ $? -eq 137 ] && grep -qx "oom_kill 1" "$group/memory.oom_control" && rmdir "$group"
}
pids_limit() {
	local group=/sys/fs/cgroup/pids/needs
	mkdir "$group" && echo 1 >"$group/pids.max" || return 1
	! sh -c 'echo $$ >/sys/fs/cgroup/pids/needs/cgroup.procs && { sleep 60 & }' && rmdir "$group"
}
job_network() {
	ip netns add job && ip link add near type veth peer name far netns job && ip -n job link show far &&
		ip link delete near && ip netns delete job
}
filter() {
	nft -f - <<'RULES' && nft list table inet needs | grep -q masquerade
table inet needs {
	chain input { type filter hook input priority 0; policy accept; iifname "rgj*" drop; }
	chain out { type nat hook postrouting priority 100; ip saddr 10.210.0.0/16 masquerade; }
}
RULES
}
image_root() {
	mkdir -p /root/skeleton/work &&
		unshare --mount sh -c 'mount -t overlay image -o ro,nosuid,nodev,lowerdir=/root/skeleton:/usr /mnt && [ -d /mnt/work ] && [ -d /mnt/bin ]'
}
read_only_bind() {
	unshare --mount sh -c 'mount --bind /usr /mnt && mount -o remount,bind,ro,nosuid,nodev /mnt && ! touch /mnt/x'
}
user_namespace() { unshare --user --map-root-user --pid --fork --mount-proc --net --mount true; }
system_call_filter() {
	python3 -c '
import ctypes, os
class Rule(ctypes.Structure): _fields_ = [("code", ctypes.c_ushort), ("yes", ctypes.c_ubyte), ("no", ctypes.c_ubyte), ("k", ctypes.c_uint)]
class Program(ctypes.Structure): _fields_ = [("count", ctypes.c_ushort), ("rules", ctypes.POINTER(Rule))]
libc = ctypes.CDLL(None, use_errno=True)
refuse = Program(4, (Rule * 4)(Rule(0x20, 0, 0, 0), Rule(0x15, 0, 1, 39), Rule(6, 0, 0, 0x50000 | 13), Rule(6, 0, 0, 0x7FFF0000)))
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.syscall(317, 1, 0, ctypes.byref(refuse)) == 0, ctypes.get_errno()
assert libc.syscall(39) == -1 and ctypes.get_errno() == 13 # getpid, which always succeeds'
}
forwarding() { echo 1 >/proc/sys/net/ipv4/ip_forward && [ "$(cat /proc/sys/net/ipv4/ip_forward)" = 1 ]; }
kernel_is_not_ours() { ! echo 99999 >/proc/sys/kernel/pid_max; }
for need in volume quota memory_limit pids_limit job_network filter image_root read_only_bind user_namespace \
	system_call_filter forwarding kernel_is_not_ours; do
	can "$need" "$need"
done
nft delete table inet needs
umount /root/volume
END
inside 1 tee /root/needs <"$TEST_DIR/needs" >/dev/null
inside 1 tee /etc/systemd/system/needs.service <"$TEST_DIR/unit" >/dev/null
check 'a unit with Delegate=yes runs' inside 1 systemctl start needs
can() {
	inside 1 grep -qx "$1" /root/can && return 0
	inside 1 journalctl --no-pager --output=cat -u needs
	return 1
}
check 'it can mount an ext4 image by a loop device' can volume
check 'whose size is a limit' can quota
if [ -d /sys/fs/cgroup/memory ]; then
	check 'it can limit memory in a cgroup of its own' can memory_limit
	check 'and processes' can pids_limit
else
	skip 'it can limit memory in a cgroup of its own' 'the checks are for cgroups of version 1'
	skip 'and processes' 'the checks are for cgroups of version 1'
fi
check 'it can make the network of a job' can job_network
check 'and load nftables rules' can filter
check 'and forward packets' can forwarding
check 'it can mount the layers of an image' can image_root
check 'and bind directories read-only' can read_only_bind
check 'it can make user namespaces' can user_namespace
check 'and filter system calls' can system_call_filter
check 'it cannot set up the kernel' can kernel_is_not_ours

# Loop devices are the kernel's: who leaves them, leaves them to everybody.
leave_loop() { # ID DIRECTORY
	inside "$1" sh -c "truncate -s 1M $2/$instance-$1.img && losetup --find $2/$instance-$1.img && rm $2/$instance-$1.img"
}
has_loops() { # ID COUNT
	[ "$(losetup --list --noheadings --output BACK-FILE | grep -c "/$instance-$1\.img")" -eq "$2" ]
}
loops_of_both() { leave_loop 1 /root && leave_loop 1 /run && has_loops 1 2; }

# Power
check 'devices are attached and left' loops_of_both
check 'a reboot from inside' inside 1 systemctl reboot
check 'boots again' wait_until 180 probe_said_times 2 'booted 1'
check 'with its disk' wait_until 180 boots 1 2
check 'without its loop devices' has_loops 1 0
check 'in the same network' reach 1 10.0.1.3
check 'a device is left' leave_loop 1 /root
check 'the plug is pulled' say 'off 1'
check 'it stops' wait_until 60 probe_said 'stopped 1'
check 'no device is attached to its disk' has_loops 1 0
check_exit 1 'its namespace is gone' test -e "/run/netns/hcs-$instance-1"
check_exit 1 'its system is gone' machine_runs "$instance" 1
check 'it is powered on' say "on 1 web-1 198.18.0.2 $TEST_DIR/user-data $(office 2)"
check 'it boots' wait_until 180 probe_said_times 3 'booted 1'
check 'its disk was kept' wait_until 180 boots 1 3
check 'cloud-init has ended' wait_until 120 inside 1 sh -c 'cloud-init status | grep -qx "status: done"'
check_output 'user data did not run again' web-1 cat "$directory/machines/1/disk/root/ran"
check 'it is asked to shut down' say 'shutdown 1'
check 'it stops by itself' wait_until 120 probe_said_times 2 'stopped 1'
check 'and says so on its console' grep -q 'Powering off' "$directory/machines/1/console.log"

# Images
is_ready() { say "ready $1"; }
change_disk() {
	inside 3 sh -c 'echo kept >/root/kept && rm /etc/issue && rm -r /usr/share/doc && mkdir /usr/share/doc && echo new >/usr/share/doc/new &&
		ln /root/kept /root/link && chown 1000:1000 /root/kept'
}
seen_disk() {
	inside "$1" sh -c 'cat /root/kept; ls /etc/issue 2>&1 | grep -c "No such"; ls /usr/share/doc; stat -c "%u %h" /root/link; hostname'
}
check 'a machine changes its disk' change_disk
check 'an image is made of it while it runs' say 'snapshot 3 100'
check 'and is ready' wait_until 60 is_ready 100
inside 3 sh -c 'echo later >/root/kept'
check 'a machine is made of the image' say "on 6 clone - $TEST_DIR/user-data image=100 $(office 6)"
check 'it boots' wait_until 180 probe_said 'booted 6'
check 'it is another server, whose user data runs' wait_until 180 inside 6 grep -qx clone /root/ran
check_output 'its disk is as it was in that moment' 'kept
1
new
1000 2
clone' seen_disk 6
inside 6 sh -c 'echo "of the clone" >/root/kept'
check 'an image is made of that' say 'snapshot 6 101'
check 'and is ready, too' wait_until 60 is_ready 101
check 'a machine is made of this' say "on 7 second - $TEST_DIR/user-data image=101 $(office 7)"
check 'it boots, too' wait_until 180 probe_said 'booted 7'
check 'and runs its user data' wait_until 180 inside 7 grep -qx second /root/ran
check_output 'on what both have written' 'of the clone
1
new
1000 2
second' seen_disk 7
check 'all images are forgotten but one' say 'keep 999'
check 'but those are still there on which machines lie' is_ready 100
check 'this, too' is_ready 101
check 'they are powered off' say 'off 6'
check 'both of them' say 'off 7'
check 'they stop' wait_until 60 probe_said 'stopped 6'
check 'both' wait_until 60 probe_said 'stopped 7'
check 'an image is made of one that is off' say 'snapshot 7 102'
check 'it is ready' wait_until 60 is_ready 102
check 'its machine is deleted' say 'delete 7'
check 'and the other' say 'delete 6'
check 'the last image is kept' say 'keep 102'
check 'with what is beneath it' is_ready 101
check 'down to the first' is_ready 100
check 'a machine is made of it' say "on 8 third - $TEST_DIR/user-data image=102 $(office 8)"
check 'it boots from three images' wait_until 180 probe_said 'booted 8'
check 'and runs its user data, too' wait_until 180 inside 8 grep -qx third /root/ran
check_output 'and has all' 'of the clone
1
new
1000 2
third' seen_disk 8
check 'it is deleted' say 'delete 8'
erased() { [ ! -e "$directory/machines/8" ]; }
check 'with its disk' wait_until 60 erased
mkdir -p "$directory/images/103/x" # where no image can be put
check 'an image that cannot be made' say 'snapshot 3 103'
has_ended() { [ ! -e "$directory/images/103.new" ]; }
check 'ends' wait_until 60 has_ended
check_exit 1 'and is not one' is_ready 103
check 'no image is kept' say 'keep 999'
check_exit 1 'and none is left' test -e "$directory/images/100"
check_exit 1 'a machine of an image that is not there is refused' say "on 6 none - - image=100"

# Deletion, rebuild, and boots that fail
check 'a running machine is deleted' say 'delete 3'
check 'and is rebuilt at once' say "on 3 web-3 198.18.0.3 $TEST_DIR/user-data"
check 'it boots' wait_until 180 probe_said_times 2 'booted 3'
check 'and runs user data' wait_until 180 user_data_ran 3
check_output 'on a new disk' web-3 cat "$directory/machines/3/disk/root/ran"
check_exit 1 'deletion is no stop' probe_said 'stopped 3'
check 'an image is mounted' inside 3 sh -c "truncate -s 8M /root/$instance-3.img && mkfs.ext4 -q -F /root/$instance-3.img &&
	mount /root/$instance-3.img /mnt -o loop"
nested() { inside 3 sh -c "truncate -s 1M /mnt/$instance-3.img && losetup --find /mnt/$instance-3.img"; }
check 'and a device left on it' nested
check 'both are there' has_loops 3 2
check 'it is deleted' say 'delete 3'
deleted() { [ ! -e "$directory/machines/3" ] && [ ! -e "/run/netns/hcs-$instance-3" ]; }
check 'nothing of it is left' wait_until 60 deleted
check 'nor a loop device' wait_until 60 has_loops 3 0
check 'a stopped machine is deleted' say 'delete 1'
check_exit 1 'with its disk' test -e "$directory/machines/1"
check 'a machine that will not boot is powered on' say 'on 4 dud 198.18.0.4 - fails'
check 'another has much time' say 'on 5 slow 198.18.0.5 - delay=3600000'
check_output 'both are on the network' 4 metadata 4 metadata/instance-id
check_output 'both are on the network (2)' 5 metadata 5 metadata/instance-id
check_output 'no user data is empty user data' '' metadata 4 userdata
check 'both are powered off' say 'off 4'
check 'both are powered off (2)' say 'off 5'
check 'both stop' wait_until 60 probe_said 'stopped 4'
check 'both stop (2)' wait_until 60 probe_said 'stopped 5'
check_exit 1 'neither was up' grep -q -e 'booted 4' -e 'booted 5' "$TEST_DIR/said"

# The simulator dies
check 'a machine leaves a loop device' leave_loop 2 /root
elsewhere=$(truncate -s 1M "$TEST_DIR/$instance-0.img" && losetup --find --show "$TEST_DIR/$instance-0.img")
kill -KILL "$probe_pid"
wait "$probe_pid" 2>/dev/null
check 'a new start removes what is left' probe_start
check_exit 1 'the machine that ran too' machine_runs "$instance" 2
check 'and its loop device' wait_until 60 has_loops 2 0
check "but not this computer's" has_loops 0 1
losetup --detach "$elsewhere"
elsewhere=
check_output 'but its own router' "/run/netns/hcs-$instance-router" machines_left "$instance"
check 'and its instance works' say "on 2 db-2 198.18.0.2 $TEST_DIR/user-data $(office 3)"
check 'boots' wait_until 180 probe_said 'booted 2'
check 'and leaves a loop device' leave_loop 2 /dev/shm
kill -KILL "$probe_pid"
wait "$probe_pid" 2>/dev/null
check 'what is left can be removed without a start' "$probe" clean "$instance" "$directory"
check_output 'nothing is left' '' machines_left "$instance"
check 'nor a loop device of it' wait_until 60 has_loops 2 0
check_exit 1 'nor a disk' test -e "$directory/machines"
check 'it starts' probe_start
check 'a machine starts' say "on 1 web-1 198.18.0.2 - $(office 2)"
echo quit >&7
check 'it ends while the machine boots' probe_ends
check_output 'nothing is left at the end' '' machines_left "$instance"
check_output 'of its directory, either' "$directory" find "$directory"
tap_end
