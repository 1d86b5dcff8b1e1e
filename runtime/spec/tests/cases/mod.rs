//! A table of broken files and the exact text that each must produce.

/// One broken file.
pub struct Case {
    /// What is broken.
    pub name: &'static str,
    /// The file.
    pub text: &'static str,
    /// Everything that is said about it.
    pub error: &'static str,
}

/// Loads every case and compares; all differences are shown at once.
pub fn check(cases: &[Case], load: impl Fn(&str) -> Result<(), String>) {
    let mut wrong = Vec::new();
    for case in cases {
        let found = load(case.text).err().unwrap_or_default();
        if found != case.error {
            wrong.push(format!("=== {}: expected\n{}\n--- found\n{found}", case.name, case.error));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
