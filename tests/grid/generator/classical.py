"""ai.onnx.ml: what scikit-learn and its kind export."""

import itertools

import numpy as np
from onnx import helper

from .cells import TYPES, many, one, rng
from .values import plain, sharp, whole

DOMAIN = "ai.onnx.ml"


def ml(operator, label, inputs, outputs=1, opset=3, **attributes):
    return one(operator, label, inputs, opset, outputs, (), DOMAIN, **attributes)


def forest(random, trees, depth, features, targets, modes, default=0.0):
    """Nodes of whole random trees, in the attributes of a tree ensemble."""
    lists = {key: [] for key in ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids", "missing_value_tracks_true", "hitrates")}
    leaves = {key: [] for key in ("treeids", "nodeids", "ids", "weights")}
    for tree in range(trees):
        count = 2 ** (depth + 1) - 1
        for at in range(count):
            leaf = at >= 2**depth - 1
            row = {
                "treeids": tree, "nodeids": at, "featureids": 0 if leaf else int(random.integers(features)), "values": 0.0 if leaf else float(np.float32(random.normal())),
                "modes": "LEAF" if leaf else modes[int(random.integers(len(modes)))], "truenodeids": 0 if leaf else 2 * at + 1, "falsenodeids": 0 if leaf else 2 * at + 2,
                "missing_value_tracks_true": int(random.integers(2)), "hitrates": 1.0,
            }  # fmt: skip
            for key, value in row.items():
                lists[key].append(value)
            if leaf:
                for target in range(targets):
                    for key, value in {"treeids": tree, "nodeids": at, "ids": target, "weights": float(np.float32(random.normal()))}.items():
                        leaves[key].append(value)
    return {f"nodes_{key}": value for key, value in lists.items()}, leaves


def trees():
    modes_of = [["BRANCH_LEQ"], ["BRANCH_LT"], ["BRANCH_GT"], ["BRANCH_GTE"], ["BRANCH_EQ"], ["BRANCH_NEQ"], ["BRANCH_LEQ", "BRANCH_GT"]]
    for modes, kind, opset in itertools.product(modes_of, ("float32", "float64", "int64", "int32"), (1, 3)):
        key = f"{'-'.join(modes)}-{kind}"
        random = rng(key)
        x = sharp(kind, (6, 4), key)
        for targets, aggregate, post in [(1, "SUM", "NONE"), (2, "AVERAGE", "NONE"), (1, "MIN", "NONE"), (3, "MAX", "NONE"), (2, "SUM", "SOFTMAX"), (1, "SUM", "LOGISTIC"), (1, "SUM", "PROBIT"), (3, "SUM", "SOFTMAX_ZERO")]:
            nodes, leaves = forest(random, 3, 3, 4, targets, modes)
            for base in (None, [0.5] * targets):
                if post == "PROBIT" and base is not None:
                    continue
                yield ml("TreeEnsembleRegressor", f"{key}-{targets}-{aggregate}-{post}-{base}", [x], opset=opset, n_targets=targets, aggregate_function=aggregate, post_transform=post, base_values=base, **nodes, **{f"target_{k}": v for k, v in leaves.items()})
        for classes, post, labels in itertools.product((2, 3), ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"), ("int", "text")):
            nodes, leaves = forest(random, 3, 3, 4, classes, modes)
            names = {"classlabels_int64s": list(range(10, 10 + classes))} if labels == "int" else {"classlabels_strings": ["a", "b", "c"][:classes]}
            yield ml("TreeEnsembleClassifier", f"{key}-{classes}-{post}-{labels}", [x], 2, opset, post_transform=post, **names, **nodes, **{f"class_{k}": v for k, v in leaves.items()})
    # Binary classifiers whose leaves speak of one class alone.
    for post, sign in itertools.product(("NONE", "LOGISTIC", "SOFTMAX", "PROBIT"), (1, -1, 0)):
        nodes, leaves = forest(rng(post), 4, 2, 4, 1, ["BRANCH_LEQ"])
        weights = [sign * abs(w) if sign else w for w in leaves["weights"]] if sign else leaves["weights"]
        if post == "PROBIT":
            weights = [0.1 + abs(w) / 20 for w in weights]
        leaves = leaves | {"weights": weights, "ids": [1] * len(weights)}
        for base in (None, [0.25]):
            yield ml("TreeEnsembleClassifier", f"binary-{post}-{sign}-{base}", [plain("float32", (6, 4), post)], 2, post_transform=post, base_values=base, classlabels_int64s=[0, 1], **nodes, **{f"class_{k}": v for k, v in leaves.items()})
    # Two classes with a score each, as CatBoost's exporter writes them.
    for kind, post, rows in itertools.product(("float32", "float64", "int64"), ("NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO"), (1, 7)):
        nodes, leaves = forest(rng(f"both{post}{kind}"), 4, 3, 4, 2, ["BRANCH_LEQ", "BRANCH_GT"])
        yield ml("TreeEnsembleClassifier", f"both-{kind}-{post}-{rows}", [plain(kind, (rows, 4), f"{kind}{post}")], 2, 3, post_transform=post, classlabels_int64s=[0, 1], **nodes, **{f"class_{k}": v for k, v in leaves.items()})
    # Many trees, many rows: the parallel ways through.
    for count, rows in [(100, 1), (100, 40), (3, 200), (50, 2)]:
        nodes, leaves = forest(rng(f"{count}"), count, 5, 8, 2, ["BRANCH_LEQ"])
        yield ml("TreeEnsembleRegressor", f"many-{count}-{rows}", [plain("float32", (rows, 8), f"{rows}")], n_targets=2, **nodes, **{f"target_{k}": v for k, v in leaves.items()})
        yield ml("TreeEnsembleClassifier", f"many-{count}-{rows}", [plain("float32", (rows, 8), f"{rows}")], 2, classlabels_int64s=[0, 1], **nodes, **{f"class_{k}": v for k, v in leaves.items()})


def linears():
    for kind, classes, post, multi in itertools.product(("float32", "float64", "int64", "int32"), (2, 3), ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO"), (0, 1)):
        for labels in ("int", "text"):
            key = f"{kind}-{classes}-{post}-{multi}-{labels}"
            random = rng(key)
            names = {"classlabels_ints": list(range(5, 5 + classes))} if labels == "int" else {"classlabels_strings": ["a", "b", "c"][:classes]}
            x = plain(kind, (5, 4), key)
            yield ml("LinearClassifier", key, [x], 2, 1, coefficients=random.normal(size=classes * 4).astype(np.float32).tolist(), intercepts=random.normal(size=classes).astype(np.float32).tolist(), post_transform=post, multi_class=multi, **names)
            if classes == 2:
                yield ml("LinearClassifier", key + "-one", [x], 2, 1, coefficients=random.normal(size=4).astype(np.float32).tolist(), intercepts=[0.1], post_transform=post, multi_class=multi, **names)
    for kind, targets, post in itertools.product(("float32", "float64", "int64", "int32"), (1, 3), ("NONE", "SOFTMAX", "LOGISTIC", "SOFTMAX_ZERO", "PROBIT")):
        key = f"{kind}-{targets}-{post}"
        random = rng(key)
        for intercepts in (None, random.normal(size=targets).astype(np.float32).tolist()):
            yield ml("LinearRegressor", f"{key}-{intercepts is None}", [plain(kind, (3, 4), key)], opset=1, coefficients=random.normal(size=targets * 4).astype(np.float32).tolist(), intercepts=intercepts, targets=targets, post_transform=post)


def preparing():
    for kind in ("float32", "float64", "int64", "int32"):
        x = plain(kind, (3, 4), kind)
        yield ml("Scaler", f"{kind}-each", [x], opset=1, offset=[0.5, 1, 2, 3], scale=[1, 2, 0.5, 0.1])
        yield ml("Scaler", f"{kind}-all", [x], opset=1, offset=[0.5], scale=[2.0])
        yield ml("Scaler", f"{kind}-3d", [plain(kind, (2, 3, 4), kind)], opset=1, offset=[0.5, 1, 2, 3], scale=[1, 2, 0.5, 0.1])
        for norm in ("MAX", "L1", "L2"):
            yield ml("Normalizer", f"{kind}-{norm}", [x], opset=1, norm=norm)
            yield ml("Normalizer", f"{kind}-{norm}-zero", [np.zeros((2, 3), TYPES[kind])], opset=1, norm=norm)
            yield ml("Normalizer", f"{kind}-{norm}-flat", [plain(kind, (4,), kind)], opset=1, norm=norm)
        yield ml("Binarizer", kind, [sharp(kind, (3, 4), kind)], opset=1, threshold=1.0)
        yield ml("ArrayFeatureExtractor", kind, [x, whole([[0, 2]])], opset=1)
        yield ml("ArrayFeatureExtractor", f"{kind}-one", [plain(kind, (4,), kind), whole([1])], opset=1)
        yield ml("Imputer", kind, [np.array([[1, 2], [3, 1]], TYPES[kind])], opset=1, **({"imputed_value_floats": [7.5], "replaced_value_float": 1.0} if "f" in TYPES[kind].kind else {"imputed_value_int64s": [7], "replaced_value_int64": 1}))
        for zeros in (0, 1):
            codes = {"cats_int64s": [1, 2, 3]}
            yield ml("OneHotEncoder", f"{kind}-{zeros}", [np.array([[1, 3], [2, 1]] if not zeros else [[1, 9], [2, 0]], TYPES[kind])], opset=1, zeros=zeros, **codes)
        yield ml("FeatureVectorizer", kind, [x, plain(kind, (3, 2), kind)], opset=1, inputdimensions=[4, 2])
    x = np.array([[np.nan, 2], [3, np.nan]], np.float32)
    yield ml("Imputer", "nan", [x], opset=1, imputed_value_floats=[7.5, 8.5], replaced_value_float=float("nan"))
    yield ml("ArrayFeatureExtractor", "text", [np.array([["a", "b", "c"]], object), whole([2, 0])], opset=1)
    yield ml("OneHotEncoder", "text", [np.array(["a", "c", "z"], object)], opset=1, cats_strings=["a", "b", "c"], zeros=1)
    text = np.array([["a", "c"], ["z", "b"]], object)
    yield ml("LabelEncoder", "text-int", [text], opset=2, keys_strings=["a", "b", "c"], values_int64s=[1, 2, 3], default_int64=-7)
    yield ml("LabelEncoder", "int-text", [whole([[3, 1], [9, 2]])], opset=2, keys_int64s=[1, 2, 3], values_strings=["a", "b", "c"])
    yield ml("LabelEncoder", "int-float", [whole([3, 1, 9])], opset=2, keys_int64s=[1, 2, 3], values_floats=[0.5, 1.5, 2.5])
    yield ml("LabelEncoder", "float-text", [np.float32([3, 1, np.nan, 9])], opset=2, keys_floats=[1, 2, 3, float("nan")], values_strings=["a", "b", "c", "n"])
    yield ml("LabelEncoder", "old", [text], opset=1, classes_strings=["a", "b", "c"], default_int64=-3)
    yield ml("CategoryMapper", "text", [text], opset=1, cats_strings=["a", "b", "c"], cats_int64s=[1, 2, 3], default_int64=-3)


def machines():
    random = rng("svm")
    for kernel, post in itertools.product(("LINEAR", "RBF", "POLY", "SIGMOID"), ("NONE", "LOGISTIC", "SOFTMAX")):
        x = plain("float32", (3, 4), kernel)
        support = random.normal(size=(5, 4)).astype(np.float32).flatten().tolist()
        parameters = [0.3, 0.5, 2.0]
        yield ml("SVMRegressor", f"{kernel}-{post}", [x], opset=1, kernel_type=kernel, kernel_params=parameters, n_supports=5, support_vectors=support, coefficients=random.normal(size=5).astype(np.float32).tolist(), rho=[0.2], post_transform=post)
        yield ml("SVMClassifier", f"{kernel}-{post}", [x], 2, 1, kernel_type=kernel, kernel_params=parameters, vectors_per_class=[3, 2], support_vectors=support, coefficients=random.normal(size=5).astype(np.float32).tolist(), rho=[0.2], classlabels_ints=[0, 1], post_transform=post)
        three = random.normal(size=(6, 4)).astype(np.float32).flatten().tolist()
        yield ml("SVMClassifier", f"three-{kernel}-{post}", [x], 2, 1, kernel_type=kernel, kernel_params=parameters, vectors_per_class=[2, 2, 2], support_vectors=three, coefficients=random.normal(size=12).astype(np.float32).tolist(), rho=[0.2, 0.1, -0.1], classlabels_ints=[0, 1, 2], post_transform=post)
        yield ml("SVMClassifier", f"proba-{kernel}-{post}", [x], 2, 1, kernel_type=kernel, kernel_params=parameters, vectors_per_class=[3, 2], support_vectors=support, coefficients=random.normal(size=5).astype(np.float32).tolist(), rho=[0.2], prob_a=[-1.0], prob_b=[0.1], classlabels_ints=[0, 1], post_transform=post)


def more_machines():
    random = rng("machines")
    floats = lambda *shape: random.normal(size=shape).astype(np.float32).flatten().tolist()
    for classes, kind, post in itertools.product((2, 3, 5), ("float32", "int64", "int32", "float64"), ("NONE", "LOGISTIC", "SOFTMAX", "SOFTMAX_ZERO", "PROBIT")):
        key = f"{classes}-{kind}-{post}"
        x, counts = plain(kind, (6, 4), key), [2, 1, 3, 2, 1][:classes]
        vectors, pairs = sum(counts), classes * (classes - 1) // 2
        shared = dict(kernel_type="RBF", kernel_params=[0.2, 0, 3], vectors_per_class=counts, support_vectors=floats(vectors, 4), coefficients=floats(classes - 1, vectors), rho=floats(pairs), post_transform=post)
        numbers, texts = {"classlabels_ints": [3, 1, 4, 1, 5][:classes]}, {"classlabels_strings": ["c", "a", "", "d", "e"][:classes]}
        for label, names in (("int", numbers), ("text", texts)):
            yield ml("SVMClassifier", f"more-{key}-{label}", [x], 2, 1, **shared, **names)
            yield ml("SVMClassifier", f"more-proba-{key}-{label}", [x], 2, 1, prob_a=floats(pairs), prob_b=floats(pairs), **shared, **names)
            # Without vectors each class has weights of its own.
            for sign in (0, 1):
                weights = [abs(w) if sign else w for w in floats(classes, 4)]
                yield ml("SVMClassifier", f"more-linear-{key}-{label}-{sign}", [x], 2, 1, kernel_params=[0.2, 0, 3], coefficients=weights, rho=[0.3], post_transform=post, **names)
    x = np.array([[np.nan, 1, 2, 3], [np.inf, 0, -np.inf, 1], [0, 0, 0, 0]], np.float32)
    for kernel in ("LINEAR", "RBF", "POLY", "SIGMOID"):
        yield ml("SVMClassifier", f"sharp-{kernel}", [x], 2, 1, kernel_type=kernel, kernel_params=[0.2, 0.1, 2], vectors_per_class=[1, 2, 1], support_vectors=floats(4, 4), coefficients=floats(2, 4), rho=floats(3), classlabels_ints=[0, 1, 2])
    yield ml("SVMClassifier", "no-rows", [np.zeros((0, 4), np.float32)], 2, 1, kernel_type="RBF", kernel_params=[0.2, 0, 3], vectors_per_class=[1, 2, 1], support_vectors=floats(4, 4), coefficients=floats(2, 4), rho=floats(3), classlabels_ints=[0, 1, 2])
    yield ml("SVMClassifier", "flat", [plain("float32", (4,), "flat")], 2, 1, kernel_type="RBF", kernel_params=[0.2, 0, 3], vectors_per_class=[1, 2], support_vectors=floats(3, 4), coefficients=floats(1, 3), rho=floats(1), classlabels_ints=[0, 1])
    for kind in ("float32", "int64", "int32", "float64"):
        for widths in ([4], [1, 3], [2, 2, 5]):
            yield ml("FeatureVectorizer", f"{kind}-{widths}", [plain(kind, (3, width), f"{kind}{width}") for width in widths], opset=1, inputdimensions=widths)
        yield ml("FeatureVectorizer", f"{kind}-flat", [plain(kind, (3,), kind), plain(kind, (2,), kind)], opset=1, inputdimensions=[3, 2])


def pipelines():
    """A scaler, a linear model and what takes the class out, as an exporter writes them."""
    random = rng("pipe")
    nodes = [
        helper.make_node("Scaler", ["x"], ["s"], domain=DOMAIN, offset=[0.1] * 4, scale=[2.0] * 4),
        helper.make_node("LinearClassifier", ["s"], ["label", "p"], domain=DOMAIN, coefficients=random.normal(size=12).astype(np.float32).tolist(), intercepts=[0.1, 0.2, -0.1], classlabels_ints=[0, 1, 2], post_transform="SOFTMAX"),
        helper.make_node("Normalizer", ["p"], ["q"], domain=DOMAIN, norm="L1"),
    ]
    yield many("pipeline", "linear", nodes, {"x": plain("float32", (6, 4), "p")}, {}, ["label", "q"], 15, more={DOMAIN: 3})


def all_specs():
    for group in (trees, linears, preparing, machines, more_machines, pipelines):
        yield from group()
