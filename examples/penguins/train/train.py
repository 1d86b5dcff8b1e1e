"""Learns the species of a penguin from its row; writes models/penguin-species.onnx with an input for each column."""

import csv
import pathlib

import numpy as np
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

NUMBERS = ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g"]
TEXTS = ["island", "sex"]


def main() -> None:
    folder = pathlib.Path(__file__).parent.parent
    with open(folder / "data" / "penguins.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    columns = [[np.nan if row[name] == "NA" else float(row[name]) for row in rows] for name in NUMBERS]
    columns += [["unknown" if row[name] == "NA" else row[name] for row in rows] for name in TEXTS]
    table = np.array(columns, dtype=object).T
    numbers, texts = list(range(len(NUMBERS))), list(range(len(NUMBERS), len(NUMBERS) + len(TEXTS)))
    model = make_pipeline(
        ColumnTransformer(
            [
                ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), numbers),
                ("texts", OneHotEncoder(handle_unknown="ignore"), texts),
            ]
        ),
        LogisticRegression(max_iter=1000),
    )
    species = np.array([row["species"] for row in rows])
    model.fit(table, species)
    inputs = [(name, FloatTensorType([None, 1])) for name in NUMBERS]
    inputs += [(name, StringTensorType([None, 1])) for name in TEXTS]
    onnx_model = to_onnx(model, initial_types=inputs, options={"zipmap": False}, target_opset={"": 17, "ai.onnx.ml": 3})
    (folder / "models" / "penguin-species.onnx").write_bytes(onnx_model.SerializeToString())
    print(f"{np.mean(model.predict(table) == species):.3f} of {len(rows)} rows right")


if __name__ == "__main__":
    main()
