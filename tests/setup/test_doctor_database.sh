#!/bin/bash
# rgrid doctor on an exposed database: each thing broken on purpose is named, and nothing else.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
. tests/setup/exposed.sh
tap_begin
hosts_up
cluster_up 5434

config=/etc/postgresql/15/main
export RGRID_METADATA_ENDPOINT=http://127.0.0.1:1 RGRID_DATA_DIR=$TEST_DIR/data
finds() { # the checks of the exposed database that are not ok, and whatever is wrong elsewhere: "db-hba=broken"
	# There is no provider here, and no database of the orchestrator's.
	on ctl "$RGRIDD" doctor --json "$@" 2>/dev/null | jq -r '[.checks[] | select((.finding == "broken" or .finding == "warn"
		or .finding == "skipped" and .group == "database" and .id != "db-public-workers")
		and ([.id] | inside(["db-answers", "db-schema", "env-file", "env-network-id", "api-token"]) | not)) |
		"\(.id)=\(.finding)"] | join(" ")'
}
evidence() { on ctl "$RGRIDD" doctor --json 2>/dev/null | jq -r ".checks[] | select(.id == \"$1\") | .evidence"; }
restart() { on ctl pg_ctlcluster 15 main restart </dev/null >/dev/null 2>&1; }
mend() { rgridd_db --json >/dev/null 2>&1; }

nothing="db-listening=skipped db-hba=skipped db-tls=skipped db-certificate=skipped db-api-certificate=skipped db-firewall=skipped db-env-ip=skipped"
check_output "a database that is not exposed is no fault" "$nothing" finds
echo RGRID_PRIVATE_DB_IP=10.0.1.2 >/etc/rgrid/orchestrator.env
check_output "… unless the environment says it is" \
	"db-listening=broken db-hba=skipped db-tls=skipped db-certificate=skipped db-api-certificate=skipped db-firewall=skipped db-env-ip=skipped" finds
mend
check_output "exposed, all is well" "" finds

echo RGRID_PRIVATE_DB_IP=10.0.1.3 >/etc/rgrid/orchestrator.env
check_output "another address in the environment" "db-env-ip=broken" finds
echo RGRID_PRIVATE_DB_IP=10.0.1.2 >/etc/rgrid/orchestrator.env

on ctl nft delete table inet rgrid_db
check_output "no firewall table" "db-firewall=broken" finds
mend
on ctl nft insert rule inet rgrid_db input tcp dport 5434 accept
check_output "a firewall table that was edited" "db-firewall=broken" finds
mend
rm /etc/systemd/system/multi-user.target.wants/rgrid-db-firewall.service
check_output "a firewall table that no boot brings back" "db-firewall=broken" finds
mend
check_output "db expose mends it" "" finds

hba() { # a line put above all
	sed -i "1i $1" "$config/pg_hba.conf"
	sql 'SELECT pg_reload_conf()' >/dev/null
}
hba "host rgrid all 10.0.1.0/24 md5"
check_output "md5 in pg_hba.conf" "db-hba=broken" finds
check_output "… by its name" "pg_hba.conf, line 1, lets 10.0.1.0 in with md5" evidence db-hba
sed -i 1d "$config/pg_hba.conf"
hba "host rgrid all 10.0.1.0/24 scram-sha-256"
check_output "a rule without TLS" "pg_hba.conf, line 1, lets 10.0.1.0 in with no TLS" evidence db-hba
sed -i 1d "$config/pg_hba.conf"
hba "hostssl rgrid all 46.0.0.0/8 scram-sha-256"
check_output "a wide range" "pg_hba.conf, line 1, lets 46.0.0.0 in with a range that is not the workers'" evidence db-hba
sed -i 1d "$config/pg_hba.conf"
sed -i '/^hostssl/d' "$config/pg_hba.conf"
check_output "workers' rule is missing" "db-hba=broken" finds
mend
check_output "db expose mends it" "" finds

set_conf() { # setting
	sql "ALTER SYSTEM SET $1"
	sql 'SELECT pg_reload_conf()' >/dev/null
}
reset_conf() {
	sql 'ALTER SYSTEM RESET ALL'
	sql 'SELECT pg_reload_conf()' >/dev/null
}
settles() { [ "$(sql "SHOW $1")" = "$2" ]; }
set_conf "ssl = off"
wait_until 30 settles ssl off
check_output "TLS is off" "db-tls=broken" finds
reset_conf
wait_until 30 settles ssl on
set_conf "ssl_min_protocol_version = 'TLSv1'"
wait_until 30 settles ssl_min_protocol_version TLSv1
check_output "an old TLS" "db-tls=broken" finds
reset_conf
wait_until 30 settles ssl_min_protocol_version TLSv1.2
set_conf "listen_addresses = '*'"
restart
check_output "it listens everywhere" "db-listening=broken" finds
set_conf "listen_addresses = 'localhost'"
restart
check_output "it listens on localhost alone" "db-listening=broken" finds
reset_conf
restart
check_output "all is well again" "" finds

cp -a "$config/rgrid-server.pem" "$TEST_DIR/pem"
certificate() { # days, address, CA, its key, file
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=x -keyout "$TEST_DIR/key" -out "$TEST_DIR/csr"
	openssl x509 -req -in "$TEST_DIR/csr" -days "$1" -CA "${3-/etc/rgrid/pki/ca.crt}" -CAkey "${4-/etc/rgrid/pki/ca.key}" \
		-CAcreateserial -CAserial "$TEST_DIR/serial" -extfile <(echo "subjectAltName=IP:$2") -out "$TEST_DIR/crt"
	cat "$TEST_DIR/crt" "$TEST_DIR/key" >"${5-$config/rgrid-server.pem}"
} 2>/dev/null
certificate 300 10.0.1.9
check_output "a certificate for another address" "db-certificate=broken" finds
certificate 7 10.0.1.2
check_output "one that expires soon" "db-certificate=warn" finds
certificate -1 10.0.1.2
check_output "one that is expired" "db-certificate=broken" finds
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=ca -keyout "$TEST_DIR/ca.key" -out "$TEST_DIR/ca.crt" 2>/dev/null
certificate 300 10.0.1.2 "$TEST_DIR/ca.crt" "$TEST_DIR/ca.key"
check_output "one of another CA" "db-certificate=broken" finds
check "… is replaced by db expose" mend
check_output "… and all is well" "" finds

# The workers' API has one of its own.
api_certificate() { certificate "$1" "$2" /etc/rgrid/pki/ca.crt /etc/rgrid/pki/ca.key /etc/rgrid/pki/api.pem; }
api_certificate 7 10.0.1.2
check_output "the API's certificate expires soon" "db-api-certificate=warn" finds
check "… and it is said when" eval "evidence db-api-certificate | grep -q 'api.pem ends on $(date -ud '+7 days' +%F)'"
api_certificate -1 10.0.1.2
check_output "it is expired" "db-api-certificate=broken" finds
api_certificate 300 10.0.1.9
check_output "it is for another address" "db-api-certificate=broken" finds
rm /etc/rgrid/pki/api.pem
check_output "there is none" "db-api-certificate=broken" finds
check "… db expose makes one" mend
check_output "… and all is well" "" finds

on ctl pg_createcluster 15 second -p 5435 >/dev/null 2>&1
check_output "of two clusters it has to be told which" 1 eval 'finds | grep -c db-listening=skipped'
check_output "… and says so" "say which: --cluster VERSION/NAME" \
	eval "on ctl '$RGRIDD' doctor --json 2>/dev/null | jq -r '.checks[] | select(.id == \"db-listening\") | .fix'"
check_output "… and when told, all is well" "" finds --cluster 15/main
mv /etc/rgrid/pki "$TEST_DIR/pki"
check_output "the CA is elsewhere" "db-certificate=broken db-api-certificate=broken" finds --cluster 15/main
check_output "… and when told, all is well" "" finds --cluster 15/main --pki-dir "$TEST_DIR/pki"
mv "$TEST_DIR/pki" /etc/rgrid/pki
pg_dropcluster 15 second
# Another one answers in its name, in the database that doctor asks.
sql "SET allow_system_table_mods = on; ALTER FUNCTION pg_catalog.current_setting(text) RENAME TO true_setting;
	CREATE FUNCTION pg_catalog.current_setting(text) RETURNS text LANGUAGE sql
	RETURN CASE \$1 WHEN 'server_version_num' THEN '140000' ELSE pg_catalog.true_setting(\$1) END"
check_output "an older PostgreSQL" "db-version=broken" finds
check_output "… with what to do" "pg_upgradecluster 15 main" \
	eval "on ctl '$RGRIDD' doctor --json 2>/dev/null | jq -r '.checks[] | select(.id == \"db-version\") | .fix'"
sql "SET allow_system_table_mods = on; DROP FUNCTION pg_catalog.current_setting(text);
	ALTER FUNCTION pg_catalog.true_setting(text) RENAME TO current_setting"
sql "ALTER ROLE w1 CREATEDB"
check_output "a worker's login that may more" "db-rights=broken" finds
sql "ALTER ROLE w1 NOCREATEDB"
sql "GRANT pg_read_all_data TO w1"
check_output "… by way of a role" "db-rights=broken" finds
sql "REVOKE pg_read_all_data FROM w1"
check_output "all is well once more" "" finds

# Without a private network: one address each, and nothing broader.
echo RGRID_PUBLIC_DB_IP=198.18.0.2 >/etc/rgrid/orchestrator.env
check_output "the public side, while the private one is open" "db-env-ip=broken" finds
check "opened to two workers on the public side" rgridd_db --public-ip 198.18.0.2 --public-worker 198.18.0.3/32 \
	--public-worker 198.18.0.9/32
check_output "is warned of" "db-hba=warn" finds
echo RGRID_PUBLIC_DB_IP=198.18.0.3 >/etc/rgrid/orchestrator.env
check_output "another public address in the environment" "db-hba=warn db-env-ip=broken" finds
echo RGRID_PUBLIC_DB_IP=198.18.0.2 >/etc/rgrid/orchestrator.env
check_output "… with how many they are" "the database is open on the public address 198.18.0.2, over TLS, to 2 addresses, one each" \
	evidence db-hba
echo "RGRID_PUBLIC_WORKERS=$TEST_DIR/list" >>/etc/rgrid/orchestrator.env
told() { # addresses: the orchestrator's list, of some time ago
	printf '%s/32\n' "$@" >"$TEST_DIR/list"
	touch -d '10 minutes ago' "$TEST_DIR/list"
}
told 198.18.0.3 198.18.0.9
check_output "… who are those that the orchestrator tells" "db-hba=warn" finds
told 198.18.0.3 198.18.0.8
check_output "another one is not let in" "db-hba=warn db-public-workers=broken" finds
touch "$TEST_DIR/list"
check_output "… yet" "db-hba=warn" finds
told 10.0.0.0
check_output "a list that opens nothing" "db-hba=warn db-public-workers=broken" finds
hba "hostssl rgrid all 46.0.0.0/8 scram-sha-256"
check_output "a wide range beside them is broken" "pg_hba.conf, line 1, lets 46.0.0.0 in with a range that is not the workers'" \
	evidence db-hba
sed -i 1d "$config/pg_hba.conf"
sed -i 's,198.18.0.3/32,198.18.0.0/24,' "$config/pg_hba.conf"
sql 'SELECT pg_reload_conf()' >/dev/null
check_output "so is one among them" "db-hba=broken db-firewall=broken" finds
check_output "… by its name" "pg_hba.conf, line 2, lets 198.18.0.0 in with a range that is not the workers'" evidence db-hba
echo RGRID_PRIVATE_DB_IP=10.0.1.2 >/etc/rgrid/orchestrator.env
mend
check_output "private mode is well again" "" finds
tap_end
