//! The socket's file: where it lies, who may use it, and when an old one may be removed.

use std::{
    fs, io,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::Path,
};

use tokio::net::UnixListener;
use trackside_control::{MAX_SOCKET_PATH, socket_path};

use crate::error::ServerError;

/// While it is being made; not longer than the final name, so that a path that fits fits for both.
const NEW: &str = ".new.sock";

/// Listens at the socket's path. The caller's process must hold the data folder's lock: only then is a socket that lies
/// there already known to be nobody's.
pub(crate) fn listen(data_dir: &Path) -> Result<UnixListener, ServerError> {
    let path = socket_path(data_dir);
    let length = path.as_os_str().len();
    if length > MAX_SOCKET_PATH {
        return Err(ServerError::PathTooLong { path, length });
    }
    let failed = |action| {
        let path = path.clone();
        move |source: io::Error| ServerError::Socket { action, path, source }
    };
    for lying in [&path, &data_dir.join(NEW)] {
        match fs::symlink_metadata(lying) {
            Ok(meta) if meta.file_type().is_socket() => {}
            Ok(_) => return Err(ServerError::Occupied { path: lying.clone() }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed("look at")(error)),
        }
    }
    // Made under another name and renamed when its mode is right: nobody else ever finds it open, and a client sees the
    // old socket or the new one, never none.
    let new = data_dir.join(NEW);
    match fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed("clear")(error)),
        _ => {}
    }
    let listener = UnixListener::bind(&new).map_err(failed("make"))?;
    fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).map_err(failed("set the mode of"))?;
    fs::rename(&new, &path).map_err(failed("put into place"))?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stale_socket_is_replaced_and_only_the_owner_may_connect() {
        let data = tempfile::tempdir().unwrap();
        drop(listen(data.path()).unwrap());
        assert!(socket_path(data.path()).exists(), "closing leaves the file: it is stale now");
        let _listener = listen(data.path()).unwrap();
        tokio::net::UnixStream::connect(socket_path(data.path())).await.unwrap();
        let mode = fs::metadata(socket_path(data.path())).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[tokio::test]
    async fn a_file_that_is_no_socket_is_left_alone() {
        let data = tempfile::tempdir().unwrap();
        fs::write(socket_path(data.path()), "mine").unwrap();
        assert!(matches!(listen(data.path()), Err(ServerError::Occupied { .. })));
        assert_eq!(fs::read_to_string(socket_path(data.path())).unwrap(), "mine");
    }

    #[tokio::test]
    async fn a_path_too_long_for_the_kernel_is_refused_with_the_way_out() {
        let data = tempfile::tempdir().unwrap();
        let deep = data.path().join("x".repeat(MAX_SOCKET_PATH));
        fs::create_dir(&deep).unwrap();
        let error = listen(&deep).unwrap_err();
        assert!(matches!(error, ServerError::PathTooLong { .. }));
        assert!(error.to_string().contains("[node]"), "{error}");
    }
}
