"""Learns from four years of days in Seattle what the next day brings; writes the models, what they must answer, and the data.

Two models of the kinds that most people have: a scikit-learn pipeline with an input for each column, numbers and a text
(`rain-tomorrow`), and a forest of LightGBM over a matrix (`low-tomorrow`). The years 2012 to 2014 are learned from, 2015 is not.
"""

from __future__ import annotations

import csv
import json
import pathlib

import lightgbm
import numpy as np
import onnx
import onnxruntime
import vega_datasets
from onnxmltools import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType as ForestFloats
from safetensors.numpy import save_file
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

HERE = pathlib.Path(__file__).resolve().parent.parent
NUMBERS = ["precipitation", "temp_max", "temp_min", "wind"]
TEXT = "weather"
OPSETS = {"": 15, "ai.onnx.ml": 3}  # the newest that both exporters know
SEED = 20150101
LEARNED = 3 * 365 + 1  # days of 2012, 2013 and 2014
ENGINE = f"onnxruntime {onnxruntime.__version__}"


def rows() -> list[dict[str, str]]:
    path = pathlib.Path(vega_datasets.__file__).parent / "_data" / "seattle-weather.csv"
    with open(path, newline="") as file:
        days = list(csv.DictReader(file))
    return [{**day, "date": day["date"].replace("/", "-")} for day in days]


def rain(numbers: np.ndarray, texts: np.ndarray, rainy: np.ndarray) -> onnx.ModelProto:
    """Whether it rains on the next day: label and probabilities, no ZipMap."""
    table = np.empty((len(numbers), len(NUMBERS) + 1), dtype=object)
    table[:, : len(NUMBERS)], table[:, len(NUMBERS)] = numbers, texts
    columns = ColumnTransformer(
        [
            ("numbers", StandardScaler(), list(range(len(NUMBERS)))),
            ("text", OneHotEncoder(handle_unknown="ignore"), [len(NUMBERS)]),
        ]
    )
    model = make_pipeline(columns, LogisticRegression(max_iter=1000, random_state=SEED))
    model.fit(table[:LEARNED], rainy[:LEARNED])
    chances = model.predict_proba(table)[:, 1]
    print(f"rain-tomorrow: area under the curve {roc_auc_score(rainy[LEARNED:] == 'rain', chances[LEARNED:]):.3f} on 2015")
    inputs = [(name, FloatTensorType([None, 1])) for name in NUMBERS] + [(TEXT, StringTensorType([None, 1]))]
    return to_onnx(model, initial_types=inputs, options={"zipmap": False}, target_opset=OPSETS)


def low(numbers: np.ndarray, lows: np.ndarray) -> onnx.ModelProto:
    """The next day's lowest temperature: x [n, 4] -> low [n, 1]."""
    model = lightgbm.LGBMRegressor(
        n_estimators=100,
        num_leaves=12,
        learning_rate=0.05,
        min_child_samples=40,
        random_state=SEED,
        n_jobs=1,
        deterministic=True,
        force_row_wise=True,
        verbose=-1,
    )
    model.fit(numbers[:LEARNED], lows[:LEARNED])
    wrong = np.abs(model.predict(numbers[LEARNED:]) - lows[LEARNED:]).mean()
    same = np.abs(numbers[LEARNED:, NUMBERS.index("temp_min")] - lows[LEARNED:]).mean()
    print(f"low-tomorrow: {wrong:.2f} degrees beside the truth on 2015; {same:.2f} by saying that it stays as it is")
    inputs = [("x", ForestFloats([None, len(NUMBERS)]))]
    exported = convert_lightgbm(model, initial_types=inputs, target_opset=OPSETS[""])
    output = exported.graph.output[0]
    for node in exported.graph.node:
        node.output[:] = ["low" if name == output.name else name for name in node.output]
    output.name = "low"
    return exported


def write(name: str, model: onnx.ModelProto) -> None:
    # Exporters put a random name here; the same training gives the same file.
    model.graph.name = name
    path = HERE / "models" / f"{name}.onnx"
    path.write_bytes(model.SerializeToString())
    print(f"{path.name}: {path.stat().st_size} bytes")


def run(model: onnx.ModelProto, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def as_json(tensors: dict[str, np.ndarray]) -> list[dict]:
    """As the Open Inference Protocol writes them."""
    kinds = {"float32": "FP32", "object": "BYTES"}
    return [
        # The shortest text of a float32 that reads back as the same.
        {"name": name, "datatype": kinds[str(value.dtype)], "shape": list(value.shape)}
        | {"data": [each if isinstance(each, str) else float(str(each)) for each in value.ravel()]}
        for name, value in tensors.items()
    ]


def main() -> None:
    days = rows()
    table = np.array([[float(day[name]) for name in NUMBERS] for day in days], dtype=np.float32)
    # A day is learned with what the one after it brought.
    numbers, texts = table[:-1], np.array([day[TEXT] for day in days[:-1]], dtype=object)
    rainy = np.where(table[1:, NUMBERS.index("precipitation")] > 0, "rain", "dry")
    lows = table[1:, NUMBERS.index("temp_min")]

    models = HERE / "models"
    forest = low(numbers.astype(np.float64), lows)
    pipeline = rain(numbers, texts, rainy)
    write("low-tomorrow", forest)
    write("rain-tomorrow", pipeline)

    # What the models must answer: days of each kind of weather that neither has seen, and one that nobody has.
    chosen = [LEARNED + int(np.flatnonzero(texts[LEARNED:] == kind)[0]) for kind in ("sun", "rain", "fog", "drizzle")]
    x = np.concatenate([numbers[chosen], np.array([[0, 45, 30, 25]], dtype=np.float32)])
    kinds = np.append(texts[chosen], "hail")
    answered = run(forest, {"x": x})
    golden = {"in.x": x} | {f"out.{name}": value for name, value in answered.items()}
    save_file(golden, models / "low-tomorrow.selftest.safetensors", metadata={"engine": ENGINE})
    # Safetensors has no texts: a request and its answer instead, as they go over the wire.
    asked = {name: x[:, [at]] for at, name in enumerate(NUMBERS)} | {TEXT: kinds[:, None]}
    (HERE / "client" / "rain.json").write_text(json.dumps({"inputs": as_json(asked)}, indent=1) + "\n")
    answer = {"engine": ENGINE, "outputs": as_json(run(pipeline, asked))}
    (models / "rain-tomorrow.golden.json").write_text(json.dumps(answer, indent=1) + "\n")

    for month in ("2015-01", "2015-07", "2015-12"):
        of = [day for day in days if day["date"].startswith(month)]
        with open(HERE / "data" / f"{month}.csv", "w", newline="") as file:
            writer = csv.DictWriter(file, list(of[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(of)


if __name__ == "__main__":
    main()
