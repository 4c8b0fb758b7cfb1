"""Submissions a second through the API, all durable: single ones (driven by wrk, a client that is not the
bottleneck) by 1, 8 and 32 connections, and bulk."""
import json
import os
import re
import subprocess
import tempfile
import time

from api import Api, spec

SECONDS = 4
# Far in the queue behind the rest: the one slot is busy, nothing is executed meanwhile.
BLOCKER = spec("sleep 120", limits={"timeout_ms": 120000})


def single(connections):
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(f"""wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer {os.environ["RGRID_TOKEN"]}"
wrk.body = [[{json.dumps(spec())}]]
""")
        script.flush()
        said = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{SECONDS}s", "-s", script.name,
                               os.environ["RGRID_URL"] + "/api/v1/jobs"],
                              capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said:
        raise RuntimeError(said)
    return float(re.search(r"Requests/sec:\s*([0-9.]+)", said).group(1))


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
    print(f"| one a request, {connections} connections | {single(connections):,.0f} |")
for size, rounds in ((100, 50), (1000, 10), (10000, 3)):
    print(f"| {size} a request | {bulk(size, rounds):,.0f} |")
