#!/usr/bin/env python3
"""Makes the grid: `generate.py OUT.zip` the whole of it, `generate.py --small OUT.zip` what is committed of it, and
`generate.py --models OUT.zip` the committed models; `generate.py --node-tests OUT.zip` ONNX's own tests, all of them.

Deterministic: the same versions of the packages in requirements.txt give the same cells."""

import argparse
import collections
import importlib
import multiprocessing
import time
import warnings

from generator import archive, cells, node_tests, prove

MODULES = [
    "elementwise", "casts", "shapes", "reduce", "nn", "images", "quantised", "recurrent", "control", "contrib", "classical", "graphs",
]  # fmt: skip
# Of each operator in the small grid.
SMALL = 3


def grid(only):
    for module in MODULES:
        if not only or module in only:
            yield from importlib.import_module(f"generator.{module}").all_specs()


def proved(spec):
    """The cell as it is kept, or why it is not."""
    try:
        model, outputs = prove.prove(spec)
    except prove.SetAside as why:
        return None, str(why)
    return archive.record(spec.operator, spec.name, "grid", model, spec.feeds, outputs), None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--models", action="store_true", help="whole models for both engines (requirements-exported.txt), and nothing else")
    parser.add_argument("--node-tests", action="store_true", help="ONNX's own tests as they are, and nothing else")
    parser.add_argument("--exported", action="store_true", help="models of requirements-exported.txt besides")
    parser.add_argument("--most", type=int, default=200, help="cells of one operator that are tried; 0 for all")
    parser.add_argument("--only", action="append", help="modules of the generator")
    parser.add_argument("--aside", help="a file for what was set aside and why")
    options = parser.parse_args()
    if options.small:
        options.most = 30
    if options.node_tests:
        cases = list(node_tests.all_cases())
        archive.write(options.out, (archive.record(*case[:2], "onnx", *case[2:]) for case in cases))
        print(f"{len(cases)} of ONNX's own tests")
        return
    # Overflows are what the values are for.
    warnings.simplefilter("ignore")
    began = time.monotonic()
    aside, kept, seen = collections.Counter(), collections.defaultdict(list), collections.Counter()
    reasons = []
    specs = []
    for spec in () if options.models else grid(options.only):
        seen[spec.name] += 1
        if seen[spec.name] > 1:
            spec.name += f"-{seen[spec.name]}"
        specs.append(spec)
    if options.most:
        groups = collections.defaultdict(list)
        for spec in specs:
            groups[spec.operator].append(spec)
        specs = [spec for operator, group in groups.items() for spec in cells.pick(group, options.most, operator)]
    with multiprocessing.get_context("fork").Pool() as workers:
        for spec, (record, why) in zip(specs, workers.imap(proved, specs, chunksize=50)):
            if why:
                aside[why.split(":")[0]] += 1
                reasons.append(f"{spec.name}\t{why}\n")
            else:
                kept[spec.operator].append(record)
    others = {}
    if options.models:
        others["model"] = importlib.import_module("generator.models")
    elif not options.only or "node_tests" in options.only:
        others["node"] = node_tests
    if options.exported:
        others["exported"] = importlib.import_module("generator.exported")
    for group, module in others.items():
        for operator, name, model, feeds, outputs in module.all_cells(aside, reasons):
            kept[operator].append(archive.record(operator, name, group, model, feeds, outputs))
    if options.small:
        kept = {operator: cells.pick(records, SMALL, operator) for operator, records in kept.items()}
    count = sum(map(len, kept.values()))
    archive.write(options.out, (one for records in kept.values() for one in records))
    if options.aside:
        with open(options.aside, "w") as file:
            file.writelines(reasons)
    print(f"{count} cells of {len(kept)} operators in {time.monotonic() - began:.0f} s; set aside:")
    for why, number in aside.most_common():
        print(f"  {number:6} {why}")


if __name__ == "__main__":
    main()
