#!/usr/bin/env bash
# The way of docs/deploy-private-network.md on simulated servers that are real hosts: from no network at all to
# a job's result on a worker that came by itself, what outsiders and jobs cannot reach, and back.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
. tests/deployment.sh
deployment_enter "$PWD/tests/fleet/$(basename "$0")" "$@"
tap_begin
# Whether a TCP connection comes about: open, refused, or away.
cat >"$TEST_DIR/reach.py" <<'END'
import socket, sys
for target in sys.argv[1:]:
    host, port = target.rsplit(":", 1)
    try:
        socket.create_connection((host, int(port)), 3).close()
        print(target, "open")
    except ConnectionRefusedError:
        print(target, "refused")
    except OSError:
        print(target, "away")
END
reach() { on_server "$1" python3 "$TEST_DIR/reach.py" "${@:2}"; }
listen() { # server port: something that answers there, on every address
	nsenter --net="/run/netns/hcs-$deployment_instance-$1" -- python3 -m http.server --bind 0.0.0.0 \
		--directory "$TEST_DIR/empty" "$2" >>"$TEST_DIR/listeners.log" 2>&1 </dev/null &
	daemon_pids[listener-$1]=$!
	answers() { reach "$1" "127.0.0.1:$2" | grep -q open; }
	wait_until 20 answers "$@"
}
says() { grep -F -- "$1" "$TEST_DIR/said" || { cat "$TEST_DIR/said"; return 1; }; }
rgrid() { on_control timeout 120 env -C "$TEST_DIR/home" "$RGRID" "$@"; }
public_address() { field "a['server']['public_net']['ipv4']['ip']" api GET "/servers/$1"; }
mkdir "$TEST_DIR/empty" "$TEST_DIR/home"

check "a project with one server, a real host" deployment_cloud
deployment_setup >"$TEST_DIR/said" 2>&1
check_output "network, database, certificates, bundle and key are set up" 0 echo $?
check "the network is there" says "✓ Network created successfully!"
check "and this server is in it" says "Private IP: 10.0.1.2"
listeners() { on_control ss -Hltn 'sport = 5432' | awk '{ print $4 }' | grep -v '^\[::1\]' | sort | paste -sd ' '; }
check_output "PostgreSQL listens on localhost and the private address and nowhere else" \
	"10.0.1.2:5432 127.0.0.1:5432" listeners
check "API, workers' API and orchestrator start" deployment_start RGRID_SERVER_IPV4=1
for line in "Private network enabled (Network ID: $RGRID_NETWORK_ID, DB IP: 10.0.1.2)" \
	"Using private network IP for database: 10.0.1.2"; do
	check "the log says: $line" wait_until 10 daemon_says orchestrator "$line"
done

# the first job, on no worker at all
cat >"$TEST_DIR/home/process.py" <<'END'
import sys
rows = [line.split(",") for line in open(sys.argv[1])]
open("out.csv", "w").write("".join(",".join(reversed([cell.strip() for cell in row])) + "\n" for row in rows))
print(len(rows), "rows")
sys.exit(3)
END
printf 'a,b\nc,d\n' >"$TEST_DIR/home/input.csv"
first_job() { rgrid run process.py input.csv >"$TEST_DIR/printed"; }
check_exit 3 "a job on an empty grid ends with its own exit code" first_job
check_output "its output is here" "2 rows" cat "$TEST_DIR/printed"
check_output "and its file" $'b,a\nd,c' cat "$TEST_DIR/home/out.csv"
check "the log says: Worker … provisioned successfully" wait_until 10 \
	grep -qE '"event":"Worker rgrid-worker-[a-z0-9]+ provisioned successfully"' "$TEST_DIR/orchestrator.log"
for line in "Worker became active (status transition: provisioning → active)" \
	"Job claimed by worker"; do
	check "the log says: $line" wait_until 10 daemon_says orchestrator "$line"
done
worker=$(field "[s['id'] for s in a['servers'] if s['name'].startswith('rgrid-worker-')][0]" api GET /servers)
private=$(field "a['server']['private_net'][0]['ip']" api GET "/servers/$worker")
check "the worker has an address of the subnet" grep -qxE '10\.0\.1\.([3-9]|[1-9][0-9]+)' <<<"$private"
check_output "its sessions come from there, over TLS" "$private t" \
	sql "SELECT DISTINCT host(client_addr) || ' ' || left(ssl::text, 1) FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) WHERE usename LIKE 'rgrid\\_w%'"
login=$(sql "SELECT login FROM rg.worker")

# the one-time login
on_server "$worker" curl -sf -m 10 http://169.254.169.254/hetzner/v1/userdata >"$TEST_DIR/user-data"
file_of() { # path: what user_data has for it
	python3 -c '
import base64, re, sys
text = open(sys.argv[1]).read()
found = re.search("path: " + re.escape(sys.argv[2]) + r"\n.*?content: (\S+)", text, re.S)
print(base64.b64decode(found.group(1)).decode())' "$TEST_DIR/user-data" "$1"
}
file_of /etc/rgrid/first.env >"$TEST_DIR/first.env"
file_of /etc/rgrid/ca.crt >"$TEST_DIR/ca.crt"
# shellcheck disable=SC1091
. "$TEST_DIR/first.env"
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$TEST_DIR/other.key" -out "$TEST_DIR/other.crt" \
	-subj /CN=other 2>/dev/null
connect() { # server, settings: what PostgreSQL says
	on_server "$1" env PGCONNECT_TIMEOUT=3 psql -XAtq "$RGRID_WORKER_DATABASE $2" -c 'SELECT 1' >"$TEST_DIR/said" 2>&1
}
verified="sslmode=verify-full sslrootcert=$TEST_DIR/ca.crt gssencmode=disable"
check_exit 2 "the login in user_data is dead once the worker has enrolled" connect "$worker" "$verified"
check "… its password is wrong" says "password authentication failed for user \"$login\""
check_exit 2 "another CA is not believed" connect "$worker" "sslmode=verify-full sslrootcert=$TEST_DIR/other.crt"
check "… which is said" says "certificate verify failed"
check_exit 2 "nothing goes without TLS" connect "$worker" sslmode=disable
check "… which is said" says "no encryption"
token_status() {
	on_server "$worker" curl -s -o /dev/null -w '%{http_code}' -m 10 --cacert "$TEST_DIR/ca.crt" \
		-H "Authorization: Bearer $RGRID_BUNDLE_TOKEN" "https://10.0.1.2:8443/bundle/$(printf '0%.0s' {1..64}).tar.gz"
}
check_output "its token fetches nothing any more" 403 token_status
check_output "who showed it is written down" "from $private" \
	sql "SELECT DISTINCT substring(reason FROM 'from [0-9.]*') FROM rg.event WHERE kind = 'worker.stale_user_data'"
check "the machine forgets it" wait_until 30 in_server "$worker" test ! -e /etc/rgrid/first.env

# a worker's own login, elsewhere
own=$(cat "$TEST_DIR/machines/machines/$worker/disk/var/lib/rgrid/login")
outsider=$(field "a['server']['id']" api POST /servers '{"name":"outsider","server_type":"cx23","image":"debian-12","location":"nbg1"}')
check "(a server outside of the network)" wait_until 120 server_is_booted "$outsider"
with_own_login() { # server, settings
	RGRID_WORKER_DATABASE=$own connect "$@"
}
check "a worker's own login is good on its machine" with_own_login "$worker" "$verified"
check_exit 2 "and nowhere else: not from outside" with_own_login "$outsider" "$verified"
check_exit 2 "not by the public address" with_own_login "$outsider" "$verified hostaddr=$(public_address "$CONTROL")"
on_server "$outsider" ip route replace 10.0.0.0/16 via "$(on_server "$outsider" ip -4 route show default | awk '{ print $3; exit }')" onlink dev eth0
check_exit 2 "not by a route of one's own" with_own_login "$outsider" "$verified"

# from outside, and from a job with network
control_address=$(public_address "$CONTROL")
worker_address=$(public_address "$worker")
outside_address=$(public_address "$outsider")
check "(something listens on the worker)" listen "$worker" 7000
check "(and outside)" listen "$outsider" 7000
check_output "(the control server reaches both)" "$private:7000 open
$outside_address:7000 open" reach "$CONTROL" "$private:7000" "$outside_address:7000"
check_output "from outside, database, workers' API and private addresses are away" "$control_address:5432 away
$control_address:8443 away
10.0.1.2:5432 away
10.0.1.2:8443 away
$private:7000 away" reach "$outsider" "$control_address:5432" "$control_address:8443" 10.0.1.2:5432 10.0.1.2:8443 "$private:7000"
cp "$TEST_DIR/reach.py" "$TEST_DIR/home/"
gateway=$(on_server "$worker" ip -4 route show default | awk '{ print $3; exit }')
check_output "a job with network reaches the outside, and nothing of ours" "$outside_address:7000 open
10.0.1.2:5432 away
10.0.1.2:8443 away
169.254.169.254:80 away
$private:7000 away
$worker_address:7000 away
$gateway:80 away" rgrid run --network public reach.py "$outside_address:7000" 10.0.1.2:5432 10.0.1.2:8443 169.254.169.254:80 \
	"$private:7000" "$worker_address:7000" "$gateway:80"
check_output "a job without reaches nothing" "$outside_address:7000 away" rgrid run reach.py "$outside_address:7000"
check "the log says: Job completed successfully" wait_until 10 daemon_says orchestrator "Job completed successfully"

# a worker that is let in no more costs money until its machine is off
in_server "$worker" sh -c 'sed -i "s/password=/password=x/" /var/lib/rgrid/login; systemctl kill -s KILL rgrid-worker'
is_off() { [ "$(field "a['server']['status']" api GET "/servers/$worker")" = off ]; }
check "a worker that is not let in any more powers its machine off" wait_until 60 is_off

# a worker that is deleted takes its login with it
check "the worker is deleted behind our back" api DELETE "/servers/$worker"
login_is_gone() { [ "$(sql "SELECT count(*) FROM pg_roles WHERE rolname = '$login'")" = 0 ]; }
check "its role is dropped" wait_until 90 login_is_gone

# back, and again
daemon_kill orchestrator TERM
on_control "$RGRID" network rollback >"$TEST_DIR/said" 2>&1
check_output "rollback" 0 echo $?
check_exit 1 "… sets the values no more" grep -q '^RGRID_NETWORK_ID=\|^RGRID_PRIVATE_DB_IP=' /etc/rgrid/orchestrator.env
check "… and knows this server's address" says "RGRID_PUBLIC_DB_IP=$control_address >>/etc/rgrid/orchestrator.env"
deployment_orchestrator
orchestrator_ended() { ! kill -0 "${daemon_pids[orchestrator]}" 2>/dev/null; }
check "without it the orchestrator does not start" wait_until 20 orchestrator_ended
check "… and says what to set" daemon_says orchestrator "neither network-id nor public-db-ip is set"
daemon_kill orchestrator TERM

# the public side, in the steps that rollback has printed
echo "RGRID_PUBLIC_DB_IP=$control_address" >>/etc/rgrid/orchestrator.env
on_control "$RGRID" server setup --env-file "$TEST_DIR/user.env" >"$TEST_DIR/said" 2>&1
check_output "the workers' API moves to the public address" 0 echo $?
daemon_kill workers-api TERM
deployment_workers_api
list=/var/lib/rgrid/public-workers
# What rgrid-public-workers.path does for each change.
open_to_listed() { on_control "$RGRID" db expose --public-workers "$list" >"$TEST_DIR/said" 2>&1 || { cat "$TEST_DIR/said"; return 1; }; }
deployment_orchestrator
check "the orchestrator announces it" wait_until 20 daemon_says orchestrator "Using public IP for database: $control_address"
check "… loudly" daemon_says orchestrator "NO PRIVATE NETWORK: the database is reached over the PUBLIC side at $control_address"
check "nobody is on its list yet" wait_until 60 test -f "$list" -a ! -s "$list"
check "and to nobody it is opened" open_to_listed
check_output "PostgreSQL listens on localhost and the public address" "$(printf '%s\n' "$control_address:5432" 127.0.0.1:5432 | sort | paste -sd ' ')" \
	listeners
check_output "but no way leads there" "$control_address:5432 away
$control_address:8443 away" reach "$outsider" "$control_address:5432" "$control_address:8443"
rgrid run process.py input.csv >"$TEST_DIR/printed" 2>"$TEST_DIR/public-run.log" &
public_run=$!
check "a job makes a worker, who is on the list" wait_until 60 test -s "$list"
started=$(sql "SELECT pg_postmaster_start_time()")
check "it is opened to it" open_to_listed
check_output "… without a restart" "$started" sql "SELECT pg_postmaster_start_time()"
wait "$public_run"
check_output "the job ends with its own exit code" 3 echo $?
check_output "its output is here" "2 rows" cat "$TEST_DIR/printed"
worker=$(workers "s['id']")
worker_address=$(public_address "$worker")
check_output "the worker is in no network" 0 field "len(a['server']['private_net'])" api GET "/servers/$worker"
check_output "the list is its public address" "$worker_address/32" cat "$list"
check_output "its sessions come from there, over TLS" "$worker_address t" \
	sql "SELECT DISTINCT host(client_addr) || ' ' || left(ssl::text, 1) FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) WHERE usename LIKE 'rgrid\\_w%'"
own=$(cat "$TEST_DIR/machines/machines/$worker/disk/var/lib/rgrid/login")
check "its login is good on its machine" with_own_login "$worker" "$verified"
check_exit 2 "… not without TLS" with_own_login "$worker" sslmode=disable
check_exit 2 "… and nowhere else" with_own_login "$outsider" "$verified"
check_output "for others there is no way still" "$control_address:5432 away
$control_address:8443 away" reach "$outsider" "$control_address:5432" "$control_address:8443"
check_output "its jobs reach the outside, and no database" "$outside_address:7000 open
$control_address:5432 away
$control_address:8443 away" rgrid run --network public reach.py "$outside_address:7000" "$control_address:5432" "$control_address:8443"
check "the worker is deleted" api DELETE "/servers/$worker"
check "it is on the list no more" wait_until 90 test ! -s "$list"
check "and closed out" open_to_listed
check_exit 1 "… without a trace" grep -F "$worker_address" /etc/postgresql/15/main/pg_hba.conf /etc/nftables.d/rgrid-db.nft

# and back to the private network
daemon_kill orchestrator TERM
on_control "$RGRID" network setup >"$TEST_DIR/said" 2>&1
check_output "setup again" 0 echo $?
check "… finds the network" says "✓ Network 'rgrid-private' already exists (ID: $RGRID_NETWORK_ID)"
check "… and this server in it" says "✓ Server already attached to network"
check_output "… and sets the values again" "RGRID_NETWORK_ID=$RGRID_NETWORK_ID" grep '^RGRID_NETWORK_ID=' /etc/rgrid/orchestrator.env
check_exit 1 "the old list opens nothing any more" open_to_listed
check "… which is said" says "the private network is on"
on_control "$RGRID" db expose >"$TEST_DIR/said" 2>&1
check_output "db expose closes the public side" 0 echo $?
check_output "PostgreSQL listens on localhost and the private address again" "10.0.1.2:5432 127.0.0.1:5432" listeners
on_control "$RGRID" server setup --env-file "$TEST_DIR/user.env" >"$TEST_DIR/said" 2>&1
check_output "the workers' API moves back" 0 echo $?
daemon_kill workers-api TERM
deployment_workers_api
check "the orchestrator starts again" deployment_orchestrator
check_exit 3 "and a job runs as the first did" rgrid run process.py input.csv

deployment_down
check_output "nothing is left" "" machines_left "$deployment_instance"
tap_end
