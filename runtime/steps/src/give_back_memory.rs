//! What a node gives back to the machine once it has started: a box that waits should not hold what only its start
//! needed.

#![expect(unsafe_code, reason = "two calls of the C library, argued at each")]

use std::{fs, ops::Range, path::Path};

/// Returns free heap pages to the kernel, and takes the pages of our own code out of the process: those that the node
/// goes on using come back from the page cache at their next use, the start's (parsing, compiling, checking) do not.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: it has no preconditions; the allocator locks its own arenas.
        let _ = unsafe { libc::malloc_trim(0) };
    }
    let ranges = match own_code() {
        Ok(ranges) => ranges,
        Err(error) => {
            tracing::debug!(%error, "the pages of the start stay");
            return;
        }
    };
    for range in ranges {
        let start = std::ptr::with_exposed_provenance_mut::<std::ffi::c_void>(range.start);
        // SAFETY: the range is a private mapping of our executable that is not writable and never was, so the kernel
        // reads the same bytes again when a dropped page is used. The file can not change under us: a file that is
        // executed can not be written, and an upgrade puts another file in its place.
        let dropped = unsafe { rustix::mm::madvise(start, range.len(), rustix::mm::Advice::LinuxDontNeed) };
        if let Err(error) = dropped {
            tracing::debug!(%error, "the pages of the start stay");
        }
    }
}

/// Where the executable's code lies in this process. Not its data: relocated pages exist nowhere else.
fn own_code() -> std::io::Result<Vec<Range<usize>>> {
    let executable = fs::read_link("/proc/self/exe")?;
    let maps = fs::read_to_string("/proc/self/maps")?;
    Ok(maps.lines().filter_map(|line| code_of(line, &executable)).collect())
}

/// The range of one line of `maps`, if it is code of that file.
fn code_of(line: &str, executable: &Path) -> Option<Range<usize>> {
    // Address, permissions, offset, device, inode, path; only the path may hold spaces.
    let mut rest = line;
    let mut field = || {
        let (field, after) = rest.trim_start().split_once(' ')?;
        rest = after;
        Some(field)
    };
    let (addresses, permissions) = (field()?, field()?);
    let (_offset, _device, _inode) = (field()?, field()?, field()?);
    let found = permissions == "r-xp" && Path::new(rest.trim_start()) == executable;
    let (start, end) = addresses.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    found.then_some(address(start)?..address(end)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_of_the_executable_is_given_back() {
        let mine = Path::new("/opt/my tools/trackside");
        let line = |permissions, path| format!("1000-3000 {permissions} 00002000 fe:00 1000      {path}");
        assert_eq!(code_of(&line("r-xp", "/opt/my tools/trackside"), mine), Some(0x1000..0x3000));
        assert_eq!(code_of(&line("r--p", "/opt/my tools/trackside"), mine), None);
        assert_eq!(code_of(&line("rw-p", "/opt/my tools/trackside"), mine), None);
        assert_eq!(code_of(&line("r-xp", "/lib/libc.so.6"), mine), None);
        assert_eq!(code_of("1000-3000 r-xp 00000000 00:00 0", mine), None);
        assert_eq!(code_of("rubbish", mine), None);
    }

    #[test]
    fn the_process_goes_on_after_it_gave_its_pages_back() {
        // The code that runs next is among what was given back: it must be there again, or the process ends here.
        assert!(!own_code().unwrap().is_empty());
        give_back();
        assert!(!own_code().unwrap().is_empty());
    }
}
