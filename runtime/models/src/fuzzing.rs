//! What the fuzz targets ask of the readers of models. Exists only in builds for fuzzing.

#![allow(clippy::expect_used, reason = "a target that finds something ends with a panic")]

use std::{fs, path::Path};

use trackside_codes::Coded;

use crate::{
    file::ModelFile,
    onnx::{inspect_file, ports, products},
    package::{
        FileEntry, Manifest, PackageError, PackageLimits, Shelf, Signature, exported_as, pack, triton_config, unpack,
    },
    tensor_io::safetensors_file_of,
};

/// Reads the bytes of a model's file: it is described and loaded into the built-in engine, or refused in words.
pub fn model(bytes: &[u8]) {
    let file = match ModelFile::of_bytes(bytes) {
        Ok(file) => file,
        Err(error) => return in_words(&error, "TS-05"),
    };
    let about = inspect_file(&file);
    // What goes into a manifest comes out of it.
    let signature = Signature::of(&about);
    let told = serde_json::to_vec(&signature).expect("a signature is JSON");
    let again: Signature = serde_json::from_slice(&told).expect("and is read again");
    assert_eq!(serde_json::to_vec(&again).expect("a signature is JSON"), told);
    let _ = ports(file.proto());
    let _ = products(file.proto());
    let _ = file.builtin().reasons();
}

/// Reads the bytes of a package: its archive, its manifest, golden vectors, a config of Triton's layout. `folder` is a place to write to.
pub fn package(bytes: &[u8], folder: &Path) {
    let limits = PackageLimits { bytes: trackside_spec::ByteSize::from_mib(1), ..PackageLimits::default() };
    if let Err(error) = exported_as(bytes) {
        in_words(&error, "TS-05");
    }
    match Manifest::read(bytes, &limits) {
        Ok(manifest) => {
            let written = manifest.to_bytes(&PackageLimits::MOST).expect("what was read is written");
            assert_eq!(Manifest::read(&written, &PackageLimits::MOST).expect("and is read again"), manifest);
        }
        Err(error) => in_words(&error, "TS-05"),
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        if let Err((line, _)) = triton_config(text) {
            assert!(line >= 1 && line <= text.lines().count() + 1, "line {line}");
        }
    }
    let golden = safetensors_file_of(bytes).and_then(|file| file.with_texts(|key| !key.starts_with("engine")));
    match golden {
        Ok(file) => {
            let size = file.tensors.iter().map(|(_, tensor)| tensor.data().len() + tensor.text().len());
            assert!(size.sum::<usize>() <= bytes.len(), "no more than came");
        }
        Err(error) => in_words(&error, "TS-05"),
    }
    let shelf = Shelf::of(folder).taking(limits);
    let mut incoming = shelf.begin().expect("there is a folder");
    let beside = names(folder);
    match unpack(bytes, &mut incoming, &limits) {
        Ok(unpacked) => {
            let open = |entry: &FileEntry| {
                let path = incoming.folder().join(&entry.path);
                fs::File::open(&path).map_err(|source| PackageError::Io { action: "read", path, source })
            };
            let mut again = Vec::new();
            let (manifest, told) = (&unpacked.manifest, &unpacked.bytes);
            pack(None, manifest, told, unpacked.signatures.as_deref(), open, &mut again)
                .expect("what was taken is packed");
            let mut other = shelf.begin().expect("there is a folder");
            let second = unpack(again.as_slice(), &mut other, &limits).expect("and taken again");
            assert_eq!(second, unpacked);
        }
        Err(error) => in_words(&error, "TS-05"),
    }
    assert_eq!(names(folder), beside, "nothing is written beside it");
}

fn names(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}

fn in_words(error: &impl Coded, code: &str) {
    let text = error.told();
    assert!(text.starts_with(&format!("[{code}")), "{text}");
}
