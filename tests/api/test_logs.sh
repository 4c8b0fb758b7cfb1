#!/usr/bin/env bash
# Output: as it is so far, by stream, by lines and by time; followed as events, resumed, cut off.
set -u
cd "$(dirname "$0")/../.." || exit 1
[ -n "${RGRID_TEST_CONNINFO-}" ] || exec tests/with-postgres "$0" "$@"
. tests/tap.sh
. tests/api/api.sh
tap_begin
api_start
worker_start w1

log() { # query → the bytes
	curl -sS -m 20 -H "Authorization: Bearer $KEY" "$URL/api/v1/jobs/$id/logs$1"
}
# Follows in the background; events go to $TEST_DIR/events.
follow() { # query [curl options…]
	local query=$1
	shift
	: >"$TEST_DIR/events"
	curl -sSN -m 60 -H "Authorization: Bearer $KEY" "$@" "$URL/api/v1/jobs/$id/logs?$query" >"$TEST_DIR/events" 2>"$TEST_DIR/curl.err" &
	FOLLOWER=$!
}
saw() { grep -qF -- "$1" "$TEST_DIR/events"; }
# The bytes in all log events so far.
followed() { sed -n 's/^data: //p' "$TEST_DIR/events" | jq -r 'select(.data) | .data' | while read -r line; do base64 -d <<<"$line"; done; }
# "event id" of each event.
outline() { awk '/^id: / {id = $2} /^event: / {print $2, id}' "$TEST_DIR/events"; }
states() { sed -n 's/^data: //p' "$TEST_DIR/events" | jq -rc 'select(.state and (.id | not)) | "\(.state) \(.attempt)"'; }

# What there is

id=$(submit)
check_output "a job that has not started has no output" "" log ""
worker_claim
worker_log 0 1 0 "$(hex 'one\ntwo\n')"
worker_log 1 2 0 "$(hex 'err1\n')"
worker_log 2 3 0 "$(hex 'system\n')"
worker_log 3 1 8 "$(hex 'thr')"
worker_log 4 1 11 "$(hex 'ee\n\nfive\n')"
worker_log 5 2 5 "$(hex '\xff\0000\x01')"
log "" | od -An -v -tx1 | tr -d ' \n' >"$TEST_DIR/all"
check_output "output comes in order of arrival, byte by byte" \
	"$(hex 'one\ntwo\nerr1\nsystem\nthree\n\nfive\n\xff\0000\x01')" cat "$TEST_DIR/all"
check_output "one stream" $'one\ntwo\nthree\n\nfive' log "?stream=stdout"
check_output "two streams" $'err1\nsystem' bash -c 'head -c 12' < <(log "?stream=stderr,system")
for lines in "0:" "1:five" "2:\nfive" "3:three\n\nfive" "4:two\nthree\n\nfive" "5:one\ntwo\nthree\n\nfive" "6:one\ntwo\nthree\n\nfive" "1000000:one\ntwo\nthree\n\nfive"; do
	check_output "the last ${lines%%:*} lines" "$(printf %b "${lines#*:}")" log "?stream=stdout&tail=${lines%%:*}"
done
# Shell variables hold no NUL.
unfinished() { log "?stream=stderr&tail=1" | od -An -tx1 | tr -d ' \n'; }
check_output "an unfinished line is a line" "ff0001" unfinished
sql "UPDATE rg.log_chunk SET at = now() - interval '1 hour' WHERE seq < 3; UPDATE rg.log_chunk SET at = now() - interval '10 minutes' WHERE seq >= 3"
check_output "since a time ago" $'three\n\nfive' log "?stream=stdout&since=30m"
check_output "since an instant" $'three\n\nfive' log "?stream=stdout&since=$(date -u -d '-30 minutes' +%FT%TZ)"
check_output "since then, the last lines" $'five' log "?stream=stdout&since=30m&tail=1"
check_output "since then, all lines if there are fewer" $'three\n\nfive' log "?stream=stdout&since=30m&tail=9"
check_output "since too late" "" log "?since=1s"
for query in tail=-1 tail=x tail=1000001 since=yesterday since= stream=stdin stream= attempt=0 attempt=x follow=maybe; do
	req GET "/api/v1/jobs/$id/logs?$query"
	is "$query is refused" 400
	has "naming it" '.errors[0].field' "${query%%=*}"
done
req GET "/api/v1/jobs/$id/logs?attempt=2"
is "an attempt that was not made has none" 404
for last in x 1 1. 0.1 1.-5 99999999999.1; do
	req GET "/api/v1/jobs/$id/logs?follow=1" -H "Last-Event-ID: $last"
	is "an event's id that is none is refused: $last" 400
done

# Following

follow "follow=1"
check "a follower is told the state" wait_until 30 saw '"state":"running"'
check "and what there is" wait_until 30 saw 'id: 1.5'
check_output "each with its place" "log 1.0 log 1.1 log 1.2 log 1.3 log 1.4 log 1.5" bash -c 'tr "\n" " " | sed "s/ $//"' < <(outline | grep log)
has_event() { sed -n 's/^data: //p' "$TEST_DIR/events" | jq -c 'select(.data and .start == 11 and .stream == "stdout") | [.attempt, (.data | @base64d), (.at | length)]'; }
check_output "stream, offset, time and bytes" '[1,"ee\n\nfive\n",24]' has_event
delay_ms() { # pattern: from now until it is seen
	local from
	from=$(date +%s%3N)
	wait_until 30 saw "$1" && echo $(($(date +%s%3N) - from))
}
worker_log 6 1 20 "$(hex 'live\n')"
took=$(delay_ms 'id: 1.6')
check "new output arrives long before the next keep-alive ($took ms)" test "${took:-99999}" -lt 10000
worker_finish 1 0
took=$(delay_ms 'event: end')
check "the end too ($took ms)" test "${took:-99999}" -lt 10000
check "then the stream ends" wait "$FOLLOWER"
check_output "with the job" '"completed" "completed" 0' \
	jq -rc '[.state, .outcome | tojson] + [.exit_code] | join(" ")' <(sed -n 's/^data: //p' "$TEST_DIR/events" | tail -1)
check_output "states came in order" $'running 1\ncompleted 1' states
followed >"$TEST_DIR/followed"
log "" >"$TEST_DIR/whole"
check "nothing was lost or doubled" cmp "$TEST_DIR/followed" "$TEST_DIR/whole"

follow "" -H 'Accept: text/event-stream' -H 'Last-Event-ID: 1.3'
check "a stream can be resumed" wait "$FOLLOWER"
check_output "after the event that was seen" "log 1.4 log 1.5 log 1.6 state 1.6 end 1.6" bash -c 'tr "\n" " " | sed "s/ $//"' < <(outline)
follow "follow=1&stream=stdout&tail=2"
wait "$FOLLOWER"
check_output "following by stream and lines" $'five\nlive' followed
follow "follow=1&tail=0"
wait "$FOLLOWER"
check_output "following only what is to come" "" followed
check "an ended job ends at once" saw 'event: end'
check "the client is told when to reconnect" saw 'retry: '
req GET "/api/v1/jobs/$id/logs?follow=1"
check "as what a browser takes" header 'content-type: text/event-stream'
check "not to be buffered on the way" header 'x-accel-buffering: no'
req HEAD "/api/v1/jobs/$id/logs?follow=1"
is "HEAD of a stream is answered" 200

# A retry within the stream

id=$(submit '{"runtime":"bash","script":{"name":"a","content":""},"retries":1}')
follow "follow=1"
wait_until 30 saw '"state":"queued"'
worker_claim
worker_log 0 1 0 "$(hex 'first\n')"
# A follower tells the states that it sees: one that is over before it looks is none.
wait_until 30 saw '"state":"running","attempt":1'
worker_finish 2 1
check "a follower is told of the wait for a retry" wait_until 30 saw '"state":"queued","attempt":2'
sql "UPDATE rg.delayed SET run_at = now()" && sql "SELECT rg.tick()" >/dev/null
worker_claim
worker_log 0 1 0 "$(hex 'second\n')"
wait_until 30 saw 'id: 2.0'
wait_until 30 saw '"state":"running","attempt":2'
worker_finish 1 0
check "and sees the end of the second attempt" wait "$FOLLOWER"
check_output "both outputs" $'first\nsecond' followed
check_output "a state for each step" $'queued 1\nrunning 1\nqueued 2\nrunning 2\ncompleted 2' bash -c 'uniq' < <(states)
check_output "an earlier attempt's output stays" "first" log "?attempt=1"
check_output "the last is the default" "second" log ""
follow "" -H 'Accept: text/event-stream' -H 'Last-Event-ID: 1.0'
wait "$FOLLOWER"
check_output "resuming crosses attempts" "second" followed

# Much output, slow and vanishing clients

id=$(submit)
worker_claim
worker_sql "SELECT count(rg_worker.log_append(1, $JOB, $ATTEMPT, $TOKEN, n, 1::int2, n::int8 * 65536, convert_to(repeat(lpad(n::text, 15) || E'\n', 4096), 'UTF8')))
	FROM generate_series(0, 511) n" >/dev/null
log "" | sha256sum >"$TEST_DIR/sum"
expected=$(awk 'BEGIN {for (n = 0; n < 512; n++) for (i = 0; i < 4096; i++) printf "%15d\n", n}' | sha256sum)
check_output "32 MiB come through" "$expected" cat "$TEST_DIR/sum"
check_output "their last lines are found quickly" 5000 bash -c 'wc -l' < <(log "?tail=5000")
follow "follow=1" --limit-rate 2M
check "a slow follower is served" wait_until 30 saw 'id: 1.9'
for _ in 1 2 3 4 5 6 7 8; do
	timeout 0.2 curl -sSN -H "Authorization: Bearer $KEY" "$URL/api/v1/jobs/$id/logs?follow=1" >/dev/null 2>&1
done
fast=$(timeout 20 curl -sSN -H "Authorization: Bearer $KEY" "$URL/api/v1/jobs/$id/logs?follow=1" | grep -m1 -c 'id: 1.511')
check "clients that vanish and slow ones hold up nobody" test "$fast" = 1
kill "$FOLLOWER" && wait "$FOLLOWER"
followers() { curl -sS "$URL/metrics" | grep -x "rgrid_log_followers $1"; }
id=$(submit)
followers_of_nothing=()
for _ in $(seq 40); do
	curl -sSN -m 60 -H "Authorization: Bearer $KEY" "$URL/api/v1/jobs/$id/logs?follow=1" >>"$TEST_DIR/forty" 2>&1 &
	followers_of_nothing+=($!)
done
has_forty() { [ "$(grep -c '"state":"queued"' "$TEST_DIR/forty")" -eq 40 ]; }
check "forty follow at once, more than there are threads" wait_until 10 has_forty
req GET /api/v1/keys/self
is "and others are answered meanwhile" 200
req POST "/api/v1/jobs/$id/cancel"
all_ended() { [ "$(grep -c 'event: end' "$TEST_DIR/forty")" -eq 40 ]; }
check "all are told of the end" wait_until 10 all_ended
wait "${followers_of_nothing[@]}"
check "those that vanished are forgotten" wait_until 40 followers 0

# The end

id=$(submit)
follow "follow=1"
wait_until 30 saw '"state":"queued"'
check "SIGTERM ends it well with a stream open" api_stop
wait "$FOLLOWER"
check_exit 1 "the stream ends without an end of the job" grep -q 'event: end' "$TEST_DIR/events"
check "without an error" test "$(grep -c '"level":"error"' "$TEST_DIR/api.log")" -eq 0
tap_end
