#!/bin/bash
# What a new machine is told: valid for the real cloud-init, read verbatim by sh; its script the promised bundle over TLS only; units of all daemons are what systemd expects of them.
cd "$(dirname "$0")/../.." || exit 1
# shellcheck source=tests/tap.sh
. tests/tap.sh
tap_begin
print=${RGRID_BUILD:-build}/tests/unit/orchestrator/print_user_data
server=
tap_at_exit() { [ -z "$server" ] || kill "$server" 2>/dev/null; }

# shellcheck disable=SC2016 # that nothing expands is the point
hostile='host=x password='\''a" $(touch '$TEST_DIR/ran') `id` \ # é: [x] {y} %s'\'
unpack() { # writes the files of cloud-config $1 under $2
	python3 - "$1" "$2" <<'PY'
import base64, os, sys
path = None
for line in open(sys.argv[1]):
    line = line.rstrip("\n")
    if line.startswith("- path: "):
        path = sys.argv[2] + line[8:]
    elif line.startswith("  content: "):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        open(path, "wb").write(base64.b64decode(line[11:], validate=True))
PY
}
echo 'a program' >"$TEST_DIR/rgrid-worker"
chmod 755 "$TEST_DIR/rgrid-worker"
mkdir -p "$TEST_DIR/pack/bin" "$TEST_DIR/www/bundle"
cp "$TEST_DIR/rgrid-worker" "$TEST_DIR/pack/bin/"
tar -czf "$TEST_DIR/b.tar.gz" -C "$TEST_DIR/pack" .
digest=$(sha256sum "$TEST_DIR/b.tar.gz" | cut -c1-64)
cp "$TEST_DIR/b.tar.gz" "$TEST_DIR/www/bundle/$digest.tar.gz"
check "(certificates)" tests/tools/make-certificates "$TEST_DIR" 127.0.0.1
# The control plane's side, on a free port.
python3 - "$TEST_DIR" >"$TEST_DIR/port" 2>>"$TEST_DIR/requests" <<'PY' &
import functools, http.server, os, ssl, sys
class Handler(http.server.SimpleHTTPRequestHandler):
    def do_GET(self):
        print(self.path, self.headers["Authorization"], file=sys.stderr, flush=True)
        try:
            with open(sys.argv[1] + "/status") as file: # of the next answer
                status = int(file.read())
            os.unlink(file.name)
            self.send_error(status)
        except FileNotFoundError:
            super().do_GET()
    def log_message(self, *args):
        pass
server = http.server.HTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=sys.argv[1] + "/www"))
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1] + "/server.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
PY
server=$!
check "(a server)" wait_until 30 test -s "$TEST_DIR/port"
url=https://127.0.0.1:$(cat "$TEST_DIR/port")

"$print" "$hostile" "w \"1\" \$x" "$url" "" "$digest" "$(cat "$TEST_DIR/ca.crt")
" >"$TEST_DIR/user-data"
root=$(find /var/cache/rgrid -maxdepth 1 -name 'machine-root-*' 2>/dev/null | head -n 1)
if [ "$(id -u)" -eq 0 ] && [ -n "$root" ]; then
	# The file stands in the shared root for this process alone.
	schema() {
		# shellcheck disable=SC2016 # for the inner shell
		unshare --mount --propagation private sh -c 'mount --bind "$1" "$2/etc/hostname" &&
			exec chroot "$2" cloud-init schema --config-file /etc/hostname' sh "$1" "$root"
	}
	check "cloud-init's own schema takes it" schema "$TEST_DIR/user-data"
	echo 'runcmd: 7' | cat <(echo '#cloud-config') - >"$TEST_DIR/bad"
	bad() { ! schema "$TEST_DIR/bad" >"$TEST_DIR/said" 2>&1 && grep runcmd "$TEST_DIR/said"; }
	check "… which refuses others" bad
else
	skip "cloud-init's own schema takes it" "needs root and tools/make-machine-root"
fi
check "its files are whole" unpack "$TEST_DIR/user-data" "$TEST_DIR/root"
etc=$TEST_DIR/root/etc/rgrid
# shellcheck disable=SC2016 # for the inner shell
check_output "sh reads the login verbatim" "$hostile" \
	sh -c '. "$1"; printf %s "$RGRID_WORKER_DATABASE"' sh "$etc/first.env"
check "… and runs nothing of it" test ! -e "$TEST_DIR/ran"
boot() { # more variables
	env RGRID_ETC="$etc" RGRID_OPT="$TEST_DIR/opt" RGRID_METADATA=http://127.0.0.1:1 "$@" \
		sh "$TEST_DIR/root/usr/local/lib/rgrid/boot"
}
mkdir "$TEST_DIR/path"
printf '#!/bin/sh\necho "$@" >>"%s"\n' "$TEST_DIR/path/done" >"$TEST_DIR/path/systemctl"
chmod +x "$TEST_DIR/path/systemctl"
refused_boot() { boot PATH="$TEST_DIR/path:$PATH" 2>"$TEST_DIR/said"; }
for status in 401 403 404; do
	echo "$status" >"$TEST_DIR/status"
	: >"$TEST_DIR/requests"
	rm -f "$TEST_DIR/path/done"
	check_exit 1 "a machine that is refused its programs ($status) gives up" refused_boot
	check_output "… with one request" 1 grep -c . "$TEST_DIR/requests"
	check "… says why" grep -q "^rgrid-boot: the API refuses the bundle: HTTP $status " "$TEST_DIR/said"
	check_output "… and is switched off" "start --no-block rgrid-deadline.service" cat "$TEST_DIR/path/done"
done
echo 503 >"$TEST_DIR/status"
: >"$TEST_DIR/requests"
check "the script fetches the programs over TLS, and tries again" boot
check "… which are there" cmp "$TEST_DIR/opt/current/bin/rgrid-worker" "$TEST_DIR/rgrid-worker"
check_output "… with its token" "/bundle/$digest.tar.gz Bearer token
/bundle/$digest.tar.gz Bearer token" cat "$TEST_DIR/requests"
mv "$TEST_DIR/opt/$digest" "$TEST_DIR/opt/$(printf '0%.0s' {1..64})"
check "one that has another bundle, of an older image, downloads its own" boot
check_output "… and takes that" "$digest" readlink "$TEST_DIR/opt/current"
kill "$server"
wait "$server" 2>/dev/null
server=
check "a machine that has them downloads nothing" boot

# Of a machine of which an image is made, the programs are left, and nothing of its own.
bake() { # whether boot succeeds
	mkdir -p "$TEST_DIR/image/usr/local/lib/rgrid" "$TEST_DIR"/image/etc/{rgrid,ssh} "$TEST_DIR/image/var/lib/cloud/instances/7" \
		"$TEST_DIR"/image/opt/rgrid/"$digest"/bin "$TEST_DIR/stub"
	printf '#!/bin/sh\n%s\n' "$1" >"$TEST_DIR/image/usr/local/lib/rgrid/boot"
	printf '#!/bin/sh\necho "$(basename "$0")" "$@" >>"%s"\n' "$TEST_DIR/stub/done" | tee "$TEST_DIR/stub/cloud-init" >"$TEST_DIR/stub/systemctl"
	chmod +x "$TEST_DIR/image/usr/local/lib/rgrid/boot" "$TEST_DIR/stub/cloud-init" "$TEST_DIR/stub/systemctl"
	: >"$TEST_DIR/stub/done"
	echo token >"$TEST_DIR/image/etc/rgrid/first.env"
	echo key >"$TEST_DIR/image/etc/ssh/ssh_host_ed25519_key"
	echo token >"$TEST_DIR/image/var/lib/cloud/instances/7/user-data.txt"
	echo 0123 >"$TEST_DIR/image/etc/machine-id"
	env PATH="$TEST_DIR/stub:$PATH" RGRID_ROOT="$TEST_DIR/image" sh packaging/worker/bake.sh
}
check_exit 1 "a builder without its bundle fails" bake false
check_output "… and stays on" "" cat "$TEST_DIR/stub/done"
check "a builder that has it" bake true
check_output "… powers itself off in the end" "systemctl poweroff" tail -n 1 "$TEST_DIR/stub/done"
check_exit 1 "… with no token" grep -rq token "$TEST_DIR/image"
check_output "… and nothing but the programs and an empty machine id" "./etc/machine-id 0" \
	sh -c 'cd "$1" && find . -type f -printf "%p %s\n"' sh "$TEST_DIR/image"
check "… which are there" test -d "$TEST_DIR/image/opt/rgrid/$digest/bin"
rm -rf "$TEST_DIR/opt"
check_exit 1 "without the control plane it ends at its deadline" boot
check "… with no programs" test ! -e "$TEST_DIR/opt/current"
if command -v shellcheck >/dev/null; then
	check "the scripts are clean ones" shellcheck packaging/worker/boot.sh packaging/worker/bake.sh
fi

# Units
if command -v systemd-analyze >/dev/null; then
	for unit in packaging/systemd/*.service packaging/worker/*.service; do
		copy=$TEST_DIR/$(basename "$unit")
		# Programs that are not installed here are not what is asked.
		sed 's#^ExecStart=[^ ]*/rgrid[^ ]*#ExecStart=/bin/true#' "$unit" >"$copy"
		verify() { systemd-analyze verify --man=no "$copy" 2>"$TEST_DIR/verify" && ! grep -F "$copy" "$TEST_DIR/verify"; }
		check "systemd takes $(basename "$unit")" verify
	done
	verify_list() {
		systemd-analyze verify --man=no "$TEST_DIR"/rgrid-public-workers.{path,timer} 2>"$TEST_DIR/verify" &&
			! grep -F "$TEST_DIR/rgrid" "$TEST_DIR/verify"
	}
	cp packaging/systemd/rgrid-public-workers.{path,timer} "$TEST_DIR"
	check "systemd takes what starts rgrid-public-workers.service" verify_list
	check "rgrid-public-workers.service no more than its work needs" systemd-analyze security --offline=yes \
		--threshold=65 packaging/systemd/rgrid-public-workers.service
	for unit in api api-workers orchestrator; do
		check "rgrid-$unit.service is exposed little" systemd-analyze security --offline=yes \
			--threshold=15 "packaging/systemd/rgrid-$unit.service"
	done
	# It makes namespaces, mounts and cgroups for jobs, as root: what is left to forbid is forbidden.
	check "rgrid-worker.service no more than its work needs" systemd-analyze security --offline=yes \
		--threshold=57 packaging/worker/rgrid-worker.service
else
	skip "systemd takes the units" "no systemd-analyze"
fi
check "the worker's unit is the one in the user data" \
	cmp packaging/worker/rgrid-worker.service "$TEST_DIR/root/etc/systemd/system/rgrid-worker.service"
tap_end
