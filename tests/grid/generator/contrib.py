"""Operators that ONNX Runtime adds (com.microsoft)."""

import itertools

import numpy as np

from .cells import TYPES, one, rng
from .values import plain, positive, sharp, whole

DOMAIN = "com.microsoft"


def ms(operator, label, inputs, outputs=1, consts=(), **attributes):
    return one(operator, label, inputs, 1, outputs, consts, DOMAIN, **attributes)


def activations():
    for kind in ("float32", "float16", "float64"):
        for operator in ("Gelu", "QuickGelu"):
            yield ms(operator, kind, [sharp(kind, (5, 7), kind)])
            yield ms(operator, f"{kind}-near", [plain(kind, (3, 4), kind)])
        yield ms("QuickGelu", f"{kind}-alpha", [plain(kind, (3, 4), kind)], alpha=1.0)
        yield ms("BiasGelu", kind, [plain(kind, (3, 4), kind), plain(kind, (4,), "b")], consts=[1])
        yield ms("FastGelu", kind, [plain(kind, (3, 4), kind)])
        yield ms("FastGelu", f"{kind}-bias", [plain(kind, (3, 4), kind), plain(kind, (4,), "b")], consts=[1])
        for alpha in (None, 0.7):
            yield ms("FusedMatMul", f"{kind}-{alpha}", [plain(kind, (2, 3), kind), plain(kind, (4, 3), "b")], alpha=alpha, transB=1)
    for activation in ("Relu", "Tanh", "Sigmoid"):
        yield ms("FusedGemm", activation, [plain("float32", (2, 3), "a"), plain("float32", (3, 4), "b"), plain("float32", (4,), "c")], activation=activation)
        yield ms("FusedConv", activation, [plain("float32", (1, 2, 4, 4), "a"), plain("float32", (3, 2, 3, 3), "b"), plain("float32", (3,), "c")], activation=activation, pads=[1, 1, 1, 1])


def norms():
    for kind in ("float32", "float16"):
        for beta, bias, outputs in itertools.product((False, True), (False, True), (1, 4)):
            for epsilon in (None, 1e-3):
                key = f"{kind}-{beta}-{bias}-{outputs}-{epsilon}"
                x, skip, gamma = plain(kind, (2, 3, 4), key), plain(kind, (2, 3, 4), key + "s"), plain(kind, (4,), "g")
                given = [x, skip, gamma, plain(kind, (4,), "b") if beta else None, plain(kind, (4,), "bias") if bias else None]
                while given[-1] is None:
                    given.pop()
                wanted = [True] if outputs == 1 else [True, False, False, True]
                yield ms("SkipLayerNormalization", key, given, wanted, consts=[2, 3, 4], epsilon=epsilon)
                if not beta:
                    simple = [x, skip, gamma] + ([plain(kind, (4,), "bias")] if bias else [])
                    yield ms("SkipSimplifiedLayerNormalization", key, simple, wanted, consts=[2, 3], epsilon=epsilon)
        yield one("SimplifiedLayerNormalization", kind, [plain(kind, (2, 3, 4), kind), plain(kind, (4,), "g")], 17, consts=[1])


def quantised():
    random = rng("nbits")
    for bits, block, symmetric in itertools.product((4,), (16, 32), (True, False)):
        for k, n in [(32, 5), (64, 16), (40, 3)]:
            key = f"{bits}-{block}-{symmetric}-{k}"
            blocks = -(-k // block)
            b = random.integers(0, 256, (n, blocks, block * bits // 8)).astype(np.uint8)
            scales = random.uniform(0.01, 0.1, (n * blocks,)).astype(np.float32)
            inputs = [plain("float32", (2, k), key), b, scales]
            if not symmetric:
                inputs.append(random.integers(0, 256, (n * -(-blocks * bits // 8),)).astype(np.uint8))
            yield ms("MatMulNBits", key, inputs, consts=[1, 2, 3], K=k, N=n, bits=bits, block_size=block)
    for way, direction in [(1, None), (2, "bidirectional"), (1, "reverse")]:
        hidden, size = 4, 3
        for kind in ("uint8", "int8"):
            w = plain(kind, (way, size, 4 * hidden), f"w{way}")
            r = plain(kind, (way, hidden, 4 * hidden), f"r{way}")
            zero = np.zeros((way,), TYPES[kind])
            inputs = [plain("float32", (3, 2, size), "x"), w, r, plain("float32", (way, 8 * hidden), "b"), None, None, None, None, np.full((way,), 0.02, np.float32), zero, np.full((way,), 0.03, np.float32), zero]
            yield ms("DynamicQuantizeLSTM", f"{kind}-{direction}", inputs, 3, consts=range(1, 12), hidden_size=hidden, direction=direction)
    for kind in ("uint8", "int8"):
        b = plain(kind, (8, 5), kind)
        yield ms("DynamicQuantizeMatMul", kind, [plain("float32", (2, 8), "x"), b, np.float32(0.02), np.array(2, TYPES[kind])], consts=[1, 2, 3])
        yield ms("MatMulIntegerToFloat", kind, [plain("uint8", (2, 8), "a"), b, np.float32(0.1), np.float32(0.02), np.array(1, np.uint8), np.array(2, TYPES[kind])], consts=[1, 3, 5])
        for operator in ("QLinearAdd", "QLinearMul"):
            a, c = sharp(kind, (3, 4), kind), plain(kind, (4,), kind)
            scale = [np.float32(v) for v in (0.1, 0.05, 0.12)]
            zero = [np.array(v, TYPES[kind]) for v in (1, 2, 3)]
            yield ms(operator, kind, [a, scale[0], zero[0], c, scale[1], zero[1], scale[2], zero[2]], consts=[1, 2, 4, 5, 6, 7])
        yield ms("QLinearSigmoid", kind, [sharp(kind, (3, 4), kind), np.float32(0.1), np.array(1, TYPES[kind]), np.float32(1 / 256), np.array(0, TYPES[kind])], consts=[1, 2, 3, 4])
        yield ms("QLinearLeakyRelu", kind, [sharp(kind, (3, 4), kind), np.float32(0.1), np.array(1, TYPES[kind]), np.float32(0.1), np.array(1, TYPES[kind])], consts=[1, 2, 3, 4], alpha=0.1)
        yield ms("QLinearGlobalAveragePool", kind, [sharp(kind, (1, 2, 3, 4), kind), np.float32(0.1), np.array(1, TYPES[kind]), np.float32(0.1), np.array(1, TYPES[kind])], consts=[1, 2, 3, 4])
        for operator in ("QuantizeLinear", "DequantizeLinear"):
            x = plain("float32", (3, 4), kind) * 5 if operator[0] == "Q" else plain(kind, (3, 4), kind)
            yield ms(operator, kind, [x, np.float32(0.1), np.array(3, TYPES[kind])], consts=[1, 2])


def attention():
    for heads in (1, 2):
        q, k, v = (plain("float32", (1, n, 8), name) for n, name in ((3, "q"), (5, "k"), (5, "v")))
        yield ms("MultiHeadAttention", f"{heads}", [q, k, v], num_heads=heads)
        yield ms("MultiHeadAttention", f"{heads}-bias", [q, k, v, plain("float32", (24,), "b")], num_heads=heads)
        yield ms("MultiHeadAttention", f"{heads}-scale", [q, k, v], num_heads=heads, scale=0.2)
        mask = plain("float32", (1, heads, 3, 5), "m")
        yield ms("MultiHeadAttention", f"{heads}-mask", [q, k, v, None, None, mask], num_heads=heads)
        yield ms("Attention", f"{heads}", [plain("float32", (1, 3, 8), "x"), plain("float32", (8, 24), "w"), plain("float32", (24,), "b")], num_heads=heads)
        yield ms("Attention", f"{heads}-causal", [plain("float32", (1, 3, 8), "x"), plain("float32", (8, 24), "w"), plain("float32", (24,), "b")], num_heads=heads, unidirectional=1)
    for interleaved in (0, 1):
        cache = [plain("float32", (6, 2), "c"), plain("float32", (6, 2), "s")]
        for offset in ([1], [[0, 1, 2]]):
            x = plain("float32", (1, 2, 3, 4), "x")
            yield ms("RotaryEmbedding", f"{interleaved}-{np.ndim(offset)}", [x, whole(offset), *cache], interleaved=interleaved)
    for groups in (1, 2):
        q = plain("float32", (1, 3, 16), "q")
        k, v = plain("float32", (1, 3, 8 * groups), "k"), plain("float32", (1, 3, 8 * groups), "v")
        past = np.zeros((1, groups, 0, 8), np.float32)
        yield ms("GroupQueryAttention", f"{groups}", [q, k, v, past, past, whole([2], "int32"), whole(3, "int32")], 3, num_heads=2, kv_num_heads=groups)


def others():
    yield ms("Inverse", "plain", [plain("float32", (2, 3, 3), "inv") + 3 * np.eye(3, dtype=np.float32)])
    yield ms("ExpandDims", "plain", [plain("float32", (2, 3), "e"), whole(1, "int32")], consts=[1])
    yield ms("CDist", "euclidean", [plain("float32", (3, 4), "a"), plain("float32", (2, 4), "b")], metric="euclidean")
    yield ms("CDist", "sqeuclidean", [plain("float32", (3, 4), "a"), plain("float32", (2, 4), "b")], metric="sqeuclidean")
    yield ms("Unique", "plain", [whole([2, 1, 1, 3, 4, 3], "int32").astype(np.float32)], 3)
    yield ms("Trilu", "plain", [plain("float32", (3, 4), "t"), whole(1)], upper=0)
    yield ms("BiasSoftmax", "plain", [plain("float32", (2, 3, 4), "t"), plain("float32", (2, 1, 4), "u")], axis=2, is_inner_broadcast=1)
    yield ms("QGemm", "plain", [plain("uint8", (2, 8), "a"), np.float32(0.1), np.array(3, np.uint8), plain("uint8", (8, 4), "b"), np.float32(0.05), np.array(2, np.uint8), plain("int32", (4,), "c"), np.float32(0.1), np.array(1, np.uint8)], consts=[1, 2, 3, 4, 5, 6, 7, 8])


def all_specs():
    for group in (activations, norms, quantised, attention, others):
        yield from group()
