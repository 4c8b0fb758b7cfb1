#!/bin/sh
# Brings a new machine to where rgrid-worker.service can start: the private interface, the way out, the
# programs. Run by cloud-init; may be run again. Every value comes from the environment files.
set -eu

# shellcheck source=/dev/null
. "${RGRID_ETC:-/etc/rgrid}/worker.env"
# shellcheck source=/dev/null
[ ! -r "${RGRID_ETC:-/etc/rgrid}/first.env" ] || . "${RGRID_ETC:-/etc/rgrid}/first.env"
ca=${RGRID_ETC:-/etc/rgrid}/ca.crt
programs=${RGRID_OPT:-/opt/rgrid}
metadata=${RGRID_METADATA:-http://169.254.169.254/hetzner/v1/metadata}

uptime_s() { cut -d. -f1 /proc/uptime; }
say() { echo "rgrid-boot: $*" >&2; }
deadline_s=$(($(uptime_s) + RGRID_START_S))

# Tries until the command succeeds; ends the script at the deadline.
wait_for() { # what command…
	what=$1
	shift
	until "$@"; do
		if [ "$(uptime_s)" -ge "$deadline_s" ]; then
			say "given up: $what"
			exit 1
		fi
		sleep 1
	done
}

# Its names differ between images and types of servers, so it is found by the address of its card …
interface_by_mac() {
	macs=$(curl -fsS --noproxy '*' --max-time 3 "$metadata/private-networks" 2>/dev/null |
		sed -n 's/^.*mac_address:[^0-9a-fA-F]*\([0-9a-fA-F:]\{17\}\).*$/\1/p' | tr 'A-F' 'a-f')
	for mac in $macs; do
		for card in /sys/class/net/*; do
			if [ "$(cat "$card/address" 2>/dev/null)" = "$mac" ]; then
				basename "$card"
				return 0
			fi
		done
	done
	return 1
}
# … or as that which leads to the database, if not everything else is reached that way too.
interface_by_route() {
	ip -4 route show match "$RGRID_DATABASE_HOST" 2>/dev/null | grep -v '^default' |
		sed -n 's/^.* dev \([^ ]*\).*$/\1/p' | head -n 1 | grep .
}
interface_is_up() {
	interface=$(interface_by_mac || interface_by_route) || return 1
	ip link set "$interface" up 2>/dev/null || true
	ip -4 -o address show dev "$interface" 2>/dev/null | grep -q inet
}

give_way_out() {
	ip route replace "$RGRID_GATEWAY/32" dev "$interface" scope link
	ip route replace default via "$RGRID_GATEWAY" dev "$interface"
	[ -n "$RGRID_DNS" ] || return 0
	# shellcheck disable=SC2086 # several addresses
	if ! resolvectl dns "$interface" $RGRID_DNS 2>/dev/null && [ ! -L /etc/resolv.conf ]; then
		for server in $RGRID_DNS; do
			echo "nameserver $server"
		done >/etc/resolv.conf
	fi
}

# No later try would be answered otherwise: the machine costs money for nothing, and is to be replaced at once.
# The machine of an image has no such unit, and stays on, as bake.sh says.
end_refused() { # status
	say "the API refuses the bundle: HTTP $1 (401, 403: this machine's token is not good, or no longer; 404: it has no such bundle)"
	systemctl start --no-block rgrid-deadline.service || true
	exit 1
}
# The token goes in by a file that only we can read: arguments are for everybody.
fetch() {
	status=$(printf 'header = "Authorization: Bearer %s"\n' "$RGRID_BUNDLE_TOKEN" |
		curl -K - -fsS --noproxy '*' --proto '=https' --cacert "$ca" --connect-timeout 10 \
			--speed-limit 1000 --speed-time 30 -C - -o "$1" -w '%{http_code}' \
			"$RGRID_API_URL/bundle/$RGRID_BUNDLE_SHA256.tar.gz") && return 0
	case $status in
	401 | 403 | 404) end_refused "$status" ;;
	esac
	return 1
}
is_whole() { echo "$RGRID_BUNDLE_SHA256  $1" | sha256sum -c --status; }
fetch_whole() {
	fetch "$1" || return 1
	is_whole "$1" && return 0
	say "the bundle is not the one that was promised"
	rm -f "$1"
	return 1
}
get_programs() {
	mkdir -p "$programs"
	if [ ! -x "$programs/$RGRID_BUNDLE_SHA256/bin/rgrid-worker" ]; then
		archive=$programs/$RGRID_BUNDLE_SHA256.part
		wait_for "the bundle from $RGRID_API_URL" fetch_whole "$archive"
		rm -rf "$programs/new"
		mkdir "$programs/new"
		tar -xzf "$archive" -C "$programs/new" --no-same-owner
		mv "$programs/new" "$programs/$RGRID_BUNDLE_SHA256"
		rm -f "$archive"
	fi
	ln -sfn "$RGRID_BUNDLE_SHA256" "$programs/current"
}

if [ -n "$RGRID_GATEWAY" ]; then
	wait_for "a private interface" interface_is_up
	say "the private interface is $interface"
	[ "$RGRID_WAY_OUT" != yes ] || give_way_out
fi
get_programs
say "ready"
