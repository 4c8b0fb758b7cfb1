#!/bin/bash
# The database's firewall on a server with systemd and nftables.service, whose configuration flushes everything: it
# is there again after each restart and reload of that, and after a boot, before the network comes up.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
. tests/deployment.sh
deployment_enter "$PWD/tests/setup/$(basename "$0")" "$@"
tap_begin

rules=/etc/nftables.d/rgrid-db.nft
unit=/etc/systemd/system/rgrid-db-firewall.service
check "a server that is a real host" deployment_cloud
check "(in the network)" on_control "$RGRID" network setup
check "(with a database)" deployment_database
check "whose database is exposed" on_control "$RGRID" db expose

# PostgreSQL's system is not the booted one, which gets what db expose has made.
put() { in_server "$CONTROL" sh -c 'mkdir -p "${1%/*}" && cat >"$1"' - "$1"; } # a file of stdin
for file in "$rules" "$unit"; do
	put "$file" < <(cat "$file")
done
for wants in multi-user.target.wants nftables.service.wants; do
	link=/etc/systemd/system/$wants/${unit##*/}
	in_server "$CONTROL" mkdir -p "${link%/*}"
	in_server "$CONTROL" ln -s "$(readlink "$link")" "$link"
done
system() { in_server "$CONTROL" systemctl --quiet "$@"; }
table() { on_server "$CONTROL" nft -s list table inet rgrid_db; }
flushed_first() { # the table is there, and another one, of nftables.conf, as well
	table >"$TEST_DIR/now" && diff "$TEST_DIR/table" "$TEST_DIR/now" && on_server "$CONTROL" nft list table inet of_operator
}
table >"$TEST_DIR/table"
printf 'flush ruleset\ntable inet of_operator {\n}\n' | put /etc/nftables.conf
in_server "$CONTROL" rm -f /etc/systemd/system/nftables.service # masked
check "the unit is one that systemd takes" in_server "$CONTROL" systemd-analyze verify "$unit"
system daemon-reload
check "nftables.service is switched on" system enable --now nftables.service
check "… which brings the table with it" wait_until 20 flushed_first
check "it is restarted" system restart nftables.service
check "… and the table is there" wait_until 20 flushed_first
check "it is reloaded" system reload nftables.service
check "… and the table is there" wait_until 20 flushed_first
on_server "$CONTROL" nft flush ruleset
booted_again() { in_server "$CONTROL" systemctl --quiet is-active multi-user.target; }
is_off() { [ "$(field "a['server']['status']" api GET "/servers/$CONTROL")" = off ]; }
api POST "/servers/$CONTROL/actions/poweroff" >/dev/null
check "the server is off" wait_until 60 is_off
api POST "/servers/$CONTROL/actions/poweron" >/dev/null
check "… and boots" wait_until 120 booted_again
check "… and the table is there" wait_until 20 flushed_first
before_network() { # when each was active, in microseconds since the boot
	local ours
	ours=$(system show -P ActiveEnterTimestampMonotonic rgrid-db-firewall.service)
	[ "$ours" -gt 0 ] && [ "$ours" -le "$(system show -P ActiveEnterTimestampMonotonic network-pre.target)" ]
}
check "… since before the network" before_network
tap_end
