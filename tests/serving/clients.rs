//! tritonclient, kserve and grpcio's own clients, each as it comes from the registry: the cases are in `clients.py` and `clients_kserve.py`.

use std::{env, path::PathBuf, process::Command};

use crate::{
    Serving,
    support::{optional, repository},
};

/// A Python with the packages of `requirements.txt`: `TRACKSIDE_TEST_CLIENTS`, or python3 if it has them.
fn python() -> Option<PathBuf> {
    let named = env::var_os("TRACKSIDE_TEST_CLIENTS").filter(|path| !path.is_empty()).map(PathBuf::from);
    if named.is_some() {
        return named;
    }
    let imports = "import tritonclient.http, tritonclient.grpc, kserve, grpc_health, grpc_reflection, ml_dtypes";
    let has_them = Command::new("python3").args(["-c", imports]).output().is_ok_and(|told| told.status.success());
    has_them.then(|| "python3".into())
}

#[test]
fn clients_that_people_have_are_answered_as_they_expect() {
    let what = "the cases of tritonclient, kserve and grpcio";
    let Some(python) = python() else {
        let why =
            "no such clients: install tests/serving/requirements.txt, and set TRACKSIDE_TEST_CLIENTS to that Python";
        return optional::not_run("serving-clients", what, why);
    };
    let Some(library) = optional::onnxruntime(what) else { return };
    let serving = Serving::start(&format!("[engine]\nonnxruntime = {:?}\n", library.display().to_string()));
    for cases in ["clients.py", "clients_kserve.py"] {
        let path = repository::root().join("tests/serving").join(cases);
        let told = Command::new(&python).arg("-B").arg(path).arg(&serving.address).output().unwrap();
        let (said, problems) = (String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
        assert!(told.status.success(), "{said}\n{problems}\n{}", serving.node.said());
        println!("{cases}\n{said}");
    }
}

/// The load generator of Triton, as tritonclient 2.50.0 brings it; newer copies need a newer C library.
#[test]
fn the_load_generator_that_people_have_measures_both_wires() {
    let what = "perf_analyzer over REST and gRPC";
    let Some(program) = env::var_os("TRACKSIDE_TEST_PERF_ANALYZER").filter(|path| !path.is_empty()) else {
        let why = "set TRACKSIDE_TEST_PERF_ANALYZER to the one of tritonclient 2.50.0, see docs/inference.md";
        return optional::not_run("perf-analyzer", what, why);
    };
    let serving = Serving::start("");
    for wire in ["http", "grpc"] {
        let mut command = Command::new(&program);
        command.args(["-m", "two", "-u", &serving.address, "-i", wire, "--shape", "a:1,12", "--shape", "b:1,12"]);
        // How steady this machine is, is not asked: any figure is taken.
        command.args(["-p", "500", "-r", "3", "-s", "999", "--concurrency-range", "2"]);
        let told = command.output().unwrap();
        let (said, problems) = (String::from_utf8_lossy(&told.stdout), String::from_utf8_lossy(&told.stderr));
        let counted = said.contains("Throughput:") && said.contains("Inference count:") && said.contains("p50 latency");
        assert!(
            told.status.success() && counted,
            "{wire}: {}\n{said}\n{problems}\n{}",
            told.status,
            serving.node.said()
        );
    }
}
