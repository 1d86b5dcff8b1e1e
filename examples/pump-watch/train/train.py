"""Trains the anomaly model of this example and writes everything that is derived from the data.

    python train.py          # writes ../models and ../data, prints the metrics
    python train.py --check  # trains again and compares with the committed model instead of writing

The model is an autoencoder: it learns to press 12 hours of healthy flow through three numbers and to draw them again.
What it draws badly it has never seen. Scaling, autoencoder, reconstruction error and calibration are one ONNX graph, so
that whoever calls the model sends litres per second and gets a score.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from safetensors.numpy import load_file, save_file
from sklearn.neural_network import MLPRegressor

import graph
import series
import slices

HERE = Path(__file__).resolve().parent
MODEL = HERE.parent / "models" / "pump-anomaly.onnx"
SELFTEST = HERE.parent / "models" / "pump-anomaly.selftest.safetensors"

SEED = 20220320
# Time order decides who learns and who is tested; nothing of the future reaches the model.
TRAIN_END = series.at("2022-04-15T00:00+02:00")
CALIBRATION_END = series.at("2022-04-25T00:00+02:00")
QUANTILE = 0.995  # of the errors on healthy hours that were not trained on: score 1.0
ALERT = 3.0  # the workflow's threshold: three times that error


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with the committed model, write nothing")
    check = parser.parse_args().check

    rows = series.read_rows()
    windows = series.windows(rows)
    healthy = windows.mask(lambda first, last, segment: segment is None)
    train = healthy & windows.mask(lambda first, last, segment: last < TRAIN_END)
    calibration = healthy & windows.mask(lambda first, last, segment: first >= TRAIN_END and last < CALIBRATION_END)
    held_out = windows.mask(lambda first, last, segment: first >= CALIBRATION_END)
    print(f"{len(rows)} hours, {len(windows.first)} windows of {series.WINDOW} h without a gap")
    print(f"healthy: {train.sum()} train, {calibration.sum()} calibrate, {(held_out & healthy).sum()} held out")

    mean, deviation = windows.values[train].mean(), windows.values[train].std()
    scaled = (windows.values - mean) / deviation
    network = MLPRegressor(
        hidden_layer_sizes=(8, 3, 8),
        activation="tanh",
        alpha=1e-4,
        max_iter=3000,
        tol=1e-5,
        n_iter_no_change=30,
        random_state=SEED,
    ).fit(scaled[train], scaled[train])
    layers = list(zip(network.coefs_, network.intercepts_, strict=True))

    error = np.sqrt(((network.predict(scaled) - scaled) ** 2).mean(axis=1))
    limit = np.quantile(error[calibration], QUANTILE)
    model = graph.build(mean, deviation, layers, limit, ALERT)

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    values = windows.values.astype(np.float32)
    score = session.run(["score"], {"x": values})[0]
    # float32 arithmetic on inputs of 100 l/s costs digits, never the decision.
    assert np.allclose(score, error / limit, rtol=1e-3, atol=1e-3), np.abs(score - error / limit).max()

    report(windows, score, error, train, calibration, held_out, healthy)

    # Healthy windows, each kind of trouble, and both ends of the score's range.
    chosen = [
        0,
        1,
        2,
        *(
            int(np.flatnonzero(windows.mask(lambda f, l, s, n=name: s == n))[5])
            for name in ("loss 1", "loss 2", "pumping", "loss 3")
        ),
        int(score.argmin()),
        int(score.argmax()),
    ]
    selftest = {"in.x": values[chosen], "out.score": score[chosen]}
    if check:
        compare(model, selftest)
    else:
        MODEL.parent.mkdir(exist_ok=True)
        MODEL.write_bytes(model.SerializeToString())
        # `trackside check` tells where the model runs on another engine than the one that made these numbers.
        save_file(selftest, SELFTEST, metadata={"engine": f"onnxruntime {onnxruntime.__version__}"})
        slices.write(rows, HERE.parent / "data")
        print(f"written: {MODEL.name} ({MODEL.stat().st_size} bytes), {SELFTEST.name}")


def report(windows, score, error, train, calibration, held_out, healthy) -> None:
    print("reconstruction error (standard deviations of the flow), mean and 99th percentile:")
    for name, mask in (("train", train), ("calibrate", calibration), ("held out", held_out & healthy)):
        print(f"  {name:<10}{error[mask].mean():6.3f}{np.quantile(error[mask], 0.99):7.3f}")
    print(f"windows scored above {ALERT:g}:")
    for name in ("loss 1", "loss 2", "pumping", "loss 3"):
        mask = windows.mask(lambda first, last, segment, name=name: segment == name)
        part = "held out" if held_out[mask].all() else "before the split, never trained on"
        print(
            f"  {name:<10}{(score[mask] > ALERT).sum():4} of {mask.sum():<4} highest {score[mask].max():7.1f}  ({part})"
        )
    for name, mask in (("healthy, train", train), ("healthy, held out", held_out & healthy)):
        worst = int(np.argmax(np.where(mask, score, -1)))
        print(
            f"  {name:<18}{(score[mask] > ALERT).sum():3} of {mask.sum():<4} highest {score[worst]:.2f},"
            f" window from {windows.first[worst]:%Y-%m-%d %H:%M}"
        )


def compare(model: onnx.ModelProto, selftest: dict[str, np.ndarray]) -> None:
    """Training repeats to rounding (BLAS differs between machines), so scores are compared, not bytes."""
    committed = load_file(SELFTEST)
    np.testing.assert_array_equal(committed["in.x"], selftest["in.x"])
    np.testing.assert_allclose(committed["out.score"], selftest["out.score"], rtol=5e-2, atol=5e-2)
    session = onnxruntime.InferenceSession(MODEL.read_bytes(), providers=["CPUExecutionProvider"])
    score = session.run(["score"], {"x": committed["in.x"]})[0]
    np.testing.assert_allclose(score, committed["out.score"], rtol=1e-5, atol=1e-5)
    same = MODEL.read_bytes() == model.SerializeToString()
    print("the committed model is this one" + (", bit for bit" if same else " to rounding"))


if __name__ == "__main__":
    main()
