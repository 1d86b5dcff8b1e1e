"""Compares Trackside's file identification with the Python package `magika`, which is the oracle.

    python compare.py fetch DIR             # real files from pinned registry packages into DIR, about 50 MB
    python compare.py golden DIR            # chooses files from DIR and writes golden.tsv from the oracle's answers
    python compare.py check DIR             # the oracle still says what golden.tsv says
    python compare.py vectors DIR OUT       # features and scores of every golden file, for the plugins' own tests
    python compare.py trackside DIR BINARY  # runs the workflow on every golden file and compares label and score

Nothing from DIR is kept in the repository: golden.tsv holds digests, labels and scores.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections import Counter, defaultdict
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parent
GOLDEN = HERE / "golden.tsv"
COLUMNS = ("sha256", "features", "size", "label", "model_label", "score", "overwrite", "source")
PER_KIND = 2  # files of one kind; one where the model was not sure, of which there are many kinds
MAX_BYTES = 2 << 20
# Of a score. Labels must be equal. The model's first normalisation subtracts two nearly equal sums on some inputs, so the
# order in which an engine adds float32 numbers shows: up to 0.009 between ONNX Runtime and rten on these files.
TOLERANCE = 0.02


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("fetch", "golden", "check", "vectors", "trackside"):
        command = commands.add_parser(name)
        command.add_argument("folder", type=Path)
        if name == "vectors":
            command.add_argument("out", type=Path)
        if name == "trackside":
            command.add_argument("binary", type=Path)
            command.add_argument("--engine", choices=("auto", "onnxruntime", "rten"), default="auto")
    arguments = parser.parse_args()
    match arguments.command:
        case "fetch":
            fetch(arguments.folder)
        case "golden":
            golden(arguments.folder)
        case "check":
            check(arguments.folder)
        case "vectors":
            vectors(arguments.folder, arguments.out)
        case "trackside":
            trackside(arguments.folder, arguments.binary, arguments.engine)


def fetch(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for line in (HERE / "packages.txt").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        kind, requirement = line.split()
        name = requirement.replace("==", "-")
        if (folder / name).is_dir():
            continue
        with tempfile.TemporaryDirectory() as temporary:
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", temporary]
            if kind == "wheel":
                pip += ["--only-binary=:all:", "--python-version=3.11", "--implementation=cp", "--abi=cp311"]
                pip += [
                    "--abi=none",
                    "--platform=manylinux_2_28_x86_64",
                    "--platform=manylinux2014_x86_64",
                    "--platform=any",
                ]
            else:
                pip += ["--no-binary=:all:"]
            subprocess.run([*pip, requirement], check=True)
            (archive,) = Path(temporary).iterdir()
            unpack(archive, folder / name)
        print(f"{name}: {sum(1 for path in (folder / name).rglob('*') if path.is_file())} files")


def unpack(archive: Path, into: Path) -> None:
    partial = into.with_name(into.name + ".partial")
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            wheel.extractall(partial)
    else:
        with tarfile.open(archive) as sdist:
            # An sdist has one folder at its top, named after the package.
            sdist.extractall(partial, filter="data")
    partial.rename(into)


class Oracle:
    """The Python package, with a look at what it feeds its model."""

    def __init__(self) -> None:
        from magika import Magika

        self.magika = Magika()

    def look(self, content: bytes) -> dict:
        import io

        from magika.types import Seekable

        result, features = self.magika._get_result_or_features_from_seekable(Seekable(io.BytesIO(content)))
        values = scores = None
        if result is None:
            values = [*features.beg, *features.end]
            scores = self.magika._get_raw_predictions([(Path("-"), features)])[0]
            result = self.magika.identify_bytes(content)
        prediction = result.prediction
        return {
            "values": values,
            "scores": scores,
            "label": str(prediction.output.label),
            "model_label": None if values is None else str(prediction.dl.label),
            "score": prediction.score,
            "overwrite": str(prediction.overwrite_reason).lower().replace("_", "-"),
        }


def digest_of(values: list[int] | None) -> str:
    """SHA-256 of the tensor's bytes (int32, little-endian); `-` when no model is needed."""
    if values is None:
        return "-"
    return hashlib.sha256(b"".join(value.to_bytes(4, "little", signed=True) for value in values)).hexdigest()


def row_of(content: bytes, answer: dict, source: str) -> dict[str, str]:
    return {
        "sha256": hashlib.sha256(content).hexdigest(),
        "features": digest_of(answer["values"]),
        "size": str(len(content)),
        "label": answer["label"],
        "model_label": answer["model_label"] or "-",
        "score": f"{answer['score']:.6f}",
        "overwrite": answer["overwrite"],
        "source": source,
    }


def golden(folder: Path) -> None:
    oracle = Oracle()
    chosen: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()):
        source = path.relative_to(folder).as_posix()
        if path.stat().st_size > MAX_BYTES or not source.isascii():
            continue
        content = path.read_bytes()
        answer = oracle.look(content)
        row = row_of(content, answer, source)
        # Kinds are told apart by what the model said and what was made of it; the digest makes the choice arbitrary
        # but the same every time.
        chosen[f"{row['label']}/{row['model_label']}/{row['overwrite']}"].setdefault(row["sha256"], row)
    rows = []
    for kind in sorted(chosen):
        wanted = 1 if kind.endswith("low-confidence") else PER_KIND
        rows += [row for _, row in sorted(chosen[kind].items())[:wanted]]
    with GOLDEN.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    labels = Counter(row["label"] for row in rows)
    print(f"{len(rows)} files of {len(labels)} kinds")


def rows_with_content(folder: Path):
    with GOLDEN.open(newline="") as file:
        for row in csv.DictReader(file, delimiter="\t"):
            path = folder / row["source"]
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() != row["sha256"]:
                raise SystemExit(f"{path} is not the file of golden.tsv: remove {folder} and fetch again")
            yield row, path, content


def check(folder: Path) -> None:
    oracle, problems, count = Oracle(), [], 0
    for row, _, content in rows_with_content(folder):
        now = row_of(content, oracle.look(content), row["source"])
        count += 1
        same = all(now[key] == row[key] for key in COLUMNS if key != "score")
        if not same or abs(float(now["score"]) - float(row["score"])) > TOLERANCE:
            problems.append(f"{row['source']}: golden {row}, now {now}")
    finish(count, problems, "the package agrees with golden.tsv")


def vectors(folder: Path, out: Path) -> None:
    oracle, count = Oracle(), 0
    out.parent.mkdir(parents=True, exist_ok=True)
    with out.open("w") as file:
        for row, path, content in rows_with_content(folder):
            answer = oracle.look(content)
            json.dump({"path": str(path.resolve()), "features": digest_of(answer["values"]), **answer}, file)
            file.write("\n")
            count += 1
    print(f"{count} vectors in {out}")


def trackside(folder: Path, binary: Path, engine: str) -> None:
    problems, count = [], 0
    # A copy, so that nothing of the comparison stays in the example.
    with tempfile.TemporaryDirectory() as temporary:
        project = Path(temporary) / "file-intake"
        for part in ("workflows", "models"):
            shutil.copytree(PROJECT / part, project / part)
        config = (PROJECT / "trackside.toml").read_text()
        (project / "trackside.toml").write_text(
            config.replace("[models.magika]\n", f'[models.magika]\nengine = "{engine}"\n')
        )
        for row, path, _ in rows_with_content(folder):
            count += 1
            command = [binary.resolve(), "--project", project, "run", "file-intake", "--file", path.resolve(), "--json"]
            done = subprocess.run(command, check=False, capture_output=True, text=True)
            if done.returncode != 0:
                problems.append(f"{row['source']}: exit code {done.returncode}: {done.stderr.strip()[-500:]}")
                continue
            outputs = json.loads(done.stdout)["outputs"]
            found = outputs.get("verdict") or outputs["verdict_without_model"]
            expected = (row["label"], row["model_label"], row["overwrite"])
            said = (found["label"], found["model_label"] or "-", found["overwrite"])
            if said != expected or abs(found["score"] - float(row["score"])) > TOLERANCE:
                problems.append(
                    f"{row['source']}: the package says {expected} {row['score']}, Trackside {said} {found['score']}"
                )
    finish(count, problems, f"Trackside ({engine}) agrees with the package")


def finish(count: int, problems: list[str], success: str) -> None:
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        raise SystemExit(f"{len(problems)} of {count} files differ")
    print(f"{success}: {count} files")


if __name__ == "__main__":
    main()
