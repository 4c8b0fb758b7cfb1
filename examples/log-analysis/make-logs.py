#!/usr/bin/env python3
"""Makes a day of web server logs, one file a server: logs/web-01.log … web-08.log, 6.5 MB in all.

A line is: time, client, method, path, status, bytes, milliseconds. The same logs come out every time.
Two stories are hidden in them: web-05 answers slowly in the afternoon, and /api/export fails now and
then everywhere.

usage: make-logs.py [DIRECTORY]      (default: logs)
"""

import random
import sys
from pathlib import Path

SERVERS = 8
LINES = 15_000

# path, weight, typical milliseconds, typical bytes
PAGES = [
    ("/", 30, 12, 5_000),
    ("/search", 20, 45, 9_000),
    ("/item", 25, 20, 7_000),
    ("/cart", 10, 30, 3_000),
    ("/api/orders", 8, 60, 1_500),
    ("/api/export", 2, 400, 80_000),
    ("/static/app.js", 15, 3, 60_000),
]


def write_log(path: Path, server: int) -> None:
    dice = random.Random(path.name)
    weights = [weight for _, weight, _, _ in PAGES]
    # Sorted instants of one day.
    seconds = sorted(dice.randrange(86_400) for _ in range(LINES))
    with path.open("w", encoding="ascii") as out:
        for second in seconds:
            page, _, typical_ms, typical_bytes = dice.choices(PAGES, weights)[0]
            slow = 8 if server == 5 and 14 <= second // 3600 < 17 else 1
            ms = max(1, int(dice.lognormvariate(0, 0.5) * typical_ms * slow))
            status = 200
            if page == "/api/export" and dice.random() < 0.15:
                status = 500
            elif dice.random() < 0.01:
                status = 404
            size = int(typical_bytes * dice.uniform(0.5, 1.5)) if status == 200 else 300
            method = "POST" if page in ("/cart", "/api/orders") else "GET"
            client = f"192.0.2.{dice.randrange(1, 255)}"
            out.write(f"2026-03-01T{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}Z "
                      f"{client} {method} {page} {status} {size} {ms}\n")


def main() -> None:
    directory = Path(sys.argv[1] if len(sys.argv) > 1 else "logs")
    directory.mkdir(parents=True, exist_ok=True)
    for server in range(1, SERVERS + 1):
        write_log(directory / f"web-{server:02}.log", server)
    print(f"{directory}/: {SERVERS} logs of {LINES} lines")


if __name__ == "__main__":
    main()
