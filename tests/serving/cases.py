"""Runs cases and tells of each: `ok NAME` or `FAILED NAME: why`."""

import sys, time, traceback

ADDRESS = sys.argv[1]
CASES = []


def case(function):
    CASES.append(function)
    return function


def run():
    failed = 0
    for one in CASES:
        began = time.monotonic()
        try:
            one()
            print(f"ok {one.__name__} ({time.monotonic() - began:.2f} s)", flush=True)
        except Exception as error:
            failed += 1
            where = traceback.extract_tb(error.__traceback__)[-1]
            print(f"FAILED {one.__name__}: {type(error).__name__} at line {where.lineno}: {str(error)[:2000]}", flush=True)
    print(f"{len(CASES) - failed} of {len(CASES)} cases", flush=True)
    sys.exit(bool(failed))
