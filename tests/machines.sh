# shellcheck shell=bash
# Simulated servers that are real hosts, for shell tests: namespaces and booted systems of `--machines netns`.
# Source it after tests/tap.sh.
#
#   machines_needed                     ends the test as skipped, with the reason, where there can be none
#   machines_instance                   prints a name for an instance that no other test uses
#   machines_root                       prints the root tree, which it builds if it is not in the cache
#   machine_net INSTANCE ID COMMAND…    runs COMMAND in the server's network, otherwise on this computer
#   machine_exec INSTANCE ID COMMAND…   runs COMMAND in the booted system
#   machine_runs INSTANCE ID            whether it has a running system
#   machines_left INSTANCE              prints what there is of an instance: nothing, when all is cleaned up

MACHINES_TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

machines_needed() {
	local why=
	if [ "$EUID" -ne 0 ]; then
		why='only root can run machines'
	elif ! command -v systemd-nspawn >/dev/null || ! command -v mmdebstrap >/dev/null; then
		why='systemd-nspawn or mmdebstrap is missing: run tools/install-dependencies'
	elif ! unshare --net --mount true 2>/dev/null; then
		why='namespaces are not allowed here'
	fi
	[ -n "$why" ] || return 0
	echo "1..0 # SKIP $why"
	exit 0
}

# In a pid namespace, the own pid is not one that others do not have.
machines_instance() { printf 't%x\n' "${PRIVATE_SYSTEM_ID:-$$}"; }

machines_root() { "$MACHINES_TOP/tools/make-machine-root"; }

machine_net() {
	local space=/run/netns/hcs-$1-$2
	shift 2
	nsenter --net="$space" -- "$@"
}

# The first process of the booted system, systemd, as a pid of this computer.
machine_leader() {
	local procs pid
	# Files of cgroups have no size; an empty one just has no line.
	for procs in /sys/fs/cgroup/{systemd,unified,.}/"hcs-$1-$2"/payload/init.scope/cgroup.procs; do
		if [ -e "$procs" ] && read -r pid <"$procs"; then
			echo "$pid"
			return 0
		fi
	done
	return 1
}
machine_runs() { machine_leader "$@" >/dev/null 2>&1; }

machine_exec() {
	local leader
	leader=$(machine_leader "$1" "$2") || return 1
	shift 2
	nsenter --target "$leader" --mount --uts --ipc --net --pid --root -- \
		env -i -C /root PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 "$@"
}

machines_left() {
	find /run/netns /run/systemd/nspawn -maxdepth 2 -name "hcs-$1-*" 2>/dev/null
	find /sys/fs/cgroup -maxdepth 2 -name "hcs-$1-*" 2>/dev/null
	grep -h "hcs-$1-" /proc/self/mounts | grep -v '^nsfs '
	grep -laz -e "--machine=hcs-$1-" /proc/[0-9]*/cmdline 2>/dev/null
	ip -o link | grep "hcs-$1-" || true
}
