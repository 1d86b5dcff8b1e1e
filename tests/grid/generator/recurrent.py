"""LSTM, GRU, RNN."""

import itertools

import numpy as np

from .cells import TYPES, one, opsets, pick, types
from .values import plain, whole

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def recurrent():
    for operator, gates in GATES.items():
        for opset in opsets(operator):
            for kind in types(operator, opset):
                options = itertools.product(("forward", "reverse", "bidirectional"), (False, True), (False, True), (None, "mixed", "full", "short"), (0, 1), (None, 0.3))
                for direction, bias, initial, lengths, layout, clip in pick(options, 70 if kind == "float32" else 12, f"{operator}{opset}{kind}"):
                    if layout and opset < 14:
                        continue
                    key = f"{kind}-{direction}-{bias}-{initial}-{lengths}-{layout}-{clip}"
                    steps, batch, size, hidden = 4, 3, 2, 5
                    way = 2 if direction == "bidirectional" else 1
                    p = lambda shape, name: (plain(kind, shape, key + name, 0.6))
                    x = p((batch, steps, size) if layout else (steps, batch, size), "x")
                    state = (batch, way, hidden) if layout else (way, batch, hidden)
                    length = {None: None, "mixed": [4, 2, 3], "full": [4, 4, 4], "short": [1, 1, 2]}[lengths]
                    inputs = [
                        x, p((way, gates * hidden, size), "w"), p((way, gates * hidden, hidden), "r"),
                        p((way, 2 * gates * hidden), "b") if bias else None, None if length is None else whole(length, "int32"), p(state, "h") if initial else None,
                    ]  # fmt: skip
                    if operator == "LSTM":
                        inputs += [p(state, "c") if initial else None, p((way, 3 * hidden), "p") if bias and not lengths else None]
                    while inputs[-1] is None:
                        inputs.pop()
                    outputs = 3 if operator == "LSTM" else 2
                    extra = {"linear_before_reset": len(key) % 2} if operator == "GRU" else {}
                    yield one(operator, key, inputs, opset, outputs, consts=[1, 2, 3] if len(key) % 3 else [], hidden_size=hidden, direction=direction if direction != "forward" else None, layout=layout or None, clip=clip, **extra)


def activations():
    lists = {
        "RNN": [["Relu"], ["Sigmoid"], ["LeakyRelu"], ["Softsign"], ["Affine"], ["HardSigmoid"], ["Elu"], ["ThresholdedRelu"], ["ScaledTanh"], ["Softplus"]],
        "GRU": [["Sigmoid", "Relu"], ["HardSigmoid", "Tanh"], ["Relu", "Softsign"]],
        "LSTM": [["Sigmoid", "Relu", "Tanh"], ["HardSigmoid", "Tanh", "Tanh"], ["Sigmoid", "Tanh", "Softsign"], ["Sigmoid", "Tanh", "Relu"]],
    }
    for operator, forms in lists.items():
        for names in forms:
            for alpha in (False, True):
                for way in (1, 2):
                    key = f"act-{'-'.join(names)}-{alpha}-{way}"
                    gates, hidden, size = GATES[operator], 3, 2
                    p = lambda shape, name: plain("float32", shape, key + name, 0.6)
                    inputs = [p((3, 2, size), "x"), p((way, gates * hidden, size), "w"), p((way, gates * hidden, hidden), "r"), p((way, 2 * gates * hidden), "b")]
                    more = {"activation_alpha": [0.3] * (len(names) * way), "activation_beta": [0.4] * (len(names) * way)} if alpha else {}
                    yield one(operator, key, inputs, 14, 3 if operator == "LSTM" else 2, consts=[1, 2, 3], hidden_size=hidden, activations=names * way, direction="bidirectional" if way == 2 else None, **more)
    for outputs in ([True, False, False], [False, True, False], [False, False, True], [True, True, False]):
        key = f"out-{outputs}"
        p = lambda shape, name: plain("float32", shape, key + name, 0.6)
        yield one("LSTM", key, [p((3, 1, 2), "x"), p((1, 16, 2), "w"), p((1, 16, 4), "r")], 14, outputs, hidden_size=4)
    yield one("LSTM", "forget", [plain("float32", (3, 1, 2), "x"), plain("float32", (1, 16, 2), "w"), plain("float32", (1, 16, 4), "r")], 14, hidden_size=4, input_forget=1)
    yield one("LSTM", "long", [plain("float32", (40, 2, 8), "x"), plain("float32", (1, 128, 8), "w", 0.2), plain("float32", (1, 128, 32), "r", 0.2)], 14, 3, consts=[1, 2], hidden_size=32)
    yield one("GRU", "long", [plain("float32", (40, 2, 8), "x"), plain("float32", (1, 96, 8), "w", 0.2), plain("float32", (1, 96, 32), "r", 0.2)], 14, 2, consts=[1, 2], hidden_size=32)


def all_specs():
    for group in (recurrent, activations):
        yield from group()
