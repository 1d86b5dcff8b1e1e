//! Nothing phones home: from 1.29 on ONNX Runtime looks up hosts, connects to them and writes a device id and a database into the
//! user's cache folder as soon as a session is made, unless it is told not to.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use crate::{
    MODEL, project, runtime_of,
    support::{Project, command::binary, optional::not_run},
};

/// Calls that make a socket, a file or a folder, or change one.
const WATCHED: &str = "socket,connect,sendto,open,openat,openat2,creat,mkdir,mkdirat,rename,renameat,renameat2,link,linkat,\
                       symlink,symlinkat,unlink,unlinkat,rmdir,truncate,mknod,mknodat";

/// A project that runs the example's model on ONNX Runtime, and where the home folder of its processes is.
fn lab(what: &str) -> Option<Project> {
    let runtime = runtime_of(what);
    if runtime.is_empty() {
        return None;
    }
    let project = project(&format!("{runtime}\n[models.pump]\npath = {MODEL:?}\nengine = \"onnxruntime\"\n"));
    let row = "[100, 101, 99, 100, 102, 100, 98, 100, 101, 100, 99, 100]";
    project.workflow("w", &format!("steps:\n  score: {{ model: pump, inputs: {{ x: [{row}] }} }}\n"));
    project.write("home/empty", "");
    project.write("tmp/empty", "");
    Some(project)
}

/// The command, and what its home is.
fn quiet(mut command: Command, project: &Project, arguments: &[&str]) -> Command {
    command.args(arguments).current_dir(project.root()).stdin(Stdio::null());
    command.env("HOME", project.path("home")).env("TMPDIR", project.path("tmp"));
    command.env_remove("XDG_CACHE_HOME").env_remove("ORT_DISABLE_TELEMETRY");
    command
}

const INPUT: &str = "x=[[100,101,99,100,102,100,98,100,101,100,99,100]]";
const COMMANDS: [&[&str]; 2] =
    [&["model", "predict", "pump", "--engine", "onnxruntime", "--input", INPUT], &["run", "w", "--quiet"]];

#[test]
fn a_run_of_a_model_opens_no_socket_and_writes_no_file_outside_of_the_data_folder() {
    let works = Command::new("strace").args(["-f", "-qq", "-o", "/dev/null", "true"]).stderr(Stdio::null()).status();
    if !works.is_ok_and(|status| status.success()) {
        return not_run("strace", "what ONNX Runtime does beside a model's run", "strace does not work here");
    }
    let Some(project) = lab("what ONNX Runtime does beside a model's run") else { return };
    for arguments in COMMANDS {
        let trace = project.path("trace");
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-y", "-s", "4096", "-e", &format!("trace={WATCHED}"), "-o"]).arg(&trace);
        command.arg(binary().get_program());
        let ran = quiet(command, &project, arguments).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        let calls = std::fs::read_to_string(&trace).unwrap();
        assert!(calls.contains("libonnxruntime"), "strace has not seen the library");
        let odd: Vec<&str> = calls.lines().filter(|call| is_odd(call, project.root())).collect();
        assert!(odd.is_empty(), "{arguments:?}:\n{}", odd.join("\n"));
        assert_eq!(project.names("home"), ["empty"], "{arguments:?}");
        assert_eq!(project.names("tmp"), ["empty"], "{arguments:?}");
    }
}

/// Whether a call makes a socket that leads out of the process's own project, or something in the file system outside of the data
/// folder.
fn is_odd(call: &str, project: &Path) -> bool {
    let Some((_, call)) = call.split_once(' ') else { return false };
    let call = call.trim_start();
    let name = call.split('(').next().unwrap_or_default();
    let data = project.join(".trackside").display().to_string();
    match name {
        // A node is looked for at its socket in the data folder.
        "socket" => !call.contains("AF_UNIX"),
        "connect" | "sendto" => !call.contains(&data) && !call.contains("UNIX"),
        "open" | "openat" | "openat2" => {
            let writes = ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TMPFILE"].iter().any(|flag| call.contains(flag));
            writes
                && !call.contains("= -1 ")
                && !call.contains(&data)
                && !call.contains("\"/dev/")
                && !call.contains("\"/proc/")
        }
        "creat" | "mkdir" | "mkdirat" | "rename" | "renameat" | "renameat2" | "link" | "linkat" | "symlink"
        | "symlinkat" | "unlink" | "unlinkat" | "rmdir" | "truncate" | "mknod" | "mknodat" => {
            !call.contains("= -1 ")
                && !call.contains(&data)
                && !call.contains(&project.join("tmp").display().to_string())
        }
        _ => false,
    }
}

#[test]
fn a_model_runs_where_there_is_no_network_at_all() {
    let works = Command::new("unshare").args(["-rn", "true"]).stderr(Stdio::null()).status();
    if !works.is_ok_and(|status| status.success()) {
        return not_run("netns", "a model without a network", "a network namespace of one's own is not allowed here");
    }
    let Some(project) = lab("a model without a network") else { return };
    for arguments in COMMANDS {
        let mut command = Command::new("unshare");
        command.arg("-rn").arg(binary().get_program());
        let ran = quiet(command, &project, arguments).output().unwrap();
        assert!(ran.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&ran.stderr));
        assert_eq!(project.names("home"), ["empty"], "{arguments:?}");
    }
}

#[test]
fn what_is_looked_for_in_a_trace_would_be_found() {
    let project = Path::new("/p");
    for call in [
        "17 socket(AF_INET, SOCK_DGRAM, IPPROTO_IP) = 3",
        "17 socket(AF_INET6, SOCK_STREAM|SOCK_CLOEXEC, IPPROTO_TCP) = 3",
        "17 socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE) = 3",
        "17 openat(AT_FDCWD, \"/root/.cache/Microsoft/x/onnxruntime.db\", O_RDWR|O_CREAT, 0644) = 3</root/x>",
        "17 mkdir(\"/p/home/.cache\", 0700) = 0",
        "17 connect(3, {sa_family=AF_INET, sin_port=htons(443)}, 16) = -1 EINPROGRESS",
    ] {
        assert!(is_odd(call, project), "{call}");
    }
    for call in [
        "17 openat(AT_FDCWD, \"/lib/libm.so.6\", O_RDONLY|O_CLOEXEC) = 3</lib/libm.so.6>",
        "17 openat(AT_FDCWD, \"/p/.trackside/trackside.db\", O_RDWR|O_CREAT, 0644) = 3",
        "17 mkdir(\"/root/.x\", 0700) = -1 EEXIST (File exists)",
        "17 socket(AF_UNIX, SOCK_STREAM|SOCK_CLOEXEC, 0) = 3",
        "17 openat(AT_FDCWD, \"/dev/null\", O_RDWR|O_CLOEXEC) = 3</dev/null>",
    ] {
        assert!(!is_odd(call, project), "{call}");
    }
}
