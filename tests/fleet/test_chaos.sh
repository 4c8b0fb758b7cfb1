#!/usr/bin/env bash
# Forty jobs on real hosts while everything around them dies once: each daemon, the database, a worker's process,
# a server behind our back, a worker's network for longer than its lease. Every job ends, and is recorded once.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
. tests/deployment.sh
deployment_enter "$PWD/tests/fleet/$(basename "$0")" "$@"
tap_begin
home=$TEST_DIR/home
mkdir -p "$home/in"
rgrid() { on_control timeout 400 env -C "$home" "$RGRID" "$@"; }
busy() { # server: its worker has jobs
	[ "$(sql "SELECT count(*) FROM rg.lease l JOIN rg.worker w ON w.id = l.worker_id WHERE w.server_id = $1")" -gt 0 ]
}

check "a project with one server" deployment_cloud --billed-hour 60s
check "network, database, certificates, bundle, key" deployment_setup
fault "unavailable:type=cx23,location=nbg1"
check "the daemons start" deployment_start RGRID_BILLED_HOUR=60s RGRID_WORKERS_MAX=3 RGRID_SLOTS=2

cat >"$home/slow.py" <<'END'
import sys, time
n = int(open(sys.argv[1]).read())
print("begin", n, flush=True)
time.sleep(4)
open("square.txt", "w").write(str(n * n))
print("end", n)
END
for i in $(seq 40); do echo "$i" >"$home/in/$i.txt"; done
batch() { rgrid run --batch 'in/*.txt' --parallel 40 slow.py; }
batch >"$TEST_DIR/batch.out" 2>"$TEST_DIR/batch.err" &
batch_pid=$!
all_busy() {
	local server
	[ "$(workers_count)" -eq 3 ] || return 1
	for server in $(workers "s['id']"); do busy "$server" || return 1; done
}
check "three workers run jobs" wait_until 90 all_busy
check_output "where servers are sold, and not where they are not" "hel1 hel1 hel1" workers "s['location']['name']"
read -r cut lost killed <<<"$(workers "s['id']")"
of() { sql "SELECT id FROM rg.worker WHERE server_id = $1"; }
cut_worker=$(of "$cut") lost_worker=$(of "$lost") killed_worker=$(of "$killed")
check "(their workers are known)" test -n "$cut_worker" -a -n "$lost_worker" -a -n "$killed_worker"

# It must still be there when it is healed.
fault "status:method=DELETE,path=/servers/$cut,code=locked,status=423,count=0,for=300000"
sim POST "/servers/$cut/partition" '{"cut":true}' >/dev/null
jobs_cut=$(sql "SELECT string_agg(job_id::text, ',') FROM rg.lease WHERE worker_id = $cut_worker")
api DELETE "/servers/$lost" >/dev/null
daemon_kill orchestrator KILL
deployment_orchestrator
daemon_kill api KILL
deployment_api
daemon_kill workers-api KILL
deployment_workers_api
pkill_worker() { in_server "$killed" sh -c 'kill -9 $(systemctl show -P MainPID rgrid-worker)'; }
check "a worker's process is killed" pkill_worker
rejoined() { [ "$(sql "SELECT incarnation FROM rg.worker WHERE id = $killed_worker")" -gt 1 ]; }
check "… and is back, under its own login" wait_until 30 rejoined
# Its unit is active a moment after it has joined: once it has told systemd, and what follows its start has run.
serves() { in_server "$killed" systemctl -q is-active rgrid-worker; }
check "… a service that has started" wait_until 30 serves
check "… on its machine, which stays" machine_runs "$deployment_instance" "$killed"
on_control pg_ctlcluster 15 main restart -m immediate >/dev/null 2>&1
check "the database is back" wait_until 60 is 1 sql "SELECT 1"

dead() { is 5 sql "SELECT state FROM rg.worker WHERE id = $1"; }
check "the deleted server's worker is dead" wait_until 90 dead "$lost_worker"
check "so is the one that was cut off" wait_until 90 dead "$cut_worker"
check_output "its jobs were lost with it, not failed" t \
	sql "SELECT bool_and(outcome = 6) AND count(*) > 0 FROM rg.attempt WHERE worker_id = $cut_worker AND job_id IN ($jobs_cut) AND outcome <> 1"
# All that it may have written: attempts, their output, their files.
written() {
	sql "SELECT md5(coalesce(string_agg(t, ' ' ORDER BY t), '')) FROM (
		SELECT a::text FROM rg.attempt a WHERE a.worker_id = $cut_worker
		UNION ALL SELECT c::text FROM rg.log_chunk c JOIN rg.attempt a USING (job_id, attempt) WHERE a.worker_id = $cut_worker
		UNION ALL SELECT f::text FROM rg.artifact f JOIN rg.attempt a USING (job_id, attempt) WHERE a.worker_id = $cut_worker) AS t (t)"
}
before=$(written)
sim POST "/servers/$cut/partition" '{"cut":false}' >/dev/null
login=$(sql "SELECT login FROM rg.worker WHERE id = $cut_worker")
tried() { grep -q "password authentication failed for user \"$login\"" /var/log/postgresql/*.log; }
check "healed, it comes back, and is not let in" wait_until 90 tried
check_output "and nothing that it did late is recorded" "$before" written
sim DELETE /faults >/dev/null

batch_ends() { wait "$batch_pid" || { cat "$TEST_DIR/batch.err"; return 1; }; }
check "forty jobs succeed" batch_ends
check_output "each once" "40 40" sql "SELECT count(*) || ' ' || count(DISTINCT job_id) FROM rg.attempt WHERE outcome = 1"
check_output "no attempt was recorded twice" 0 sql "SELECT count(*) FROM (SELECT FROM rg.attempt GROUP BY job_id, attempt HAVING count(*) > 1) s"
same_results() {
	local i
	for i in $(seq 40); do
		[ "$(cat "$home/outputs/in/$i.txt/square.txt")" = $((i * i)) ] || return 1
	done
}
check "every output is here" same_results
check_output "no lease is left" 0 sql "SELECT count(*) FROM rg.lease"

check "all servers go" wait_until 150 is 0 workers_count
closed() { is 0 sql "SELECT count(*) FROM rg.worker WHERE state IN (1, 2, 3)"; }
check "no worker's row is open" wait_until 30 closed
check "no login is left" wait_until 30 is 0 sql "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'rgrid\\_w%' AND rolname <> 'rgrid_worker'"
deployment_down
check_output "nothing is left" "" machines_left "$deployment_instance"
tap_end
