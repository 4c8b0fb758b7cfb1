#!/bin/bash
# rgrid server setup on a real cluster of Debian's: what it makes is what the daemons need, a second run changes
# nothing, lines of others stay, what is lost is mended, and a run that was cut off is completed.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
. tests/setup/exposed.sh
tap_begin
hosts_up
cluster_port=5433
on ctl pg_createcluster 15 main -p 5433 >/dev/null 2>&1
on ctl pg_ctlcluster 15 main start </dev/null >/dev/null 2>&1
exposed_at_exit=$(declare -f tap_at_exit)
eval "exposed_${exposed_at_exit}"
daemons=()
tap_at_exit() {
	for pid in "${daemons[@]}"; do kill "$pid" && wait "$pid"; done 2>/dev/null
	exposed_tap_at_exit
}

setup() { on ctl "$RGRIDD" server setup "$@"; }
dies_after() { RGRID_TEST_DIE_AFTER=$1 setup "${@:2}"; }
cut_off() { check_exit 137 "cut off after $1" dies_after "$@"; }
refused() { # a part of why, command…
	local code=0
	"${@:2}" >"$TEST_DIR/.said" 2>&1 || code=$?
	cat "$TEST_DIR/.said"
	[ "$code" -ne 0 ] && grep -qE -- "$1" "$TEST_DIR/.said"
}
says() { grep -qE -- "$1" "$TEST_DIR/said"; }
state() { # of all that may change
	find /etc/rgrid /var/lib/rgrid -printf '%p %y %m %u %g %l\n' | sort
	find /etc/rgrid /var/lib/rgrid -type f -exec sha256sum {} + | sort
	grep -h rgrid /etc/passwd /etc/group
	sql "SELECT rolname, rolpassword FROM pg_authid WHERE rolname LIKE 'rgrid%' ORDER BY 1"
	sql "SELECT datname FROM pg_database ORDER BY 1"
	[ "$(sql "SELECT count(*) FROM pg_database WHERE datname = 'rgrid'")" = 0 ] || sql "SELECT label FROM rg.api_key" rgrid
}
value() { sed -n "s/^$2=//p" "/etc/rgrid/$1.env"; }
rights() { stat -c '%a %U:%G' "$@"; }

# A provider's API that knows no network, and one good token.
nsenter --net="/run/netns/$host_prefix-ctl" -- python3 -c '
import http.server, json, socketserver
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        good = self.headers["Authorization"] == "Bearer secret"
        status, code = (404, "not_found") if good else (401, "unauthorized")
        body = json.dumps({"error": {"code": code, "message": code, "details": None}}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args):
        pass
socketserver.TCPServer(("127.0.0.1", 8998), Handler).serve_forever()' &
daemons+=($!)
provider_listens() { on ctl ss -ltnH "sport = $1" | grep -q .; }
check "(a provider listens)" wait_until 20 provider_listens 8998
# The provider that all others are told of is away.
export HCLOUD_ENDPOINT=http://127.0.0.1:1/v1

# Of network setup, and by hand.
printf '%s\n' '# ours, by hand' 'RGRID_WORKERS_MAX="3"' 'RGRID_PROVIDER=local' >/etc/rgrid/orchestrator.env
printf '%s\n' '# BEGIN RGRID NETWORK (rgrid network setup writes what is between the marks)' 'RGRID_NETWORK_ID=7' \
	'RGRID_PRIVATE_DB_IP=10.0.1.2' '# END RGRID NETWORK' '  RGRID_SLOTS = 2' >>/etc/rgrid/orchestrator.env
printf '# no line end' >>/etc/rgrid/orchestrator.env
grep -v PROVIDER /etc/rgrid/orchestrator.env >"$TEST_DIR/foreign"
foreign() { grep -vE '^RGRID_(PROVIDER|DATABASE|WORKER_BUNDLE|WORKER_API_URL)=' /etc/rgrid/orchestrator.env; }

state >"$TEST_DIR/before"
check "a dry run says what it would do" setup --dry-run
state >"$TEST_DIR/dry"
check "… and changes nothing" diff "$TEST_DIR/before" "$TEST_DIR/dry"
check "an address that is not ours is refused" refused "no interface" setup --private-ip 10.0.1.77
check "only root may" refused "only root" setpriv --reuid=postgres --regid=postgres --clear-groups \
	env HOME=/ "$RGRIDD" server setup

on ctl pg_ctlcluster 15 main stop >/dev/null 2>&1
check "PostgreSQL must run" refused "does not run" setup
on ctl pg_ctlcluster 15 main start </dev/null >/dev/null 2>&1
mkdir "$TEST_DIR/directory"
check "a directory is no file for a key" refused "is no file" setup --env-file "$TEST_DIR/directory"
check "… nor is one where nothing can be written" refused "nothing can be written" setup --env-file "$TEST_DIR/absent/user.env"
printf 'A=1\nRGRID_URL=http://192.0.2.1:8000\nRGRID_TOKEN=rgk_theirs\n' >"$TEST_DIR/theirs.env"
check "another grid's key is not replaced" refused "another grid, at http://192.0.2.1:8000" setup --env-file "$TEST_DIR/theirs.env"
printf 'A=1\0\n' >/etc/rgrid/api.env
check "a file that is not text is not written to" refused "api.env is not text" setup
rm /etc/rgrid/api.env
cp /etc/rgrid/orchestrator.env "$TEST_DIR/orchestrator.env"
printf '\nHETZNER_API_TOKEN=secret\n' >>/etc/rgrid/orchestrator.env
check "a network of another project" refused "the project of the token has no network 7" \
	env HCLOUD_ENDPOINT=http://127.0.0.1:8998/v1 "$(type -P nsenter)" --net="/run/netns/$host_prefix-ctl" -- "$RGRIDD" server setup
sed -i 's/=secret/=other/' /etc/rgrid/orchestrator.env
check "a token that is not valid" refused "the provider refuses the token" \
	env HCLOUD_ENDPOINT=http://127.0.0.1:8998/v1 "$(type -P nsenter)" --net="/run/netns/$host_prefix-ctl" -- "$RGRIDD" server setup
mv "$TEST_DIR/orchestrator.env" /etc/rgrid/orchestrator.env
state >"$TEST_DIR/refused"
check "who is refused has changed nothing" diff "$TEST_DIR/before" "$TEST_DIR/refused"

check "the database can be exposed before it is made" rgridd_db
setup >"$TEST_DIR/said" 2>"$TEST_DIR/wrong"
check_output "server setup" 0 echo $?
check "… says what it did" says '^✓ Database rgrid in PostgreSQL 15/main, port 5433 \(done\)$'
check "… says how to start the daemons" says 'rgridd orchestrator\)$'
check_output "… with no errors" "" cat "$TEST_DIR/wrong"
check_output "the state is the user's" "750 rgrid:rgrid" rights /var/lib/rgrid
check_output "the APIs' files are root's and its group's" "640 root:rgrid
640 root:rgrid" rights /etc/rgrid/{api,api-workers}.env
check_output "the orchestrator's, with a login that may do more, is root's alone" "600 root:root" rights /etc/rgrid/orchestrator.env
check_output "the certificate is the user's alone" "600 rgrid:rgrid" rights /etc/rgrid/pki/api.pem
check_output "the orchestrator takes servers" hetzner value orchestrator RGRID_PROVIDER
check_output "… which reach the API" https://10.0.1.2:8443 value orchestrator RGRID_WORKER_API_URL
check_output "… and find the bundle" "$(value orchestrator RGRID_WORKER_BUNDLE)" \
	sh -c 'cat /var/lib/rgrid/blobs/objects/*/* | sha256sum | cut -d" " -f1'
check_output "lines of others stay" "$(cat "$TEST_DIR/foreign")" foreign

state >"$TEST_DIR/once"
check "a second run" setup
state >"$TEST_DIR/twice"
check "… changes nothing" diff "$TEST_DIR/once" "$TEST_DIR/twice"
setup --json >"$TEST_DIR/json"
check "… and says so in JSON" python3 -c '
import json, sys
result = json.load(open(sys.argv[1]))
assert result["token"] is None and {step["state"] for step in result["steps"]} == {"kept"}, result' "$TEST_DIR/json"

# The daemons, by the commands that it prints.
daemon() { # name, which line of them
	local command
	command=$(sed -n "s|^  (set -a; |set -a; |p" "$TEST_DIR/said" | sed -n "$2s|)\$||p")
	# No shell between, so that it is the daemon that is killed.
	exec nsenter --net="/run/netns/$host_prefix-ctl" -- sh -c "$command" >"$TEST_DIR/$1.log" 2>&1
}
daemon api 1 &
daemons+=($!)
daemon workers-api 2 &
daemons+=($!)
answers() { on ctl curl -sf -m 5 http://127.0.0.1:8000/readyz; }
works_for_workers() { on wrk curl -sf -m 5 --cacert /etc/rgrid/pki/ca.crt https://10.0.1.2:8443/livez; }
users_route() { on wrk curl -s -m 5 -o /dev/null -w '%{http_code}' --cacert /etc/rgrid/pki/ca.crt https://10.0.1.2:8443/api/v1/jobs; }
check "the API runs as the user" wait_until 20 answers || cat "$TEST_DIR/api.log"
check "the workers' API runs" wait_until 20 works_for_workers || cat "$TEST_DIR/workers-api.log"
check_output "… and knows no route of users" 404 users_route
sees_workers() { on ctl psql -XAtqc "SELECT count(*) FROM rg.worker" "$(value orchestrator RGRID_DATABASE)"; }
check_output "the orchestrator's login sees workers" 0 sees_workers

of_doctor() { # ids: what it finds of them, on this server as it is
	on ctl "$RGRIDD" doctor --json 2>/dev/null | jq -r --args '[.checks[] | select([.id] | inside($ARGS.positional)) | .finding] | join(" ")' "$@"
}
check_output "doctor looks into the database that the orchestrator has" "ok ok ok ok" \
	of_doctor env-login orchestrator-bundle db-answers db-schema
check_output "… which none has led in yet" broken of_doctor orchestrator-leads

# The provider's token. Its API here takes a connection and never answers.
nsenter --net="/run/netns/$host_prefix-ctl" -- python3 -c '
import socket
listener = socket.create_server(("127.0.0.1", 8999))
client = listener.accept()
open("/dev/stdout", "w").write("asked\n")
client[0].recv(1 << 20)
listener.accept()' >"$TEST_DIR/provider.log" &
daemons+=($!)
provider_pid=$!
check "(the provider listens)" wait_until 20 provider_listens 8999
cp /etc/rgrid/orchestrator.env "$TEST_DIR/orchestrator.env"
echo HCLOUD_ENDPOINT=http://127.0.0.1:8999/v1 >>/etc/rgrid/orchestrator.env
echo HETZNER_API_TOKEN=very-secret >/etc/rgrid/hetzner.env
daemon orchestrator 3 &
orchestrator=$!
daemons+=("$orchestrator")
is_asked() { grep -q asked "$TEST_DIR/provider.log"; }
check "the orchestrator has the token" wait_until 20 is_asked || cat "$TEST_DIR/orchestrator.log"
as_api() { setpriv --reuid=rgrid --regid=rgrid --init-groups "$@"; }
check_output "… as the API's user" rgrid ps -o user= "$orchestrator"
check "who cannot read its file" refused "denied" as_api cat /etc/rgrid/hetzner.env
check "… nor that with its login" refused "denied" as_api cat /etc/rgrid/orchestrator.env
check "… nor its environment" refused "denied" as_api cat "/proc/$orchestrator/environ"
check "… nor its memory" refused "denied" as_api cat "/proc/$orchestrator/mem"
kill "$orchestrator" "$provider_pid"
wait "$orchestrator" "$provider_pid" 2>/dev/null
mv "$TEST_DIR/orchestrator.env" /etc/rgrid/orchestrator.env
: >/etc/rgrid/hetzner.env

# The key.
check "a key for a file" setup --env-file "$TEST_DIR/user.env"
check_output "… which is its owner's alone" "600 root:root" rights "$TEST_DIR/user.env"
asks() (
	# shellcheck disable=SC1090
	. "$1"
	on ctl curl -sf -m 5 -H "Authorization: Bearer $RGRID_TOKEN" "$RGRID_URL/api/v1/jobs"
)
check "… works" asks "$TEST_DIR/user.env"
cp "$TEST_DIR/user.env" "$TEST_DIR/user.env.once"
check "… again" setup --env-file "$TEST_DIR/user.env"
check "… is kept" cmp "$TEST_DIR/user.env" "$TEST_DIR/user.env.once"

printf '# mine\nOTHER=1\n' >"$TEST_DIR/mine.env"
check "a key for a file with more in it" setup --env-file "$TEST_DIR/mine.env"
check "… works" asks "$TEST_DIR/mine.env"
check_output "… and leaves that" '# mine
OTHER=1' head -n 2 "$TEST_DIR/mine.env"
key_of() { sed -n 's/^RGRID_TOKEN=//p' "$1"; }
before=$(key_of "$TEST_DIR/mine.env")
check "another port" setup --api-port 8001 --env-file "$TEST_DIR/mine.env"
check_output "… is the API's" 127.0.0.1:8001 value api RGRID_LISTEN
check "… and in the file" grep -qx RGRID_URL=http://127.0.0.1:8001 "$TEST_DIR/mine.env"
check_output "… with the same key" "$before" key_of "$TEST_DIR/mine.env"
check "… and stays" setup
check_output "(it is)" 127.0.0.1:8001 value api RGRID_LISTEN
sed -i '/^RGRID_LISTEN/d' /etc/rgrid/api.env

# The bundle is packed anew only if it would be another.
cp -a /var/lib/rgrid/blobs "$TEST_DIR/blobs"
patchelf=$(realpath "$(type -P patchelf)") # which only packing needs
mount --bind /dev/null "$patchelf"
check "an unchanged bundle is not packed again" setup
rm -r /var/lib/rgrid/blobs
check "one that is lost is" refused "patchelf is not installed" setup
umount "$patchelf"
check "(it is back)" setup
check "… as it was" diff -r "$TEST_DIR/blobs/objects" /var/lib/rgrid/blobs/objects

# Lost and broken.
keys() { sql "SELECT count(*) FROM rg.api_key" rgrid; }
before=$(keys)
mv /etc/rgrid/api.env "$TEST_DIR/lost.env"
sed -i 's|rgrid_orchestrator:|&x|' /etc/rgrid/orchestrator.env
echo junk >/etc/rgrid/pki/api.pem
chmod 644 /etc/rgrid/api-workers.env
chown root:rgrid /etc/rgrid/orchestrator.env && chmod 640 /etc/rgrid/orchestrator.env
check "with a lost file, a wrong password and a broken certificate" setup
logs_in() { on ctl psql -XAtqc 'SELECT 1' "$(value "$1" RGRID_DATABASE)"; }
check_output "… the API logs in again" 1 logs_in api
check_output "… so does the orchestrator" 1 logs_in orchestrator
check "… the certificate is one" openssl verify -CAfile /etc/rgrid/pki/ca.crt /etc/rgrid/pki/api.pem
check_output "… and rights are right" "640 root:rgrid
600 root:root" rights /etc/rgrid/{api-workers,orchestrator}.env
check_output "… no key more" "$before" keys
check_output "lines of others stay" "$(cat "$TEST_DIR/foreign")" foreign
bound() { sed -nE 's/^RGRID_DATABASE=.*[?]//p' "/etc/rgrid/$1.env"; }
check_output "… bound to its TLS session" channel_binding=require bound api
check_output "… it, too" channel_binding=require bound orchestrator
sed -i 's/?channel_binding=require//' /etc/rgrid/api.env
check "with a login that is not bound" setup
check_output "… it is" channel_binding=require bound api
check_output "… and lets in" 1 logs_in api
sql 'ALTER SYSTEM SET ssl = off' && sql 'SELECT pg_reload_conf()' >/dev/null
tls_is() { [ "$(sql 'SHOW ssl')" = "$1" ]; }
check "(PostgreSQL speaks no TLS)" wait_until 20 tls_is off
check "… where that cannot be had" setup
check_output "… it is not asked for" "" bound api
check_output "… and lets in" 1 logs_in api
sql 'ALTER SYSTEM RESET ssl' && sql 'SELECT pg_reload_conf()' >/dev/null
check "(PostgreSQL speaks TLS again)" wait_until 20 tls_is on
sed -i 's|^RGRID_DATABASE=.*|RGRID_DATABASE=postgresql://me@127.0.0.1:1/mine|' \
	/etc/rgrid/api.env
check "another's database that does not answer is not replaced" refused "RGrid did not write" setup
check_output "… it stands there still" "postgresql://me@127.0.0.1:1/mine" value api RGRID_DATABASE
rm /etc/rgrid/api.env
check "without that line all is well" setup

# With a systemd, or what looks like one.
mkdir -p /run/systemd/system "$TEST_DIR/units" "$TEST_DIR/bin"
echo '[Service]' >"$TEST_DIR/units/text"
cat >"$TEST_DIR/bin/systemctl" <<-EOF
	#!/bin/sh
	echo "\$2 \$3" >>$TEST_DIR/systemctl
	case \$2 in
	is-active | is-enabled) test -e "$TEST_DIR/units/\$3" ;;
	restart) touch "$TEST_DIR/units/\$3" ;;
	cat) cat "$TEST_DIR/units/text" ;;
	esac
EOF
chmod 755 "$TEST_DIR/bin/systemctl"
setup_with_systemd() {
	: >"$TEST_DIR/systemctl"
	PATH=$TEST_DIR/bin:$PATH setup >"$TEST_DIR/said"
}
expose_with_systemd() { PATH=$TEST_DIR/bin:$PATH rgridd_db "$@"; }
restarted() { sed -n 's/^restart //p' "$TEST_DIR/systemctl" | paste -sd ' '; }
no_orchestrator() { ! grep -q "^restart rgrid-orchestrator" "$TEST_DIR/systemctl"; }
no_daemons() {
	for pid in "${daemons[@]}"; do kill "$pid" && wait "$pid"; done 2>/dev/null
	daemons=()
}
check "a port that is in use by no unit" refused "127.0.0.1:8000 is in use" setup_with_systemd
no_daemons
check "with systemd and no token" setup_with_systemd
check_output "… the certificate is root's, who hands it over" "600 root:root" rights /etc/rgrid/pki/api.pem
check_output "… the APIs are started" "rgrid-api.service rgrid-api-workers.service" restarted
check "… and it is said what the orchestrator lacks" says "hetzner.env has HETZNER_API_TOKEN"
check_output "the token has a file of its own, root's alone" "600 root:root" rights /etc/rgrid/hetzner.env
echo HETZNER_API_TOKEN=secret >>/etc/rgrid/orchestrator.env
echo "export HCLOUD_TOKEN='other'" >>/etc/rgrid/api.env
expose_with_systemd --undo >/dev/null 2>&1
check "with a token, but no database for workers" setup_with_systemd
check_output "… no orchestrator is started" "" restarted
check_output "… the token moved to its own file" secret value hetzner HETZNER_API_TOKEN
check_exit 1 "… out of all that the API reads" grep -rlE 'secret|HCLOUD' /etc/rgrid --include=*.env --exclude=hetzner.env
chmod 644 /etc/rgrid/hetzner.env
check "… and it is said why" says "once PostgreSQL lets workers in at 10.0.1.2 \(rgrid db expose\)"
check "with the database exposed" expose_with_systemd
sed -i 's/^hostssl/#&/' /etc/postgresql/15/main/pg_hba.conf
check "… to nobody" setup_with_systemd
check "… none is started either" no_orchestrator
check_output "… the token's file is root's again" "600 root:root" rights /etc/rgrid/hetzner.env
check "… as it is said" says "once PostgreSQL lets workers in"
check "exposed to workers" expose_with_systemd
check "with all of it" setup_with_systemd
check "… the orchestrator is started, too" grep -q '^restart rgrid-orchestrator' "$TEST_DIR/systemctl"
check "again" setup_with_systemd
check_output "… restarts nothing" "" restarted
rm /etc/rgrid/pki/api.pem
check "with a new certificate" setup_with_systemd
check_output "… who reads it is restarted" rgrid-api-workers.service restarted
echo '# of by hand' >>/etc/rgrid/api.env
check "with a file that was changed by hand" setup_with_systemd
check_output "… who reads it is restarted" "rgrid-api.service rgrid-api-workers.service" restarted
rm /etc/rgrid/pki/api.pem
cut_off_with_systemd() { PATH=$TEST_DIR/bin:$PATH dies_after "$1"; }
check_exit 137 "cut off after another certificate" cut_off_with_systemd certificate
check "… the next run completes it" setup_with_systemd
check_output "… and run knows who does not have it yet" rgrid-api-workers.service restarted
echo 'LimitNOFILE=4096' >>"$TEST_DIR/units/text"
check "with other units" setup_with_systemd
check_output "… all are restarted" "rgrid-api.service rgrid-api-workers.service rgrid-orchestrator.service" restarted

# Power loss after each step.
rmdir /run/systemd/system
for step in user directories database schema api-login orchestrator-login certificate bundle settings api workers-api token key; do
	sql 'DROP DATABASE IF EXISTS rgrid'
	rm -rf /etc/rgrid/*.env /var/lib/rgrid/*
	userdel rgrid 2>/dev/null
	cut_off "$step"
	check "… the next run completes it" setup --env-file "$TEST_DIR/step.env"
	check_output "… and the API logs in" 1 logs_in api
done

# A key is never good before it is where its owner finds it.
keys_gone() { sql 'DELETE FROM rg.api_key' rgrid && rm -f "$TEST_DIR/step.env"; }
shown() { sed -n 's/^  export RGRID_\(.*\)/RGRID_\1/p' "$TEST_DIR/said" >"$TEST_DIR/shown.env"; }
is_good() { # the key in that file, as the database knows it
	local key
	key=$(sed -n 's/^RGRID_TOKEN=//p' "$1")
	[ -n "$key" ] && [ "$(sql "SELECT count(*) FROM rg.api_key WHERE key_sha256 = sha256('$key')" rgrid)" = 1 ]
}
keys_gone
cut_off key-written --env-file "$TEST_DIR/step.env"
check_output "… before the key is good, it is in its file" 600 stat -c %a "$TEST_DIR/step.env"
check_output "… and nowhere else" 0 keys
check "… the next run" setup --env-file "$TEST_DIR/step.env"
check "… makes one that is good" is_good "$TEST_DIR/step.env"
check_output "… and no other" 1 keys
for moment in key-written key; do
	keys_gone
	cut_off "$moment"
	setup >"$TEST_DIR/said"
	shown
	check "… a key that was not shown is shown by the next run" is_good "$TEST_DIR/shown.env"
	check_output "… the only one" 1 keys
	setup >"$TEST_DIR/said"
	shown
	check_output "… and then no more" "" cat "$TEST_DIR/shown.env"
done
sed -i 's|rgrid_api:|&x|' /etc/rgrid/api.env
cut_off login-written
check "… before the login is good, the next run" setup
check_output "… makes it so" 1 logs_in api

state >"$TEST_DIR/once"
check "a last run" setup
state >"$TEST_DIR/twice"
check "… changes nothing" diff "$TEST_DIR/once" "$TEST_DIR/twice"
tap_end
