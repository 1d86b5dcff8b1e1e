//! Watched folders that are moved away and back, or replaced, also where no event tells of it.

use std::{fs, os::unix::fs::symlink};

use crate::support::{Host, Inbox, fence, names};

#[test]
fn a_folder_that_is_moved_away_and_back_goes_on_with_what_came_meanwhile() {
    let (inbox, host) = (Inbox::new().glob("**/*.csv").settle(100), Host::new());
    let _watcher = inbox.start(&host);
    let away = inbox.base.path().join("away");
    for round in 0..3 {
        fs::rename(&inbox.folder, &away).unwrap();
        fs::create_dir_all(away.join(format!("sub-{round}"))).unwrap();
        fs::write(away.join(format!("sub-{round}/a.csv")), format!("away {round}")).unwrap();
        fs::rename(&away, &inbox.folder).unwrap();
        inbox.write(&format!("sub-{round}/b.csv"), format!("back {round}"));
        host.wait_claims(2 * (round + 1));
    }
}

#[test]
fn a_folder_above_it_that_is_moved_away_and_back_loses_nothing() {
    let (mut inbox, host) = (Inbox::new().glob("**/*.csv").settle(100), Host::new());
    inbox.folder = inbox.base.path().join("project/in");
    fs::create_dir_all(inbox.path("sub")).unwrap();
    let _watcher = inbox.start(&host);
    let (project, away) = (inbox.base.path().join("project"), inbox.base.path().join("away"));
    for round in 0..3 {
        // No event tells that it is away, and what comes is told under names where nothing is.
        fs::rename(&project, &away).unwrap();
        fs::write(away.join("in/sub/a.csv"), format!("away {round}")).unwrap();
        fs::rename(&away, &project).unwrap();
        inbox.write("sub/b.csv", format!("back {round}"));
        host.wait_claims(2 * (round + 1));
    }
}

#[test]
fn a_link_that_leads_elsewhere_is_followed_without_an_event() {
    let (mut inbox, host) = (Inbox::new().settle(100), Host::new());
    let (link, other) = (inbox.base.path().join("link"), inbox.base.path().join("other"));
    symlink(&inbox.folder, &link).unwrap();
    inbox.folder = link.clone();
    let _watcher = inbox.start(&host);
    fence(&inbox, &host, "y.csv");
    fs::create_dir(&other).unwrap();
    fs::write(other.join("a.csv"), "elsewhere").unwrap();
    symlink(&other, inbox.base.path().join("new-link")).unwrap();
    fs::rename(inbox.base.path().join("new-link"), &link).unwrap();
    host.wait_fires(2);
    fence(&inbox, &host, "z.csv");
    assert_eq!(names(&host.fires()), ["y.csv", "a.csv", "z.csv"]);
}
