//! Checks of `params`.

use super::{bind, checker::Checker, file::ParamFile, words};
use crate::{
    ordered::Ordered,
    plan::{Param, ParamKind},
};

const MAX_PARAMS: usize = 64;
const MAX_CHOICES: usize = 256;

pub(super) fn check(params: Ordered<ParamFile>, checker: &mut Checker<'_, '_>) -> Vec<Param> {
    if params.0.len() > MAX_PARAMS {
        let message = format!("{} parameters; the limit is {MAX_PARAMS}", params.0.len());
        checker.at_key("TS-0108", &["params"], message, None);
    }
    params.0.into_iter().map(|(name, file)| param(name, file, checker)).collect()
}

fn param(name: String, file: ParamFile, checker: &mut Checker<'_, '_>) -> Param {
    if let Err((message, help)) = words::identifier(&name) {
        checker.at_key("TS-0103", &["params", &name], message, help);
    }
    let path = |key: &'static str| ["params", name.as_str(), key];
    let numeric = matches!(file.kind, ParamKind::Number | ParamKind::Integer);
    for (key, bound) in [("minimum", &file.minimum), ("maximum", &file.maximum)] {
        if bound.is_some() && !numeric {
            checker.at_key("TS-0103", &path(key), format!("`{key}` is for numbers and integers"), None);
        }
    }
    if let (Some(minimum), Some(maximum)) = (&file.minimum, &file.maximum)
        && bind::order(minimum, maximum).is_gt()
    {
        let (minimum, maximum) = (bind::shown(minimum), bind::shown(maximum));
        let message = format!("the minimum {minimum} is above the maximum {maximum}");
        checker.at("TS-0103", &path("minimum"), message, None);
    }
    if file.choices.len() > MAX_CHOICES {
        let message = format!("{} choices; the limit is {MAX_CHOICES}", file.choices.len());
        checker.at_key("TS-0108", &path("choices"), message, None);
    }
    let param = Param {
        kind: file.kind,
        description: file.description,
        default: file.default,
        minimum: file.minimum,
        maximum: file.maximum,
        choices: file.choices,
        name: name.clone(),
    };
    for (index, choice) in param.choices.iter().enumerate() {
        if let Err(reason) = bind::check_type(&param, choice).and_then(|()| bind::check_bounds(&param, choice)) {
            checker.at("TS-0103", &["params", &name, "choices", &index.to_string()], reason.to_string(), None);
        }
    }
    if let Some(default) = &param.default
        && let Err(reason) = bind::check_value(&param, default)
    {
        checker.at("TS-0103", &path("default"), format!("the default does not fit: {reason}"), None);
    }
    param
}
