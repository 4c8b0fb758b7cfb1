#!/usr/bin/env bash
# Blobs and artifacts: whole and by range, by projects and by workers, cut off, and on a full disk.
set -u
cd "$(dirname "$0")/../.." || exit 1
[ -n "${RGRID_TEST_CONNINFO-}" ] || exec tests/with-postgres "$0" "$@"
. tests/tap.sh
. tests/api/api.sh
tap_begin

# The blob store lives on a small file system, seen by the API alone.
if unshare --mount true 2>/dev/null; then
	full_disk=1
	cat >"$TEST_DIR/on-small-disk" <<-'END'
		#!/bin/bash
		mount -t tmpfs -o size=24m none "$TEST_DIR/blobs" && exec "$@"
	END
	chmod +x "$TEST_DIR/on-small-disk"
	mkdir "$TEST_DIR/blobs"
else
	full_disk=0
fi
api_start() {
	RGRIDD=$(api_program) || exit 1
	BLOBS=$TEST_DIR/blobs
	API_WRAPPER=()
	((!full_disk)) || API_WRAPPER=(unshare --mount "$TEST_DIR/on-small-disk")
	RGRID_DATABASE=$RGRID_TEST_CONNINFO "$RGRIDD" db migrate >/dev/null 2>&1
	ONE=$(make_key one read,run)
	READER=$(make_key one read)
	TWO=$(make_key two read,run)
	KEY=$ONE
	api_launch
}
api_start

sha_of() { sha256sum "$1" | cut -c1-64; }
put() { req PUT "/api/v1/blobs/$(sha_of "$1")" -T "$1" "${@:2}"; }
files_in_store() { find "/proc/$API_PID/root$BLOBS" -type f | wc -l; }

# Uploading

seq 1000 >"$TEST_DIR/small"
head -c 3000000 /dev/urandom >"$TEST_DIR/medium"
: >"$TEST_DIR/empty"
for name in small medium empty; do
	put "$TEST_DIR/$name"
	is "a $name blob is uploaded" 201
	has "and named" '[.sha256, .size_bytes]' "[\"$(sha_of "$TEST_DIR/$name")\",$(stat -c %s "$TEST_DIR/$name")]"
	put "$TEST_DIR/$name"
	is "again it is there" 200
	req GET "/api/v1/blobs/$(sha_of "$TEST_DIR/$name")"
	check "it comes back" cmp "$TEST_DIR/$name" "$TEST_DIR/body"
done
sha=$(sha_of "$TEST_DIR/medium")
none=$(printf '%.0sa' $(seq 64))
check "who is told that it is there need not send it" test "$(
	curl -sS -o /dev/null -w '%{size_upload}' -X PUT -T "$TEST_DIR/medium" -H 'Expect: 100-continue' -H "Authorization: Bearer $KEY" "$URL/api/v1/blobs/$sha"
)" -lt 3000000
post /api/v1/blobs/check "{\"blobs\":[\"$sha\",\"$none\",\"$sha\"]}"
has "what is missing is told" .missing "[\"$none\"]"
req PUT "/api/v1/blobs/$none" -T "$TEST_DIR/small"
is "other bytes than the name says are refused" 422
req GET "/api/v1/blobs/$none"
is "and not kept" 404
put "$TEST_DIR/small" -H 'Transfer-Encoding: chunked'
is "a length need not be declared" 200
KEY=$READER put "$TEST_DIR/small"
is "a key that may only read does not upload" 403
KEY=none put "$TEST_DIR/medium"
is "nor one that is unknown" 401
check "before it has sent the bytes" test "$(
	curl -sS -o /dev/null -w '%{size_upload}' -X PUT -T "$TEST_DIR/medium" -H 'Expect: 100-continue' "$URL/api/v1/blobs/$sha"
)" -eq 0
req PUT "/api/v1/blobs/$none" -H 'Content-Length: 99999999999999' -H 'Expect: 100-continue' --data-binary x
is "more than there may be is refused" 413

# Ranges

sha=$(sha_of "$TEST_DIR/small")
size=$(stat -c %s "$TEST_DIR/small")
part() { # range first count
	req GET "/api/v1/blobs/$sha" -H "Range: bytes=$1"
	is "bytes $1 are a part" 206
	check "and these" cmp "$TEST_DIR/body" <(tail -c +$(($2 + 1)) "$TEST_DIR/small" | head -c "$3")
	check "of so many" header "content-range: bytes $2-$(($2 + $3 - 1))/$size"
}
part 0-0 0 1
part 10-19 10 10
part 3000- 3000 $((size - 3000))
part -5 $((size - 5)) 5
part 5-99999999 5 $((size - 5))
req GET "/api/v1/blobs/$sha" -H "Range: bytes=$size-"
is "beyond the end there is nothing" 416
check "but so much there is" header "content-range: bytes \*/$size"
for range in "bytes=5-2" "bytes=a-b" "items=1-2" "bytes=1-2,5-6"; do
	req GET "/api/v1/blobs/$sha" -H "Range: $range"
	is "what is no single range is ignored: $range" 200
done
req GET "/api/v1/blobs/$sha" -H "If-None-Match: \"$sha\""
is "who has it is told so" 304
req GET "/api/v1/blobs/$sha" -H "If-None-Match: \"$none\", W/\"$sha\""
is "also among others" 304
req GET "/api/v1/blobs/$sha" -H "If-None-Match: \"$none\""
is "who has another gets it" 200
req GET "/api/v1/blobs/$sha" -H "Range: bytes=1-2" -H "If-Range: \"$none\""
is "a part of another is not given" 200
req GET "/api/v1/blobs/$sha" -H "Range: bytes=1-2" -H "If-Range: \"$sha\""
is "a part of the same is" 206
req HEAD "/api/v1/blobs/$sha"
is "HEAD tells" 200
check "the size" header "content-length: $size"
check "the name" header "etag: \"$sha\""

# Jobs, artifacts and workers

worker_start w1
worker=rgw_$(req GET /api/v1/workers && get '.items[0].id' | sed 's/^worker_//')_$WORKER_SECRET
input=$(sha_of "$TEST_DIR/medium")
post /api/v1/jobs "{\"runtime\":\"bash\",\"script\":{\"name\":\"a.sh\",\"blob\":\"$sha\"},\"files\":[{\"path\":\"in\",\"blob\":\"$input\"}]}"
is "a job may use what was uploaded" 201
id=$(get .id)
KEY=$worker req GET "/api/v1/blobs/$input"
is "a worker does not read what it has no job for" 403
printf 'made by a job' >"$TEST_DIR/output"
made=$(sha_of "$TEST_DIR/output")
KEY=$worker put "$TEST_DIR/output"
is "nor write without a job" 403
worker_claim
for blob in "$input" "$sha"; do
	KEY=$worker req GET "/api/v1/blobs/$blob"
	is "with the job it reads its inputs" 200
done
KEY=$worker req GET "/api/v1/blobs/$(sha_of "$TEST_DIR/empty")"
is "and no others" 403
KEY=$worker put "$TEST_DIR/output"
is "and writes" 201
KEY=$worker put "$TEST_DIR/output"
is "also twice" 201
req GET "/api/v1/blobs/$made"
is "what it wrote is nobody's" 404
for key in "${worker}x" "rgw_0000000000000_$WORKER_SECRET"; do
	KEY=$key req GET "/api/v1/blobs/$input"
	is "a worker with another credential is nobody" 401
done
KEY=$worker req GET /api/v1/jobs
is "a worker sees no jobs" 403
worker_artifact 'out/ä b.txt' "$TEST_DIR/output"
req GET "/api/v1/blobs/$made"
is "as an artifact it is the project's" 200
KEY=$TWO req GET "/api/v1/blobs/$made"
is "and no other's" 404
worker_finish 1 0
KEY=$worker req GET "/api/v1/blobs/$input"
is "after the job its inputs are closed again" 403
req GET "/api/v1/jobs/$id/artifacts"
has "artifacts are listed" .items "[{\"path\":\"out/ä b.txt\",\"sha256\":\"$made\",\"size_bytes\":13,\"executable\":false}]"
req GET "/api/v1/jobs/$id/artifacts/out/%C3%A4%20b.txt"
is "and fetched" 200
check "as they are" cmp "$TEST_DIR/body" "$TEST_DIR/output"
check "under their name" header "content-disposition: attachment; filename\*=UTF-8''%C3%A4%20b.txt"
req GET "/api/v1/jobs/$id/artifacts/out%2F%C3%A4%20b.txt" -H 'Range: bytes=5-6'
is "also in part" 206
check_output "these bytes" by cat "$TEST_DIR/body"
for path in out/../out/x ../x /etc/passwd x 'out'; do
	req GET "/api/v1/jobs/$id/artifacts/$path" --path-as-is
	is "what is no artifact is not found: $path" 404
done
req GET "/api/v1/jobs/$id/artifacts?attempt=1"
has "of an attempt" '.items | length' 1
req POST "/api/v1/jobs/$id/retry"
worker_claim
req GET "/api/v1/jobs/$id/artifacts"
has "a new attempt has none yet" '.items | length' 0
worker_finish 1 0

# Clients that vanish

before=$(files_in_store)
head -c 8000000 /dev/urandom >"$TEST_DIR/large"
for _ in 1 2 3 4 5; do
	timeout 0.3 curl -sS -X PUT -T "$TEST_DIR/large" --limit-rate 1M -H "Authorization: Bearer $KEY" "$URL/api/v1/blobs/$(sha_of "$TEST_DIR/large")" >/dev/null 2>&1
done
nothing_more() { [ "$(files_in_store)" -eq "$before" ]; }
check "uploads that were cut off leave nothing" wait_until 10 nothing_more
for _ in 1 2 3 4 5; do
	timeout 0.2 curl -sS --limit-rate 100K -H "Authorization: Bearer $KEY" "$URL/api/v1/blobs/$input" >/dev/null 2>&1
done
req GET /livez
is "downloads that were cut off hurt nobody" 200

# A full disk

if ((full_disk)); then
	head -c 40000000 /dev/urandom >"$TEST_DIR/huge"
	put "$TEST_DIR/huge"
	is "a blob that does not fit is refused" 507
	has "and says so" .type https://rgrid.dev/problems/no-space
	check "nothing of it stays" wait_until 10 nothing_more
	put "$TEST_DIR/large"
	is "what fits is taken" 201
	dd if=/dev/zero of="/proc/$API_PID/root$BLOBS/filler" bs=1M status=none 2>/dev/null
	head -c 100000 /dev/urandom >"$TEST_DIR/late"
	put "$TEST_DIR/late"
	is "on a full disk nothing is" 507
	req GET "/api/v1/blobs/$(sha_of "$TEST_DIR/large")"
	is "but all is read" 200
	post /api/v1/jobs "$SPEC"
	is "and jobs are accepted" 201
	rm "/proc/$API_PID/root$BLOBS/filler"
	put "$TEST_DIR/late"
	is "with room again it goes on" 201
else
	skip "a full disk" "no mount namespace can be made here"
fi

check "SIGTERM ends it well" api_stop
tap_end
