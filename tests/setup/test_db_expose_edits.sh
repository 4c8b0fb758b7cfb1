#!/bin/bash
# rgrid db expose on a cluster whose files are not as Debian left them, or while another one is at work: it works or
# says which line of which file is in the way, and PostgreSQL runs on as before.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
. tests/setup/exposed.sh
tap_begin
hosts_up
cluster_up 5433

config=/etc/postgresql/15/main
settings=$config/postgresql.conf
dropin=$config/conf.d/zz-rgrid.conf
as_was=$TEST_DIR/as-was
cp -a "$config" "$as_was"
listening() { on ctl ss -Hltn "sport = :5433" | awk '$4 !~ /::1/ {print $4}' | sort | tr '\n' ' '; }
started() { sql "SELECT pg_postmaster_start_time()"; }
says() { # a part of why, command…: which fails
	local code=0
	"${@:2}" >"$TEST_DIR/said" 2>&1 || code=$?
	cat "$TEST_DIR/said"
	[ "$code" -ne 0 ] && grep -qF -- "$1" "$TEST_DIR/said"
}
as_before() { # nothing is in force that was not, nor will be by a restart
	[ "$(started)" = "$before" ] && [ ! -e "$dropin" ] && cmp "$config/pg_hba.conf" "$as_was/pg_hba.conf"
}
back() {
	rgridd_db --undo >/dev/null 2>&1
	cp -a "$as_was/." "$config/"
	sql 'ALTER SYSTEM RESET ALL'
	sql 'SELECT pg_reload_conf()' >/dev/null
}
before=$(started)
in_the_way() { # description, line of postgresql.conf, why
	echo "$2" >>"$settings"
	check "$1: which is said" says "$3" rgridd_db
	check "… and nothing is changed" as_before
	back
}
last=$(($(wc -l <"$settings") + 1))
in_the_way "another listen_addresses below" "listen_addresses = '*'" "$settings, line $last, sets listen_addresses after $dropin"
in_the_way "TLS is off below" "ssl = off" "$settings, line $last, sets ssl"
in_the_way "passwords are stored otherwise" "password_encryption = md5" "$settings, line $last, sets password_encryption"
in_the_way "a value that is none" "shared_buffers = 128XB" "$settings, line $last: shared_buffers"
in_the_way "a name that is none" "shared_bufers = 128MB" "$settings, line $last: shared_bufers"
in_the_way "another's setting waits for a restart" "shared_buffers = 8MB" "waits for a restart because of shared_buffers"
in_the_way "… the port" "port = 5499" "waits for a restart because of port"
sed -i 's/^max_connections/#&/' "$settings"
check "… or would, one that was taken out: which is said" says "because of max_connections (its configuration)" rgridd_db
check "… and nothing is changed" as_before
back
echo "no such setting" >>"$settings"
check "a line that is no setting: which is said" says "invalid line $last in $settings" rgridd_db
cp -a "$as_was/postgresql.conf" "$settings" # which psql reads, too
check "… and nothing is changed" as_before
back
sed -i 's/^include_dir/#&/' "$settings"
check "conf.d is not read: which is said" says "put this line into $settings: include_dir 'conf.d'" rgridd_db
check "… and nothing is changed" as_before
back
sql "ALTER SYSTEM SET listen_addresses = '*'"
check "ALTER SYSTEM comes last: which is said" says "ALTER SYSTEM RESET listen_addresses" rgridd_db
check "… and nothing is changed" as_before
back

echo "ssl_min_protocol_version = 'TLSv1.3'" >>"$settings"
check "a later TLS is no fault" rgridd_db
echo "shared_buffers = 128XB" >>"$settings"
check "what does not need a restart goes on beside a wrong line" rgridd_db --rotate-certificate
exposed=$(started)
check "undo would need one: the line is said" says "line $((last + 1)): shared_buffers" rgridd_db --undo
check_output "… and PostgreSQL runs on, guarded" "$exposed" started
check_output "… as exposed as it was" "10.0.1.2:5433 127.0.0.1:5433 " listening
sed -i '$d' "$settings"
check "undo without that line" rgridd_db --undo
back

# Line ends of another system's editor.
sed -i 's/$/\r/' "$config/pg_hba.conf"
cp -a "$config/pg_hba.conf" "$TEST_DIR/crlf"
check "pg_hba.conf with CRLF" rgridd_db
sed -i 's/\r$//; s/$/\r/' "$config/pg_hba.conf"
check "… of the marks, too" rgridd_db
check_output "… leaves one block" 1 grep -c 'BEGIN RGRID' "$config/pg_hba.conf"
sed -i 's/\r$//; s/$/\r/' "$config/pg_hba.conf"
check "… which undo finds" rgridd_db --undo
check "… and takes out" cmp "$config/pg_hba.conf" "$TEST_DIR/crlf"
back

# Two clusters: one table guards one port.
on ctl pg_createcluster 15 second -p 5435 >/dev/null 2>&1
on ctl pg_ctlcluster 15 second start </dev/null >/dev/null 2>&1
check "of two clusters it has to be told which" says "say which: --cluster VERSION/NAME" rgridd_db
check "one is exposed" rgridd_db --cluster 15/main
on ctl nft -s list table inet rgrid_db >"$TEST_DIR/table"
check "another one is not, beside it" says "rgrid db expose --undo --cluster 15/main" rgridd_db --cluster 15/second
check "… nor is there anything of it to take back" says "PostgreSQL 15/main is the exposed one" rgridd_db --cluster 15/second --undo
check_output "… and the first is guarded as before" "" diff "$TEST_DIR/table" <(on ctl nft -s list table inet rgrid_db)
check "once that is taken back" rgridd_db --cluster 15/main --undo
check "… the other one is exposed" rgridd_db --cluster 15/second
check "(and taken back)" rgridd_db --cluster 15/second --undo
on ctl pg_dropcluster 15 second --stop

# Another network than the default.
ip -n "$host_prefix-ctl" address add 10.9.1.2/32 dev enp7s0
echo RGRID_PRIVATE_DB_IP=10.9.1.2 >/etc/rgrid/orchestrator.env
check "an address out of the workers' range: how to name that is said" says "--subnet" rgridd_db
check "with it, the database is exposed" rgridd_db --subnet 10.9.1.0/24
of_doctor() { # id, options: "finding: fix"
	on ctl "$RGRIDD" doctor --json "${@:2}" 2>/dev/null | jq -r --arg id "$1" '.checks[] | select(.id == $id) | "\(.finding): \(.fix)"'
}
check_output "doctor asks for it, too" "skipped: say which it is: --ip-range, --subnet and --ip" of_doctor db-hba
check_output "… and with it, all is well" "ok: null" of_doctor db-hba --ip-range 10.9.0.0/16 --subnet 10.9.1.0/24 --ip 10.9.1.2
rm /etc/rgrid/orchestrator.env
back

# Two at once take one another's place, as the unit of the public side may the operator's.
together() { # runs, options…
	local pids=() failed=0
	for ((i = 0; i < $1; i++)); do
		rgridd_db "${@:2}" >"$TEST_DIR/run-$i" 2>&1 &
		pids+=($!)
	done
	for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
	cat "$TEST_DIR"/run-*
	return "$failed"
}
rm -rf /etc/rgrid/pki
check "three at once, from nothing" together 3
check_output "… a worker is let in" "TLSv1.3" login wrk "host=10.0.1.2 sslmode=verify-full"
check "… who waited said for whom" grep -hq '^waiting for process [0-9]*, which sets this server up' "$TEST_DIR"/run-*
rgridd_db --rotate-certificate >/dev/null 2>&1 &
other=$!
check "undo beside another one" rgridd_db --undo
wait "$other"
check "… and once more" rgridd_db --undo
check_output "… leaves PostgreSQL on localhost alone" "127.0.0.1:5433 " listening

# systemd is told of the unit, so that it follows nftables.service from now on, and not at the next boot.
mkdir -p /run/systemd/system "$TEST_DIR/bin"
cat >"$TEST_DIR/bin/systemctl" <<-EOF
	#!/bin/sh
	echo "\$2 \$3" >>$TEST_DIR/systemctl
	case \$2 in
	is-active) test -e "$TEST_DIR/active" ;;
	start) touch "$TEST_DIR/active" ;;
	stop) rm "$TEST_DIR/active" ;;
	esac
EOF
chmod 755 "$TEST_DIR/bin/systemctl"
with_systemd() { # a function of the test
	: >"$TEST_DIR/systemctl"
	PATH=$TEST_DIR/bin:$PATH "$@"
}
told() { grep -v is-active "$TEST_DIR/systemctl" | paste -sd ,; }
rmdir /run/systemd/system
check "exposed without systemd" rgridd_db
mkdir /run/systemd/system
check "with a systemd that does not know the unit" with_systemd rgridd_db
check_output "… it learns of it" "daemon-reload ,start rgrid-db-firewall.service" told
check "again" with_systemd rgridd_db
check_output "… there is nothing to tell" "" told
on ctl nft delete table inet rgrid_db
check "a table that is gone" with_systemd rgridd_db
check_output "… is none of its affairs" "" told
rm "$TEST_DIR/active"
check_output "doctor sees that the unit is not active" "what loads table inet rgrid_db at boot is not as it should be" \
	eval "with_systemd on ctl '$RGRIDD' doctor --json 2>/dev/null | jq -r '.checks[] | select(.id == \"db-firewall\") | .evidence'"
rmdir /run/systemd/system
tap_end
