"""Work on DBOS as it is shipped for SQLite, in its own process: it has no wire, which is kinder to it.

Reads lines `WORK IN_FLIGHT SECONDS`, answers each with one line of JSON: the milliseconds of each run, and the seconds of all.
"""

import json
import logging
import sys
import threading
import time

from dbos import DBOS

logging.disable(logging.INFO)
DBOS(config={"name": "peers", "system_database_url": f"sqlite:///{sys.argv[1]}/dbos.sqlite", "run_admin_server": False})


@DBOS.step()
def add(value):
    return value + 1


def row(steps):
    def work(value):
        for _ in range(steps):
            value = add(value)
        return value

    return work


# A fan-out is a row of as many steps: its children would be workflows of their own, which cost more.
works = {
    name: DBOS.workflow(name=name)(row(steps)) for name, steps in (("one", 1), ("chain", 10), ("fan", 12))
}


def main():
    DBOS.launch()
    print("ready", flush=True)
    for line in sys.stdin:
        name, in_flight, seconds = line.split()
        samples, began = [], time.monotonic()

        def work():
            while time.monotonic() - began < float(seconds):
                start = time.monotonic()
                works[name](1)
                samples.append((time.monotonic() - start) * 1e3)

        workers = [threading.Thread(target=work) for _ in range(int(in_flight))]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        print(json.dumps({"samples": samples, "seconds": time.monotonic() - began}), flush=True)


main()
