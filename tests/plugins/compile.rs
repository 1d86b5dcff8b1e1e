//! Components that are made to be expensive to compile.

use std::{
    fs,
    io::{Read, Write},
    process::Stdio,
    time::Duration,
};

use crate::{
    component::{components, project, variant},
    support::{
        Project,
        command::binary,
        sections::{leb, section},
        wait::patient,
        wait_until,
    },
};

/// A WASI command whose `functions` functions have `length` conditional calls each, over many variables, so that every
/// variable is alive for long and has many places where it may have been set.
fn bomb(functions: usize, length: usize) -> Vec<u8> {
    const VARIABLES: usize = 1000;
    let mut body = [&[1][..], &leb(VARIABLES), &[0x7f]].concat();
    for step in 0..length {
        let (from, to) = (leb(step * 7 % VARIABLES), leb(step * 13 % VARIABLES));
        // local.get from, if, local.get to, local.get from, call 1, local.set to, end
        body.extend([&[0x20][..], &from, &[0x04, 0x40, 0x20], &to, &[0x20], &from].concat());
        body.extend([&[0x10, 1, 0x21][..], &to, &[0x0b]].concat());
    }
    body.push(0x0b);
    let code = [leb(body.len()), body].concat();
    // The program, a function that adds, and more like the program.
    let adds = [7, 0, 0x20, 0, 0x20, 1, 0x6a, 0x0b];
    let codes = [leb(functions + 1), code.clone(), adds.to_vec(), code.repeat(functions - 1)].concat();
    let types = section(1, &[2, 0x60, 0, 0, 0x60, 2, 0x7f, 0x7f, 1, 0x7f]);
    let declared = section(3, &[leb(functions + 1), vec![0, 1], vec![0; functions - 1]].concat());
    let memory = section(5, &[1, 0, 1]);
    let exports = section(7, &[&[2, 6][..], b"_start", &[0, 0, 6], b"memory", &[2, 0]].concat());
    [&b"\0asm\x01\0\0\0"[..], &types, &declared, &memory, &exports, &section(10, &codes)].concat()
}

#[test]
fn a_compilation_that_takes_too_long_is_ended_and_told_with_the_key_that_allows_more() {
    let project = project("bomb", "[plugins]\ncompile_time = \"1s\"\n");
    project.write("bomb.wasm", bomb(300, 2_000));
    let ran = project.run(&["plugin", "add", "bomb.wasm"]).exits(1).says(&["TS-0328", "1s", "compile_time"]);
    assert!(ran.took < patient(Duration::from_secs(60)), "{ran}");
    assert_eq!(components(&project), [""; 0]);
    assert!(!project.path("workflow.lock").exists());
}

#[test]
fn a_compilation_that_takes_too_much_memory_is_ended_and_told_with_the_key_that_allows_more() {
    let project = project("bomb", "[plugins]\ncompile_memory = \"96MiB\"\n");
    project.write("bomb.wasm", bomb(1, 20_000));
    project.run(&["plugin", "add", "bomb.wasm"]).exits(1).says(&["TS-0328", "96MiB of memory", "compile_memory"]);
    // What is honest still fits.
    project.write("mine.wasm", variant("one"));
    project.run(&["plugin", "add", "mine.wasm"]).ok();
}

#[test]
fn a_node_that_meets_a_compile_bomb_fails_that_step_and_lives() {
    let project = project("bomb", "[plugins]\ncompile_memory = \"96MiB\"\ncompile_time = \"20s\"\n");
    project.write("plugins/bomb.wasm", bomb(1, 20_000));
    project.workflow("well", "steps:\n  a: { plugin: echo, with: { value: 1 } }\n");
    let mut node = project.serve();
    let bad = node.start_run("use");
    let view = project.wait_end(&bad);
    assert_eq!(view["state"], "failed", "{view:#}");
    assert!(view.to_string().contains("plugin-unavailable") && view.to_string().contains("TS-0328"), "{view:#}");
    let well = node.start_run("well");
    assert_eq!(project.wait_end(&well)["state"], "succeeded");
    assert!(!node.has_ended());
    let status = fs::read_to_string(format!("/proc/{}/status", node.pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 200 << 10, "the node itself took {peak} KiB");
}

/// What the node gives its process that compiles: without it the allocator takes all of the memory at once.
const SPARING: (&str, &str) = ("TRACKSIDE_ALLOCATOR", "system");

#[test]
fn the_process_that_compiles_can_open_nothing_and_ends_with_its_input() {
    let project = Project::new();
    let mut worker = binary();
    worker.args(["compile-worker", "component", "plain", "large", "1", "536870912", "60"]).current_dir(project.root());
    worker.env(SPARING.0, SPARING.1);
    worker.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut worker = worker.spawn().unwrap();
    let limits = format!("/proc/{}/limits", worker.id());
    // It bounds itself before it reads: the input is not there yet.
    let bounds = wait_until("the worker's bounds", || {
        let text = fs::read_to_string(&limits).unwrap();
        let limit = |name: &str| {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{text}"));
            line[name.len()..].split_whitespace().next().unwrap().to_owned()
        };
        let bounds =
            ["Max open files", "Max core file size", "Max file size", "Max cpu time", "Max data size"].map(limit);
        (bounds[0] == "3").then_some(bounds)
    });
    assert_eq!(bounds, ["3", "0", "0", "60", "536870912"]);
    worker.stdin.take().unwrap().write_all(&variant("one")).unwrap();
    let mut code = Vec::new();
    worker.stdout.take().unwrap().read_to_end(&mut code).unwrap();
    assert!(worker.wait().unwrap().success());
    let length = u64::from_le_bytes(code[..8].try_into().unwrap());
    assert_eq!(length, code.len() as u64 - 8);
    assert!(length > 100_000, "{length}");
}

#[test]
fn the_process_that_compiles_says_what_is_wrong_and_is_no_command_for_people() {
    let project = Project::new();
    project.run(&["compile-worker"]).exits(1).says(&["for the node itself"]);
    let arguments = ["compile-worker", "component", "plain", "pooled", "1", "536870912", "60"];
    project.command(&arguments).env(SPARING.0, SPARING.1).run().exits(1).says(&["unexpected end"]);
    let help = project.run(&["--help"]).ok();
    assert!(!help.stdout.contains("compile-worker"), "{help}");
}
