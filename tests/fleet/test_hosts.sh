#!/usr/bin/env bash
# Forty jobs on an empty grid whose workers are real hosts: they come, run, go before their hour, and are billed
# as the ledger says; nothing of them remains. An hour of the bill lasts a minute here. Then a host that does not
# boot, one whose private interface is late, and a worker that is taken back while it drains.
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
import collections, os, sys, time
begun = time.clock_gettime(time.CLOCK_BOOTTIME)
words = collections.Counter(open(sys.argv[1]).read().split())
with open("words.txt", "w") as out:
    for word, n in words.most_common():
        print(word, n, file=out)
time.sleep(0.1)
print(os.environ.get("RGRID_JOB_ID"), begun, time.clock_gettime(time.CLOCK_BOOTTIME), file=open("times.txt", "w"))
END
for i in $(seq 40); do
	seq "$i" $((i + 200)) | tr '\n' ' ' | sed 's/7/seven /g' >"$home/texts/$i.txt"
done
batch() { rgrid run --batch 'texts/*.txt' --parallel 40 count.py; }
batch >"$TEST_DIR/batch.out" 2>"$TEST_DIR/batch.err" &
batch_pid=$!
# None is claimed before all workers are there: the first ones might need no other.
waiting() { is 40 sql "SELECT count(*) FROM rg.ready"; }
check "its jobs wait" wait_until 30 waiting
sql "BEGIN; SELECT FROM rg.ready FOR UPDATE; SELECT pg_sleep(300)" >/dev/null 2>&1 &
holder_pid=$!
let_go() { sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg\_sleep(300)' AND pid <> pg_backend_pid()" >/dev/null; wait "$holder_pid"; }
three() { [ "$(workers_count)" -eq 3 ]; }
check "workers come, as many as may" wait_until 60 three
active() { is 3 sql "SELECT count(*) FROM rg.worker WHERE state = 2"; }
check "and serve" wait_until 60 active
check "(no job has been claimed)" waiting
let_go
batch_ends() { wait "$batch_pid" || { cat "$TEST_DIR/batch.err"; return 1; }; }
check "forty jobs succeed" batch_ends
addresses=$(workers "s['private_net'][0]['ip'] if s['private_net'] else ''")
check_output "their servers have private addresses only" "None None None" workers "s['public_net']['ipv4']"
check "of the workers' subnet" grep -qx '\(10\.0\.1\.[0-9]* *\)\{3\}' <<<"$addresses"
same_results() { # in one process: forty would take longer than the forty jobs
	(cd "$TEST_DIR" && python3 -c '
import filecmp, runpy, sys, time
time.sleep = lambda seconds: None
for i in range(1, 41):
    sys.argv = ["count.py", f"home/texts/{i}.txt"]
    runpy.run_path("home/count.py")
    if not filecmp.cmp("words.txt", f"home/outputs/texts/{i}.txt/words.txt", shallow=False):
        sys.exit(f"{i}.txt differs")')
}
check "every output is what the script makes here" same_results
check_output "each job ran once" "40 40" sql "SELECT count(*) || ' ' || count(DISTINCT job_id) FROM rg.attempt WHERE outcome = 1"
check_output "on all of them" 3 sql "SELECT count(DISTINCT worker_id) FROM rg.attempt"
check_output "under every limit there is" "" sql "SELECT DISTINCT unnest(unenforced) FROM rg.worker"
# By the jobs' own clocks, which are one: the database has when it heard of an end, and by then the next may have begun.
most_at_a_time() {
	rgrid list --json | python3 -c '
import collections, glob, json, sys
worker_of = {job["id"]: job["worker_id"] for job in json.load(sys.stdin)["items"]}
changes = collections.defaultdict(list)
for path in glob.glob(sys.argv[1] + "/*/times.txt"):
    job, begun, ended = open(path).read().split()
    changes[worker_of[job]] += [(float(begun), 1), (float(ended), -1)]
def most(changes):
    at_once = [0]
    for _, change in sorted(changes):
        at_once.append(at_once[-1] + change)
    return max(at_once)
print(len(changes), max(most(own) for own in changes.values()))' "$home/outputs/texts"
}
check_output "never more than two at a time on one of them" "3 2" most_at_a_time

# they go
check_output "idle workers stay while their hour is paid" 3 workers_count
check "they are gone before the next" wait_until 90 is 0 workers_count
check_output "each was paid for one hour" "3 1" sql "SELECT count(*) || ' ' || max(n) FROM (SELECT count(*) AS n FROM rg.cost_ledger GROUP BY worker_id) s"
check_output "the ledger is the bill, to the micro-euro" "$(workers_bill)" sql "SELECT sum(price_micros) FROM rg.cost_ledger"
of_the_fleet() { rgrid cost --json | jq -r '.month.fleet | "\(.paid_micros) \(.jobs_micros + .idle_micros)"'; }
check_output "and what the user is told, jobs and idle time together" "$(workers_bill) $(workers_bill)" of_the_fleet
jobs_cost() { rgrid cost --json | jq -r '.month.fleet.jobs_micros'; }
shares=$(sql "SELECT sum(rg.job_cost(id)) FROM rg.job")
check "jobs have used some of it" [ "$shares" -gt 0 ]
check_output "which is the sum of what each cost" "$shares" jobs_cost
ended() { is 0 sql "SELECT count(*) FROM rg.worker WHERE state <> 4"; }
check "every worker's row says terminated" wait_until 30 ended
check "their logins are gone" wait_until 30 is 0 sql "SELECT count(*) FROM pg_roles WHERE rolname LIKE 'rgrid\\_w%' AND rolname <> 'rgrid_worker'"
# Of a worker that has left by itself it is its server's alone.
deletions_told() { grep -oE '"action":"delete(-server)?","worker":"[^"]*"' "$TEST_DIR/orchestrator.log" | cut -d, -f2 | sort | uniq -c | awk '{print $1}' | sort | uniq -c | xargs; }
check_output "the log tells each deletion once" "3 1" deletions_told
hosts_left() { find /run/netns -name "hcs-$deployment_instance-43*" -printf '%f\n'; }
check_output "and their hosts" "hcs-$deployment_instance-$CONTROL" hosts_left

# a host that does not boot
cat >"$home/hold.sh" <<'END'
echo "attempt $RGRID_ATTEMPT"
sleep 1001
END
begin() { rgrid run --detach hold.sh | grep -o 'job_[0-9a-z]*'; }
of_job() { rgrid status "$1" --json | jq -r "$2"; } # job, jq filter
of_worker() { sql "SELECT $2 FROM rg.worker WHERE server_id = $1"; }
one() { is 1 workers_count; }
fault 'boot:server=rgrid-worker-*,fail=1,count=1'
fault 'private-nic:server=rgrid-worker-*,ms=8000,skip=1,count=1'
daemon_kill orchestrator TERM
# Those that are gone count until three looks have shown that they are.
few=(RGRID_BILLED_HOUR=60s RGRID_WORKERS_MAX=6 RGRID_SLOTS=1)
orchestrator_settings=("${few[@]}" RGRID_WORKER_START_TIMEOUT=15s)
deployment_orchestrator
job=$(begin)
check "a job asks for a worker" wait_until 30 one
dud=$(workers "s['id']")
place=$(workers "s['location']['name']")
# The next one shall have the time that a host needs.
check "(and for no other one yet)" rgrid fleet pause --reason "it will not boot"
check "one that does not boot is deleted after its time to start" wait_until 90 is 0 workers_count
check_output "for that reason" 1 grep -c "\"server\":$dud,\"rule\":103,\"reason\":\"it did not start within the time limit\"" \
	"$TEST_DIR/orchestrator.log"
check_output "its worker has never come" "6 " of_worker "$dud" "state || ' ' || coalesce(enrolled_at::text, '')"
check_output "the job waits" queued of_job "$job" .state

# a private interface that is late
daemon_kill orchestrator TERM
orchestrator_settings=("${few[@]}")
deployment_orchestrator
check "the next one may come" rgrid fleet resume
check "it comes" wait_until 30 one
late=$(workers "s['id']")
check_exit 1 "elsewhere: the first choice cools down" test "$(workers "s['location']['name']")" = "$place"
runs() { is "running $2" of_job "$1" '"\(.state) \(.worker_id)"'; } # job, worker
worker_of() { rgrid worker list --json | jq -r '.items[].id'; }
worker=$(worker_of)
check "it enrols, as late as its private interface, and the job runs" wait_until 90 runs "$job" "$worker"
check_output "for the first time" 1 of_job "$job" .attempt
check_output "(the interface was late)" "1 True" field "'%d %s' % (a['faults'][1]['hits'], a['faults'][1]['kind'] == 'private-nic')" sim GET /faults
check_output "(so was the worker)" t of_worker "$late" "enrolled_at - created_at >= interval '8 s'"

# a worker that is taken back while it drains
said() { in_server "$late" journalctl -q -u rgrid-worker -o cat | grep -qF "\"event\":\"$1\""; }
check "(no other worker shall come)" rgrid fleet pause --reason "it is about this one"
next=$(begin)
check "its worker is drained" rgrid worker drain "$worker"
check "it hears so" wait_until 20 said worker.draining
check_output "the next job waits" queued of_job "$next" .state
check "its own goes on" runs "$job" "$worker"
check "it is taken back" rgrid worker undrain "$worker"
check "it hears so" wait_until 20 said worker.undrained
check "its own goes on still" runs "$job" "$worker"
check "its own ends" rgrid cancel "$job"
check "and it runs the next one" wait_until 30 runs "$next" "$worker"
check_output "the same worker, on the same server" "2 1 $late" of_worker "$late" "state || ' ' || incarnation || ' ' || (SELECT max(server_id) FROM rg.worker)"
check "that ends, too" rgrid cancel "$next"

deployment_down
check_output "nothing is left" "" machines_left "$deployment_instance"
tap_end
