#!/usr/bin/env bash
# Forty jobs on an empty grid whose workers are real hosts: they come, run, go before their hour, and are billed
# as the ledger says; nothing of them remains. An hour of the bill lasts a minute here.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
. tests/deployment.sh
deployment_enter "$PWD/tests/fleet/$(basename "$0")" "$@"
tap_begin
home=$TEST_DIR/home
mkdir -p "$home/texts"
rgrid() { on_control timeout 300 env -C "$home" "$RGRID" "$@"; }

check "a project with one server" deployment_cloud --billed-hour 60s
check "network, database, certificates, bundle, key" deployment_setup
check "the daemons start" deployment_start RGRID_BILLED_HOUR=60s RGRID_WORKERS_MAX=3 RGRID_SLOTS=2
check_output "no job, no worker" 0 workers_count

cat >"$home/count.py" <<'END'
import collections, sys
words = collections.Counter(open(sys.argv[1]).read().split())
with open("words.txt", "w") as out:
    for word, n in words.most_common():
        print(word, n, file=out)
END
for i in $(seq 40); do
	seq "$i" $((i + 200)) | tr '\n' ' ' | sed 's/7/seven /g' >"$home/texts/$i.txt"
done
batch() { rgrid run --batch 'texts/*.txt' --parallel 40 count.py; }
batch >"$TEST_DIR/batch.out" 2>"$TEST_DIR/batch.err" &
batch_pid=$!
three() { [ "$(workers_count)" -eq 3 ]; }
check "workers come, as many as may" wait_until 60 three
batch_ends() { wait "$batch_pid" || { cat "$TEST_DIR/batch.err"; return 1; }; }
check "forty jobs succeed" batch_ends
addresses=$(workers "s['private_net'][0]['ip'] if s['private_net'] else ''")
check_output "their servers have private addresses only" "None None None" workers "s['public_net']['ipv4']"
check "of the workers' subnet" grep -qx '\(10\.0\.1\.[0-9]* *\)\{3\}' <<<"$addresses"
same_results() {
	local i
	for i in $(seq 40); do
		(cd "$TEST_DIR" && python3 "$home/count.py" "$home/texts/$i.txt") && cmp "$TEST_DIR/words.txt" "$home/outputs/texts/$i.txt/words.txt" || return 1
	done
}
check "every output is what the script makes here" same_results
check_output "each job ran once" "40 40" sql "SELECT count(*) || ' ' || count(DISTINCT job_id) FROM rg.attempt WHERE outcome = 1"
check_output "on all of them" 3 sql "SELECT count(DISTINCT worker_id) FROM rg.attempt"
check_output "under every limit there is" "" sql "SELECT DISTINCT unnest(unenforced) FROM rg.worker"
check_output "never more than two at a time on one" 0 sql "SELECT count(*) FROM rg.attempt a WHERE (SELECT count(*) FROM rg.attempt b
	WHERE b.worker_id = a.worker_id AND b.started_at <= a.started_at AND b.finished_at > a.started_at) > 2"

# ---- they go
check_output "idle workers stay while their hour is paid" 3 workers_count
check "they are gone before the next" wait_until 90 is 0 workers_count
check_output "each was paid for one hour" "3 1" sql "SELECT count(*) || ' ' || max(n) FROM (SELECT count(*) AS n FROM rg.cost_ledger GROUP BY worker_id) s"
check_output "the ledger is the bill, to the micro-euro" "$(workers_bill)" sql "SELECT sum(price_micros) FROM rg.cost_ledger"
of_the_fleet() { rgrid cost --json | jq -r '.month.fleet | "\(.paid_micros) \(.jobs_micros + .idle_micros)"'; }
check_output "and what the user is told, jobs and idle time together" "$(workers_bill) $(workers_bill)" of_the_fleet
ended() { is 0 sql "SELECT count(*) FROM rg.worker WHERE state <> 4"; }
check "every worker's row says terminated" wait_until 30 ended
check "their logins are gone" wait_until 30 is 0 sql "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'rgrid\\_w%' AND rolname <> 'rgrid_worker'"
# Of a worker that has left by itself it is its server's alone.
deletions_told() { grep -oE '"action":"delete(-server)?","worker":"[^"]*"' "$TEST_DIR/orchestrator.log" | cut -d, -f2 | sort | uniq -c | awk '{print $1}' | sort | uniq -c | xargs; }
check_output "the log tells each deletion once" "3 1" deletions_told
hosts_left() { find /run/netns -name "hcs-$deployment_instance-43*" -printf '%f\n'; }
check_output "and their hosts" "hcs-$deployment_instance-$CONTROL" hosts_left
deployment_down
check_output "nothing is left" "" machines_left "$deployment_instance"
tap_end
