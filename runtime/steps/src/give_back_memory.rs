//! What a node gives back to the machine once it has started, and when a load is over: a box that waits should not hold what
//! only its start needed, or its work.

#![expect(unsafe_code, reason = "two calls of the C library, argued at each")]

use std::{fs, ops::Range, path::Path};

/// Returns free heap pages to the kernel, and takes the pages of our own code and of its constants out of the process: those
/// that the node goes on using come back from the page cache at their next use, the start's (parsing, compiling, checking) do
/// not.
pub fn give_back() {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: it has no preconditions; the allocator locks its own arenas.
        let _ = unsafe { libc::malloc_trim(0) };
    }
    let ranges = match own_pages() {
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

/// Where the executable's code and constants lie in this process. Not its data: relocated pages exist nowhere else.
fn own_pages() -> std::io::Result<Vec<Range<usize>>> {
    let executable = fs::read_link("/proc/self/exe")?;
    let maps = fs::read_to_string("/proc/self/maps")?;
    Ok(never_written(&maps, &executable))
}

/// The mappings of that file that nobody ever wrote to: its code, and constants before it. What is read-only behind the code was
/// written to once, when its addresses were filled in.
fn never_written(maps: &str, executable: &Path) -> Vec<Range<usize>> {
    let is_code = |line: &str| range_of(line, "r-xp", executable);
    let before_data = maps.lines().enumerate().filter(|(_, line)| is_code(line).is_some()).map(|(at, _)| at + 1).last();
    let own = |line| is_code(line).or_else(|| range_of(line, "r--p", executable));
    maps.lines().take(before_data.unwrap_or(0)).filter_map(own).collect()
}

/// The range of one line of `maps`, if it maps that file with these permissions.
fn range_of(line: &str, wanted: &str, executable: &Path) -> Option<Range<usize>> {
    // Address, permissions, offset, device, inode, path; only the path may hold spaces.
    let mut rest = line;
    let mut field = || {
        let (field, after) = rest.trim_start().split_once(' ')?;
        rest = after;
        Some(field)
    };
    let (addresses, permissions) = (field()?, field()?);
    let (_offset, _device, _inode) = (field()?, field()?, field()?);
    let found = permissions == wanted && Path::new(rest.trim_start()) == executable;
    let (start, end) = addresses.split_once('-')?;
    let address = |text| usize::from_str_radix(text, 16).ok();
    found.then_some(address(start)?..address(end)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_and_constants_of_the_executable_are_given_back() {
        let mine = Path::new("/opt/my tools/trackside");
        let line = |range, permissions, path| format!("{range} {permissions} 00002000 fe:00 1000      {path}");
        let own = |range, permissions| line(range, permissions, "/opt/my tools/trackside");
        let maps = [
            own("1000-3000", "r--p"),
            own("3000-8000", "r-xp"),
            // Relocated, then made read-only; and data.
            own("8000-9000", "r--p"),
            own("9000-a000", "rw-p"),
            line("b000-c000", "r--p", "/lib/libc.so.6"),
            line("c000-d000", "r-xp", "/lib/libc.so.6"),
            "d000-e000 r-xp 00000000 00:00 0".to_owned(),
            "rubbish".to_owned(),
        ];
        assert_eq!(never_written(&maps.join("\n"), mine), [0x1000..0x3000, 0x3000..0x8000]);
        assert!(never_written(&maps[2..].join("\n"), mine).is_empty(), "without code nothing is known of it");
    }

    #[test]
    fn the_process_goes_on_after_it_gave_its_pages_back() {
        // The code that runs next is among what was given back: it must be there again, or the process ends here.
        assert!(!own_pages().unwrap().is_empty());
        give_back();
        assert!(!own_pages().unwrap().is_empty());
    }
}
