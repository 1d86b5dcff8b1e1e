"""Daily and weekly files as a controller would drop them; rows are the data set's, character for character."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from series import at

DAYS = {
    "2022-03-23": "an ordinary day",
    "2022-03-24": "loss 1 begins in the morning",
    "2022-03-27": "clocks go forward: 23 rows and no gap",
    "2022-04-03": "a short pumping peak",
    "2022-04-19": "04:00 is missing",
    "2022-04-24": "three rows, then the logger was off",
    "2022-04-27": "loss 3 begins in the afternoon (held out of training)",
    "2022-04-30": "an ordinary day (held out of training)",
}
WEEKS = {
    "2022-04-11": "an ordinary week",
    "2022-04-25": "begins at 10:00, has a gap of ten hours, then loss 3 (held out of training)",
}


def write(rows: list[tuple[str, str]], folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for day in DAYS:
        one(rows, folder / f"flow-{day}.csv", date.fromisoformat(day), 1)
    for monday in WEEKS:
        first = date.fromisoformat(monday)
        year, week, _ = first.isocalendar()
        one(rows, folder / f"flow-{year}-w{week:02}.csv", first, 7)
    broken(folder / "flow-2022-03-23.csv", folder / "flow-broken.csv")


def one(rows: list[tuple[str, str]], path: Path, first: date, days: int) -> None:
    end = first + timedelta(days=days)
    lines = ["time,flow"]
    lines += [f"{time},{flow}" for time, flow in rows if first <= at(time).date() < end]
    path.write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")


def broken(good: Path, bad: Path) -> None:
    """The ordinary day as a failing logger might write it. The only file here that is not as it was measured."""
    lines = good.read_text(encoding="ascii").splitlines()
    time, _ = lines[5].split(",")
    lines[5] = f"{time},ERR"
    time, _ = lines[9].split(",")
    lines[9] = time
    time, _ = lines[17].split(",")
    lines[17] = f"{time},-3276.8"
    bad.write_text("\n".join(lines) + "\n", encoding="ascii", newline="\n")
