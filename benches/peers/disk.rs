//! The disk under an engine, with every flush counted or made longer.
//!
//! The kernel asks this program's second self for leave before an engine may flush (seccomp's user notification): it waits, counts,
//! and lets the call go on. Nothing else of the engine is touched, whatever it is linked with. `strace` could do it, too, but is
//! told of every thread that comes or goes, and an engine that has many of them would look worse than it is.

use std::{
    ffi::OsStr,
    fs, io,
    os::{fd::RawFd, unix::fs::FileExt},
    path::Path,
    process::{Command, exit},
    ptr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::work::Disk;

/// The first argument of the second self; then microseconds, the file for the count, and a command.
const SELF: &str = "peers-disk";
/// Flushes that may wait at a time.
const WAITING: usize = 64;
/// Where flushes are counted, in an engine's folder; a file for each command.
const COUNT: &str = "flushes-";
const LONGER: Duration = Duration::from_millis(5);

/// The command on such a disk.
pub fn on(disk: Disk, folder: &Path, program: impl AsRef<OsStr>) -> io::Result<Command> {
    let longer = match disk {
        Disk::Plain => return Ok(Command::new(program)),
        Disk::Counted => Duration::ZERO,
        Disk::Slow => LONGER,
    };
    let number = fs::read_dir(folder)?.count();
    let mut command = Command::new(std::env::current_exe()?);
    command.args([SELF, &longer.as_micros().to_string()]).arg(folder.join(format!("{COUNT}{number}"))).arg(program);
    Ok(command)
}

/// Flushes that were counted so far.
pub fn flushes(folder: &Path) -> io::Result<u64> {
    let mut sum = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(COUNT) {
            let count = fs::read(entry.path())?;
            sum += count.try_into().map_or(0, u64::from_ne_bytes);
        }
    }
    Ok(sum)
}

/// Is the second self, if that was asked for; does not return then.
pub fn stand_between() {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_none_or(|first| first != SELF) {
        return;
    }
    let ended = stand(&mut arguments);
    exit(ended.unwrap_or_else(|error| {
        eprintln!("{SELF}: {error}");
        1
    }));
}

fn stand(arguments: &mut impl Iterator<Item = std::ffi::OsString>) -> io::Result<i32> {
    let strange = || io::Error::from(io::ErrorKind::InvalidInput);
    let longer = arguments.next().and_then(|text| text.to_str()?.parse().ok()).map(Duration::from_micros);
    let (longer, file, program) =
        (longer.ok_or_else(strange)?, arguments.next().ok_or_else(strange)?, arguments.next().ok_or_else(strange)?);
    let file = Arc::new(fs::File::create(file)?);
    // A group that is told to end still flushes: this process ends after the engine.
    hold_back_term();
    let asked = listen()?;
    let count = Arc::new(AtomicU64::new(0));
    for _ in 0..WAITING {
        let (file, count) = (file.clone(), count.clone());
        std::thread::spawn(move || {
            loop {
                if let Some(question) = receive(asked) {
                    if !longer.is_zero() {
                        std::thread::sleep(longer);
                    }
                    // A call that a signal has ended meanwhile asks again.
                    if let_go_on(asked, question) {
                        let sum = count.fetch_add(1, Ordering::Relaxed) + 1;
                        let _ = file.write_all_at(&sum.to_ne_bytes(), 0);
                    }
                }
            }
        });
    }
    let status = Command::new(program).args(arguments).status()?;
    Ok(status.code().unwrap_or(1))
}

#[expect(unsafe_code, reason = "a mask of signals; the library gives none")]
fn hold_back_term() {
    // SAFETY: the set is made before it is used, and lives until the call has ended.
    unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGTERM);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut());
    }
}

/// From here on this process and all that it starts ask before they flush; where the questions come.
#[expect(unsafe_code, reason = "system calls that the library does not have")]
fn listen() -> io::Result<RawFd> {
    let [load, equal, give] = [
        libc::BPF_LD | libc::BPF_W | libc::BPF_ABS,
        libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K,
        libc::BPF_RET | libc::BPF_K,
    ];
    let line = |code: u32, k: u32, jt: u8| libc::sock_filter { code: code as u16, jt, jf: 0, k };
    let mut filter = [
        // The number of the call is the first thing there is.
        line(load, 0, 0),
        line(equal, libc::SYS_fsync as u32, 2),
        line(equal, libc::SYS_fdatasync as u32, 1),
        line(give, libc::SECCOMP_RET_ALLOW, 0),
        line(give, libc::SECCOMP_RET_USER_NOTIF, 0),
    ];
    let program = libc::sock_fprog { len: filter.len() as u16, filter: filter.as_mut_ptr() };
    // SAFETY: numbers only, and a program that lives until the call has ended; the kernel copies it.
    let given = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        let (mode, flags) = (libc::SECCOMP_SET_MODE_FILTER, libc::SECCOMP_FILTER_FLAG_NEW_LISTENER);
        libc::syscall(libc::SYS_seccomp, mode, flags, &raw const program)
    };
    RawFd::try_from(given).ok().filter(|given| *given >= 0).ok_or_else(io::Error::last_os_error)
}

/// The next question's number; nothing when it was withdrawn.
#[expect(unsafe_code, reason = "a system call that the library does not have")]
fn receive(asked: RawFd) -> Option<u64> {
    // SAFETY: the kernel fills what must be all zeros before, and lives until the call has ended.
    unsafe {
        let mut question: libc::seccomp_notif = std::mem::zeroed();
        (libc::ioctl(asked, libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut question) == 0).then_some(question.id)
    }
}

/// Lets the call go on, and says whether it still wanted to.
#[expect(unsafe_code, reason = "a system call that the library does not have")]
fn let_go_on(asked: RawFd, question: u64) -> bool {
    let flags = libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32;
    let mut answer = libc::seccomp_notif_resp { id: question, val: 0, error: 0, flags };
    // SAFETY: the answer lives until the call has ended.
    unsafe { libc::ioctl(asked, libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut answer) == 0 }
}
