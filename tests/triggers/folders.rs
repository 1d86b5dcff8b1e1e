//! Folders that are moved away and back, and names that hardly fit.

use std::{collections::BTreeSet, fs, path::Path};

use crate::support::{Node, Project, wait_until};

const INTAKE: &str = "triggers:\n  - file: { path: inbox, glob: \"**/*.csv\", settle: 200ms }\n\
                      steps:\n  look: { plugin: echo, with: { value: \"${trigger.file.name}\" } }\n";

fn idle(project: &Project) {
    project.workflow("other", "steps:\n  look: { plugin: echo, with: { value: 1 } }\n");
}

#[track_caller]
fn wait_said_times(node: &Node, text: &str, times: usize) {
    wait_until(&format!("{text} {times} times"), || (node.said().matches(text).count() == times).then_some(()));
}

#[test]
fn a_folder_of_workflows_that_is_moved_away_takes_nothing_out() {
    let project = Project::new();
    project.workflow("intake", INTAKE);
    idle(&project);
    let node = project.serve();
    let (here, away) = (project.path("workflows"), project.path("away"));
    for round in 1..=2 {
        fs::rename(&here, &away).unwrap();
        wait_said_times(&node, "TS-0638", round);
        project.drop_file(&format!("inbox/a{round}.csv"), format!("away {round}"));
        project.wait_runs(2 * round - 1);
        fs::rename(&away, &here).unwrap();
        wait_said_times(&node, "nothing is wrong with workflows any more", round);
        // It is watched again: a change is taken up.
        project.workflow("other", &format!("steps:\n  look: {{ plugin: echo, with: {{ value: 1{round} }} }}\n"));
        wait_said_times(&node, "workflow other is in use", round);
        project.drop_file(&format!("inbox/b{round}.csv"), format!("back {round}"));
        project.wait_runs(2 * round);
    }
    assert!(!node.said().contains("was taken out"), "{}", node.said());
}

#[test]
fn an_empty_folder_in_place_of_that_with_the_workflows_takes_nothing_out_until_somebody_says_so() {
    let project = Project::new();
    project.workflow("intake", INTAKE);
    let node = project.serve();
    let (here, away) = (project.path("workflows"), project.path("away"));
    // As when it is not mounted any more.
    fs::rename(&here, &away).unwrap();
    fs::create_dir(&here).unwrap();
    node.wait_said("TS-0638");
    project.drop_file("inbox/a.csv", "a");
    project.wait_runs(1);
    project.run(&["reload"]).ok();
    node.wait_said("workflow intake was taken out");
    fs::remove_dir(&here).unwrap();
    fs::rename(&away, &here).unwrap();
    project.run(&["reload"]).ok();
    project.drop_file("inbox/b.csv", "b");
    project.wait_runs(2);
}

#[test]
fn removing_the_last_workflow_file_takes_the_workflow_out() {
    let project = Project::new();
    project.workflow("intake", INTAKE);
    let node = project.serve();
    fs::remove_file(project.path("workflows/intake.yaml")).unwrap();
    node.wait_said("workflow intake was taken out");
    assert!(!node.said().contains("TS-0638"), "{}", node.said());
}

#[test]
fn a_node_that_starts_without_its_folder_of_workflows_goes_on_with_what_was_in_use() {
    let project = Project::new();
    project.workflow("intake", INTAKE);
    project.serve().kill();
    fs::rename(project.path("workflows"), project.path("away")).unwrap();
    let node = project.serve();
    node.wait_said("TS-0638");
    project.drop_file("inbox/a.csv", "a");
    project.wait_runs(1);
    fs::rename(project.path("away"), project.path("workflows")).unwrap();
    node.wait_said("nothing is wrong with workflows any more");
}

#[test]
fn a_project_that_is_moved_away_and_back_goes_on() {
    let project = Project::new();
    project.workflow("intake", INTAKE);
    idle(&project);
    let node = project.serve();
    let away = Path::new(&format!("{}-away", project.root().display())).to_owned();
    fs::rename(project.root(), &away).unwrap();
    wait_until("the node's word that the folder is away", || {
        fs::read_to_string(away.join(".trackside-test/log")).is_ok_and(|said| said.contains("TS-0638")).then_some(())
    });
    fs::write(away.join("inbox/a.csv"), "while it was away").unwrap();
    fs::rename(&away, project.root()).unwrap();
    node.wait_said("nothing is wrong with workflows any more");
    project.drop_file("inbox/b.csv", "back");
    project.wait_runs(2);
    assert!(!node.said().contains("was taken out"), "{}", node.said());
    assert!(!node.said().contains("TS-0626"), "{}", node.said());
}

#[test]
fn files_of_a_shared_folder_with_names_of_any_length_start_their_runs() {
    let project = Project::new();
    project.workflow("intake", &INTAKE.replace("settle: 200ms", "settle: 200ms, shared: true"));
    let node = project.serve();
    let mut names = BTreeSet::new();
    for character in ["n", "ä", "€", "😀"] {
        for length in [200, 236, 239, 240, 247, 251, 252, 253, 254, 255] {
            let room = length - 4;
            let name = character.repeat(room / character.len()) + &"x".repeat(room % character.len()) + ".csv";
            project.drop_file("inbox/part", format!("{character} {length}"));
            fs::rename(project.path("inbox/part"), project.path("inbox").join(&name)).unwrap();
            names.insert(name);
        }
    }
    let runs = project.wait_runs(40);
    let ran: BTreeSet<String> = runs
        .iter()
        .map(|run| project.show(run["run"].as_str().unwrap())["outputs"]["look"]["value"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(ran, names);
    wait_until("an empty folder", || project.names("inbox").is_empty().then_some(()));
    assert!(!node.said().contains("TS-04"), "{}", node.said());
}

#[test]
fn a_file_with_a_cut_name_that_a_crash_left_behind_starts_its_run_under_its_own_name() {
    let project = Project::new();
    project.workflow("intake", &INTAKE.replace("settle: 200ms", "settle: 200ms, shared: true"));
    let name = "n".repeat(251) + ".csv";
    let node = project.serve();
    project.drop_file("inbox/part", "once");
    fs::rename(project.path("inbox/part"), project.path("inbox").join(&name)).unwrap();
    project.wait_runs(1);
    wait_until("an empty folder", || project.names("inbox").is_empty().then_some(()));
    // As if it had died with a second file of that name.
    let told = project.run(&["explain", "intake/file-0", "--json"]).ok().json();
    let decisions = told["triggers"][0]["decisions"].as_array().unwrap().clone();
    let taken = decisions.iter().find(|decision| decision["decision"] == "taken").unwrap();
    assert_eq!(taken["detail"], name);
    node.kill();
    fs::write(project.path("inbox").join(taken["about"].as_str().unwrap()), "twice").unwrap();
    let _node = project.serve();
    let runs = project.wait_runs(2);
    assert_eq!(project.show(runs[1]["run"].as_str().unwrap())["outputs"]["look"]["value"], name);
}

#[test]
fn a_known_file_under_the_box_s_name_does_not_keep_the_next_one_of_its_name_from_its_run() {
    let project = Project::new();
    project.workflow("intake", &INTAKE.replace("settle: 200ms", "settle: 200ms, shared: true"));
    let node = project.serve();
    // A name that is cut, for the sake of the box's name that is on record with it.
    let long = "n".repeat(251) + ".csv";
    project.drop_file("inbox/part", "long");
    fs::rename(project.path("inbox/part"), project.path("inbox").join(long)).unwrap();
    project.drop_file("inbox/a.csv", "once");
    project.wait_runs(2);
    wait_until("an empty folder", || project.names("inbox").is_empty().then_some(()));
    let told = project.run(&["explain", "intake/file-0", "--json"]).ok().json();
    let decisions = told["triggers"][0]["decisions"].as_array().unwrap().clone();
    let taken = decisions.iter().find(|decision| decision["decision"] == "taken").unwrap()["about"].as_str().unwrap();
    let tag = taken.strip_suffix(".taken").unwrap().rsplit_once('.').unwrap().1;
    node.kill();
    // The same content again, which this box had taken when it died, and the next file of that name.
    let held = format!(".a.csv.{tag}.taken");
    project.write(&format!("inbox/{held}"), "once");
    project.write("inbox/a.csv", "twice");
    let node = project.serve();
    project.wait_runs(3);
    wait_until("the known file under its own name", || (project.names("inbox") == ["a.csv"]).then_some(()));
    assert_eq!(project.read("inbox/a.csv"), "once");
    // And when both are known: neither starts a run, and the third one does.
    node.kill();
    project.write(&format!("inbox/{held}"), "twice");
    let _node = project.serve();
    project.drop_file("inbox/b.csv", "three");
    project.wait_runs(4);
    let both = [held.as_str(), "a.csv"];
    wait_until("both known files", || (project.names("inbox") == both).then_some(()));
}

/// What `explain` says of how the file or folder stands now, in a word.
#[track_caller]
fn now(project: &Project, subject: &str) -> String {
    let told = project.run(&["explain", subject, "--json"]).ok().json();
    told["triggers"][0]["now"]["state"].as_str().unwrap_or_else(|| panic!("{told:#}")).to_owned()
}

#[test]
fn explain_asks_the_node_how_a_folder_and_a_file_stand() {
    let project = Project::new();
    project.workflow("intake", &INTAKE.replace("settle: 200ms", "settle: 1h"));
    fs::create_dir_all(project.path("inbox/sub")).unwrap();
    let node = project.serve();
    for subject in ["intake/file-0", "intake", "inbox", "inbox/sub", "inbox/sub/no-such.csv"] {
        assert_eq!(now(&project, subject), "watched", "{subject}");
    }
    let told = project.run(&["explain", "intake/file-0"]).ok();
    assert!(told.stdout.contains("now: the folder is watched"), "{}", told.stdout);
    // A link raises no event that completes a file.
    fs::write(project.path("elsewhere"), "a").unwrap();
    fs::hard_link(project.path("elsewhere"), project.path("inbox/sub/a.csv")).unwrap();
    wait_until("a file that settles", || (now(&project, "inbox/sub/a.csv") == "settling").then_some(()));
    let told = project.run(&["explain", "inbox/sub/a.csv"]).ok();
    assert!(told.stdout.contains("nothing was decided yet"), "{}", told.stdout);
    fs::rename(project.path("inbox"), project.path("away")).unwrap();
    wait_until("a folder that is away", || (now(&project, "intake/file-0") == "missing").then_some(()));
    let told = project.run(&["explain", "intake/file-0"]).ok();
    assert!(told.stdout.contains("TS-0410"), "{}", told.stdout);
    node.kill();
    assert_eq!(now(&project, "intake/file-0"), "no-node");
}
