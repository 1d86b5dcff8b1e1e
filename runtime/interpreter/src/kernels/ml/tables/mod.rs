//! Which operators of `ai.onnx.ml` are known, and with which types and attributes.

mod forests;
mod labels;
mod machines;
mod simple;

use crate::table::{Entry, of_set};

const SET: &str = "ai.onnx.ml";
/// The newest version of the set that was proved.
const NEWEST: i64 = 5;

pub(crate) static TABLE: &[Entry] = &[
    of_set(SET, 1, NEWEST, "TreeEnsembleRegressor", forests::regressor),
    of_set(SET, 1, NEWEST, "TreeEnsembleClassifier", forests::classifier),
    of_set(SET, 5, NEWEST, "TreeEnsemble", forests::ensemble),
    of_set(SET, 1, NEWEST, "LinearRegressor", simple::linear_regressor),
    of_set(SET, 1, NEWEST, "LinearClassifier", simple::linear_classifier),
    of_set(SET, 1, NEWEST, "Scaler", simple::scaler),
    of_set(SET, 1, NEWEST, "Normalizer", simple::normalizer),
    of_set(SET, 1, NEWEST, "Imputer", simple::imputer),
    of_set(SET, 1, NEWEST, "Binarizer", simple::binarizer),
    of_set(SET, 1, NEWEST, "ArrayFeatureExtractor", simple::extractor),
    of_set(SET, 1, NEWEST, "OneHotEncoder", simple::one_hot_encoder),
    of_set(SET, 2, NEWEST, "LabelEncoder", labels::label_encoder),
    of_set(SET, 1, NEWEST, "SVMRegressor", machines::svm_regressor),
    of_set(SET, 1, NEWEST, "SVMClassifier", machines::svm_classifier),
    of_set(SET, 1, NEWEST, "FeatureVectorizer", simple::feature_vectorizer),
];
