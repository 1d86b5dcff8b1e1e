"""The file that cells are kept in: a ZIP archive with one deflated entry, `cells`.

The entry is a sequence of records. A record is a length (four bytes, little endian), so many bytes of JSON, and then the
bytes that the JSON counts: the model, the inputs in order, the outputs in order. Text is in the JSON itself."""

import json
import struct
import zipfile

import numpy as np

NAMES = {
    "float32": "float32", "float64": "float64", "float16": "float16", "bool": "boolean", "bfloat16": "bfloat16",
} | {f"{sign}int{bits}": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}  # fmt: skip


def json_of(value):
    """What is no tensor, as Trackside writes it: keys are text, numbers that JSON lacks are texts."""
    if isinstance(value, dict):
        return {str(key): json_of(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_of(part) for part in value]
    if isinstance(value, np.ndarray):
        return json_of(value.tolist())
    if isinstance(value, float):
        return value if np.isfinite(value) else "NaN" if np.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def describe(name, value):
    if isinstance(value, (list, dict)):
        return {"name": name, "type": "json", "shape": [], "json": json_of(value)}, b""
    if value is None:
        # An optional value that is none.
        return {"name": name, "type": "json", "shape": [], "json": None}, b""
    value = np.asarray(value)
    if value.dtype != object and value.dtype.kind not in "US" and value.dtype.name not in NAMES:
        return {"name": name, "type": value.dtype.name, "shape": list(value.shape)}, b""
    shape = list(value.shape)
    if value.dtype == object or value.dtype.kind in "US":
        return {"name": name, "type": "text", "shape": shape, "text": [str(text) for text in value.flatten()]}, b""
    data = np.ascontiguousarray(value).tobytes()
    return {"name": name, "type": NAMES[value.dtype.name], "shape": shape, "bytes": len(data)}, data


def record(operator, name, group, model, feeds, outputs):
    inputs = [describe(*pair) for pair in feeds.items()]
    expected = [describe(*pair) for pair in outputs.items()]
    head = {
        "operator": operator, "name": name, "group": group, "model": len(model),
        "inputs": [header for header, _ in inputs], "outputs": [header for header, _ in expected],
    }  # fmt: skip
    text = json.dumps(head, separators=(",", ":"), ensure_ascii=False).encode()
    return b"".join([struct.pack("<I", len(text)), text, model, *(data for _, data in inputs + expected)])


def write(path, records):
    # A fixed time: the same cells give the same file.
    entry = zipfile.ZipInfo("cells", (2026, 1, 1, 0, 0, 0))
    entry.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(path, "w", compresslevel=9) as archive, archive.open(entry, "w") as out:
        for one in records:
            out.write(one)
