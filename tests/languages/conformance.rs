//! One job in every language.

use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    time::Instant,
};

use serde_json::Value;

use crate::support::{Project, command::Trackside, optional::not_run, repository};

/// Components and WASI commands, by the names of their files in the folder.
const COMPONENTS: [&str; 7] = ["rust", "c", "go", "js", "ts", "python", "zig"];
const COMMANDS: [&str; 2] = ["assemblyscript", "command"];

fn built() -> Option<PathBuf> {
    let folder = env::var_os("TRACKSIDE_LANGUAGES").filter(|folder| !folder.is_empty()).map(PathBuf::from);
    if folder.is_none() {
        not_run("languages", "the examples of all plugin languages", "TRACKSIDE_LANGUAGES names no folder");
    }
    folder
}

fn cases(kind: &str) -> Vec<String> {
    let folder = repository::example("plugins").join("conformance").join(kind);
    let mut cases: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path().to_str().unwrap().to_owned()).collect();
    cases.sort();
    cases
}

/// What `plugin test` found wrong; the shortest times to instantiate and to call otherwise, in microseconds.
fn judge(component: &Path, cases: &[String]) -> Result<[u64; 2], String> {
    let mut arguments = vec!["plugin", "test", "--json", "--component", component.to_str().unwrap()];
    arguments.extend(cases.iter().map(String::as_str));
    let ran = Trackside::new(&arguments).run();
    let results: Vec<Value> = serde_json::from_str(&ran.stdout).map_err(|_| ran.stderr.clone())?;
    let wrong: Vec<String> =
        results.iter().filter(|result| result["passed"] != true).map(|result| format!("{result:#}")).collect();
    if wrong.is_empty() && results.len() == cases.len() {
        let shortest = |key: &str| {
            results.iter().filter_map(|result| result[key].as_u64()).filter(|us| *us > 0).min().unwrap_or_default()
        };
        Ok([shortest("instantiate_us"), shortest("wall_us")])
    } else {
        Err(wrong.join("\n"))
    }
}

/// How long the whole command that shows the component takes, in milliseconds: compiling it, and again with the code
/// that was kept.
fn load_times(component: &Path) -> [u128; 2] {
    let project = Project::new();
    // A node's data folder is where compiled code is kept.
    project.workflow("w", "steps:\n  a: { plugin: echo, with: { value: 1 } }\n");
    project.run(&["run", "w"]).ok();
    [(); 2].map(|()| {
        let begin = Instant::now();
        project.run(&["plugin", "inspect", component.to_str().unwrap(), "--json"]).ok();
        begin.elapsed().as_millis()
    })
}

#[test]
fn every_language_passes_the_same_cases() {
    let Some(folder) = built() else { return };
    let mut problems = Vec::new();
    let mut table = String::from("language          size   compile      load  instantiate      call\n");
    for (kind, languages) in [("components", COMPONENTS.as_slice()), ("commands", COMMANDS.as_slice())] {
        let cases = cases(kind);
        for language in languages {
            let component = folder.join(format!("{language}.wasm"));
            let size = fs::metadata(&component).map(|meta| meta.len()).unwrap_or_default();
            match judge(&component, &cases) {
                Ok([instantiate, call]) => {
                    let ([compile, load], size) = (load_times(&component), size / 1000);
                    table.push_str(&format!(
                        "{language:<14} {size:>6} kB {compile:>6} ms {load:>6} ms {instantiate:>9} us {call:>6} us\n"
                    ));
                }
                Err(problem) => problems.push(format!("{language}: {problem}")),
            }
        }
    }
    let _ = std::io::stderr().write_all(table.as_bytes());
    assert!(problems.is_empty(), "{}", problems.join("\n\n"));
}

#[test]
fn every_language_counts_a_large_file_on_the_node() {
    let Some(folder) = built() else { return };
    let line = "the pump runs, no error so far\n";
    let text = line.repeat(100_000);
    for language in COMPONENTS {
        let project = Project::new();
        fs::create_dir_all(project.path("plugins")).unwrap();
        fs::copy(folder.join(format!("{language}.wasm")), project.path("plugins/line-stats.wasm")).unwrap();
        project.workflow(
            "count",
            "steps:\n  count:\n    plugin: line-stats\n    with: { file: \"${trigger.file}\", pattern: error }\n    \
             allow: { state: true }\n    limits: { memory: 256MiB, cpu: 1m }\n",
        );
        project.write("large.txt", &text);
        let ran = project.run(&["run", "count", "--file", "large.txt", "--json"]).ok();
        let output = &ran.json()["outputs"]["count"];
        assert_eq!(output["lines"], 100_000, "{language}: {output}");
        assert_eq!(output["matches"], 100_000, "{language}");
        assert_eq!(output["bytes"], text.len(), "{language}");
        assert_eq!(output["total"], 100_000, "{language}");
        assert_eq!(output["matching"]["size"], text.len(), "{language}");
    }
}
