"""Median wall time of starting a command to its end, in ms: startup.py COMMAND…"""
import subprocess
import sys
import time

times = []
for _ in range(100):
    begin = time.perf_counter()
    subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, check=True)
    times.append((time.perf_counter() - begin) * 1000)
print(f"{sorted(times)[50]:.1f}")
