"""Submit to start on an idle grid, in ms: latency.py ROUNDS"""
import sys
import time
from datetime import datetime

from api import Api, spec


def at(text):
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1000


def percentile(values, part):
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


api = Api()
start, end = [], []
for _ in range(int(sys.argv[1])):
    job = api("POST", "/jobs", spec())
    while job["state"] not in ("completed", "failed"):
        time.sleep(0.01)
        job = api("GET", "/jobs/" + job["id"])
    start.append(at(job["started_at"]) - at(job["created_at"]))
    end.append(at(job["finished_at"]) - at(job["created_at"]))
print("| one job on an idle grid, ms | p50 | p99 |\n|---|---|---|")
print(f"| submitted → sandbox starts | {percentile(start, .5):.1f} | {percentile(start, .99):.1f} |")
print(f"| submitted → result recorded | {percentile(end, .5):.1f} | {percentile(end, .99):.1f} |")
