"""Submissions a second through the API, all durable: single ones by 1, 8 and 32 connections, and bulk."""
import threading
import time

from api import Api, spec

SECONDS = 4
# Far in the queue behind the rest: the one slot is busy, nothing is executed meanwhile.
BLOCKER = spec("sleep 120", limits={"timeout_ms": 120000})


def single(connections):
    counts = [0] * connections
    end = time.monotonic() + SECONDS

    def work(index):
        api = Api()
        body = spec()
        while time.monotonic() < end:
            api("POST", "/jobs", body)
            counts[index] += 1

    threads = [threading.Thread(target=work, args=(i,)) for i in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / SECONDS


def bulk(size, rounds):
    api = Api()
    body = {"jobs": [spec()] * size}
    begin = time.monotonic()
    for _ in range(rounds):
        api("POST", "/jobs/bulk", body)
    return size * rounds / (time.monotonic() - begin)


api = Api()
api("POST", "/jobs", BLOCKER)
print("| submissions | jobs a second |\n|---|---|")
for connections in (1, 8, 32):
    print(f"| one by one, {connections} connections (Python client, shares the 2 cores) | {single(connections):,.0f} |")
for size, rounds in ((100, 50), (1000, 10), (10000, 3)):
    print(f"| {size} a request | {bulk(size, rounds):,.0f} |")
