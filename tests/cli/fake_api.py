#!/usr/bin/env python3
"""A stand-in for the RGrid server, for tests of the command line: jobs really run (as child processes in
temporary directories), everything else is kept in memory, and faults can be ordered.

    fake_api.py PORT_FILE

listens on a free port of 127.0.0.1 and writes it to PORT_FILE. Beyond the API:

    POST /control/faults   [{"match": "POST /api/v1/jobs", "do": "503", "count": 2}, ...]
        match  regular expression, searched for in "METHOD path"
        do     an HTTP status; "drop" (close before answering), "drop-after" (act, then close),
               "garbage" (200 with what is no JSON), "cut N" (a log stream closes after N events)
    POST /control/artifacts  [{"path", "sha256", "size_bytes", "executable", "data"}]  for all jobs to come
    POST /control/hold       1 or 0: new jobs stay queued
    GET  /control/requests   all "METHOD path" so far
"""
import base64
import hashlib
import http.server
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from urllib.parse import parse_qs, unquote, urlsplit

TOKEN = "rgk_testtest_" + "a" * 32 + "_2ZXm7g"
INTERPRETERS = {"python": ["python3"], "bash": ["bash"], "node": ["node"], "exec": []}

lock = threading.RLock()
changed = threading.Condition(lock)
blobs = {}
jobs = {}
batches = {}
answered = {}  # Idempotency-Key -> (status, answer)
faults = []
requests = []
control = {"artifacts": None, "hold": False}


def new_id(prefix):
    new_id.last += 1
    return f"{prefix}_{new_id.last:013d}"


new_id.last = 0


def now():
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())


def add_event(job, kind, data):
    with changed:
        job["events"].append((f"{job['attempt']}.{len(job['events'])}", kind, data))
        changed.notify_all()


def pump(job, stream, pipe):
    start = 0
    while True:
        piece = os.read(pipe.fileno(), 65536)
        if not piece:
            break
        job["log"].append((stream, piece))
        job["log_bytes"][stream] += len(piece)
        add_event(job, "log", {"stream": stream, "start": start, "at": now(), "data": base64.b64encode(piece).decode()})
        start += len(piece)


def place_files(job, directory):
    spec = job["spec"]
    script = os.path.join(directory, spec["script"]["name"])
    before = {}
    for path in spec.get("directories", []):
        os.makedirs(os.path.join(directory, path), exist_ok=True)
    for path, data in [(f["path"], blobs[f["blob"]]) for f in spec.get("files", [])] + [
        (spec["script"]["name"], spec["script"]["content"].encode() if "content" in spec["script"] else blobs[spec["script"]["blob"]])
    ]:
        full = os.path.join(directory, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as file:
            file.write(data)
        os.chmod(full, 0o755)
        before[path] = data
    return script, before


def collect(directory, before):
    found = []
    for root, _, names in os.walk(directory):
        for name in names:
            full = os.path.join(root, name)
            path = os.path.relpath(full, directory)
            if os.path.islink(full):
                continue
            data = open(full, "rb").read()
            if before.get(path) == data:
                continue
            digest = hashlib.sha256(data).hexdigest()
            blobs[digest] = data
            executable = bool(os.stat(full).st_mode & 0o100)
            found.append({"path": path, "sha256": digest, "size_bytes": len(data), "executable": executable, "data": data})
    return found


def execute(job):
    spec = job["spec"]
    directory = tempfile.mkdtemp(prefix="fake-grid-", dir=os.path.dirname(sys.argv[1]))
    try:
        script, before = place_files(job, directory)
        argv = INTERPRETERS[spec["runtime"]] + [script if spec["runtime"] == "exec" else spec["script"]["name"]] + spec.get("args", [])
        environment = {"PATH": os.environ["PATH"], "PYTHONUNBUFFERED": "1"} | spec.get("env", {})
        child = subprocess.Popen(argv, cwd=directory, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                 stderr=subprocess.PIPE, start_new_session=True)
        with changed:
            job["child"] = child
            job["state"], job["started_at"] = "running", now()
            if job["cancel"]:
                os.killpg(child.pid, signal.SIGKILL)
        add_event(job, "state", {"state": "running", "attempt": job["attempt"], "reason": None})
        pumps = [threading.Thread(target=pump, args=(job, name, pipe)) for name, pipe in (("stdout", child.stdout), ("stderr", child.stderr))]
        for thread in pumps:
            thread.start()
        try:
            child.stdin.write(blobs[spec["stdin"]["blob"]] if "stdin" in spec else b"")
            child.stdin.close()
        except BrokenPipeError:
            pass
        timed_out = False
        try:
            code = child.wait(spec.get("limits", {}).get("timeout_ms", 60000) / 1000)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            code, timed_out = child.wait(), True
        for thread in pumps:
            thread.join()
        code = 128 - code if code < 0 else code
        artifacts = control["artifacts"] if control["artifacts"] is not None else collect(directory, before)
        outcome = "cancelled" if job["cancel"] else "timed_out" if timed_out else "completed" if code == 0 else "failed"
        if spec.get("env", {}).get("FAKE_OUTCOME"):
            outcome = spec["env"]["FAKE_OUTCOME"]
        finish(job, outcome, code, artifacts)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def finish(job, outcome, code, artifacts):
    with changed:
        job.update(outcome=outcome, exit_code=code, finished_at=now(), artifacts=artifacts)
        job["state"] = {"completed": "completed", "cancelled": "cancelled"}.get(outcome, "failed")
        batch = batches.get(job["batch_id"])
        if batch:
            batch["results"].append(job)
            if batch["max_fails"] and sum(other["state"] == "failed" for other in batch["jobs"]) >= batch["max_fails"]:
                for other in batch["jobs"]:
                    cancel(other)
        job["ended"] = True
        changed.notify_all()
    schedule()


def cancel(job):
    with changed:
        if job["ended"] or job["cancel"]:
            return
        job["cancel"] = True
        if job["child"]:
            os.killpg(job["child"].pid, signal.SIGKILL)
        elif job["state"] == "queued":
            finish(job, "cancelled", None, [])


def schedule():
    with changed:
        if control["hold"]:
            return
        for job in list(jobs.values()):
            batch = batches.get(job["batch_id"])
            if job["state"] != "queued" or job["begun"]:
                continue
            active = sum(other["begun"] and not other["ended"] for other in (batch["jobs"] if batch else jobs.values()))
            if active >= ((batch and batch["parallel"]) or 8):
                continue
            job["begun"] = True
            threading.Thread(target=execute, args=(job,), daemon=True).start()


def add_job(spec, batch_id=None, index=None):
    job = {"id": new_id("job"), "spec": spec, "batch_id": batch_id, "batch_index": index, "name": spec.get("name"), "labels": spec.get("labels", {})}
    job["created_at"] = now()
    jobs[job["id"]] = job
    begin_attempt(job, 1)
    return job


def begin_attempt(job, attempt):
    job.update(state="queued", reason="no worker is free", attempt=attempt, outcome=None, exit_code=None, message=None, started_at=None,
               finished_at=None, worker_id=None, events=job.get("events", []), log=[], log_bytes={"stdout": 0, "stderr": 0}, artifacts=[],
               child=None, cancel=False, begun=False, ended=False, unenforced=[], usage=None)
    add_event(job, "state", {"state": "queued", "attempt": attempt, "reason": "no worker is free"})


PUBLIC = ("id batch_id batch_index name state reason created_at started_at finished_at attempt outcome exit_code message worker_id unenforced "
          "usage log_bytes labels").split()


def show_job(job, with_spec=True):
    return {key: job[key] for key in PUBLIC} | ({"spec": job["spec"]} if with_spec else {})


def show_batch(batch):
    counts = {"total": len(batch["jobs"])}
    for state in ("queued", "running", "completed", "failed", "cancelled"):
        counts[state] = sum(job["state"] == state for job in batch["jobs"])
    over = counts["queued"] + counts["running"] == 0
    state = "running" if not over else "failed" if counts["failed"] else "cancelled" if counts["cancelled"] else "completed"
    return {key: batch[key] for key in ("id", "name", "parallel", "max_fails", "created_at", "labels")} | {"state": state, "counts": counts}


class Problem(Exception):
    def __init__(self, status, detail, hint=None):
        super().__init__(detail)
        self.status, self.detail, self.hint = status, detail, hint


def find(table, text, prefix):
    if text == "last" and table:
        return list(table.values())[-1]
    matches = [value for key, value in table.items() if key.startswith(text) or key.startswith(prefix + text)]
    if len(matches) != 1:
        raise Problem(404, f"there is no {prefix}{text}")
    return matches[0]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def answer(self, status, value, kind="application/json"):
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Request-Id", "req-1234")
        self.end_headers()
        self.wfile.write(data)

    def problem(self, status, detail, hint=None):
        self.answer(status, {"title": "Problem", "status": status, "detail": detail, "hint": hint, "request_id": "req-1234"},
                    "application/problem+json")

    def drop(self):
        self.close_connection = True
        self.connection.shutdown(2)

    def fault(self):
        for fault in faults:
            if fault["count"] > 0 and re.search(fault["match"], f"{self.command} {self.path}"):
                fault["count"] -= 1
                return str(fault["do"])
        return None

    def handle_any(self):
        self.url = urlsplit(self.path)
        self.query = parse_qs(self.url.query)
        self.body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = [unquote(part) for part in self.url.path.split("/")[1:]]
        if parts[0] == "control":
            return self.controlled(parts[1])
        with lock:
            requests.append(f"{self.command} {self.path}")
            fault = self.fault()
        if fault == "drop":
            return self.drop()
        if fault == "garbage":
            return self.answer(200, b"<html>not the api</html>", "text/html")
        if fault and fault.isdigit():
            return self.problem(int(fault), f"ordered fault {fault}")
        if self.headers.get("Authorization") != "Bearer " + TOKEN:
            return self.problem(401, "unknown key")
        self.cut = int(fault.split()[1]) if fault and fault.startswith("cut") else None
        key = self.headers.get("Idempotency-Key")
        try:
            if key in answered:
                status, value = answered[key]
            else:
                result = self.route(parts[2:])
                if result is None:
                    return None
                status, value = result
                if key:
                    answered[key] = result
        except Problem as problem:
            return self.problem(problem.status, problem.detail, problem.hint)
        if fault == "drop-after":
            return self.drop()
        return self.answer(status, value)

    do_GET = do_POST = do_PUT = handle_any

    def controlled(self, what):
        if what == "requests":
            return self.answer(200, requests)
        value = json.loads(self.body)
        if what == "faults":
            faults[:] = [{"count": 1} | fault for fault in value]
        elif what == "artifacts":
            for artifact in value or []:
                artifact["data"] = artifact["data"].encode()
            control["artifacts"] = value
        elif what == "hold":
            control["hold"] = bool(value)
            schedule()
        return self.answer(200, {})

    def page(self, items, show):
        start = int(self.query.get("cursor", ["0"])[0])
        limit = int(self.query.get("limit", ["100"])[0])
        more = start + limit < len(items)
        return 200, {"items": [show(item) for item in items[start:start + limit]], "next_cursor": str(start + limit) if more else None}

    def route(self, parts):
        collection, rest = parts[0], parts[1:]
        if collection == "keys":
            return 200, {"label": "testtest", "name": "test", "scopes": ["read", "run"], "project": "default"}
        if collection == "workers":
            return 200, {"items": [], "next_cursor": None}
        if collection == "blobs":
            return self.blob(rest)
        if collection == "jobs":
            return self.job(rest)
        if collection == "batches":
            return self.batch(rest)
        raise Problem(404, "no such resource")

    def blob(self, rest):
        if rest == ["check"]:
            return 200, {"missing": [name for name in json.loads(self.body)["blobs"] if name not in blobs]}
        if hashlib.sha256(self.body).hexdigest() != rest[0]:
            raise Problem(422, "the bytes do not have that SHA-256")
        blobs[rest[0]] = self.body
        return 201, {}

    def job(self, rest):
        if not rest and self.command == "POST":
            with lock:
                job = add_job(json.loads(self.body))
            schedule()
            return 201, show_job(job)
        if not rest:
            found = [job for job in reversed(jobs.values()) if job["state"] == self.query.get("state", [job["state"]])[0]]
            if "batch" in self.query:
                batch = find(batches, self.query["batch"][0], "batch_")
                found = [job for job in found if job["batch_id"] == batch["id"]]
            for label in self.query.get("label", []):
                key, _, value = label.partition("=")
                found = [job for job in found if job["labels"].get(key) == value]
            return self.page(found, lambda job: show_job(job, False))
        job = find(jobs, rest[0], "job_")
        if len(rest) == 1:
            return 200, show_job(job)
        if rest[1] == "cancel":
            cancel(job)
            return 200, show_job(job)
        if rest[1] == "retry":
            with lock:
                if not job["ended"]:
                    raise Problem(409, f"{job['id']} is {job['state']}")
                begin_attempt(job, job["attempt"] + 1)
            schedule()
            return 200, show_job(job)
        if rest[1] == "artifacts":
            return self.artifact(job, "/".join(rest[2:]))
        return self.logs(job)

    def artifact(self, job, path):
        if not path:
            return 200, {"items": [{k: v for k, v in artifact.items() if k != "data"} for artifact in job["artifacts"]]}
        for artifact in job["artifacts"]:
            if artifact["path"] == path:
                return self.answer(200, artifact["data"], "application/octet-stream")
        raise Problem(404, f"there is no output {path}")

    def logs(self, job):
        if "text/event-stream" in self.headers.get("Accept", "") or "follow" in self.query:
            return self.stream(job)
        wanted = self.query.get("stream", ["stdout,stderr"])[0].split(",")
        data = b"".join(piece for stream, piece in job["log"] if stream in wanted)
        if "tail" in self.query:
            lines = data.splitlines(True)
            count = int(self.query["tail"][0])
            data = b"".join(lines[len(lines) - count:] if count else [])
        return self.answer(200, data, "text/plain")

    def stream(self, job):
        self.close_connection = True
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        last = self.headers.get("Last-Event-ID")
        at = int(last.split(".")[1]) + 1 if last else 0
        while True:
            with changed:
                changed.wait_for(lambda: at < len(job["events"]) or job["ended"], 15)
                events, ended = job["events"][at:], job["ended"]
            for name, kind, data in events:
                text = f"id: {name}\nevent: {kind}\ndata: {json.dumps(data)}\n\n".encode()
                if self.cut == 0:
                    self.wfile.write(text[:len(text) * 2 // 3])  # in the middle of an event
                    return self.drop()
                if self.cut is not None:
                    self.cut -= 1
                self.wfile.write(text)
            at += len(events)
            if ended and at >= len(job["events"]):
                self.wfile.write(f": done\n\nevent: end\ndata: {json.dumps(show_job(job))}\n\n".encode())
                return None

    def batch(self, rest):
        if not rest and self.command == "GET":
            return self.page(list(reversed(batches.values())), show_batch)
        if not rest:
            body = json.loads(self.body)
            with lock:
                batch = {"id": new_id("batch"), "name": body.get("name"), "parallel": body.get("parallel"), "max_fails": body.get("max_fails"),
                         "labels": body.get("labels", {}), "created_at": now(), "jobs": [], "results": []}
                batches[batch["id"]] = batch
        else:
            batch = find(batches, rest[0], "batch_")
        if not rest or rest[1:] == ["jobs"]:
            with lock:
                first = len(batch["jobs"])
                for index, spec in enumerate(json.loads(self.body)["jobs"]):
                    batch["jobs"].append(add_job(spec, batch["id"], first + index))
            schedule()
            return 201, show_batch(batch) | {"job_ids": [job["id"] for job in batch["jobs"][first:]]}
        if len(rest) == 1:
            return 200, show_batch(batch)
        if rest[1] == "results":
            start = int(self.query.get("cursor", ["0"])[0])
            items = batch["results"][start:start + int(self.query.get("limit", ["100"])[0])]
            return 200, {"items": [show_job(job, False) for job in items], "next_cursor": str(start + len(items))}
        if rest[1] == "cancel":
            for job in batch["jobs"]:
                cancel(job)
            return 200, show_batch(batch)
        if rest[1] == "retry":
            wanted = [job for job in batch["jobs"] if job["state"] == "failed" or json.loads(self.body)["only"] == "all"]
            for job in wanted:
                begin_attempt(job, job["attempt"] + 1)
            schedule()
            return 200, {"retried": len(wanted)}
        raise Problem(404, "no such resource")


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 64
    daemon_threads = True

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], (ConnectionError, OSError)):
            super().handle_error(request, client_address)


def stop(*_):
    for job in jobs.values():
        if job["child"] and not job["ended"]:
            os.killpg(job["child"].pid, signal.SIGKILL)
    os._exit(0)


def main():
    signal.signal(signal.SIGTERM, stop)
    server = Server(("127.0.0.1", 0), Handler)
    with open(sys.argv[1] + ".new", "w") as file:
        file.write(str(server.server_address[1]))
    os.rename(sys.argv[1] + ".new", sys.argv[1])
    server.serve_forever()


main()
