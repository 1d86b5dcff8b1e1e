"""Writes what must come out for every file of ../samples, and the model's self-test.

    python expected.py

expected.tsv: the label, score and overwrite are the Python package's; the verdict and its reason are ours, listed here.
"""

from __future__ import annotations

import csv
from importlib.metadata import version
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from compare import Oracle, row_of

HERE = Path(__file__).resolve().parent
SAMPLES = HERE.parent / "samples"
SELFTEST = HERE.parent / "models" / "magika" / "selftest.safetensors"
SELFTEST_SAMPLES = ("chart.png", "series.py", "update.txt")

# Under the policy that the workflow has by default.
QUARANTINE = {
    "invoice.pdf": "mismatch",
    "holiday.jpg": "denied-type",
    "letter.docx": "mismatch",
    "update.txt": "denied-type",
    "empty.csv": "empty",
    "noise.dat": "unknown-content",
}


def main() -> None:
    oracle, values, scores = Oracle(), [], []
    with (HERE / "expected.tsv").open("w", newline="") as file:
        columns = ("name", "label", "model_label", "score", "overwrite", "verdict", "reason")
        writer = csv.DictWriter(file, columns, delimiter="\t", lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        for path in sorted(SAMPLES.iterdir()):
            content = path.read_bytes()
            answer = oracle.look(content)
            row = row_of(content, answer, path.name)
            reason = QUARANTINE.get(path.name, "match")
            verdict = "quarantine" if path.name in QUARANTINE else "accepted"
            writer.writerow({**row, "name": path.name, "verdict": verdict, "reason": reason})
            if path.name in SELFTEST_SAMPLES:
                values.append(answer["values"])
                scores.append(answer["scores"])
    selftest = {"in.bytes": np.array(values, dtype=np.int32), "out.target_label": np.array(scores, dtype=np.float32)}
    # `trackside check` tells where the model runs on another engine than the one that made these numbers.
    save_file(selftest, SELFTEST, metadata={"engine": f"onnxruntime {version('onnxruntime')}"})
    SELFTEST.chmod(0o644)


if __name__ == "__main__":
    main()
