#!/usr/bin/env bash
# Servers spread over hosts: placement groups of the grid come as they are needed and go when they are empty.
set -u
cd "$(dirname "$0")/../.." || exit 1
[ -n "${RGRID_TEST_CONNINFO-}" ] || exec tests/with-postgres "$0" "$@"
. tests/tap.sh
. tests/sim/sim.sh
. tests/store/store.sh
. tests/fleet/probe.sh
RGRID_BUILD=$(realpath "${RGRID_BUILD:-build}")
export RGRID_BUILD
tap_begin
store_migrate
sim_start --listen 127.0.0.1:0 --token T || exit 1

groups() { field "' '.join(sorted($1 for g in a['placement_groups']))" api GET "/placement_groups?per_page=50"; }
sizes() { groups "'%02d' % len(g['servers'])"; }
sizes_are() { [ "$(sizes)" = "$1" ]; }
count_is() { [ "$(count)" = "$1" ]; }

# without being asked
probe_start cx23:nbg1 max=20 slots=1 ipv4=1
submit 1 >/dev/null
check "a server is made" steps_until 30 count_is 1
check_output "in no group, unless configured" None servers "str(s['placement_group'])"
check_output "and none is made" "" sizes
probe_end TERM

# asked
api POST /placement_groups '{"name":"foreign","type":"spread"}' >/dev/null
api POST /placement_groups '{"name":"elsewhere","type":"spread","labels":{"managed-by":"rgrid","rgrid-grid":"another","rgrid-role":"spread"}}' >/dev/null
fault "lost:method=POST,path=/placement_groups,status=504" >/dev/null
probe_start cx23:nbg1 max=20 slots=1 ipv4=1 spread=1 sweep_ms=300
submit 12 >/dev/null
step >"$TEST_DIR/said"

check "while a group's order has no answer, no server is asked for" test "$(count)" -eq 1
check "… and it is said why" grep -q 'refused: a placement group' "$TEST_DIR/said"
check_output "the group is there" "00 00 00" sizes
check "jobs get their servers" steps_until 60 count_is 13
check_output "ten in the group whose answer was lost, two in the next, none in others'" "00 00 02 10" sizes
check_output "ours carry this grid's labels" "rgrid testgrid spread rgrid testgrid spread" \
	field "' '.join(g['labels'][k] for g in a['placement_groups'] if g['name'].startswith('rgrid-spread-') for k in ('managed-by', 'rgrid-grid', 'rgrid-role'))" \
	api GET /placement_groups

# the group that has room is filled first
gone=$(field "[g['servers'][0] for g in a['placement_groups'] if len(g['servers']) == 10][0]" api GET "/placement_groups")
api DELETE "/servers/$gone" >/dev/null
check "a server goes" wait_until 30 sizes_are "00 00 02 09"
submit 1 >/dev/null
store_ask "UPDATE rg.worker SET created_at = created_at - interval '2 minutes'" >/dev/null
check "the next one takes the place of one that has gone" steps_until 60 sizes_are "00 00 02 10"

# limits
sim POST /faults '{"kind":"quota","resource":"placement_group","max":4,"name":"placement_group_limit"}' >/dev/null
store_ask "TRUNCATE rg.ready" >/dev/null
for server in $(field "' '.join(str(i) for g in a['placement_groups'] if len(g['servers']) == 2 for i in g['servers'])" api GET /placement_groups); do
	api DELETE "/servers/$server" >/dev/null
done
probe_end TERM
probe_start cx23:nbg1 max=40 slots=1 ipv4=1 spread=1
check "one group is empty" wait_until 30 sizes_are "00 00 00 10"
small=$(field "[g['id'] for g in a['placement_groups'] if g['name'].startswith('rgrid-') and not g['servers']][0]" api GET /placement_groups)
api PUT "/placement_groups/$small" '{"labels":{}}' >/dev/null
submit 30 >/dev/null
limited() { step; waits | grep -q '^quota '; }
check "the account's limit of groups is told as such" wait_until 60 limited
check_output "no server is made without a group, but for the first" 1 field "sum(s['placement_group'] is None for s in a['servers'])" api GET "/servers?per_page=50"
probe_end TERM

# groups go when they are empty, whatever the setting is now, and only ours
store_ask "TRUNCATE rg.ready" >/dev/null
sim DELETE /faults >/dev/null
for server in $(servers "str(s['id'])"); do api DELETE "/servers/$server" >/dev/null; done
check "all servers are gone" wait_until 30 count_is 0
probe_start cx23:nbg1 max=20 slots=1 ipv4=1 sweep_ms=300
ours_gone() { [ "$(groups "g['name']" | tr ' ' '\n' | grep -c '^rgrid-spread-')" = 1 ]; }
check "an empty group is deleted" steps_until 60 ours_gone
step 5 >/dev/null
check_output "those that do not carry all our labels stay" "elsewhere foreign" eval "groups \"g['name']\" | sed 's/ rgrid-spread-.*//'"
tap_end
