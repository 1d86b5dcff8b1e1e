//! A process of its own for a test that looks at its process or changes it: its memory, its limits, a library that is loaded
//! for good. The program of the tests runs itself again, with that one test.

use std::{
    any::type_name,
    env,
    process::{Command, Stdio},
};

/// Names the test to the process that is for it.
const FOR: &str = "TRACKSIDE_TEST_ALONE";

/// Runs `body`, a closure in a test, in a process of its own.
///
/// # Panics
/// When it panics there.
#[track_caller]
pub fn alone<Body: FnOnce()>(body: Body) {
    alone_under(|| Some(Command::new("env")), body);
}

/// The same below a program that runs what its last arguments say; not at all where there is none.
#[track_caller]
pub fn alone_under<Body: FnOnce()>(program: impl FnOnce() -> Option<Command>, body: Body) {
    // `crate::module::test::{{closure}}`: the name that the harness knows is between the crate and the closure.
    let (_, name) = type_name::<Body>().trim_end_matches("::{{closure}}").split_once("::").unwrap();
    if env::var(FOR).is_ok_and(|given| given == name) {
        return body();
    }
    let Some(mut program) = program() else { return };
    program.arg(env::current_exe().unwrap()).args([name, "--exact", "--nocapture"]).env(FOR, name);
    let output = program.stderr(Stdio::inherit()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    print!("{said}");
    // With a name that no test has it would end well too.
    assert!(output.status.success() && said.contains("test result: ok. 1 passed"), "{name}: {}", output.status);
}
