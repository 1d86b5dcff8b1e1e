//! Installing from files.

use std::fs;

use crate::{
    component::{components, inspected, project, variant},
    support::Project,
};

#[test]
fn an_installed_plugin_runs_until_it_is_removed() {
    let project = project("mine", "");
    project.write("vendor/mine.wasm", variant("one"));
    project.run(&["run", "use"]).exits(1).says(&["TS-0601", "trackside plugin add"]);
    project.run(&["plugin", "add", "vendor/mine.wasm"]).ok().prints(&["mine 0.1.0 is installed", "not signed"]);
    project.run(&["run", "use"]).ok();
    let lock = project.read("workflow.lock");
    assert!(lock.contains("[plugins.mine]\nsource = \"file:vendor/mine.wasm\""), "{lock}");
    let about = inspected(&project, "mine");
    assert_eq!((&about["name"], &about["source"]), (&"echo".into(), &"file:vendor/mine.wasm".into()));
    // The file is not needed any more.
    fs::remove_file(project.path("vendor/mine.wasm")).unwrap();
    project.run(&["run", "use"]).ok();
    project.run(&["plugin", "remove", "mine"]).ok();
    project.run(&["run", "use"]).exits(1).says(&["TS-0601"]);
    project.run(&["plugin", "remove", "mine"]).exits(2).says(&["TS-0655"]);
    assert_eq!(components(&project), [""; 0]);
}

#[test]
fn what_is_installed_hides_files_and_bundled_plugins_of_its_name() {
    let project = project("echo", "");
    assert_eq!(inspected(&project, "echo")["source"], "bundled");
    project.write("plugins/echo.wasm", variant("file"));
    assert_eq!(inspected(&project, "echo")["source"], "plugins/echo.wasm");
    project.write("other.wasm", variant("installed"));
    project.run(&["plugin", "add", "other.wasm", "--name", "echo"]).ok();
    assert_eq!(inspected(&project, "echo")["source"], "file:other.wasm");
    let list = project.run(&["plugin", "list", "--json"]).ok().json();
    let lines: Vec<_> = list.as_array().unwrap().iter().filter(|plugin| plugin["name"] == "echo").collect();
    assert_eq!(lines.len(), 1, "{list:#}");
    assert_eq!((&lines[0]["from"], &lines[0]["signature"]), (&"file:other.wasm".into(), &serde_json::Value::Null));
    project.run(&["plugin", "remove", "echo"]).ok();
    assert_eq!(inspected(&project, "echo")["source"], "plugins/echo.wasm");
}

#[test]
fn a_rollback_brings_the_earlier_component_back_without_its_source() {
    let project = project("mine", "");
    let mut digests = Vec::new();
    for mark in ["one", "two", "three"] {
        project.write("mine.wasm", variant(mark));
        let added = project.run(&["plugin", "add", "mine.wasm", "--json"]).ok().json();
        assert_eq!(added["replaces"], digests.last().cloned().unwrap_or_default());
        digests.push(added["digest"].clone());
    }
    fs::remove_file(project.path("mine.wasm")).unwrap();
    for expected in [&digests[1], &digests[0]] {
        project.run(&["plugin", "rollback", "mine"]).ok().prints(&["is back"]);
        assert_eq!(inspected(&project, "mine")["digest"], *expected);
        project.run(&["run", "use"]).ok();
    }
    project.run(&["plugin", "rollback", "mine"]).exits(2).says(&["TS-0656"]);
    assert_eq!(components(&project).len(), 1, "what nothing names any more is gone");
}

#[test]
fn a_component_that_was_changed_on_disk_is_not_loaded_and_sync_mends_it() {
    let project = project("mine", "");
    project.write("mine.wasm", variant("one"));
    project.run(&["plugin", "add", "mine.wasm"]).ok();
    let file = project.path(".trackside/plugins").join(&components(&project)[0]);
    fs::remove_file(&file).unwrap();
    fs::write(&file, variant("evil")).unwrap();
    project.run(&["run", "use"]).exits(1).says(&["TS-0604", "trackside plugin sync"]);
    project.run(&["check"]).exits(1).says(&["TS-0604"]);
    project.run(&["plugin", "sync"]).ok().says(&["1 plugin fetched"]);
    project.run(&["run", "use"]).ok();
    fs::remove_file(&file).unwrap();
    project.run(&["run", "use"]).exits(1).says(&["TS-0603", "trackside plugin sync"]);
    // A source that is something else by now does not get in.
    project.write("mine.wasm", variant("two"));
    project.run(&["plugin", "sync"]).exits(1).says(&["TS-0659"]);
    assert_eq!(components(&project), [""; 0]);
}

#[test]
fn a_damaged_lock_file_is_told_with_its_place_and_nothing_is_guessed() {
    let project = project("echo", "");
    for (text, words) in [
        ("version = 1\n[plugins.echo]\nsauce = \"x\"\n", "line 3"),
        ("version = 9\n", "version 9"),
        ("<<<<<<< ours\n", "line 1"),
    ] {
        project.write("workflow.lock", text);
        for command in [&["run", "use"][..], &["plugin", "remove", "echo"], &["plugin", "list"], &["plugin", "sync"]] {
            let ran = project.run(command);
            assert_ne!(ran.code(), 0, "{ran}");
            ran.says(&["TS-0607", words]);
        }
        assert_eq!(project.read("workflow.lock"), text, "it was written over");
    }
}

#[test]
fn what_is_no_plugin_is_not_installed() {
    let project = Project::new();
    for (name, bytes, words) in [
        ("text.wasm", b"hello".to_vec(), "TS-0311"),
        ("cut.wasm", variant("one")[..1000].to_vec(), "TS-0312"),
        ("module.wasm", b"\0asm\x01\0\0\0".to_vec(), "TS-0320"),
    ] {
        project.write(name, bytes);
        project.run(&["plugin", "add", name]).exits(1).says(&[words]);
    }
    project.write("Bad_Name.wasm", variant("one"));
    project.run(&["plugin", "add", "Bad_Name.wasm"]).exits(2).says(&["TS-0658", "--name"]);
    project.run(&["plugin", "add", "nowhere.wasm"]).exits(2).says(&["TS-0602"]);
    project.run(&["plugin", "add", "oci://No-Host/x:1"]).exits(2).says(&["TS-0641"]);
    assert!(!project.path("workflow.lock").exists());
    assert_eq!(components(&project), [""; 0]);
}
