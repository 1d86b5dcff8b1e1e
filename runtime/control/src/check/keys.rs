//! The files of keys that `trackside.toml` names.

use std::fs;

use trackside_codes::{Code, Coded as _};
use trackside_node::Project;
use trackside_packages::PublicKey;
use trackside_spec::{Problem, config::config_problems};

/// The file that names them.
const CONFIG: &str = "trackside.toml";

/// The keys of `[policy] model_keys` that can not be used: without each of them no signature of a model counts.
#[must_use]
pub fn check_keys(project: &Project) -> Vec<Problem> {
    let keys = &project.config.policy.model_keys;
    let wrong = keys.iter().enumerate().filter_map(|(index, key)| {
        let error = PublicKey::read(&project.root.join(key)).err()?;
        Some((index.to_string(), error.code(), error.message()))
    });
    let wrong: Vec<(String, Code, String)> = wrong.collect();
    if wrong.is_empty() {
        return Vec::new();
    }
    let found: Vec<_> = wrong
        .iter()
        .map(|(index, code, message)| (vec!["policy", "model_keys", index.as_str()], *code, message.clone()))
        .collect();
    // Read again for the places; without the text they are at its beginning.
    let text = fs::read_to_string(project.root.join(CONFIG)).unwrap_or_default();
    config_problems(CONFIG, &text, &found)
}
