"""The water flow series, its windows and what is known to be wrong in it."""

from __future__ import annotations

import csv
import importlib.util
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np

WINDOW = 12  # hours in one window: the model's input width
STEP = timedelta(hours=1)


# The data set's authors describe three moments of low flow (losses or maintenance) and one small peak (pumping into the
# main pipeline), without times. These bounds, in litres per second, single out exactly those four.
LOW, HIGH = 97.0, 108.0


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


@dataclass(frozen=True)
class Segment:
    """Consecutive hours, both ends included, outside LOW..HIGH."""

    name: str
    first: datetime
    last: datetime


def segments(times: list[datetime], flows: np.ndarray) -> list[Segment]:
    found: list[Segment] = []
    names = iter(("loss 1", "loss 2", "pumping", "loss 3"))
    for time, flow in zip(times, flows, strict=True):
        if LOW <= flow <= HIGH:
            continue
        if found and time - found[-1].last == STEP:
            found[-1] = Segment(found[-1].name, found[-1].first, time)
        else:
            found.append(Segment(next(names), time, time))
    assert len(found) == 4, found
    return found


def dataset_path() -> Path:
    """The CSV inside the installed river package (which is not imported: it is large)."""
    spec = importlib.util.find_spec("river")
    if spec is None or spec.origin is None:
        raise SystemExit("the package river is not installed: pip install -r requirements.txt")
    return Path(spec.origin).parent / "datasets" / "water-flow.csv"


def read_rows() -> list[tuple[str, str]]:
    """Time and flow as they are written in the file."""
    with dataset_path().open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["Time", "Water flow [l/s]"], rows[0]
    return [(time, flow) for time, flow in rows[1:]]


@dataclass(frozen=True)
class Windows:
    """Every run of WINDOW consecutive hours; windows across a gap do not exist."""

    values: np.ndarray  # float64 [n, WINDOW], litres per second
    first: list[datetime]
    last: list[datetime]
    segment: list[str | None]

    def mask(self, test) -> np.ndarray:
        return np.array([test(*window) for window in zip(self.first, self.last, self.segment, strict=True)])


def windows(rows: list[tuple[str, str]]) -> Windows:
    times = [at(time) for time, _ in rows]
    flows = np.array([float(flow) for _, flow in rows])
    known = segments(times, flows)
    values, first, last, segment = [], [], [], []
    for start in range(len(rows) - WINDOW + 1):
        end = start + WINDOW - 1
        if times[end] - times[start] != (WINDOW - 1) * STEP:
            continue
        values.append(flows[start : end + 1])
        first.append(times[start])
        last.append(times[end])
        hit = [s.name for s in known if times[start] <= s.last and times[end] >= s.first]
        segment.append(hit[0] if hit else None)
    return Windows(np.array(values), first, last, segment)
