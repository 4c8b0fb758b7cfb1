#!/usr/bin/env bash
# RGrid's own client of Hetzner Cloud under each of the simulator's faults: nothing is made twice, nothing is
# left behind, every message says what happened and what to do, and none has the token.
set -u
cd "$(dirname "$0")/../.." || exit 1
. tests/tap.sh
. tests/sim/sim.sh
tap_begin
export CLIENT_BACKOFF_MS=20 # of the first retry: many are made
token=s3cretT0kenOfThisTest
check "the simulator starts" sim_start --listen 127.0.0.1:0 --token "$token"

client() { "$RGRID_BUILD/tests/sim/client_probe" "$@" 2>&1 | tee -a "$TEST_DIR/said"; return "${PIPESTATUS[0]}"; }
says() { # exit code, what, pattern, commands of the probe
	local expected=$1 what=$2 pattern=$3 output code=0
	shift 3
	output=$(client "$@") || code=$?
	[[ $code -eq $expected && $output =~ $pattern ]]
	local result=$?
	printf 'expected: exit %s, /%s/\nactual:   exit %s, %s\n' "$expected" "$pattern" "$code" "$output" >"$TEST_DIR/.output"
	tap_result "$result" "$what"
}
does() { says 0 "$@"; }
fails() { says 1 "$@"; }

forget() {
	sim DELETE /faults >/dev/null
	sim DELETE /requests >/dev/null
}
asked() { field "sum(r['method'] == '$1' and r['path'] == '/v1$2' for r in a['requests'])" sim GET /requests; }
names() { field "' '.join(sorted(x['name'] for x in a['$1']))" api GET "/$1?per_page=50${2-}"; } # kind, more of the query
id_of() { field "a['$1'][0]['id']" api GET "/$1?name=$2"; }
id_of_server() { id_of servers "$1"; }
counts() { # subnets routes servers of the network
	field "'%d %d %d' % tuple(len(a['network'][k]) for k in ('subnets', 'routes', 'servers'))" api GET "/networks/$1"
}
serverless() { [ -z "$(names servers)" ]; }
sweep() {
	# shellcheck disable=SC2046 # ids are words
	set -- $(field "' '.join(str(s['id']) for s in a['servers'])" api GET '/servers?per_page=50')
	[ $# -eq 0 ] || client "delete_server $*" >/dev/null
	serverless
}
delete_servers() {
	sim DELETE /faults >/dev/null
	wait_until 30 sweep
}

# What refuses for good is told once, and makes nothing.
refusals() { # code, what the message must have
	while read -r code hint; do
		forget
		fault "status:method=POST,path=/servers,code=$code,message=told so"
		fails "$code is told" "^error create_server refused: Hetzner Cloud, POST /servers: told so \\($code, correlation id .*\\); $hint" "create_server w"
		check_output "… and asked once" 1 asked POST /servers
	done <<-'END'
		unauthorized make a new API token
		token_readonly make an API token that may read and write
		forbidden
		resource_limit_exceeded ask Hetzner for a higher limit
		uniqueness_error
		deprecated_api_endpoint RGrid is too old
		resource_unavailable take another server type
		invalid_input
		placement_error
		ip_not_available the address is taken
		no_subnet_available the network has no free address
		networks_overlap the server is in a network
		protected take the protection off
	END
	check_output "… no server is there" "" names servers
}
refusals

# What refuses for the moment is asked again, and makes one.
for code in conflict locked rate_limit_exceeded; do
	forget
	fault "status:method=POST,path=/servers,code=$code,count=2"
	does "$code is waited out" '^ok create_server w=' "create_server w"
	check_output "… with three requests" 3 asked POST /servers
	check_output "… for one server" w names servers
	check "… which goes" delete_servers
done

# A failure of the API before anything has happened looks as one after it: never asked again.
for code in server_error bad_gateway unavailable timeout; do
	forget
	fault "status:method=POST,path=/servers,code=$code"
	fails "$code is not known to have done nothing" '^error create_server unknown: .*look before asking again' "create_server w"
	check_output "… it is not asked again" 1 asked POST /servers
	check_output "… the look shows none" "ok list 0" client "list servers name=w"
done
forget
fault "reset:method=POST,path=/servers"
fails "nor is a connection that breaks" '^error create_server unknown: .*look before asking again' "create_server w"
check_output "… the look shows none" "ok list 0" client "list servers name=w"

# Answers lost after the server was made: one look finds the one.
export CLIENT_TIMEOUT_MS=1000
for spec in lost:status=500 lost:status=502 lost:status=504 lost: cut: delay:ms=4000; do
	forget
	kind=${spec%%:*}
	rest=${spec#*:}
	fault "$kind:method=POST,path=/servers${rest:+,$rest}"
	fails "a creation under $spec" '^error create_server unknown: .*look before asking again' "create_server w"
	check_output "… is asked for once" 1 asked POST /servers
	does "… one look finds it" '^ok list 1 w=[0-9]+$' "list servers name=w"
	fails "… its name is taken" '^error create_server refused: .*uniqueness_error' "create_server w"
	fault "$kind:method=DELETE,path=/servers/*${rest:+,$rest}"
	does "a deletion under it" '^ok delete_server' "delete_server $(id_of_server w)"
	check "… deletes it" wait_until 20 serverless
done
unset CLIENT_TIMEOUT_MS

# Looks are repeated; a look that fails for good is an error, and never a short list.
check "three servers" client "create_server a label=k=v" "create_server b" "create_server c label=k=v"
export CLIENT_TIMEOUT_MS=1000
for spec in status:code=server_error status:code=bad_gateway status:code=unavailable status:code=timeout status:code=locked \
	lost:status=500 lost: reset: cut: delay:ms=4000; do
	forget
	kind=${spec%%:*}
	rest=${spec#*:}
	fault "$kind:method=GET,path=/servers${rest:+,$rest}"
	does "a look under $spec" '^ok list 3 a=[0-9]+ b=[0-9]+ c=[0-9]+$' "list servers"
	check_output "… is repeated once" 2 asked GET /servers
done
unset CLIENT_TIMEOUT_MS
forget
fault "cut:method=GET,path=/servers,count=0"
fails "a look that is cut off each time" '^error list refused: Hetzner Cloud, GET /servers: .*\(unreachable.*check the network' "list servers"
check_output "… is given up" 5 asked GET /servers
forget
fault "list-lag:path=/servers,ms=600000"
check_output "a label is known late" "ok list 0" client "list servers label=k=v"
does "… the name at once" '^ok list 1 a=[0-9]+$' "list servers name=a"
forget
does "… the label in the end" '^ok list 2 a=[0-9]+ c=[0-9]+$' "list servers label=k=v"
check "the servers go" delete_servers

# The date is the API's own; the request budget is counted from it.
forget
fault "date:seconds=7200"
does "a clock that is two hours ahead" ', skew (7199|7200) s$' "list servers" "budget"
does "… keeps no request back" 'ok list 0$' "list servers" "reserve 10" "list servers"
forget
fault "rate-limit:limit=3600,remaining=20"
fails "the reserve is kept" "^ok list 0.*ok reserve.*error create_server refused: .*rate_limit_exceeded.*what is left of the request budget is kept for deletions|the project's request budget" \
	"list servers" "reserve 3000" "create_server w"
check_output "… without asking" 0 asked POST /servers
does "… deletions go through" 'ok reserve.ok delete_network' "list servers" "reserve 3000" "delete_network 1"
fault "rate-limit:limit=3600,remaining=0"
does "an empty bucket is waited out" '^ok create_server w=' "create_server w"
fault "rate-limit:limit=3600,remaining=3600"
does "the budget is full again" ' 3[0-9]+ of 3600' "list servers" "budget"
check_output "… one server is there" w names servers
check "… goes" delete_servers

# What the catalog and the quota refuse.
forget
fault "unavailable:type=cx23,location=fsn1"
fails "sold out" '^error create_server refused: .*\(resource_unavailable.*take another server type' "create_server w"
does "… another location is not" '^ok create_server w=' "create_server w location=nbg1"
forget
fault "unsupported:type=cx23,location=fsn1"
fails "not sold there" '^error create_server refused: .*unsupported location.*this type is not sold there' "create_server v"
forget
fault "retired:type=cx23"
fails "a type that is no more" '^error create_server refused: .*\((invalid_input|not_found)' "create_server v"
types=$(client "list types")
check_exit 1 "… is in no list" grep -F ' cx23=' <<<"$types"
check "… where others are" grep -F ' cx33=' <<<"$types"
forget
fault "quota:resource=server,max=1"
fails "one server, no more" '^error create_server refused: .*\(resource_limit_exceeded.*ask Hetzner for a higher limit' "create_server v"
forget
fault "quota:resource=primary_ip,max=0"
fails "no more addresses" '^error create_server refused: .*\(resource_limit_exceeded' "create_server v ipv4"
forget
fault "quota:resource=network,max=0"
fails "no more networks" '^error create_network refused: .*\(resource_limit_exceeded' "create_network n 10.0.0.0/16"
check_output "… one server is there" w names servers
check_output "… no address" "" names primary_ips
check "… and goes" delete_servers

# Tokens.
forget
fault "token:mode=readonly"
does "a token that only reads" '^ok list 0$' "list servers"
fails "… creates nothing" '^error create_server refused: .*\(token_readonly.*may read and write' "create_server w"
fails "… and deletes nothing" '^error delete_server refused: .*\(token_readonly' "delete_server 1"
forget
fault "token:mode=revoked"
fails "a token that is revoked" '^error list refused: .*\(unauthorized.*make a new API token' "list servers"
forget

# Networks: each change under answers that are lost, cut or late; it is there once.
change() { # what, path, command, then what the network has
	local what=$1 path=$2 command=$3 after=$4 spec kind rest
	forget
	spec=$5
	kind=${spec%%:*}
	rest=${spec#*:}
	fault "$kind:method=POST,path=$path${rest:+,$rest}"
	fails "$what under $spec" "^error ${command%% *} unknown: .*look before asking again" "$command"
	check_output "… is asked for once" 1 asked POST "$path"
	check_output "… and is there once" "$after" wait_counts "$after"
}
wait_counts() {
	has() { [ "$(counts "$network")" = "$1" ]; }
	wait_until 10 has "$1" >/dev/null
	counts "$network"
}
export CLIENT_TIMEOUT_MS=1000
for spec in lost: lost:status=502 cut: delay:ms=4000; do
	forget
	kind=${spec%%:*}
	rest=${spec#*:}
	fault "$kind:method=POST,path=/networks${rest:+,$rest}"
	fails "a network under $spec" '^error create_network unknown: .*look before asking again' "create_network n 10.0.0.0/16"
	does "… one look finds it" '^ok list 1 n=' "list networks name=n"
	check_output "… it is the only one" n names networks
	network=$(id_of networks n)
	change "a subnet" "/networks/$network/actions/add_subnet" "add_subnet $network 10.0.1.0/24" "1 0 0" "$spec"
	change "a route" "/networks/$network/actions/add_route" "add_route $network 10.9.0.0/16 10.0.1.9" "1 1 0" "$spec"
	does "a server" '^ok create_server w=' "finish create_server w off"
	server=$(id_of_server w)
	change "attaching it" "/servers/$server/actions/attach_to_network" "attach $server $network" "1 1 1" "$spec"
	does "… it has one address" '^ok show w=[0-9]+ 10\.0\.1\.[0-9]+$' "show $server"
	fails "… again is refused" '^error attach refused: .*\(server_already_attached' "attach $server $network"
	change "detaching it" "/servers/$server/actions/detach_from_network" "detach $server $network" "1 1 0" "$spec"
	change "the route's end" "/networks/$network/actions/delete_route" "delete_route $network 10.9.0.0/16 10.0.1.9" "1 0 0" "$spec"
	change "the subnet's end" "/networks/$network/actions/delete_subnet" "delete_subnet $network 10.0.1.0/24" "0 0 0" "$spec"
	check "the server goes" delete_servers
	fault "$kind:method=DELETE,path=/networks/*${rest:+,$rest}"
	does "the network's end under it" '^ok delete_network$' "delete_network $network"
	check_output "… none is there" "" names networks
done
unset CLIENT_TIMEOUT_MS

# Actions that fail, that had their effect all the same, that take the server with them, that are slow.
forget
check "a network and its subnet" client "create_network n 10.0.0.0/16"
network=$(id_of networks n)
does "… begin and end" '^ok add_subnet' "finish add_subnet $network 10.0.1.0/24"
fault "action:command=create_server,error=action_failed,message=no luck"
fails "a creation that fails later" "action create_server \\([0-9]+\\) failed: no luck \\(action_failed\\); what it was to do was not done" "finish create_server w network=$network"
check_output "… leaves its server, named" w names servers
check "… which can be deleted" delete_servers
fault "action:command=create_server,error=action_failed,vanish=1"
fails "… one that takes the server away" 'action create_server .* failed' "finish create_server w network=$network"
check_output "… leaves none" "" names servers
fault "action:command=attach_to_network,error=ip_not_available,message=taken"
check "a server without a network" client "finish create_server w off"
server=$(id_of_server w)
fails "an attachment that fails later" 'action attach_to_network .* failed: taken \(ip_not_available\)' "finish attach $server $network"
check_output "… is none" "1 0 0" counts "$network"
fault "action:command=attach_to_network,error=action_failed,effect=1"
fails "one that fails and has happened" 'action attach_to_network .* failed' "finish attach $server $network"
check_output "… has happened" "1 0 1" counts "$network"
does "… and can be undone" '^ok detach$' "finish detach $server $network"
fault "private-net:ms=700"
does "an attachment that is late is waited for" '^ok attach$' "finish attach $server $network"
does "… and has an address then" '^ok show w=[0-9]+ 10\.0\.1\.' "show $server"
forget
fault "action:command=detach_from_network,error=action_failed,effect=1"
fails "one that fails and has happened" 'action detach_from_network .* failed' "finish detach $server $network"
check_output "… has happened" "1 0 0" counts "$network"
fault "action:command=delete_server,error=action_failed"
fails "a deletion that fails later" 'action delete_server .* failed' "finish delete_server $server"
check_output "… leaves the server" w names servers
fault "action:command=delete_server,ms=700"
does "a deletion that is slow" '^ok delete_server$' "finish delete_server $server"
check_output "… is over when it is over" "" names servers
forget
fault "action:command=create_server,ms=4000"
CLIENT_ACTION_TIMEOUT_MS=700 fails "a creation without an end" "action [0-9]+ has not ended in time" "finish create_server w"
fails "… is locked meanwhile" '^error delete_server refused: .*\(locked.*another action is at work on it' "delete_server $(id_of_server w)"
check "… and goes" delete_servers

# An address that stays taken a while after it was given back.
forget
does "a server with the address" '^ok create_server w=' "finish create_server w off"
server=$(id_of_server w)
does "… attached" '^ok attach' "finish attach $server $network 10.0.1.7"
fault "ip-busy:ms=600000"
does "… and detached" '^ok detach' "finish detach $server $network"
fails "it is not free at once" '^error attach refused: .*\(ip_not_available.*the address is taken, or was freed just now' "attach $server $network 10.0.1.7"
does "another is" '^ok attach' "finish attach $server $network"
check "the server goes" delete_servers
does "the network goes" '^ok delete_network$' "delete_network $network"

# Sixty servers are two pages. Some go and one comes while an answer is held back: whatever was there from the
# beginning to the end is listed, once.
forget
does "sixty servers" '^ok create_servers( s[0-9]+=[0-9]+){60}$' "create_servers s 60 off"
struck() { [ "$(field "a['faults'][0]['hits']" sim GET /faults)" = 1 ]; }
change_while_read() { # page whose answer is held back, what goes, what comes; what is listed goes to a file
	local reader name code=0
	forget
	fault "delay:method=GET,path=/servers,page=$1,ms=1500"
	client "list servers" >"$TEST_DIR/listed" &
	reader=$!
	wait_until 20 struck || code=1
	for name in $2; do client "delete_server $(id_of_server "$name")" || code=1; done
	for name in $3; do client "create_server $name off" || code=1; done
	wait "$reader" || code=1
	return "$code"
}
listed() { tr ' ' '\n' <"$TEST_DIR/listed" | sed -n 's/=.*//p' | sort; }
api_names() { # all that are there now, by name
	for page in 1 2; do names "servers" "&page=$page"; done | tr ' ' '\n' | grep . | sort
}
lacks() { # prints what is there, is not new, and is not listed; and what is listed twice
	comm -13 <(listed) <(api_names | grep -v '^new') && listed | uniq -d
}
while read -r page gone new; do
	gone=${gone//,/ }
	new=${new/-/}
	check "page $page is held back; $gone go, ${new:-none} comes" change_while_read "$page" "$gone" "$new"
	check_output "… no other is missed, and none comes twice" "" lacks
done <<-'END'
	1 s1 -
	1 s2 new1
	2 s3 -
	2 s4 new2
	1 s5,s6,s59 new3
	2 s7,s8,s58 new4
END
check "all go" delete_servers

# Others' resources do not hide ours.
forget
labels=$(python3 -c "print(','.join('\"k%d\":\"v\"' % i for i in range(40)))")
foreign() {
	[ "$(status api POST /servers "{\"name\":\"foreign\",\"server_type\":\"cx23\",\"image\":\"debian-13\",\"location\":\"fsn1\",\"start_after_create\":false,\"public_net\":{\"enable_ipv4\":false,\"enable_ipv6\":false},\"labels\":{$labels}}")" = 201 ]
}
check "a foreign server with forty labels" foreign
check "ours" client "create_server ours off label=rgrid-grid=g"
does "… both are listed" '^ok list 2 foreign=[0-9]+ ours=[0-9]+$' "list servers"
long=$(printf 'long%.0s' {1..100})
does "a snapshot with a long description" '^ok snapshot$|^ok snapshot image' "finish snapshot $(id_of_server ours) $long"
does "… is listed" '^ok list 1 longlong' "list images"
check "they go" delete_servers
check "the snapshot, too" api DELETE "/images/$(field "a['images'][0]['id']" api GET '/images?type=snapshot')"

# What cannot be sent is told, and not sent.
forget
fails "a name that is not UTF-8" '^error create_server refused: .*"name" is not UTF-8; nothing was sent' $'create_server w\xff'
fails "such user data" '"user_data" is not UTF-8' $'create_server w data=\xc3('
fails "too much of it" '"user_data" is longer than 32768 bytes' "create_server w data=$(head -c 33000 /dev/zero | tr '\0' x)"
fails "a name without end" '"name" is too long' "list servers name=$(head -c 2000 /dev/zero | tr '\0' x)"
check_output "… nothing was asked" 0 field "len(a['requests'])" sim GET /requests
HCLOUD_ENDPOINT=http://192.0.2.1/v1 fails "a token in clear" 'would carry the API token in clear; set HCLOUD_ENDPOINT to an https:// URL' "list servers"

# An interruption ends the request that is on its way.
interrupt() { # a command; what it says goes to a file
	local pid code=0
	"$RGRID_BUILD/tests/sim/client_probe" "$1" >"$TEST_DIR/interrupted" &
	pid=$!
	wait_until 20 struck || code=1
	kill -TERM "$pid"
	wait "$pid"
	cat "$TEST_DIR/interrupted" >>"$TEST_DIR/said"
	grep -qE "$2" "$TEST_DIR/interrupted" || cat "$TEST_DIR/interrupted"
	return "$code"
}
forget
fault "delay:method=GET,path=/servers,ms=25000"
started=$SECONDS
check_output "a look is interrupted" "" interrupt "list servers" '^error list refused: .*interrupted'
forget
fault "delay:method=POST,path=/servers,ms=25000"
check_output "a creation is interrupted" "" interrupt "create_server w off" '^error create_server unknown: .*interrupted.*look before asking again'
check "… at once" test $((SECONDS - started)) -lt 20
does "… one look finds it" '^ok list 1 w=' "list servers name=w"
check "… it goes" delete_servers

for kind in servers networks primary_ips; do
	check_output "nothing is left of $kind" "" names "$kind"
done
check_exit 1 "the token is in no output" grep -F "$token" "$TEST_DIR/said"
tap_end
