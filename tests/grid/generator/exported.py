"""Models as exporters write them (scikit-learn, LightGBM, XGBoost) and models that packages carry (silero-vad, MIT;
magika, Apache-2.0), each on ordinary input. Nothing of these is kept in the repository."""

import importlib.util
import pathlib

import numpy as np
import onnx

from . import prove
from .cells import rng


def scikit():
    from sklearn import cluster, datasets, decomposition, ensemble, feature_selection, linear_model, naive_bayes, neighbors, neural_network, pipeline, preprocessing, svm, tree
    from skl2onnx import to_onnx

    iris, digits = datasets.load_iris(return_X_y=True), datasets.load_digits(return_X_y=True)
    diabetes = datasets.load_diabetes(return_X_y=True)
    scaled = lambda estimator: pipeline.make_pipeline(preprocessing.StandardScaler(), estimator)
    named = np.array(["setosa", "versicolor", "virginica"])[iris[1]]
    two = (iris[0][:100], iris[1][:100])
    yes = dict(random_state=0)
    models = {
        "iris-logistic": (linear_model.LogisticRegression(max_iter=500), iris), "iris-logistic-names": (linear_model.LogisticRegression(max_iter=500), (iris[0], named)),
        "iris-two-logistic": (linear_model.LogisticRegression(), two), "iris-tree": (tree.DecisionTreeClassifier(**yes), iris), "iris-forest": (ensemble.RandomForestClassifier(100, **yes), iris),
        "iris-forest-names": (ensemble.RandomForestClassifier(20, **yes), (iris[0], named)), "iris-extra": (ensemble.ExtraTreesClassifier(30, **yes), iris), "iris-boost": (ensemble.GradientBoostingClassifier(n_estimators=20, **yes), iris),
        "iris-two-boost": (ensemble.GradientBoostingClassifier(n_estimators=20, **yes), two), "iris-hist": (ensemble.HistGradientBoostingClassifier(max_iter=20, **yes), iris), "iris-ada": (ensemble.AdaBoostClassifier(n_estimators=10, **yes), iris),
        "iris-svc": (svm.SVC(probability=False), iris), "iris-linear-svc": (svm.LinearSVC(**yes), iris), "iris-bayes": (naive_bayes.GaussianNB(), iris), "iris-knn": (neighbors.KNeighborsClassifier(3), iris),
        "iris-kmeans": (cluster.KMeans(3, n_init=1, **yes), iris), "iris-pca": (scaled(decomposition.PCA(2)), iris), "iris-isolation": (ensemble.IsolationForest(n_estimators=20, **yes), iris),
        "iris-perceptron": (linear_model.Perceptron(**yes), iris), "iris-sgd": (scaled(linear_model.SGDClassifier(loss="log_loss", **yes)), iris),
        "digits-mlp": (neural_network.MLPClassifier((128, 64), max_iter=15, **yes), digits), "digits-forest": (ensemble.RandomForestClassifier(100, **yes), digits), "digits-scaled-mlp": (scaled(neural_network.MLPClassifier((32,), max_iter=15, **yes)), digits),
        "digits-logistic": (scaled(linear_model.LogisticRegression(max_iter=200)), digits), "digits-svc": (svm.SVC(gamma=0.001, probability=False), digits),
        "diabetes-linear": (linear_model.LinearRegression(), diabetes), "diabetes-ridge": (scaled(linear_model.Ridge()), diabetes), "diabetes-lasso": (linear_model.Lasso(), diabetes), "diabetes-forest": (ensemble.RandomForestRegressor(50, **yes), diabetes),
        "diabetes-boost": (ensemble.GradientBoostingRegressor(n_estimators=30, **yes), diabetes), "diabetes-hist": (ensemble.HistGradientBoostingRegressor(max_iter=20, **yes), diabetes), "diabetes-svr": (svm.SVR(), diabetes),
        "diabetes-mlp": (scaled(neural_network.MLPRegressor(hidden_layer_sizes=(20,), max_iter=100, **yes)), diabetes), "diabetes-poly": (pipeline.make_pipeline(preprocessing.PolynomialFeatures(2), linear_model.Ridge()), diabetes),
        "diabetes-knn": (neighbors.KNeighborsRegressor(3), diabetes), "diabetes-select": (pipeline.make_pipeline(feature_selection.SelectKBest(k=4), linear_model.LinearRegression()), diabetes),
        "iris-minmax": (pipeline.make_pipeline(preprocessing.MinMaxScaler(), linear_model.LogisticRegression(max_iter=500)), iris), "iris-normal": (pipeline.make_pipeline(preprocessing.Normalizer(), linear_model.LogisticRegression(max_iter=500)), iris),
        "iris-bins": (pipeline.make_pipeline(preprocessing.KBinsDiscretizer(4, encode="ordinal"), tree.DecisionTreeClassifier(**yes)), iris), "iris-robust": (pipeline.make_pipeline(preprocessing.RobustScaler(), svm.LinearSVC(**yes)), iris),
        "iris-vote": (ensemble.VotingClassifier([("a", linear_model.LogisticRegression(max_iter=500)), ("b", naive_bayes.GaussianNB())], voting="soft"), iris),
    }  # fmt: skip
    for name, (model, (x, y)) in models.items():
        fitted = model.fit(x, y)
        for kind in (np.float32, np.float64):
            for opset in (12, 15, 18, 21):
                options = {id(fitted): {"zipmap": False}} if hasattr(fitted, "predict_proba") or hasattr(fitted, "decision_function") and hasattr(fitted, "classes_") else None
                try:
                    made = to_onnx(fitted, x[:1].astype(kind), target_opset={"": opset, "ai.onnx.ml": 3}, options=options)
                except Exception:
                    continue
                rows = np.ascontiguousarray(x[:: max(1, len(x) // 40)]).astype(kind)
                yield f"{name}-{kind.__name__}-{opset}", made, {made.graph.input[0].name: rows}


def boosted():
    import lightgbm, xgboost
    from onnxmltools import convert_lightgbm, convert_xgboost
    from onnxmltools.convert.common.data_types import FloatTensorType
    from sklearn import datasets

    for name, (x, y) in {"iris": datasets.load_iris(return_X_y=True), "diabetes": datasets.load_diabetes(return_X_y=True)}.items():
        kind = [("x", FloatTensorType([None, x.shape[1]]))]
        rows = {"x": x[::5].astype(np.float32)}
        for label, fit, convert in [
            ("lightgbm", (lightgbm.LGBMClassifier if name == "iris" else lightgbm.LGBMRegressor)(n_estimators=15, verbose=-1), lambda m: convert_lightgbm(m, initial_types=kind, zipmap=False) if name == "iris" else convert_lightgbm(m, initial_types=kind)),
            ("xgboost", (xgboost.XGBClassifier if name == "iris" else xgboost.XGBRegressor)(n_estimators=15), lambda m: convert_xgboost(m, initial_types=kind)),
        ]:
            try:
                yield f"{name}-{label}", convert(fit.fit(x, y)), rows
            except Exception as error:
                print(f"not exported: {name}-{label}: {error}")


def packaged():
    folder = lambda package: pathlib.Path(importlib.util.find_spec(package).submodule_search_locations[0])
    random = rng("packaged")
    for file in sorted((folder("silero_vad") / "data").glob("*.onnx")):
        model = onnx.load(file)
        feeds = {}
        for value in model.graph.input:
            shape = [dim.dim_value for dim in value.type.tensor_type.shape.dim]
            if value.name == "sr":
                feeds[value.name] = np.array(16000, np.int64)
            elif value.name in ("state", "h", "c"):
                feeds[value.name] = random.normal(0, 0.3, [n or 1 for n in shape]).astype(np.float32)
            else:
                feeds[value.name] = random.normal(0, 0.1, (1, 576)).astype(np.float32)
        yield f"silero-{file.stem}", model, feeds
    for file in sorted((folder("magika") / "models").glob("*/model.onnx")):
        model = onnx.load(file)
        value = model.graph.input[0]
        width = value.type.tensor_type.shape.dim[1].dim_value
        yield f"magika-{file.parent.name}", model, {value.name: random.integers(0, 257, (2, width)).astype(np.int32)}
    for file in sorted((folder("onnxruntime") / "datasets").glob("*.onnx")):
        model = onnx.load(file)
        value = model.graph.input[0]
        shape = [dim.dim_value or 3 for dim in value.type.tensor_type.shape.dim]
        yield f"onnxruntime-{file.stem}", model, {value.name: random.normal(0, 2, shape).astype(np.float32)}


def all_cells(aside, reasons):
    for group in (scikit, boosted, packaged):
        for name, model, feeds in group():
            data = model.SerializeToString()
            names = [output.name for output in model.graph.output]
            try:
                _, outputs = prove.evaluate(data, feeds, names)
            except prove.SetAside as why:
                aside["an exported model: " + str(why)[:60]] += 1
                reasons.append(f"{name}\t{why}\n")
                continue
            yield name.rsplit("-", 2)[0], f"exported/{name}", data, feeds, dict(zip(names, outputs))
