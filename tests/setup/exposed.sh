# shellcheck shell=bash
# Hosts for tests of an exposed database. Source it after tap.sh; it starts the test anew in mount and pid
# namespaces of its own, where /etc is a copy and PostgreSQL's directories are empty, and ends it as skipped
# where that cannot be had. Then:
#
#   hosts_up              control server (10.0.1.2 by the provider's manner, 198.18.0.2), worker (10.0.1.3,
#                         198.18.0.3) and outsider (198.18.0.9), each a network namespace
#   on HOST command…      runs it on ctl, wrk or out
#   cluster_up PORT       a cluster of Debian's on the control server, with database, role and a login
#   sql STATEMENT         as its superuser, through its socket
#   login HOST SETTINGS   a worker's login from a host: prints the TLS version, or says why not
#   rgridd_db …           rgridd db expose … on the control server

# shellcheck source=tests/private_system.sh
. tests/private_system.sh
private_system_enter "$PWD/tests/setup/$(basename "$0")" "$@"
RGRID_BUILD=$(realpath "${RGRID_BUILD:-build}")
RGRIDD=$RGRID_BUILD/src/main/rgridd
[ -x "$RGRIDD" ] || RGRIDD=$RGRID_BUILD/rgridd
host_prefix=rgdb-$PRIVATE_SYSTEM_ID

tap_at_exit() {
	for host in gw ctl wrk out; do ip netns del "$host_prefix-$host" 2>/dev/null; done
	private_system_down
}

on() { nsenter --net="/run/netns/$host_prefix-$1" -- "${@:2}"; }

cable() { # host interface, gateway's interface
	ip -n "$host_prefix-gw" link add "$3" type veth peer name "$2" netns "$host_prefix-$1"
	ip -n "$host_prefix-gw" link set "$3" up
	ip -n "$host_prefix-$1" link set "$2" up
}

private() { # host address
	cable "$1" enp7s0 "priv-$1"
	ip -n "$host_prefix-gw" addr add 10.0.0.1/32 dev "priv-$1"
	ip -n "$host_prefix-gw" route add "$2" dev "priv-$1"
	ip -n "$host_prefix-$1" link set enp7s0 mtu 1450
	ip -n "$host_prefix-$1" addr add "$2/32" dev enp7s0
	ip -n "$host_prefix-$1" route add 10.0.0.1 dev enp7s0 scope link
	ip -n "$host_prefix-$1" route add 10.0.0.0/16 via 10.0.0.1 dev enp7s0
}

hosts_up() {
	local host
	for host in gw ctl wrk out; do
		ip netns add "$host_prefix-$host"
		ip -n "$host_prefix-$host" link set lo up
	done
	on gw sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
	ip -n "$host_prefix-gw" link add name public0 type bridge
	ip -n "$host_prefix-gw" link set public0 up
	for host in ctl:2 wrk:3 out:9; do
		cable "${host%:*}" eth0 "pub-${host%:*}"
		ip -n "$host_prefix-gw" link set "pub-${host%:*}" master public0
		ip -n "$host_prefix-${host%:*}" addr add "198.18.0.${host#*:}/24" dev eth0
	done
	private ctl 10.0.1.2
	private wrk 10.0.1.3
	private_system_up
}

sql() { setpriv --reuid=postgres --regid=postgres --clear-groups psql -XAtq -p "$cluster_port" -c "$1" "${2-postgres}"; }

cluster_up() {
	cluster_port=$1
	on ctl pg_createcluster 15 main -p "$1" >/dev/null 2>&1
	on ctl pg_ctlcluster 15 main start </dev/null >/dev/null 2>&1
	sql 'CREATE DATABASE rgrid'
	sql 'CREATE ROLE rgrid_worker NOLOGIN'
	sql "CREATE ROLE w1 LOGIN PASSWORD 'one' IN ROLE rgrid_worker"
	sql "CREATE ROLE other LOGIN PASSWORD 'one'"
}

login() {
	on "$1" env PGPASSWORD=one PGCONNECT_TIMEOUT=3 PGSSLROOTCERT=/etc/rgrid/pki/ca.crt psql -XAtq \
		"port=$cluster_port dbname=rgrid user=w1 gssencmode=disable $2" \
		-c 'SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()' 2>&1
}

rgridd_db() { on ctl "$RGRIDD" db expose "$@"; }
