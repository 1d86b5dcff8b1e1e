//! The messages and the service of the Open Inference Protocol, from its .proto files. Without protoc: `protox` is a compiler of
//! them in Rust.

use std::{env, error::Error, fs, path::Path};

use prost::Message;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let files = protox::compile(["grpc_service.proto"], ["proto"])?;
    let out = env::var_os("OUT_DIR").ok_or("no OUT_DIR")?;
    // What reflection tells of.
    fs::write(Path::new(&out).join("inference.bin"), files.encode_to_vec())?;
    tonic_prost_build::configure()
        .build_client(false)
        .build_transport(false)
        .codec_path("crate::inference::grpc::codec::Faulty")
        .compile_fds(files)?;
    Ok(())
}
