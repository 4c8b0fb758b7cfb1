"""Keeps the slots busy and queues N jobs behind: queue_up.py N"""
import sys

from api import Api, spec

api = Api()
for _ in range(8):
    api("POST", "/jobs", spec("sleep 60", limits={"timeout_ms": 60000}))
api("POST", "/jobs/bulk", {"jobs": [spec()] * int(sys.argv[1])})
