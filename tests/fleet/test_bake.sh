#!/usr/bin/env bash
# `image bake` on simulated servers that are real hosts: an image is made, a worker that starts from it runs a job
# while nobody can fetch the bundle, and one whose bundle is newer than the image fetches that.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
. tests/deployment.sh
deployment_enter "$PWD/tests/fleet/$(basename "$0")" "$@"
tap_begin
mkdir "$TEST_DIR/home"
rgrid() { on_control timeout 180 env -C "$TEST_DIR/home" "$RGRID" "$@"; }
says() { grep -F -- "$1" "$TEST_DIR/said" || { cat "$TEST_DIR/said"; return 1; }; }
# As the guide says.
bake() {
	# shellcheck disable=SC2016 # for the inner shell
	on_control timeout 300 sh -c 'set -a; . /etc/rgrid/orchestrator.env; exec "$@"' - "$RGRID" image bake "$@" >"$TEST_DIR/said" 2>&1
}
others() { field "' '.join(s['name'] for s in a['servers'] if s['id'] != $CONTROL)" api GET /servers; }
images() { field "' '.join(str(s['id']) for s in a['images'])" api GET '/images?type=snapshot'; }
worker_image() { workers "s['image']['id']"; }
no_workers() { [ -z "$(others)" ] || { workers_delete && false; }; }
workers_delete() {
	local id
	for id in $(workers "s['id']"); do api DELETE "/servers/$id" >/dev/null; done
}
blob_of() { find /var/lib/rgrid/blobs -path "*/${1:0:2}/${1:2}"; }

check "a project with one server, a real host" deployment_cloud
check "network, database, certificates, bundle, key" deployment_setup
bundle=$(sed -n 's/^RGRID_WORKER_BUNDLE=//p' /etc/rgrid/orchestrator.env)
deployment_api
deployment_workers_api
check "(the APIs answer)" wait_until 20 api_answers

# an image
check "an image is made" bake
image=$(images)
check "what to set is printed" says "RGRID_SERVER_IMAGE=$image"
check_output "the builder is gone" "" others
check_output "and its pass to the bundle" 0 sql "SELECT count(*) FROM rg.bundle_pass"
disk=$TEST_DIR/machines/images/$image/disk
check "the image has the worker" test -x "$disk/opt/rgrid/$bundle/bin/rgrid-worker"
for path in etc/rgrid usr/local/lib/rgrid; do
	check "… no file of the grid in /$path" test ! -e "$disk/$path"
done
check_output "… nothing that cloud-init was told" "" find "$disk/var/lib/cloud" -type f
check_output "… no host key, of ssh" "" find "$disk/etc/ssh" -type f -name 'ssh_host_*'
check_output "… and no machine id" 0 stat -c %s "$disk/etc/machine-id"
check "a second bake" bake
check "… finds it" says "There is an image with this bundle (ID: $image)"
check_output "… and makes none" "$image" images

# a worker that starts from it, while the bundle cannot be had
echo 'print("done")' >"$TEST_DIR/home/job.py"
blob=$(blob_of "$bundle")
check "(the bundle is taken away)" mv "$blob" "$TEST_DIR/bundle"
orchestrator_settings=("RGRID_SERVER_IMAGE=$image")
deployment_orchestrator
check_output "a job runs" "done" rgrid run job.py
check_output "… on a server that started from the image" "$image" worker_image
worker=$(workers "s['id']")
check "… whose boot downloaded nothing" test ! -e "$TEST_DIR/machines/machines/$worker/disk/opt/rgrid/$bundle"
daemon_kill orchestrator TERM
check "(the worker is deleted)" wait_until 60 no_workers

# a newer bundle than the image's
mkdir "$TEST_DIR/newer"
tar -xzf "$TEST_DIR/bundle" -C "$TEST_DIR/newer"
echo newer >"$TEST_DIR/newer/lib/newer"
tar -czf "$TEST_DIR/newer.tar.gz" -C "$TEST_DIR/newer" bin lib
newer=$(sha256sum "$TEST_DIR/newer.tar.gz" | cut -c1-64)
blobs=$(dirname "$(dirname "$blob")")
put_newer() {
	mkdir -p "$blobs/${newer:0:2}" && cp "$TEST_DIR/newer.tar.gz" "$blobs/${newer:0:2}/${newer:2}" &&
		chown -R --reference="$blobs" "$blobs/${newer:0:2}"
}
check "(a newer bundle is there)" put_newer
orchestrator_settings=("RGRID_SERVER_IMAGE=$image" "RGRID_WORKER_BUNDLE=$newer")
deployment_orchestrator
check_output "a job runs with it" "done" rgrid run job.py
check_output "… on a server that started from the older image" "$image" worker_image
worker=$(workers "s['id']")
check "… and fetched the newer bundle" in_server "$worker" grep -qx newer /opt/rgrid/current/lib/newer

# a builder that cannot have the bundle
daemon_kill workers-api TERM
check_exit 7 "a builder without its bundle is given up" bake --force --timeout 20s
check "… which says where to look" says "journalctl -u rgrid-api-workers"
check_output "… and makes no image" "$image" images
check_output "… and is deleted" 0 field "sum(s['name'].startswith('rgrid-bake-') for s in a['servers'])" api GET /servers

deployment_down
check_output "nothing is left" "" machines_left "$deployment_instance"
tap_end
