"""Work on Huey as it is shipped for SQLite: this process asks, its consumer (one thread) works. A run has ended when its result was read.

Reads lines `WORK IN_FLIGHT SECONDS`, answers each with one line of JSON: the milliseconds of each run, and the seconds of all.
"""

import collections
import json
import os
import sys
import time

from huey import SqliteHuey

huey = SqliteHuey(filename=os.path.join(os.environ["PEERS_FOLDER"], "huey.sqlite"))


@huey.task()
def add(value):
    return value + 1


def ask(name):
    """Asks for one run; the result of its last step."""
    task = add.s(1)
    for _ in range({"one": 1, "chain": 10}[name] - 1):
        task = task.then(add)
    result = huey.enqueue(task)
    return list(result)[-1] if name == "chain" else result


def main():
    print("ready", flush=True)
    for line in sys.stdin:
        name, in_flight, seconds = line.split()
        samples, began = [], time.monotonic()
        under_way = collections.deque()
        while True:
            asking = time.monotonic() - began < float(seconds)
            while asking and len(under_way) < int(in_flight):
                start = time.monotonic()
                under_way.append((start, ask(name)))
            if not under_way:
                break
            # One thread works: they end in the order in which they were asked for.
            start, result = under_way.popleft()
            result.get(blocking=True, timeout=60, backoff=1.0, max_delay=0.005)
            samples.append((time.monotonic() - start) * 1e3)
        print(json.dumps({"samples": samples, "seconds": time.monotonic() - began}), flush=True)


if __name__ == "__main__":
    main()
