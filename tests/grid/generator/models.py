"""Whole models as people bring them: exported by scikit-learn's, LightGBM's, XGBoost's and CatBoost's converters with and
without ZipMap, and small networks of each kind made here. Both engines run them as the product does, from the file."""

import tempfile

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from . import prove
from .cells import rng

OPSETS = {"": 18, "ai.onnx.ml": 3}
# Rows that a model is asked about: the committed file stays small.
ROWS = 12


def sample(x, kind=np.float32):
    return np.ascontiguousarray(x[:: max(1, len(x) // ROWS)][:ROWS]).astype(kind)


def iris(two=False, names=False):
    from sklearn import datasets

    x, y = datasets.load_iris(return_X_y=True)
    if two:
        x, y = x[:100] + rng("noise").normal(0, 0.6, (100, 4)), y[:100]
    return x, np.array(["setosa", "versicolor", "virginica"])[y] if names else y


def digits():
    from sklearn import datasets

    return datasets.load_digits(return_X_y=True)


def diabetes():
    from sklearn import datasets

    return datasets.load_diabetes(return_X_y=True)


def is_classifier(model):
    from sklearn.base import is_classifier

    return is_classifier(model)


def classifiers():
    from sklearn import calibration, discriminant_analysis, ensemble, linear_model, multiclass, naive_bayes, neighbors, neural_network, pipeline, preprocessing, svm, tree

    yes = dict(random_state=0)
    scaled = lambda estimator: pipeline.make_pipeline(preprocessing.StandardScaler(), estimator)
    small = dict(n_estimators=10, max_depth=4, **yes)
    of = {
        "logistic": (linear_model.LogisticRegression(max_iter=500), iris()), "logistic-two": (linear_model.LogisticRegression(), iris(two=True)),
        "logistic-names": (linear_model.LogisticRegression(max_iter=500), iris(names=True)), "logistic-two-names": (linear_model.LogisticRegression(), iris(two=True, names=True)),
        "logistic-digits": (scaled(linear_model.LogisticRegression(max_iter=200)), digits()), "logistic-ovr": (multiclass.OneVsRestClassifier(linear_model.LogisticRegression()), iris()),
        "sgd": (scaled(linear_model.SGDClassifier(loss="log_loss", **yes)), iris()), "perceptron": (linear_model.Perceptron(**yes), iris()),
        "tree": (tree.DecisionTreeClassifier(**yes), iris()), "tree-two-names": (tree.DecisionTreeClassifier(max_depth=3, **yes), iris(two=True, names=True)),
        "forest": (ensemble.RandomForestClassifier(**small), iris()), "forest-two": (ensemble.RandomForestClassifier(**small), iris(two=True)), "forest-names": (ensemble.RandomForestClassifier(**small), iris(names=True)),
        "forest-digits": (ensemble.RandomForestClassifier(n_estimators=8, max_depth=5, **yes), digits()), "extra": (ensemble.ExtraTreesClassifier(**small), iris()),
        "boost": (ensemble.GradientBoostingClassifier(n_estimators=8, **yes), iris()), "boost-two": (ensemble.GradientBoostingClassifier(n_estimators=8, **yes), iris(two=True)),
        "hist": (ensemble.HistGradientBoostingClassifier(max_iter=8, max_depth=3, **yes), iris()), "hist-two": (ensemble.HistGradientBoostingClassifier(max_iter=8, max_depth=3, **yes), iris(two=True)),
        "ada": (ensemble.AdaBoostClassifier(n_estimators=6, **yes), iris()), "bagging": (ensemble.BaggingClassifier(tree.DecisionTreeClassifier(max_depth=3), n_estimators=5, **yes), iris()),
        "svc-rbf": (svm.SVC(), iris()), "svc-linear": (svm.SVC(kernel="linear"), iris()), "svc-poly": (svm.SVC(kernel="poly", degree=3, coef0=0.5), iris()), "svc-sigmoid": (svm.SVC(kernel="sigmoid", coef0=0.1, gamma=0.01), iris()),
        "svc-two": (svm.SVC(), iris(two=True)), "svc-names": (svm.SVC(), iris(names=True)), "svc-two-names": (svm.SVC(), iris(two=True, names=True)), "nu-svc": (svm.NuSVC(nu=0.3), iris()),
        "svc-proba": (svm.SVC(probability=True, **yes), iris()), "svc-proba-two": (svm.SVC(probability=True, **yes), iris(two=True)), "svc-digits": (svm.SVC(gamma=0.001), tuple(part[:200] for part in digits())), "linear-svc": (svm.LinearSVC(**yes), iris()), "linear-svc-two": (svm.LinearSVC(**yes), iris(two=True)),
        "bayes": (naive_bayes.GaussianNB(), iris()), "bayes-multinomial": (naive_bayes.MultinomialNB(), iris()), "bayes-bernoulli": (naive_bayes.BernoulliNB(binarize=2.0), iris()), "bayes-complement": (naive_bayes.ComplementNB(), iris()),
        "knn": (neighbors.KNeighborsClassifier(3), tuple(part[::3] for part in iris())), "mlp": (neural_network.MLPClassifier((8,), max_iter=40, **yes), iris()), "mlp-two": (neural_network.MLPClassifier((8,), max_iter=40, **yes), iris(two=True)), "mlp-digits": (scaled(neural_network.MLPClassifier((16,), max_iter=15, **yes)), digits()),
        "lda": (discriminant_analysis.LinearDiscriminantAnalysis(), iris()), "calibrated": (calibration.CalibratedClassifierCV(linear_model.LogisticRegression(), cv=2), iris()),
        "vote": (ensemble.VotingClassifier([("a", linear_model.LogisticRegression(max_iter=500)), ("b", naive_bayes.GaussianNB())], voting="soft"), iris()),
        "stack": (ensemble.StackingClassifier([("a", linear_model.LogisticRegression(max_iter=500)), ("b", tree.DecisionTreeClassifier(max_depth=3, **yes))], cv=2), iris()),
    }  # fmt: skip
    for name, (model, (x, y)) in of.items():
        yield name, model.fit(x, y), x


def others():
    from sklearn import cluster, compose, decomposition, ensemble, feature_selection, linear_model, mixture, neighbors, neural_network, pipeline, preprocessing, svm, tree

    yes = dict(random_state=0)
    scaled = lambda estimator: pipeline.make_pipeline(preprocessing.StandardScaler(), estimator)
    d, i = diabetes(), iris()
    of = {
        "linear": (linear_model.LinearRegression(), d), "linear-many": (linear_model.LinearRegression(), (d[0], np.stack([d[1], -d[1], d[1] * 2], 1))), "ridge": (scaled(linear_model.Ridge()), d), "lasso": (linear_model.Lasso(0.1), d), "elastic": (linear_model.ElasticNet(0.1), d),
        "huber": (scaled(linear_model.HuberRegressor()), d), "poisson": (linear_model.PoissonRegressor(), d), "gamma": (linear_model.GammaRegressor(), d), "tweedie": (linear_model.TweedieRegressor(power=1.5), d), "bayesian": (linear_model.BayesianRidge(), d),
        "tree-regressor": (tree.DecisionTreeRegressor(max_depth=5, **yes), d), "forest-regressor": (ensemble.RandomForestRegressor(n_estimators=8, max_depth=5, **yes), d), "forest-regressor-many": (ensemble.RandomForestRegressor(n_estimators=4, max_depth=4, **yes), (d[0], np.stack([d[1], -d[1]], 1))), "boost-regressor": (ensemble.GradientBoostingRegressor(n_estimators=10, **yes), d),
        "hist-regressor": (ensemble.HistGradientBoostingRegressor(max_iter=8, max_depth=4, **yes), d), "ada-regressor": (ensemble.AdaBoostRegressor(n_estimators=4, **yes), d), "svr": (svm.SVR(), (d[0][:80], d[1][:80])), "svr-linear": (svm.SVR(kernel="linear"), (d[0][:80], d[1][:80])), "nu-svr": (svm.NuSVR(), (d[0][:80], d[1][:80])),
        "one-class": (svm.OneClassSVM(nu=0.2), i), "isolation": (ensemble.IsolationForest(n_estimators=6, max_samples=32, **yes), i), "kmeans": (cluster.KMeans(3, n_init=1, **yes), i), "mixture": (mixture.GaussianMixture(2, **yes), i), "pca": (decomposition.PCA(2), i), "svd": (decomposition.TruncatedSVD(2, **yes), i),
        "knn-regressor": (neighbors.KNeighborsRegressor(3), (d[0][:60], d[1][:60])), "mlp-regressor": (scaled(neural_network.MLPRegressor(hidden_layer_sizes=(8,), max_iter=50, **yes)), d), "poly": (pipeline.make_pipeline(preprocessing.PolynomialFeatures(2), linear_model.Ridge()), i),
        "standard": (preprocessing.StandardScaler(), i), "minmax": (preprocessing.MinMaxScaler(), i), "minmax-clip": (preprocessing.MinMaxScaler(clip=True), i), "maxabs": (preprocessing.MaxAbsScaler(), i), "robust": (preprocessing.RobustScaler(), i), "power": (preprocessing.PowerTransformer(), i),
        "normal-l1": (preprocessing.Normalizer("l1"), i), "normal-l2": (preprocessing.Normalizer("l2"), i), "normal-max": (preprocessing.Normalizer("max"), i), "binarizer": (preprocessing.Binarizer(threshold=2.0), i), "bins": (preprocessing.KBinsDiscretizer(4, encode="ordinal"), i), "bins-onehot": (preprocessing.KBinsDiscretizer(3, encode="onehot-dense"), i),
        "select": (feature_selection.SelectKBest(k=2), i), "threshold": (feature_selection.VarianceThreshold(0.5), i), "vote-regressor": (ensemble.VotingRegressor([("a", linear_model.LinearRegression()), ("b", tree.DecisionTreeRegressor(max_depth=3, **yes))]), d), "stack-regressor": (ensemble.StackingRegressor([("a", linear_model.LinearRegression()), ("b", linear_model.Ridge())], cv=2), d),
        "columns": (pipeline.make_pipeline(compose.ColumnTransformer([("a", preprocessing.StandardScaler(), [0, 1]), ("b", preprocessing.MinMaxScaler(), [2, 3])]), linear_model.LogisticRegression()), i),
    }  # fmt: skip
    for name, (model, (x, y)) in of.items():
        yield name, model.fit(x, y), x


def scikit():
    from skl2onnx import to_onnx

    for name, model, x in [*classifiers(), *others()]:
        options = [("", None)]
        if is_classifier(model) or name == "columns":
            options = [("", {id(model): {"zipmap": False}}), ("-zipmap", None)]
        for ending, chosen in options:
            for kind in (np.float32, np.float64) if name in ("forest", "linear", "hist-regressor", "standard", "svr") and not ending else (np.float32,):
                label = f"{name}{ending}" + ("-double" if kind is np.float64 else "")
                try:
                    made = to_onnx(model, sample(x, kind)[:1], target_opset=OPSETS, options=chosen)
                except Exception as error:
                    print(f"not exported: {label}: {str(error).splitlines()[0][:120]}")
                    continue
                yield f"scikit-{label}", made, {made.graph.input[0].name: sample(x, kind)}


def tables():
    """What takes texts, whole numbers and cells that are missing, and inputs with a name for each column."""
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
    from sklearn import compose, ensemble, impute, linear_model, pipeline, preprocessing

    import pandas

    text = np.array([["a", "x"], ["b", "y"], ["c", "x"], ["a", "z"]], object)
    whole = np.array([[1, 5], [2, 6], [3, 5], [1, 7]], np.int64)
    gaps = np.array([[1.0, np.nan], [np.nan, 4.0], [3.0, 6.0]], np.float32)
    y = np.array([0, 1, 0, 1])
    strings = [("x", StringTensorType([None, 2]))]
    numbers = [("x", Int64TensorType([None, 2]))]
    unknown = dict(handle_unknown="ignore")
    new = np.array([["a", "y"], ["zz", "x"]], object)
    of = {
        "onehot-text": (preprocessing.OneHotEncoder(sparse_output=False, **unknown).fit(text), strings, new), "onehot-whole": (preprocessing.OneHotEncoder(sparse_output=False, **unknown).fit(whole), numbers, np.array([[1, 6], [9, 5]], np.int64)),
        "onehot-model": (pipeline.make_pipeline(preprocessing.OneHotEncoder(**unknown), linear_model.LogisticRegression()).fit(text, y), strings, new), "onehot-forest": (pipeline.make_pipeline(preprocessing.OneHotEncoder(**unknown), ensemble.RandomForestClassifier(5, random_state=0)).fit(text, y), strings, new),
        "ordinal-text": (preprocessing.OrdinalEncoder().fit(text), strings, text), "ordinal-whole": (preprocessing.OrdinalEncoder().fit(whole), numbers, whole), "ordinal-unknown": (preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1).fit(text), strings, new), "ordinal-forest": (pipeline.make_pipeline(preprocessing.OrdinalEncoder(), ensemble.RandomForestClassifier(5, random_state=0)).fit(text, y), strings, text),
        "imputer-mean": (impute.SimpleImputer().fit(gaps), [("x", FloatTensorType([None, 2]))], gaps), "imputer-median": (impute.SimpleImputer(strategy="median").fit(gaps), [("x", FloatTensorType([None, 2]))], gaps), "imputer-model": (pipeline.make_pipeline(impute.SimpleImputer(), linear_model.LinearRegression()).fit(gaps, y[:3]), [("x", FloatTensorType([None, 2]))], gaps),
        "imputer-text": (impute.SimpleImputer(strategy="constant", missing_values="", fill_value="none").fit(np.array([["a", ""], ["", "b"]], object)), strings, np.array([["a", ""], ["", "b"]], object)),
        "label-text": (preprocessing.LabelEncoder().fit(["a", "b", "c"]), [("x", StringTensorType([None]))], np.array(["c", "a", "b"], object)), "label-whole": (preprocessing.LabelEncoder().fit([3, 5, 9]), [("x", Int64TensorType([None]))], np.array([9, 3, 5], np.int64)),
        "label-binarizer": (preprocessing.LabelBinarizer().fit([3, 5, 9]), [("x", Int64TensorType([None, 1]))], np.array([[9], [3], [5]], np.int64)),
        "forest-whole": (ensemble.RandomForestClassifier(5, random_state=0).fit(whole, y), numbers, whole), "linear-whole": (linear_model.LinearRegression().fit(whole, y), numbers, whole), "logistic-whole": (linear_model.LogisticRegression().fit(whole, y), numbers, whole),
    }  # fmt: skip
    for name, (model, types, x) in of.items():
        variants = [("", {id(model): {"zipmap": False}}), ("-zipmap", None)] if is_classifier(model) else [("", None)]
        for ending, options in variants:
            try:
                made = to_onnx(model, initial_types=types, target_opset=OPSETS, options=options)
            except Exception as error:
                print(f"not exported: table-{name}{ending}: {str(error).splitlines()[0][:120]}")
                continue
            yield f"table-{name}{ending}", made, {"x": x}
    frame = pandas.DataFrame({"age": [22.0, 38.0, 26.0, np.nan, 35.0, 54.0], "fare": [7.2, 71.3, 7.9, 8.1, 53.1, 51.9], "sex": ["m", "f", "f", "m", "f", "m"], "class": [3, 1, 3, 3, 1, 1]})
    classes = [0, 1, 1, 0, 1, 0]
    numeric = pipeline.make_pipeline(impute.SimpleImputer(strategy="median"), preprocessing.StandardScaler())
    columns = compose.ColumnTransformer([("n", numeric, ["age", "fare"]), ("c", preprocessing.OneHotEncoder(**unknown), ["sex"]), ("k", preprocessing.OrdinalEncoder(), ["class"])])
    types = [("age", FloatTensorType([None, 1])), ("fare", FloatTensorType([None, 1])), ("sex", StringTensorType([None, 1])), ("class", Int64TensorType([None, 1]))]
    feeds = {"age": frame[["age"]].to_numpy(np.float32), "fare": frame[["fare"]].to_numpy(np.float32), "sex": frame[["sex"]].to_numpy(object), "class": frame[["class"]].to_numpy(np.int64)}
    for label, estimator in [("logistic", linear_model.LogisticRegression()), ("forest", ensemble.RandomForestClassifier(5, max_depth=3, random_state=0)), ("boost", ensemble.GradientBoostingClassifier(n_estimators=5, random_state=0))]:
        model = pipeline.make_pipeline(columns, estimator).fit(frame, classes)
        for ending, options in [("", {id(model): {"zipmap": False}}), ("-zipmap", None)]:
            yield f"table-passengers-{label}{ending}", to_onnx(model, initial_types=types, target_opset=OPSETS, options=options), feeds


def boosted():
    import catboost, lightgbm, xgboost
    from onnxmltools import convert_lightgbm, convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType

    sets = {"three": iris(), "two": iris(two=True), "number": diabetes()}
    for name, (x, y) in sets.items():
        kind = [("x", FloatTensorType([None, x.shape[1]]))]
        gaps = sample(x)
        gaps[1, 0] = np.nan
        gaps[2] = 0
        rows = {"x": gaps}
        number = name == "number"
        leaves = dict(n_estimators=8, num_leaves=8, verbose=-1, random_state=0)
        model = (lightgbm.LGBMRegressor if number else lightgbm.LGBMClassifier)(**leaves).fit(x, y)
        for ending, options in [("", {})] if number else [("", {"zipmap": False}), ("-zipmap", {"zipmap": True})]:
            yield f"lightgbm-{name}{ending}", convert_lightgbm(model, initial_types=kind, **options), rows
        trees = dict(n_estimators=8, max_depth=3, random_state=0)
        model = (xgboost.XGBRegressor if number else xgboost.XGBClassifier)(**trees).fit(x, y)
        yield f"xgboost-{name}", convert_xgboost(model, initial_types=kind), rows
        cat = dict(iterations=8, depth=3, verbose=False, random_seed=0, allow_writing_files=False)
        model = (catboost.CatBoostRegressor if number else catboost.CatBoostClassifier)(**cat).fit(x, y)
        with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
            model.save_model(file.name, format="onnx")
            yield f"catboost-{name}", onnx.load(file.name), {"features": sample(x)}
    x, y = iris(names=True)
    model = catboost.CatBoostClassifier(iterations=5, depth=3, verbose=False, random_seed=0, allow_writing_files=False).fit(x, y)
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        model.save_model(file.name, format="onnx")
        yield "catboost-names", onnx.load(file.name), {"features": sample(x)}
    x, y = diabetes()
    for objective in ("poisson", "tweedie", "quantile"):
        model = lightgbm.LGBMRegressor(objective=objective, n_estimators=5, num_leaves=6, verbose=-1).fit(x, y)
        yield f"lightgbm-{objective}", convert_lightgbm(model, initial_types=[("x", FloatTensorType([None, 10]))]), {"x": sample(x)}


class Net:
    """A small network as an exporter would write it."""

    def __init__(self, name, opset=17):
        self.name, self.random, self.opset = name, rng("net" + name), opset
        self.nodes, self.weights, self.feeds, self.count = [], [], {}, 0

    def input(self, name, value):
        self.feeds[name] = np.asarray(value)
        return name

    def weight(self, *shape, kind=np.float32, scale=0.5):
        return self.constant((self.random.normal(0, scale, shape)).astype(kind))

    def constant(self, value):
        value = np.asarray(value)
        self.weights.append(numpy_helper.from_array(value, f"w{len(self.weights)}"))
        return self.weights[-1].name

    def add(self, operator, *inputs, outputs=1, **attributes):
        names = [f"t{self.count + n}" for n in range(outputs)]
        self.count += outputs
        self.nodes.append(helper.make_node(operator, list(inputs), names, **attributes))
        return names[0] if outputs == 1 else names

    def normal(self, *shape, kind=np.float32):
        return self.random.normal(0, 1, shape).astype(kind)

    def model(self, *outputs):
        info = lambda name, value: helper.make_tensor_value_info(name, TensorProto.STRING if value.dtype == object else helper.np_dtype_to_tensor_dtype(value.dtype), [f"{name}_0", *value.shape[1:]] if value.ndim else [])
        inputs = [info(name, value) for name, value in self.feeds.items()]
        graph = helper.make_graph(self.nodes, self.name, inputs, [helper.make_empty_tensor_value_info(name) for name in outputs], self.weights)
        draft = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=9)
        typed = {output.name: output.type for output in prove.session(draft.SerializeToString(), False).get_outputs()}
        del graph.output[:]
        for name in outputs:
            kind = typed[name]
            if kind.startswith("seq("):
                graph.output.append(helper.make_tensor_sequence_value_info(name, prove.KINDS[kind[11:-2]], None))
            else:
                graph.output.append(helper.make_tensor_value_info(name, prove.KINDS[kind[7:-1]], None))
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=9)


def dense(net, x, sizes, kind=np.float32, activation="Relu"):
    for a, b in zip(sizes, sizes[1:]):
        x = net.add("Add", net.add("MatMul", x, net.weight(a, b, kind=kind)), net.weight(b, kind=kind))
        x = net.add(activation, x)
    return x


def networks():
    for kind, label in [(np.float32, "f32"), (np.float64, "f64"), (np.float16, "f16")]:
        net = Net(f"mlp-{label}")
        yield net, net.model(net.add("Softmax", dense(net, net.input("x", net.normal(3, 6, kind=kind)), [6, 8, 4], kind), axis=1))
    for activation in ("Tanh", "Sigmoid", "LeakyRelu", "Elu", "Selu", "Softplus", "HardSigmoid", "Gelu", "Mish", "HardSwish"):
        net = Net(f"mlp-{activation.lower()}", 20 if activation == "Gelu" else 18)
        yield net, net.model(dense(net, net.input("x", net.normal(2, 5)), [5, 7, 3], activation=activation))
    net = Net("gemm")
    yield net, net.model(net.add("Gemm", net.add("Relu", net.add("Gemm", net.input("x", net.normal(4, 6)), net.weight(8, 6), net.weight(8), transB=1)), net.weight(8, 2), net.weight(2)))
    for shape, group, dilation, stride in [((1, 3, 8, 8), 1, 1, 1), ((2, 4, 9, 7), 2, 1, 2), ((1, 4, 10, 10), 4, 2, 1)]:
        net = Net(f"conv-{group}-{dilation}-{stride}")
        x = net.add("Conv", net.input("x", net.normal(*shape)), net.weight(8, shape[1] // group, 3, 3), net.weight(8), group=group, dilations=[dilation] * 2, strides=[stride] * 2, pads=[1] * 4)
        x = net.add("Relu", net.add("BatchNormalization", x, net.constant(np.ones(8, np.float32)), net.weight(8), net.weight(8), net.constant(np.full(8, 0.7, np.float32))))
        x = net.add("Flatten", net.add("GlobalAveragePool", x))
        yield net, net.model(net.add("Softmax", net.add("Gemm", x, net.weight(8, 5), net.weight(5))))
    net = Net("conv-one-dimension")
    x = net.add("MaxPool", net.add("Conv", net.input("x", net.normal(2, 3, 20)), net.weight(6, 3, 5), strides=[2]), kernel_shape=[2], strides=[2])
    yield net, net.model(net.add("ReduceMean", x, axes=[2], keepdims=0))
    net = Net("autoencoder")
    x = net.add("Relu", net.add("Conv", net.input("x", net.normal(1, 2, 8, 8)), net.weight(4, 2, 3, 3), strides=[2, 2], pads=[1] * 4))
    yield net, net.model(net.add("Tanh", net.add("ConvTranspose", x, net.weight(4, 2, 2, 2), strides=[2, 2])))
    for operator, gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1)):
        for direction in ("forward", "bidirectional"):
            ways = 2 if direction == "bidirectional" else 1
            net = Net(f"{operator.lower()}-{direction}")
            y, last = net.add(operator, net.input("x", net.normal(5, 2, 3)), net.weight(ways, gates * 4, 3), net.weight(ways, gates * 4, 4), net.weight(ways, gates * 8), outputs=2, hidden_size=4, direction=direction)
            yield net, net.model(y, last)
    net = Net("attention")
    x = net.input("x", net.normal(2, 4, 8))
    parts = [net.add("Transpose", net.add("Reshape", net.add("MatMul", x, net.weight(8, 8)), net.constant(np.array([0, 0, 2, 4]))), perm=[0, 2, 3, 1] if n == 1 else [0, 2, 1, 3]) for n in range(3)]
    scores = net.add("Softmax", net.add("Div", net.add("MatMul", parts[0], parts[1]), net.constant(np.float32(2))), axis=-1)
    joined = net.add("Reshape", net.add("Transpose", net.add("MatMul", scores, parts[2]), perm=[0, 2, 1, 3]), net.constant(np.array([0, 0, 8])))
    x = net.add("LayerNormalization", net.add("Add", x, joined), net.weight(8), net.weight(8))
    yield net, net.model(net.add("Add", x, net.add("MatMul", net.add("Mul", x, net.add("Sigmoid", x)), net.weight(8, 8))))
    net = Net("embedding")
    x = net.add("ReduceMean", net.add("Gather", net.weight(10, 6), net.input("tokens", np.array([[1, 2, 9], [0, 3, 3]], np.int64))), axes=[1], keepdims=0)
    logits = net.add("MatMul", x, net.weight(6, 4))
    best, place = net.add("TopK", logits, net.constant(np.array([2])), outputs=2)
    yield net, net.model(best, place, net.add("ArgMax", logits, axis=1, keepdims=0))
    net = Net("quantised-qdq")
    scale, zero = net.constant(np.float32(0.02)), net.constant(np.uint8(128))
    x = net.add("DequantizeLinear", net.add("QuantizeLinear", net.input("x", net.normal(3, 6)), scale, zero), scale, zero)
    w = net.add("DequantizeLinear", net.constant(net.random.integers(-60, 60, (6, 4)).astype(np.int8)), net.constant(np.float32(0.01)), net.constant(np.int8(0)))
    yield net, net.model(net.add("MatMul", x, w))
    net = Net("quantised-dynamic")
    q, s, z = net.add("DynamicQuantizeLinear", net.input("x", net.normal(3, 6)), outputs=3)
    product = net.add("MatMulInteger", q, net.constant(net.random.integers(0, 120, (6, 4)).astype(np.uint8)), z)
    yield net, net.model(net.add("Mul", net.add("Cast", product, to=TensorProto.FLOAT), net.add("Mul", s, net.constant(np.float32(0.01)))))
    net = Net("statistics", 18)
    x = net.input("x", net.normal(3, 4, 5))
    axes = net.constant(np.array([1]))
    yield net, net.model(*[net.add(operator, x, axes, keepdims=keep) for operator, keep in [("ReduceMean", 1), ("ReduceMax", 0), ("ReduceMin", 0), ("ReduceL2", 1), ("ReduceLogSumExp", 0), ("ReduceProd", 0), ("ReduceSumSquare", 1)]], net.add("CumSum", x, net.constant(np.array(2))))
    net = Net("shapes")
    x = net.input("x", net.normal(2, 3, 4))
    flat = net.add("Reshape", x, net.constant(np.array([0, -1])))
    padded = net.add("Pad", flat, net.constant(np.array([0, 1, 0, 2])), net.constant(np.float32(9)))
    sliced = net.add("Slice", padded, net.constant(np.array([12])), net.constant(np.array([1])), net.constant(np.array([1])), net.constant(np.array([-3])))
    yield net, net.model(sliced, net.add("Shape", x), net.add("Concat", flat, padded, axis=1), net.add("Expand", net.add("Unsqueeze", x, net.constant(np.array([1]))), net.constant(np.array([2, 2, 3, 4]))))
    net = Net("comparisons")
    a, b = net.input("a", net.random.integers(-3, 3, (3, 4)).astype(np.int32)), net.input("b", net.random.integers(-3, 3, (3, 4)).astype(np.int32))
    yield net, net.model(net.add("Greater", a, b), net.add("Equal", a, b), net.add("Where", net.add("Less", a, b), a, b), net.add("And", net.add("Greater", a, b), net.add("Not", net.add("Equal", a, b))), net.add("Mod", a, net.constant(np.array(3, np.int32))))
    for kind in (np.int8, np.uint8, np.int16, np.int64, np.uint64):
        net = Net(f"whole-{np.dtype(kind).name}")
        x = net.input("x", net.random.integers(0, 100, (2, 5)).astype(kind))
        yield net, net.model(net.add("Cast", x, to=TensorProto.DOUBLE), net.add("Transpose", x, perm=[1, 0]), net.add("Gather", x, net.constant(np.array([4, 0])), axis=1))
    net = Net("texts")
    x = net.input("x", np.array([["a", "é"], ["", "a"]], object))
    yield net, net.model(net.add("Transpose", x, perm=[1, 0]), net.add("Equal", net.add("Cast", net.add("Cast", net.input("n", np.array([[1, 2], [3, 4]], np.int64)), to=TensorProto.STRING), to=TensorProto.INT64), net.constant(np.array([[1, 0], [3, 4]]))), net.add("Identity", x))
    net = Net("resize")
    x = net.input("x", net.normal(1, 2, 4, 4))
    yield net, net.model(net.add("Resize", x, "", net.constant(np.array([1, 1, 2, 2], np.float32)), mode="nearest"), net.add("Resize", x, "", net.constant(np.array([1, 1, 1.5, 2], np.float32)), mode="linear"))
    net = Net("boxes")
    boxes = np.array([[[0, 0, 1, 1], [0, 0.1, 1, 1.1], [0, 2, 1, 3]]], np.float32)
    yield net, net.model(net.add("NonMaxSuppression", net.input("boxes", boxes), net.input("scores", np.array([[[0.9, 0.8, 0.7]]], np.float32)), net.constant(np.array([5])), net.constant(np.array([0.5], np.float32)), net.constant(np.array([0.1], np.float32))))
    net = Net("branch")
    branch = lambda operator: helper.make_graph([helper.make_node(operator, ["x"], ["b"])], operator, [], [helper.make_tensor_value_info("b", TensorProto.FLOAT, None)])
    x = net.input("x", net.normal(2, 3))
    yield net, net.model(net.add("If", net.add("Greater", net.add("ReduceSum", x, keepdims=0), net.constant(np.float32(0))), then_branch=branch("Neg"), else_branch=branch("Abs")))
    net = Net("loop")
    body = helper.make_graph(
        [helper.make_node("Mul", ["state", "state"], ["square"]), helper.make_node("Add", ["square", "x"], ["next"]), helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Identity", ["next"], ["kept"])], "body",
        [helper.make_tensor_value_info("i", TensorProto.INT64, []), helper.make_tensor_value_info("go", TensorProto.BOOL, []), helper.make_tensor_value_info("state", TensorProto.FLOAT, None)],
        [helper.make_tensor_value_info("on", TensorProto.BOOL, []), helper.make_tensor_value_info("next", TensorProto.FLOAT, None), helper.make_tensor_value_info("kept", TensorProto.FLOAT, None)],
    )  # fmt: skip
    x = net.input("x", np.float32([0.1, -0.2, 0.25]))
    yield net, net.model(*net.add("Loop", net.constant(np.array(4)), net.constant(np.array(True)), x, outputs=2, body=body))
    net = Net("sequence")
    x = net.input("x", net.normal(2, 3))
    yield net, net.model(net.add("SequenceConstruct", x, net.add("Neg", x)), net.add("ReduceSum", x, keepdims=0))
    net = Net("split-sequence")
    yield net, net.model(net.add("SplitToSequence", net.input("x", net.normal(3, 2))))


def all_models():
    for group in (scikit, tables, boosted):
        yield from group()
    for net, model in networks():
        yield f"network-{net.name}", model, net.feeds


def all_cells(aside, reasons):
    for name, model, feeds in all_models():
        data = model.SerializeToString()
        names = [output.name for output in model.graph.output]
        try:
            outputs = prove.session(data, True).run(names, feeds)
        except Exception as error:
            aside["a model that ONNX Runtime does not run"] += 1
            reasons.append(f"{name}\t{error}\n")
            continue
        yield name.split("-")[0], name, data, feeds, dict(zip(names, outputs))
