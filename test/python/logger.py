"""Logs 10,000 points as a run, says how far it is, and how long run.log held it up."""

import threading
import time

import trainyard as ty

POINTS = 10_000


def waiting() -> int:
    """Nanoseconds that this thread was ready to run and had no processor. 0 where it is unknown."""
    try:
        with open("/proc/thread-self/schedstat", encoding="ascii") as file:
            return int(file.read().split()[1])
    except OSError:
        return 0


pace = threading.Event()
worst = 0.0
with ty.init(name="ten thousand") as run:
    print("job", run.id, flush=True)
    for step in range(POINTS):
        pace.wait(0.002)
        ready, start = waiting(), time.perf_counter_ns()
        run.log({"loss": 1.0 / (step + 1)}, step=step)
        held = time.perf_counter_ns() - start - (waiting() - ready)
        worst = max(worst, held / 1e6)
        if step % 2500 == 1250:
            print("at", step, flush=True)
print("worst", round(worst, 1), flush=True)
