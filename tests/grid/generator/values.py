"""Values that find faults."""

import numpy as np

from .cells import TYPES, rng

SHARP_FLOATS = [
    np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 3.0, 1e-5, -1e-5, 100.0, -100.0,
    88.8, -104.0, 0.1, 7.0, 2147483648.0, -2147483904.0, 1e-30, 255.5,
]  # fmt: skip
TEXTS = ["", "a", "B", "äöü", "12", "-1.5", "a b", "0", "inf", "zz"]


def sharp(kind, shape, key):
    """Extremes first, then what lies between, shuffled; as many as the shape takes."""
    random = rng(key)
    dtype = TYPES[kind]
    count = int(np.prod(shape))
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            limits = np.finfo(dtype)
            special = np.array(SHARP_FLOATS + [limits.max, limits.tiny], np.float64).astype(dtype)
            values = np.concatenate([special, random.normal(0, 3, max(count, 4)).astype(dtype)])
    elif dtype.kind in "iu":
        limits = np.iinfo(dtype)
        special = [0, 1, 2, 3, limits.max, limits.min, limits.max - 1, 127, 100]
        if dtype.kind == "i":
            special += [-1, -2, -3, -7]
        if dtype.itemsize == 8:
            special += [2**31, 2**31 - 1, 2**32, 2**53 + 1]
        near = random.integers(-9 if dtype.kind == "i" else 0, 10, max(count, 4)).astype(dtype)
        values = np.concatenate([np.array(special, dtype=dtype), near])
    else:
        return plain(kind, shape, key)
    random.shuffle(values)
    return np.resize(values, count).reshape(shape).astype(dtype)


def plain(kind, shape, key, scale=1.0):
    """Ordinary values: nothing overflows."""
    random = rng(key)
    dtype = TYPES[kind]
    if kind == "bool":
        return random.integers(0, 2, shape).astype(np.bool_).reshape(shape)
    if kind == "string":
        return np.array([TEXTS[place] for place in random.integers(0, len(TEXTS), int(np.prod(shape)))], object).reshape(shape)
    if dtype.kind == "f":
        return np.asarray(random.normal(0, scale, shape)).astype(dtype).reshape(shape)
    low = -9 if dtype.kind == "i" else 0
    return np.asarray(random.integers(low, 10, shape)).astype(dtype).reshape(shape)


def positive(kind, shape, key):
    """Greater than zero: divisors, deviations."""
    random = rng(key)
    dtype = TYPES[kind]
    if dtype.kind == "f":
        return np.asarray(random.uniform(0.1, 3, shape)).astype(dtype).reshape(shape)
    return np.asarray(random.integers(1, 7, shape)).astype(dtype).reshape(shape)


def divisors(kind, shape, key):
    """Integers with extremes but without zero, and without -1, under which the least integer has no quotient (ONNX
    Runtime's process ends)."""
    values = sharp(kind, shape, key)
    if values.dtype.kind in "iu":
        values[(values == 0) | (values == values.dtype.type(-1) if values.dtype.kind == "i" else values == 0)] = 3
    return values


def ties(kind, shape, key):
    """Few different values, so that there are ties."""
    if kind == "bool":
        return plain(kind, shape, key)
    return np.asarray(rng(key).integers(0, 3, shape)).astype(TYPES[kind]).reshape(shape)


def whole(values, kind="int64"):
    return np.array(values, dtype=TYPES[kind])
