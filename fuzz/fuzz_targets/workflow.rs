//! Files that people write: whatever stands in them, they are read or refused with a place.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use trackside_spec::{SpecError, load_node_config, load_workflow};

fuzz_target!(|data: &[u8]| -> Corpus {
    let Ok(text) = std::str::from_utf8(data) else { return Corpus::Reject };
    match load_workflow("fuzzed.yaml", text) {
        Ok(plan) => {
            // What was accepted is accepted again, as the same definition: runs are recovered from the source.
            let again = load_workflow("fuzzed.yaml", &plan.source).expect("an accepted workflow is accepted again");
            assert_eq!(again.digest, plan.digest);
            assert_eq!(again.steps.len(), plan.steps.len());
        }
        Err(error) => inside(&error, text),
    }
    if let Err(error) = load_node_config("trackside.toml", text) {
        inside(&error, text);
    }
    Corpus::Keep
});

/// Every problem has words for people and a place in the text.
fn inside(error: &SpecError, text: &str) {
    assert!(!error.problems.is_empty());
    // The place behind the last line is one, too.
    let lines = text.split('\n').count() + 1;
    for problem in &error.problems {
        assert!(problem.code.to_string().starts_with("TS-") && !problem.message.is_empty(), "{problem:?}");
        assert!(problem.line <= lines, "{problem:?}");
    }
    let _ = error.to_string();
}
