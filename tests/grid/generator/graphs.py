"""Random small graphs of several operators: what single nodes do not show (reuse of memory, fusion, order)."""

import numpy as np
from onnx import helper

from .cells import many, rng
from .values import whole

ONE = ["Relu", "Sigmoid", "Tanh", "Abs", "Neg", "Exp", "Identity", "Softplus", "Erf", "LeakyRelu", "Floor", "HardSigmoid", "Sin"]
TWO = ["Add", "Sub", "Mul", "Max", "Min", "Sum"]


class Graph:
    """A graph that grows by chance."""

    def __init__(self, seed):
        self.random = rng(f"graph{seed}")
        self.nodes, self.consts = [], {}
        shape = tuple(int(n) for n in self.random.integers(1, 5, 3))
        self.feeds = {"x": self.value(shape), "y": self.value(shape)}
        self.known = {"x": shape, "y": shape}
        self.count = 0

    def value(self, shape):
        return self.random.normal(0, 1, shape).astype(np.float32)

    def constant(self, value):
        name = f"k{len(self.consts)}"
        self.consts[name] = np.asarray(value)
        return name

    def add(self, operator, inputs, shape, **attributes):
        name = f"v{self.count}"
        self.count += 1
        self.nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        self.known[name] = tuple(shape)
        return name

    def pick(self):
        names = list(self.known)
        # The newest is taken often: graphs are deep rather than wide.
        return names[-1] if self.random.random() < 0.6 else names[int(self.random.integers(len(names)))]

    def step(self):
        random, a = self.random, self.pick()
        shape = self.known[a]
        rank = len(shape)
        axis = int(random.integers(rank)) if rank else 0
        kind = int(random.integers(14))
        if kind <= 2:
            self.add(str(random.choice(ONE)), [a], shape)
        elif kind <= 4:
            same = [name for name, other in self.known.items() if other == shape]
            self.add(str(random.choice(TWO)), [a, same[int(random.integers(len(same)))]], shape)
        elif kind == 5:
            other = self.constant(self.value(tuple(n if random.random() < 0.6 else 1 for n in shape)))
            self.add(str(random.choice(TWO)), [a, other] if random.random() < 0.5 else [other, a], shape)
        elif kind == 6 and rank >= 2:
            wide = int(random.integers(1, 6))
            self.add("MatMul", [a, self.constant(self.value((shape[-1], wide)))], shape[:-1] + (wide,))
        elif kind == 7 and rank >= 2:
            perm = [int(n) for n in random.permutation(rank)]
            self.add("Transpose", [a], [shape[n] for n in perm], perm=perm)
        elif kind == 8 and rank:
            keep = int(random.integers(2))
            result = list(shape)
            result[axis : axis + 1] = [1] if keep else []
            self.add(str(random.choice(["ReduceMean", "ReduceMax", "ReduceMin", "ReduceL2"])), [a], result, axes=[axis], keepdims=keep)
        elif kind == 9 and rank:
            self.add("Softmax", [a], shape, axis=axis)
        elif kind == 10 and rank:
            self.add("Concat", [a, a], shape[:axis] + (2 * shape[axis],) + shape[axis + 1 :], axis=axis)
        elif kind == 11 and rank and shape[axis] > 1:
            parts = [self.constant(whole([n])) for n in (1, 2**40, axis)]
            self.add("Slice", [a, *parts], shape[:axis] + (shape[axis] - 1,) + shape[axis + 1 :])
        elif kind == 12 and rank:
            flat = int(np.prod(shape))
            self.add("Reshape", [a, self.constant(whole([flat, -1]))], (flat, 1))
        elif kind == 13:
            test = self.add("Greater", [a, self.constant(np.float32(0.1))], shape)
            self.add("Where", [test, a, self.constant(np.float32(-0.5))], shape)
            del self.known[test]


def all_specs():
    for seed in range(1200):
        graph = Graph(seed)
        while graph.count < 4 + seed % 14:
            graph.step()
        last = list(graph.known)[-1]
        # Values in the middle are outputs too: they must outlive their last use.
        middle = [name for name in graph.known if name not in ("x", "y", last)][:: 3 + seed % 3]
        yield many("several", f"graph-{seed}", graph.nodes, graph.feeds, graph.consts, [last, *middle], 13 if seed % 2 else 17)
