//! A disk that refuses, inside SQLite: every write to its log, and every flush of it, fails once and the next one too.
//!
//! The simulation plays refused commits at their boundary; here the system call itself says no, so that a commit is half
//! written, or written and not flushed, when SQLite gives it up.

use std::sync::atomic::{AtomicUsize, Ordering};

use trackside_store::Reader;

use crate::{
    every_commit::{MOST, WORKERS, can_watch, copy_of, goes_on, journals, play, template},
    support::{optional::not_run, web::Web},
};

#[test]
fn a_write_or_a_flush_that_the_disk_refuses_costs_nothing_but_time() {
    if !can_watch() {
        return not_run("strace", "a disk that refuses", "strace does not work here");
    }
    let web = Web::start();
    let template = template(&web);
    let (old, _) = journals(&Reader::open(&template.path(".trackside")).unwrap());
    for (call, error) in [("pwrite64", "ENOSPC"), ("pwrite64", "EIO"), ("?fsync,?fdatasync", "EIO")] {
        let (next, refused, unopened) = (AtomicUsize::new(1), AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..WORKERS {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        assert!(number < MOST, "it never came to its end");
                        let project = copy_of(&template);
                        let at = format!("{error} at {call} {number}");
                        let ran = play(&project, call, &format!("error={error}:when={number}..{}", number + 1));
                        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
                        if !ran.status.success() {
                            // A store that can not be opened is told, and nothing has begun.
                            let code = if error == "ENOSPC" { "TS-0207" } else { "TS-0203" };
                            assert!(ran.status.code() == Some(3) && said.contains(code), "{at}: {said}");
                            unopened.fetch_add(1, Ordering::Relaxed);
                        }
                        goes_on(&project, &old, &at);
                        if !project.read("trace").contains("(INJECTED)") {
                            return;
                        }
                        refused.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        let (refused, unopened) = (refused.into_inner(), unopened.into_inner());
        println!("{error} at {refused} calls of {call}, {unopened} of them while the store was opened");
        assert!(refused > 5 && unopened < 5, "{refused} {unopened}");
    }
    // Each run has called once, and no effect was repeated: nothing was in flight that a refusal could lose.
    let keys: Vec<_> = web.requests("/call").into_iter().map(|request| request.key.unwrap()).collect();
    let once: std::collections::BTreeSet<_> = keys.iter().collect();
    assert_eq!(keys.len(), once.len(), "an effect was repeated");
}
