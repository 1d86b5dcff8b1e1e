//! Servers that take files over the network, on the loopback address alone.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
};

use crate::support::wait_until;

/// A server that ends with this, and what its clients must know.
#[derive(Default)]
pub struct Server {
    child: Option<Child>,
    pub variables: Vec<(String, String)>,
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Starts it and waits until it takes connections; none when it ends before.
fn start(command: &mut Command, port: u16, variables: &[(&str, String)]) -> Option<Server> {
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    command.env("PATH", path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().ok()?;
    let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    let mut server = Server { child: Some(child), variables };
    let mut is_up = || {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return Some(true);
        }
        server.child.as_mut()?.try_wait().unwrap().map(|_| false)
    };
    wait_until("a server", &mut is_up).then_some(server)
}

/// Whether the rights of root are ours, which some servers need to change their user.
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// What lies in `own/source`, by HTTP.
pub fn web(own: &Path, _: &Path) -> Option<Server> {
    let port = free_port();
    fs::create_dir_all(own.join("source")).unwrap();
    // The folder is made anew between two rounds: the server looks it up by its name each time.
    let mut command = Command::new("python3");
    command.args(["-m", "http.server", "--bind", "127.0.0.1", "--protocol", "HTTP/1.1", "-d"]).arg(own.join("source"));
    start(command.arg(port.to_string()), port, &[("URL", format!("http://127.0.0.1:{port}"))])
}

/// OpenSSH's server, for a key that is made here.
pub fn ssh(own: &Path, _: &Path) -> Option<Server> {
    let port = free_port();
    let key = |name: &str| {
        let path = own.join(name);
        let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&path).status();
        made.is_ok_and(|status| status.success()).then_some(path)
    };
    let (host, user) = (key("host")?, key("user")?);
    fs::copy(own.join("user.pub"), own.join("authorized")).unwrap();
    if is_root() {
        // Where it gives up its rights.
        fs::create_dir_all("/run/sshd").ok()?;
    }
    let server = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nStrictModes no\nUsePAM no\n\
         PidFile none\nPermitRootLogin yes\nPasswordAuthentication no\nSubsystem sftp internal-sftp\n",
        host.display(),
        own.join("authorized").display()
    );
    fs::write(own.join("sshd.conf"), server).unwrap();
    let client = format!(
        "Host box\n HostName 127.0.0.1\n Port {port}\n IdentityFile {}\n IdentitiesOnly yes\n StrictHostKeyChecking no\n \
         UserKnownHostsFile /dev/null\n LogLevel ERROR\n",
        user.display()
    );
    fs::write(own.join("ssh.conf"), client).unwrap();
    // It starts itself again for each connection and wants its whole path for that.
    let program = ["/usr/sbin/sshd", "/usr/bin/sshd"].into_iter().find(|path| Path::new(path).is_file())?;
    let mut command = Command::new(program);
    command.args(["-D", "-e", "-f"]).arg(own.join("sshd.conf"));
    start(&mut command, port, &[("CONFIG", own.join("ssh.conf").display().to_string())])
}

/// vsftpd for anonymous users, who may write to the watched folder.
pub fn ftp(own: &Path, inbox: &Path) -> Option<Server> {
    if !is_root() {
        return None;
    }
    let (port, root) = (free_port(), inbox.parent()?);
    let empty = own.join("empty");
    fs::create_dir_all(&empty).unwrap();
    open(root);
    open(inbox);
    // Nothing above the watched folder may be written to by the anonymous user.
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(root, mode).unwrap();
    let text = format!(
        "listen=YES\nlisten_address=127.0.0.1\nlisten_port={port}\nbackground=NO\nanonymous_enable=YES\n\
         local_enable=NO\nwrite_enable=YES\nanon_upload_enable=YES\nanon_mkdir_write_enable=YES\n\
         anon_other_write_enable=YES\nanon_umask=022\nno_anon_password=YES\nanon_root={}\n\
         mdtm_write=YES\nxferlog_enable=NO\nseccomp_sandbox=NO\nsecure_chroot_dir={}\n\
         pasv_address=127.0.0.1\n",
        root.display(),
        empty.display()
    );
    fs::write(own.join("vsftpd.conf"), text).unwrap();
    let mut command = Command::new("vsftpd");
    start(command.arg(own.join("vsftpd.conf")), port, &[("PORT", port.to_string())])
}

/// Samba with the watched folder as the share `in`, for guests.
pub fn samba(own: &Path, inbox: &Path) -> Option<Server> {
    if !is_root() {
        return None;
    }
    let port = free_port();
    let state = own.join("samba");
    fs::create_dir_all(&state).unwrap();
    open(inbox);
    let state = state.display();
    let text = format!(
        "[global]\ninterfaces = 127.0.0.1/8\nbind interfaces only = yes\nsmb ports = {port}\nserver role = standalone server\n\
         map to guest = Bad User\nguest account = nobody\nload printers = no\ndisable spoolss = yes\nprivate dir = {state}\n\
         lock directory = {state}\nstate directory = {state}\ncache directory = {state}\npid directory = {state}\n\
         ncalrpc dir = {state}\nlog file = {state}/log\n[in]\npath = {}\nguest ok = yes\nguest only = yes\n\
         read only = no\nforce user = root\n",
        inbox.display()
    );
    fs::write(own.join("smb.conf"), text).unwrap();
    let mut command = Command::new("smbd");
    command.args(["-F", "--no-process-group", "-s"]).arg(own.join("smb.conf"));
    start(&mut command, port, &[("PORT", port.to_string())])
}

fn open(folder: &Path) {
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(folder, mode).unwrap();
}
