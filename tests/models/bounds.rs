//! Limits on what a model may be: each has a key, a low value refuses with a text that names it, and `model inspect` shows what is in
//! force, without a node and beside one.

use std::fs;

use crate::{MODEL, SAMPLE, onnx, project, support::Project};

/// A project with these limits, and a folder with a model, its golden vectors and a file two folders below.
fn with(limits: &str) -> Project {
    let project = project(&format!("[engine]\nprefer = \"rten\"\n[model_limits]\n{limits}\n"));
    fs::create_dir_all(project.path("pump/notes/old")).unwrap();
    fs::copy(project.path(MODEL), project.path("pump/model.onnx")).unwrap();
    fs::copy(project.path(SAMPLE), project.path("pump/golden.safetensors")).unwrap();
    project.write("pump/notes/old/a-file-with-a-name.txt", "words");
    project
}

#[test]
fn every_limit_on_what_comes_in_names_its_key() {
    for (limit, code, key) in [
        ("files = 2", "TS-0556", "`files` in [model_limits]"),
        ("bytes = \"1KiB\"", "TS-0556", "`bytes` in [model_limits]"),
        ("path = 20", "TS-0555", "`path` in [model_limits]"),
        ("depth = 2", "TS-0556", "`depth` in [model_limits]"),
        ("manifest = \"1KiB\"", "TS-0556", "`manifest` in [model_limits]"),
        ("golden = \"512B\"", "TS-0509", "`golden` in [model_limits]"),
    ] {
        let project = with(limit);
        let exit = if code == "TS-0509" { 3 } else { 2 };
        project.run(&["model", "add", "pump", "pump"]).exits(exit).says(&[code, key]);
        // Nothing is left of it; and a node says the same.
        assert_eq!(project.run(&["model", "list", "--json"]).ok().json(), serde_json::json!([]), "{limit}");
        let _node = project.serve();
        project.run(&["model", "add", "pump", "pump"]).exits(exit).says(&[code, key]);
    }
    with("").run(&["model", "add", "pump", "pump"]).ok();
}

#[test]
fn an_archive_is_held_to_the_limits_of_who_takes_it() {
    let generous = with("");
    generous.run(&["model", "add", "pump", "pump"]).ok();
    let archive = generous.path("pump.tar").display().to_string();
    generous.run(&["model", "export", "pump@1", &archive]).ok();
    for (limit, key) in
        [("files = 2", "`files`"), ("bytes = \"1KiB\"", "`bytes`"), ("path = 20", "`path`"), ("depth = 2", "`depth`")]
    {
        let project = with(limit);
        project.run(&["model", "import", &archive]).exits(2).says(&[key, "[model_limits]"]);
        let _node = project.serve();
        project.run(&["model", "import", &archive]).exits(2).says(&[key, "[model_limits]"]);
    }
}

#[test]
fn signatures_have_a_limit_too() {
    let signed = |limits: &str| {
        let project = with(limits);
        project.run(&["plugin", "keygen", "ops", "--algorithm", "p256"]).ok();
        project.run(&["model", "sign", "pump", "--key", "ops.key", "--signature", "pump.sig"]).ok();
        project
    };
    let (add, told) =
        (["model", "add", "pump", "pump", "--signature", "pump.sig"], ["TS-0556", "`signatures` in [model_limits]"]);
    let project = signed("signatures = \"1KiB\"");
    project.run(&add).exits(2).says(&told);
    let _node = project.serve();
    project.run(&add).exits(2).says(&told);
    let generous = signed("");
    generous.run(&add).ok();
    let archive = generous.path("pump.tar").display().to_string();
    generous.run(&["model", "export", "pump@1", &archive]).ok();
    project.run(&["model", "import", &archive]).exits(2).says(&told);
}

#[test]
fn weight_files_are_counted() {
    let project = project("[engine]\nprefer = \"rten\"\n[model_limits]\nweights = 0\n");
    project.write("m.onnx", onnx::with_weights("w.data"));
    project.write("w.data", [0u8; 64]);
    project.run(&["model", "add", "m", "m.onnx"]).exits(3).says(&[
        "TS-0503",
        "\"w.data\"",
        "`weights` in [model_limits]",
    ]);
    project.run(&["model", "inspect", "m.onnx"]).exits(1).says(&[
        "TS-0503",
        "\"w.data\"",
        "`weights` in [model_limits]",
    ]);
}

#[test]
fn the_process_that_looks_at_a_model_has_limits_with_keys() {
    let endless = |limits: &str| {
        let project = project(&format!("[engine]\nprefer = \"rten\"\n[model_limits]\n{limits}\n"));
        project.write("m.onnx", onnx::endless());
        project
    };
    for (limits, key) in [("wall = \"1s\"", "`wall`"), ("cpu = \"1s\"", "`cpu`")] {
        let project = endless(limits);
        project.run(&["model", "add", "m", "m.onnx"]).exits(3).says(&["TS-0559", key, "[model_limits]"]);
        let _node = project.serve();
        project.run(&["model", "add", "m", "m.onnx"]).exits(3).says(&["TS-0559", key, "[model_limits]"]);
    }
    let project = project("[engine]\nprefer = \"rten\"\n[model_limits]\nmemory = \"64MiB\"\n");
    project.write("m.onnx", onnx::large(48 << 20));
    project.run(&["model", "add", "m", "m.onnx"]).exits(3).says(&["TS-0559", "64MiB", "`memory` in [model_limits]"]);
}

#[test]
fn a_declared_file_is_held_to_them_and_what_is_in_the_registry_stays() {
    let declared = |limits: &str| {
        format!(
            "[engine]\nprefer = \"rten\"\n{limits}\n[models.declared]\npath = \"{MODEL}\"\nselftest = \"{SAMPLE}\"\n"
        )
    };
    let project = project(&declared(""));
    project.run(&["model", "add", "pump", MODEL, "--golden", SAMPLE]).ok();
    let input = "x=[[100,101,99,100,102,100,98,100,101,100,99,100]]";
    for (limit, key) in [("bytes = \"1KiB\"", "`bytes`"), ("golden = \"512B\"", "`golden`")] {
        project.write("trackside.toml", declared(&format!("[model_limits]\n{limit}\nfiles = 1\nmanifest = \"1KiB\"")));
        project.run(&["model", "predict", "declared", "--input", input]).exits(3).says(&[key, "[model_limits]"]);
        project.run(&["model", "predict", "pump", "--input", input]).ok();
    }
}

#[test]
fn inspect_shows_what_is_in_force() {
    let config = format!(
        "[engine]\nprefer = \"rten\"\nmemory = \"99MiB\"\n[inference]\nbody = \"3MiB\"\n[limits]\ntensor = \"5MiB\"\n\
         [model_limits]\nmemory = \"777MiB\"\ncpu = \"7s\"\nwall = \"9s\"\nfiles = 17\ndepth = 5\npath = 99\nweights = 3\n\
         bytes = \"9MiB\"\nmanifest = \"64KiB\"\nsignatures = \"3MiB\"\ngolden = \"2MiB\"\n\
         [models.pump]\npath = \"{MODEL}\"\nqueue = 7\nrate = 5\nburst = 9\n[models.other]\nsessions = 2\n"
    );
    let project = project(&config);
    let document = project.run(&["model", "inspect", "pump", "--json"]).ok().json();
    let limits = &document["limits"];
    let expected = serde_json::json!({
        "memory_bytes": 777 << 20, "cpu_ms": 7000, "wall_ms": 9000, "files": 17, "bytes": 9 << 20, "weights": 3, "path": 99,
        "depth": 5, "manifest_bytes": 64 << 10, "signatures_bytes": 3 << 20, "golden_bytes": 2 << 20,
    });
    assert_eq!(limits["model_limits"], expected);
    assert_eq!((&limits["models"]["queue"], &limits["models"]["burst"]), (&7.into(), &9.into()));
    assert_eq!(limits["engine"]["memory_bytes"], 99 << 20);
    assert_eq!(
        (&limits["inference"]["body_bytes"], &limits["limits"]["tensor_bytes"]),
        (&(3 << 20).into(), &(5 << 20).into())
    );
    let page = project.run(&["model", "inspect", "pump"]).ok();
    page.prints(&[
        "Limits",
        "[models.pump]",
        "5 a second, 9 at once",
        "[model_limits]",
        "777.0 MiB",
        "golden",
        "[inference]",
    ]);
    // A model of the registry has its own, by whatever version it is called.
    project.run(&["model", "add", "other", MODEL]).ok();
    let document = project.run(&["model", "inspect", "other@1", "--json"]).ok().json();
    assert_eq!(document["limits"]["models"]["sessions"], 2);
}
