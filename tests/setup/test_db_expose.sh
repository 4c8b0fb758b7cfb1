#!/bin/bash
# rgrid db expose on a real cluster of Debian's: who reaches it afterwards and who does not, that it changes nothing
# twice and takes everything back, and that a kill after any step leaves a database that starts and answers.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
. tests/setup/exposed.sh
tap_begin
hosts_up
cluster_up 5433

config=/etc/postgresql/15/main
refused() { # a part of why, command…
	local code=0
	"${@:2}" >"$TEST_DIR/.said" 2>&1 || code=$?
	cat "$TEST_DIR/.said"
	[ "$code" -ne 0 ] && grep -qE -- "$1" "$TEST_DIR/.said"
}
state() { # of all that may change
	(cd /etc && find postgresql rgrid nftables.d systemd/system sysctl.d -printf '%p %y %m %u %s %l\n' 2>/dev/null | sort
	find postgresql -type f -exec sha256sum {} + | sort)
	on ctl nft list tables
}
state_no_sizes() { state | grep -v -e '^rgrid' -e ' d ' -e '^nftables.d'; }
backends() { sql "SELECT pg_postmaster_start_time()"; }
# Without ::1, which is localhost only where /etc/hosts says so.
listening() { on ctl ss -Hltn "sport = :5433" | awk '$4 !~ /::1/ {print $4}' | sort | tr '\n' ' '; }

# Edited by hand before: that stays.
sed -i '1i # ours, by hand' "$config/pg_hba.conf"
echo "host rgrid other 127.0.0.1/32 scram-sha-256 # by hand, without line end" >>"$config/pg_hba.conf"
truncate -s -1 "$config/pg_hba.conf"
sql 'SELECT pg_reload_conf()' >/dev/null
# Whoever serves the workers' API: here on all addresses, so that the firewall alone decides.
on ctl python3 -m http.server --bind 0.0.0.0 --directory /run 8443 >"$TEST_DIR/api.log" 2>&1 &
api_answers() { on "$1" curl -s -o /dev/null --max-time 3 "http://$2:8443/"; }
check "the workers' API answers" wait_until 30 api_answers wrk 10.0.1.2
state_no_sizes >"$TEST_DIR/before"
cp -a "$config/pg_hba.conf" "$TEST_DIR/hba"

check "a dry run says what it would do" rgridd_db --dry-run
state_no_sizes >"$TEST_DIR/dry"
check "… and changes nothing" cmp "$TEST_DIR/before" "$TEST_DIR/dry"
check "a range that is not private is refused" refused "not a private range" rgridd_db --private-ip 1.2.3.4 --subnet 1.2.3.0/24
check "a database that is not there is refused" refused "no database" rgridd_db --dbname nope
check "an address that is not ours is refused" refused "no interface" rgridd_db --private-ip 10.0.1.77

check "db expose" rgridd_db
check_output "it listens on localhost and the private address alone" "10.0.1.2:5433 127.0.0.1:5433 " listening
check_output "a worker is let in over TLS" "TLSv1.3" login wrk "host=10.0.1.2 sslmode=verify-full"
check "… not with the wrong CA" refused "certificate verify failed" login wrk \
	"host=10.0.1.2 sslmode=verify-full sslrootcert=/etc/ssl/certs/ssl-cert-snakeoil.pem"
check "… not without TLS" refused "rejects|no pg_hba.conf entry" login wrk "host=10.0.1.2 sslmode=disable"
check "… not by the public address" refused "refused|timeout" login wrk "host=198.18.0.2 sslmode=require"
check "… not with another login" refused "rejects" login wrk "host=10.0.1.2 sslmode=verify-full user=other"
check "… not with a wrong password" refused "password authentication failed" login wrk \
	"host=10.0.1.2 sslmode=verify-full password=two"
check "… not in another database" refused "rejects" login wrk "host=10.0.1.2 sslmode=verify-full dbname=postgres"
check "an outsider has no way" refused "unreachable" login out "host=10.0.1.2 sslmode=require"
ip -n "$host_prefix-out" route add 10.0.1.2 via 198.18.0.2
check "… nor with a host route through the public side" refused "timeout" login out "host=10.0.1.2 sslmode=require"
check "… which the firewall alone stops" sh -c "
	nsenter --net=/run/netns/$host_prefix-ctl nft delete table inet rgrid_db
	! PGCONNECT_TIMEOUT=10 nsenter --net=/run/netns/$host_prefix-out psql 'host=10.0.1.2 port=5433 user=w1 dbname=rgrid' -c '' 2>&1 |
		grep -q timeout"
check "… as it does for the workers' API" api_answers out 10.0.1.2
check "a flushed table is loaded again" rgridd_db
check "… which guards the workers' API, too" wait_until 10 eval '! api_answers out 10.0.1.2'
check "… not by the public address either" eval '! api_answers wrk 198.18.0.2'
check "… and leaves it to workers" api_answers wrk 10.0.1.2
check "… and to its own machine" api_answers ctl 127.0.0.1
check "… so that the route is of no use" refused "timeout" login out "host=10.0.1.2 sslmode=require"
ip -n "$host_prefix-ctl" link set enp7s0 down
ip -n "$host_prefix-ctl" link set enp7s0 name ens10 up
ip -n "$host_prefix-ctl" route replace 10.0.0.1 dev ens10 scope link
ip -n "$host_prefix-ctl" route replace 10.0.0.0/16 via 10.0.0.1 dev ens10
check_output "an interface by another name changes nothing" "TLSv1.3" login wrk "host=10.0.1.2 sslmode=verify-full"
check "localhost is as before" on ctl env PGPASSWORD=one psql -h 127.0.0.1 -p 5433 -U other -c '' rgrid

state >"$TEST_DIR/once"
started=$(backends)
check "the API's listener has a certificate, too, for root's eyes" sh -c '
	openssl verify -CAfile /etc/rgrid/pki/ca.crt -verify_ip 10.0.1.2 /etc/rgrid/pki/api.pem >&2
	stat -c "%U %a" /etc/rgrid/pki/api.pem | grep -x "root 600"'
check "… with a key of its own" sh -c "
	[ -s /etc/rgrid/pki/api.pem ] && ! cmp -s '$config/rgrid-server.pem' /etc/rgrid/pki/api.pem"
check "a second run" rgridd_db
state >"$TEST_DIR/twice"
check "… changes nothing" cmp "$TEST_DIR/once" "$TEST_DIR/twice"
check_output "… and restarts nothing" "$started" backends

# A boot, of which the private interface is the last to come up.
ip -n "$host_prefix-ctl" link set ens10 down
ip -n "$host_prefix-ctl" addr del 10.0.1.2/32 dev ens10
on ctl pg_ctlcluster 15 main restart </dev/null >/dev/null 2>&1
check "PostgreSQL starts before the private address is there" sql 'SELECT 1'
ip -n "$host_prefix-ctl" addr add 10.0.1.2/32 dev ens10
ip -n "$host_prefix-ctl" link set ens10 up
ip -n "$host_prefix-ctl" route replace 10.0.0.1 dev ens10 scope link
ip -n "$host_prefix-ctl" route replace 10.0.0.0/16 via 10.0.0.1 dev ens10
check_output "… and workers log in once it is" "TLSv1.3" login wrk "host=10.0.1.2 sslmode=verify-full"
started=$(backends)

serial() { openssl x509 -in "$config/rgrid-server.pem" -noout -serial; }
served() { on ctl openssl s_client -starttls postgres -connect 10.0.1.2:5433 </dev/null 2>/dev/null | openssl x509 -noout -serial; }
old=$(serial)
# A connection that is open meanwhile: it sees the certificate change, and lives on.
coproc HELD { on wrk env PGPASSWORD=one PGSSLROOTCERT=/etc/rgrid/pki/ca.crt psql -XAtq \
	"host=10.0.1.2 port=5433 dbname=rgrid user=w1 sslmode=verify-full" 2>&1; }
held() {
	local pid
	echo 'SELECT pg_backend_pid();' >&"${HELD[1]}"
	read -r -t 30 pid <&"${HELD[0]}" && echo "$pid"
}
held_before=$(held)
check "the certificate can be rotated" rgridd_db --rotate-certificate
check "… to another one" test "$(serial)" != "$old"
check_output "… which is served" "$(serial)" served
check_output "… without a restart" "$started" backends
check_output "… and without ending a connection" "${held_before:-none}" held
echo '\q' >&"${HELD[1]}"

# A line that PostgreSQL would not take is never made live.
cp -a "$config/pg_hba.conf" "$TEST_DIR/good"
printf '\nhost all all nonsense/99 scram-sha-256\n' >>"$config/pg_hba.conf"
sed -i '/RGRID DATABASE/,/END RGRID/d' "$config/pg_hba.conf"
cp -a "$config/pg_hba.conf" "$TEST_DIR/bad"
check "a pg_hba.conf that is wrong is refused" refused "pg_hba.conf, line" rgridd_db
check "… and left alone" cmp "$config/pg_hba.conf" "$TEST_DIR/bad"
check_output "… and not in force" "TLSv1.3" login wrk "host=10.0.1.2 sslmode=verify-full"
cat "$TEST_DIR/good" >"$config/pg_hba.conf"

# By hand in between: stays.
sed -i 's/^# ours, by hand/# ours, by hand, again/' "$config/pg_hba.conf"
check "undo" rgridd_db --undo
sed -i 's/^# ours, by hand/# ours, by hand, again/' "$TEST_DIR/hba"
check "pg_hba.conf is what it was, byte by byte" cmp "$config/pg_hba.conf" "$TEST_DIR/hba"
sed -i 's/^# ours, by hand, again/# ours, by hand/' "$config/pg_hba.conf"
state_no_sizes >"$TEST_DIR/undone"
check "and so is everything else" diff "$TEST_DIR/before" "$TEST_DIR/undone"
check_output "it listens on localhost alone" "127.0.0.1:5433 " listening
check "undo again is nothing" rgridd_db --undo

# Power loss after each step.
dies_after() { RGRID_TEST_DIE_AFTER=$1 rgridd_db "${@:2}"; }
cut_off() { # step, arguments: dies of it there
	check_exit 137 "db expose ${*:2} is cut off after $1" dies_after "$@"
	on ctl pg_ctlcluster 15 main restart -m immediate </dev/null >/dev/null 2>&1
	check_output "… PostgreSQL starts and answers" 1 sql "SELECT 1"
}
undo_steps=(settings reload restart hba reload-hba firewall certificate)
for step in authority certificate api-certificate firewall address settings hba reload restart; do
	cut_off "$step"
	check "… and the next run completes it" rgridd_db
	check_output "… for workers" "TLSv1.3" login wrk "host=10.0.1.2 sslmode=verify-full"
	undone=${undo_steps[0]-}
	undo_steps=("${undo_steps[@]:1}")
	[ -z "$undone" ] || cut_off "$undone" --undo
	check "… and the next run completes it" rgridd_db --undo
	state_no_sizes >"$TEST_DIR/undone"
	check "… to what was" diff "$TEST_DIR/before" "$TEST_DIR/undone"
done

# Without a private network.
check "more than one address is refused" refused "more than one address" \
	rgridd_db --public-ip 198.18.0.2 --public-worker 198.18.0.0/24
check "a worker's public address alone can be let in" rgridd_db --public-ip 198.18.0.2 --public-worker 198.18.0.3/32
check_output "… that worker is" "TLSv1.3" login wrk "host=198.18.0.2 sslmode=verify-full"
check "… others are not" refused "timeout" login out "host=198.18.0.2 sslmode=require"
check "… nor is it without TLS" refused "rejects" login wrk "host=198.18.0.2 sslmode=disable"
check "an address that is not public is refused" refused "not a public address" \
	rgridd_db --public-ip 198.18.0.2 --public-worker 10.0.1.3/32
check "a control server that is not public is refused" refused "not a public address" \
	rgridd_db --public-ip 10.0.1.2 --public-worker 198.18.0.3/32

# The orchestrator's list of them, made by somebody who is not believed.
list=$TEST_DIR/workers
env=$TEST_DIR/orchestrator.env
listed() { rgridd_db --env-file "$env" --public-workers "$list" "$@"; }
live() {
	on ctl nft -s list table inet rgrid_db
	cat "$config/pg_hba.conf" "$config/conf.d/zz-rgrid.conf"
}
live_is() { live | cmp - "$TEST_DIR/live"; }
printf '198.18.0.3/32\n' >"$list"
: >"$env"
check "without this server's address a list is refused" refused "public address is not known" listed
echo 'RGRID_PUBLIC_DB_IP=198.18.0.2' >"$env"
echo 'RGRID_NETWORK_ID=1' >>"$env"
check "where the private network is on, a list is refused" refused "private network is on" listed
sed -i '/NETWORK_ID/d' "$env"
check "a list and single workers are refused" refused "exclude each other" listed --public-worker 198.18.0.3/32
check "a list of workers is opened to" eval 'listed >"$TEST_DIR/said" 2>&1'
check "… and it is said loudly" grep "WARNING: .* PUBLIC address 198.18.0.2, to 1 worker, over TLS" "$TEST_DIR/said"
check_output "… the worker in it is let in" "TLSv1.3" login wrk "host=198.18.0.2 sslmode=verify-full"
check "… and reaches its API" api_answers wrk 198.18.0.2
check "… others do not" refused "timeout" login out "host=198.18.0.2 sslmode=verify-full"
check "… nor the API" eval '! api_answers out 198.18.0.2'
started=$(backends)
live >"$TEST_DIR/live"
list_refused() { # why, text
	printf '%b' "$2" >"$list"
	refused "$1" listed && live_is
}
check "a range in it refuses it all, and what is live stays" list_refused "line 2 is more than one" '198.18.0.9/32\n46.0.0.0/8\n'
check "… so does everybody" list_refused "line 1 is more than one" '0.0.0.0/0\n'
check "… an address that is nobody's" list_refused "line 1 is no machine" '0.0.0.0/32\n'
check "… loopback" list_refused "line 2 is no machine" '198.18.0.9/32\n127.0.0.1/32\n'
check "… a private address" list_refused "line 1 is no machine" '10.0.1.3/32\n'
check "… multicast" list_refused "line 1 is no machine" '224.0.0.1/32\n'
check "… an address without /32" list_refused "line 1 is not an IPv4 address" '198.18.0.9\n'
check "… words" list_refused "line 1 is not an IPv4 address" '198.18.0.9/32 } accept; #\n'
check "… an empty line" list_refused "line 2 is not an IPv4 address" '198.18.0.9/32\n\n'
check "… an address twice" list_refused "line 2 repeats" '198.18.0.9/32\n198.18.0.9/32\n'
check "… a line without end" list_refused "line 2 has no end" '198.18.0.3/32\n198.18.0.9/3'
check "… more than there may be" list_refused "larger than" "$(yes 203.0.113.255/32 | head -n 2000)"
rm "$list"
check "a list that is not there" refused "cannot read" listed
printf '198.18.0.9/32\n' >"$TEST_DIR/other"
ln -s "$TEST_DIR/other" "$list"
check "a symlink" refused "cannot read" listed
ln -sf /etc/shadow "$list"
check "… to a secret" refused "cannot read" listed
rm "$list"
mkfifo "$list"
check "a pipe" refused "not a regular file" listed
rm "$list"
mkdir "$list"
check "a directory" refused "not a regular file" listed
rmdir "$list"
check "… all leave what is live" live_is

printf '198.18.0.9/32\n198.18.0.3/32\n' >"$list"
check "a worker more" listed
check_output "… is let in" "TLSv1.3" login out "host=198.18.0.2 sslmode=verify-full"
check_output "… without a restart" "$started" backends
live >"$TEST_DIR/live"
check "the same list again" listed
check "… changes nothing" live_is
printf '198.18.0.9/32\n' >"$list"
check "a worker less" listed
check "… is not let in any more" refused "timeout" login wrk "host=198.18.0.2 sslmode=verify-full"
check "… and the API is closed to it" eval '! api_answers wrk 198.18.0.2'
rm -f "$TEST_DIR/said"
listed >"$TEST_DIR/said" 2>/dev/null &
listing=$!
check "while a list is obeyed" wait_until 30 grep -q authority "$TEST_DIR/said"
printf '198.18.0.3/32\n' >"$TEST_DIR/other"
mv "$TEST_DIR/other" "$list"
wait "$listing"
check_output "… a new one is seen" "TLSv1.3" login wrk "host=198.18.0.2 sslmode=verify-full"
: >"$list"
check "an empty list is nobody" listed
check "… not that worker" refused "timeout" login wrk "host=198.18.0.2 sslmode=verify-full"
check "… nor its API" eval '! api_answers wrk 198.18.0.2'
check_output "… without a restart" "$started" backends
printf '198.18.0.3/32\n' >"$list"
check "opened once more" listed
check "private mode closes the public side" rgridd_db
check "… the database" refused "refused|timeout" login wrk "host=198.18.0.2 sslmode=verify-full"
check "… the API" eval '! api_answers wrk 198.18.0.2'
check "… without a trace" eval '! live | grep -F 198.18.'
check_output "… and workers come by the private side" "TLSv1.3" login wrk "host=10.0.1.2 sslmode=verify-full"
check "… and it is undone" rgridd_db --undo
tap_end
