//! A model in one file.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use trackside_models::package::{Exported, PackageError, pack};
use trackside_node::{Project, signatures_of};
use trackside_packages::{SigningKey, oms::OmsError};
use trackside_spec::ModelRef;
use trackside_store::{Reader, ResolvedModel};

use super::{ModelsError, model_package};

/// Writes a version into one file: its manifest, its signatures (with `key` one more), its files, its golden vectors. The file is there
/// whole or not at all.
///
/// # Errors
/// When the reference leads nowhere, the version is damaged, or the file can not be written.
pub fn export_model(
    project: &Project,
    reader: &Reader,
    reference: &ModelRef,
    key: Option<&SigningKey>,
    to: &Path,
) -> Result<ResolvedModel, ModelsError> {
    let (resolved, kept) = model_package(project, reader, reference)?;
    // What goes out is what was added: whoever takes it in would refuse it, far from here.
    kept.verify()?;
    let mut signatures = signatures_of(&kept)?;
    if let Some(key) = key {
        signatures = signatures.with_manifest(&kept.bytes, key).map_err(OmsError::from)?;
    }
    let signatures = (!signatures.is_empty()).then(|| signatures.to_bytes());
    let io = |action| move |source| PackageError::Io { action, path: to.to_owned(), source };
    let folder = to.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut part = tempfile::NamedTempFile::new_in(folder).map_err(io("write"))?;
    {
        let mut writer = BufWriter::with_capacity(256 << 10, part.as_file_mut());
        let exported = Exported { name: resolved.name.clone(), version: resolved.version.version };
        pack(
            Some(&exported),
            &kept.manifest,
            &kept.bytes,
            signatures.as_deref(),
            |entry| kept.open(entry),
            &mut writer,
        )?;
        writer.flush().map_err(io("write"))?;
    }
    part.as_file().sync_all().map_err(io("write"))?;
    part.persist(to).map_err(|error| io("write")(error.error))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(io("flush the folder of"))?;
    Ok(resolved)
}
