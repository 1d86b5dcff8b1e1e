//! Unpacking: three named files of a wheel whose digest has been checked, and nothing else.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

use trackside_codes::{Class, Reason};
use zip::{ZipArchive, result::ZipError};

use super::InstallError;

/// Most bytes of one unpacked file; the library has 29 MB.
const MAX_FILE: u64 = 256 * 1024 * 1024;

/// Unpacks the library and the licences that must go with it into the new folder `into`, flushed to disk.
pub(super) fn unpack(wheel: &Path, into: &Path, library: &str) -> Result<(), InstallError> {
    let fail = |reason: Reason| InstallError::Wheel { path: wheel.to_owned(), reason };
    let unusable = |error: ZipError| Reason::by(Class::Unusable, error);
    let file = File::open(wheel).map_err(|error| InstallError::io("read", wheel, error))?;
    let mut archive = ZipArchive::new(file).map_err(|error| fail(unusable(error)))?;
    fs::create_dir(into).map_err(|error| InstallError::io("create", into, error))?;
    let entries = [
        (format!("onnxruntime/capi/{library}"), library),
        ("onnxruntime/LICENSE".to_owned(), "LICENSE"),
        ("onnxruntime/ThirdPartyNotices.txt".to_owned(), "ThirdPartyNotices.txt"),
    ];
    for (entry, name) in entries {
        let packed =
            archive.by_name(&entry).map_err(|error| fail(unusable(error).told(|text| format!("{entry}: {text}"))))?;
        let path = into.join(name);
        let written = OpenOptions::new().write(true).create_new(true).open(&path).and_then(|mut to| {
            let written = io::copy(&mut packed.take(MAX_FILE + 1), &mut to)?;
            to.sync_all()?;
            Ok(written)
        });
        let written = written.map_err(|error| InstallError::io("write", &path, error))?;
        if written > MAX_FILE {
            return Err(fail(format!("{entry} is larger than {MAX_FILE} bytes").into()));
        }
    }
    File::open(into).and_then(|folder| folder.sync_all()).map_err(|error| InstallError::io("flush", into, error))
}
