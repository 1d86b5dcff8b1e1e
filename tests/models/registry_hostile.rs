//! What comes from outside is hostile: models, folders and archives that are made to break something leave nothing behind and take
//! nothing with them.

use std::{fs, os::unix::fs::symlink, time::Duration};

use sha2::{Digest as _, Sha256};
use trackside_models::{EngineChoice, EngineKind, ModelLimits, ProbeError, ProbeLimits, ProbeSettings, Prober};

use crate::{
    MODEL, onnx, project,
    support::{Project, command::BINARY},
};

/// A tar archive, written by hand: of each entry its name, its type, its length as the header says, its bytes.
fn tar(entries: &[(&str, u8, u64, &[u8])]) -> Vec<u8> {
    let mut archive = Vec::new();
    for (name, kind, size, content) in entries {
        let mut header = [0u8; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[100..108].copy_from_slice(b"0000644\0");
        header[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
        header[136..148].copy_from_slice(b"00000000000\0");
        header[156] = *kind;
        header[157..168].copy_from_slice(b"/etc/passwd");
        header[257..265].copy_from_slice(b"ustar\x0000");
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        archive.extend_from_slice(&header);
        archive.extend_from_slice(content);
        archive.resize(archive.len().next_multiple_of(512), 0);
    }
    archive.extend_from_slice(&[0; 1024]);
    archive
}

/// A manifest of one file.
fn manifest(path: &str, size: u64, content: &[u8]) -> String {
    let digest: String = Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect();
    serde_json::json!({
        "format": 1, "model": path, "tool": "a test",
        "files": [{ "path": path, "size": size, "digest": format!("sha256:{digest}") }],
    })
    .to_string()
}

/// Nothing of it is left, and no file was written where the archive said.
fn is_untouched(project: &Project) {
    assert_eq!(project.names(".trackside/models"), [""; 0]);
    assert!(!project.path("evil").exists() && !project.path(".trackside/evil").exists());
    assert_eq!(project.run(&["model", "list", "--json"]).ok().json(), serde_json::json!([]));
}

#[test]
fn a_hostile_archive_is_refused_and_writes_nothing() {
    let model = onnx::one_operator("", "Relu");
    let size = model.len() as u64;
    let good = manifest("m.onnx", size, &model);
    let length = |text: &str| text.len() as u64;
    let with = |manifest: &str, entries: &[(&str, u8, u64, &[u8])]| {
        let first = [("manifest.json", b'0', length(manifest), manifest.as_bytes())];
        tar(&[&first, entries].concat())
    };
    let outside = manifest("../evil", size, &model);
    let absolute = manifest("/tmp/evil.onnx", size, &model);
    let huge = manifest("m.onnx", 1 << 62, &model);
    let many: Vec<serde_json::Value> =
        (0..300).map(|n| serde_json::json!({ "path": format!("f{n}"), "size": 0, "digest": format!("sha256:{}", "0".repeat(64)) })).collect();
    let many = serde_json::json!({ "format": 1, "model": "m.onnx", "tool": "", "files": many }).to_string();
    let lying = good.replace("\"tool\":\"a test\"", r#""tool":"a test","signature":{"inputs":[],"outputs":[],"opsets":[],"ir_version":8,"producer":"","metadata":{}}"#);
    let cases: Vec<(&str, Vec<u8>, &[&str])> = vec![
        ("nothing", vec![], &["TS-0555", "holds nothing"]),
        ("zeros", vec![0; 4096], &["TS-0555"]),
        ("no archive", vec![7; 4096], &["TS-0555"]),
        ("no manifest first", tar(&[("m.onnx", b'0', size, &model)]), &["TS-0555", "begins with"]),
        (
            "a manifest that never ends",
            tar(&[("manifest.json", b'0', (1 << 33) - 1, b"{")]),
            &["TS-0556", "manifest.json has"],
        ),
        ("a manifest that is none", with("[]", &[]), &["TS-0555"]),
        ("a link", with(&good, &[("m.onnx", b'2', 0, b"")]), &["TS-0555", "symbolic link"]),
        ("a hard link", with(&good, &[("m.onnx", b'1', 0, b"")]), &["TS-0555", "a link"]),
        ("a device", with(&good, &[("m.onnx", b'3', 0, b"")]), &["TS-0555", "a device"]),
        ("a long name", with(&good, &[("././@LongLink", b'L', (1 << 33) - 1, b"x")]), &["TS-0555", "later kind"]),
        ("an attribute", with(&good, &[("x", b'x', (1 << 33) - 1, b"x")]), &["TS-0555", "later kind"]),
        ("a file with holes", with(&good, &[("m.onnx", b'S', size, &model)]), &["TS-0555", "holes"]),
        ("a way out", with(&outside, &[("../evil", b'0', size, &model)]), &["TS-0555", "leads out"]),
        (
            "from the root",
            with(&absolute, &[("/tmp/evil.onnx", b'0', size, &model)]),
            &["TS-0555", "from the model's folder on"],
        ),
        ("2^62 bytes", with(&huge, &[]), &["TS-0556", "bytes"]),
        ("many files", with(&many, &[]), &["TS-0556", "300 files"]),
        ("a file that is not listed", with(&good, &[("evil", b'0', 1, b"x")]), &["TS-0555", "does not list it"]),
        (
            "a file twice",
            with(&good, &[("m.onnx", b'0', size, &model), ("m.onnx", b'0', size, &model)]),
            &["TS-0555", "twice"],
        ),
        ("a file that is missing", with(&good, &[]), &["TS-0555", "ends before m.onnx"]),
        (
            "another length",
            with(&good, &[("m.onnx", b'0', size + 1, &[&model[..], b"x"].concat())]),
            &["TS-0557", "instead of"],
        ),
        ("other bytes", with(&good, &[("m.onnx", b'0', size, &vec![9; model.len()])]), &["TS-0557", "another content"]),
        ("an end too soon", with(&good, &[("m.onnx", b'0', size, &model)])[..1100].to_vec(), &["TS-055"]),
        (
            "a signature that is not the model's",
            with(&lying, &[("m.onnx", b'0', size, &model)]),
            &["TS-0557", "other inputs"],
        ),
    ];
    for by_node in [false, true] {
        let project = project("[engine]\nprefer = \"rten\"\n");
        let node = by_node.then(|| project.serve());
        for (what, archive, parts) in &cases {
            project.write("bad.tar", archive);
            let ran = project.run(&["model", "import", "bad.tar", "--name", "bad"]);
            assert!((1..=3).contains(&ran.code()), "{what}: {ran}");
            assert!(parts.iter().all(|part| ran.stderr.contains(part)), "{what}: {ran}");
            is_untouched(&project);
        }
        // And one that is right, to show that these differ from it in nothing but what is wrong.
        project.write("good.tar", with(&good, &[("m.onnx", b'0', size, &model)]));
        project.run(&["model", "import", "good.tar", "--name", "good"]).ok().says(&["good@1 is added"]);
        drop(node);
    }
}

#[test]
fn a_hostile_folder_is_refused() {
    let project = project("[engine]\nprefer = \"rten\"\n");
    project.write("linked/model.onnx", onnx::one_operator("", "Relu"));
    symlink("/etc/passwd", project.path("linked/notes.txt")).unwrap();
    project.run(&["model", "add", "m", "linked"]).exits(2).says(&["TS-0555", "notes.txt", "symbolic link"]);
    project.write("away/model.onnx", onnx::one_operator("", "Relu"));
    symlink("/etc", project.path("away/etc")).unwrap();
    project.run(&["model", "add", "m", "away"]).exits(2).says(&["TS-0555", "symbolic link"]);
    fs::create_dir(project.path("round")).unwrap();
    symlink(project.path("linked/model.onnx"), project.path("round/model.onnx")).unwrap();
    project.run(&["model", "add", "m", "round"]).exits(2).says(&["TS-0555", "symbolic link"]);
    project.write("named/model.onnx", onnx::one_operator("", "Relu"));
    project.write("named/manifest.json", "{}");
    project.run(&["model", "add", "m", "named"]).exits(2).says(&["TS-0555", "manifest.json", "rename yours"]);
    project.write("deep/model.onnx", onnx::one_operator("", "Relu"));
    project.write(&format!("deep/{}x", "a/".repeat(9)), "x");
    project.run(&["model", "add", "m", "deep"]).exits(2).says(&["TS-0556", "deep"]);
    project.write("pipe/model.onnx", onnx::one_operator("", "Relu"));
    let pipe = std::process::Command::new("mkfifo").arg(project.path("pipe/weights.bin")).status().unwrap();
    assert!(pipe.success());
    project.run(&["model", "add", "m", "pipe"]).exits(2).says(&["TS-0555", "no regular file"]);
    project.write("control/model.onnx", onnx::one_operator("", "Relu"));
    project.write("control/a\nb.bin", "x");
    project.run(&["model", "add", "m", "control"]).exits(2).says(&["TS-0555", "control characters"]);
    is_untouched(&project);
}

/// A graph in a graph in a graph. Made from the inside, each level of what stands before the next one and behind it: to put whole graphs
/// into each other would copy gigabytes.
fn deep(levels: usize) -> Vec<u8> {
    let inner = onnx::graph(&[], &[], &[], &[]);
    let mut length = inner.len();
    let (mut before, mut behind) = (Vec::new(), Vec::new());
    let mut around = |head: &[u8], field: u8, tail: &[u8], length: &mut usize| {
        let head = [head, &[field << 3 | 2], &varint(*length)].concat();
        *length += head.len() + tail.len();
        before.push(head);
        behind.extend_from_slice(tail);
    };
    for _ in 0..levels {
        // An attribute with a graph, a node with that attribute, a graph with that node.
        around(b"\x0a\x0bthen_branch", 6, b"\xa0\x01\x05", &mut length);
        around(&onnx::node("", "If", &["x"], &["y"]), 5, b"", &mut length);
        around(b"", 1, b"\x12\x01g", &mut length);
    }
    before.reverse();
    onnx::model(&[before.concat(), inner, behind].concat())
}

/// y = as many zeros as 100 GB have.
fn greedy() -> Vec<u8> {
    let size = onnx::constant("size", onnx::INT64, &[1], &25_000_000_000i64.to_le_bytes());
    let node = onnx::node("", "ConstantOfShape", &["size"], &["y"]);
    onnx::model(&onnx::graph(
        &[node],
        &[size],
        &[onnx::value("x", onnx::FLOAT, &[4])],
        &[onnx::value_of_rank("y", onnx::FLOAT, 1)],
    ))
}

#[test]
fn a_hostile_model_is_refused_by_a_node_that_goes_on() {
    let project = project("[limits]\nwall = \"3s\"\n[engine]\nprefer = \"rten\"\n");
    project.workflow("good", "steps:\n  a: { plugin: echo, with: { value: 1 } }\n");
    let whole = fs::read(project.path(MODEL)).unwrap();
    let cases = [
        ("garbage", (0u32..300_000).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect(), "TS-0502"),
        ("text", b"not a model".to_vec(), "TS-0502"),
        ("cut", whole[..whole.len() / 2].to_vec(), "TS-0502"),
        ("deep", deep(10_000), "TS-0541"),
        ("greedy", greedy(), "TS-05"),
        ("endless", onnx::endless(), "TS-0508"),
        ("odd", onnx::one_operator("", "NoSuchOperator"), "TS-0506"),
    ];
    let node = project.serve();
    for (name, model, code) in cases {
        let file = format!("{name}.onnx");
        project.write(&file, model);
        let ran = project.run(&["model", "add", name, &file]);
        assert!((1..=3).contains(&ran.code()) && ran.stderr.contains(&format!("error[{code}")), "{name}: {ran}");
        assert!(!ran.stderr.contains(".incoming-"), "where it lay for a moment is nobody's business: {ran}");
        is_untouched(&project);
    }
    // What comes as an archive is looked at by the node's own child alone.
    let model = fs::read(project.path("deep.onnx")).unwrap();
    let text = manifest("m.onnx", model.len() as u64, &model);
    let entries =
        [("manifest.json", b'0', text.len() as u64, text.as_bytes()), ("m.onnx", b'0', model.len() as u64, &model)];
    project.write("deep.tar", tar(&entries));
    project.run(&["model", "import", "deep.tar", "--name", "deep"]).exits(3).says(&["TS-0541"]);
    is_untouched(&project);
    let run = node.start_run("good");
    assert_eq!(project.wait_end(&run)["state"], "succeeded");
}

#[test]
fn the_process_that_looks_at_models_is_held_to_its_limits() {
    let project = project("");
    project.write("large.onnx", onnx::large(48 << 20));
    let settings = ProbeSettings {
        name: "large".to_owned(),
        choice: EngineChoice::Rten,
        golden: None,
        configured: None,
        data_dir: project.path(".trackside"),
        prefer: EngineKind::Rten,
        run_ms: 10_000,
        limits: ModelLimits::default(),
    };
    let minute = Duration::from_secs(60);
    let probe = |memory: u64, time: Duration| {
        let program = trackside_sandbox::CompileProgram {
            program: BINARY.into(),
            arguments: vec!["model-worker".to_owned()],
            environment: vec![("TRACKSIDE_ALLOCATOR".to_owned(), "system".to_owned())],
        };
        let limits = ProbeLimits { memory, time, ..ProbeLimits::of_this_box(minute) };
        Prober { program, limits }.probe(&project.path("large.onnx"), &settings)
    };
    assert!(probe(2 << 30, minute).is_ok_and(|probe| probe.engine.starts_with("rten")));
    assert!(matches!(probe(64 << 20, minute), Err(ProbeError::Costly { limit, .. }) if limit.contains("64")), "memory");
    assert!(
        matches!(probe(2 << 30, Duration::ZERO), Err(ProbeError::Costly { limit, .. }) if limit.contains("0 s")),
        "time"
    );
}

fn varint(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}
