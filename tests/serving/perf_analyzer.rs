//! Triton's load generator, as PyPI's tritonclient 2.50.0 carries it, over both wires.

use std::{env, path::PathBuf, process::Command};

use crate::{Serving, support::optional};

#[test]
fn perf_analyzer_runs_to_its_end_over_rest_and_grpc() {
    let what = "perf_analyzer over REST and gRPC";
    let peers = env::var_os("TRACKSIDE_PEERS_FOLDER").filter(|path| !path.is_empty()).map(PathBuf::from);
    let Some(tool) = peers.map(|folder| folder.join("perf")).filter(|folder| folder.is_dir()) else {
        let why = "there is none: benches/peers/serving/install.py installs it into TRACKSIDE_PEERS_FOLDER";
        return optional::not_run("serving-peers", what, why);
    };
    let serving = Serving::start("");
    for wire in ["http", "grpc"] {
        let told = Command::new(tool.join("bin/perf_analyzer"))
            .env("LD_LIBRARY_PATH", tool.join("nvidia/cuda_runtime/lib"))
            .args(["-m", "pump", "-u", &serving.address, "-i", wire, "--shape", "x:1,12"])
            // Three windows, whatever they say: what is measured here is that it measures.
            .args(["--concurrency-range", "2", "-p", "300", "-r", "3", "-s", "1000"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&told.stdout);
        assert!(told.status.success(), "{wire}: {said}\n{}", serving.node.said());
        // Its own figures and those that it asked the server for.
        assert!(said.contains("p50 latency:") && said.contains("Execution count:"), "{wire}: {said}");
    }
}
