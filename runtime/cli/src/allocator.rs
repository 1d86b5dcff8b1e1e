//! Where memory comes from.
#![expect(unsafe_code, reason = "the trait of allocators is unsafe; every call is passed on as it came")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    ffi::CStr,
    sync::atomic::{AtomicU8, Ordering},
};

use mimalloc::MiMalloc;

/// With `system` here a process uses the C library's allocator.
pub const VARIABLE: &str = "TRACKSIDE_ALLOCATOR";
const NAME: &CStr = c"TRACKSIDE_ALLOCATOR";

/// mimalloc, because jobs and results are made by one thread and freed by another, for which the C library takes locks. The C
/// library's own for large pieces, which it grows without a copy and gives back at once; and for everything where memory is
/// bounded by the kernel (the process that compiles): mimalloc reserves 1 GiB at its start, all of which counts there.
struct Chosen;

/// A piece of at least so many bytes is the C library's. A piece is given back with the size that it was asked for with, so its
/// size says whose it is.
const LARGE: usize = 256 << 10;

#[global_allocator]
static ALLOCATOR: Chosen = Chosen;

/// Made at the first allocation, before there is a second thread, and never changed.
static CHOICE: AtomicU8 = AtomicU8::new(OPEN);
const OPEN: u8 = 0;
const OWN: u8 = 1;
const SYSTEM: u8 = 2;

fn is_system(size: usize) -> bool {
    if size >= LARGE {
        return true;
    }
    match CHOICE.load(Ordering::Relaxed) {
        OPEN => choose(),
        choice => choice == SYSTEM,
    }
}

#[cold]
fn choose() -> bool {
    // SAFETY: the name ends with a zero; nobody changes the environment before `main`, where the first allocation is.
    let value = unsafe { libc::getenv(NAME.as_ptr()) };
    // SAFETY: what the environment holds ends with a zero, and it is looked at before anything can change it.
    let is_system = !value.is_null() && unsafe { CStr::from_ptr(value) } == c"system";
    CHOICE.store(if is_system { SYSTEM } else { OWN }, Ordering::Relaxed);
    is_system
}

// SAFETY: both are allocators, and a piece goes back to where it came from: that depends on its size and on a choice that stays.
unsafe impl GlobalAlloc for Chosen {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is the one that is asked for.
        if is_system(layout.size()) { unsafe { System.alloc(layout) } } else { unsafe { MiMalloc.alloc(layout) } }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above; the memory is of the same allocator.
        if is_system(layout.size()) {
            unsafe { System.dealloc(memory, layout) }
        } else {
            unsafe { MiMalloc.dealloc(memory, layout) }
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        if is_system(layout.size()) {
            unsafe { System.alloc_zeroed(layout) }
        } else {
            unsafe { MiMalloc.alloc_zeroed(layout) }
        }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        match (is_system(layout.size()), is_system(size)) {
            (true, true) => unsafe { System.realloc(memory, layout, size) },
            (false, false) => unsafe { MiMalloc.realloc(memory, layout, size) },
            // SAFETY: the caller promises that the new size is right for the alignment; both pieces have at least as many
            // bytes as are copied, and they are two.
            _ => unsafe {
                let fresh = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
                if !fresh.is_null() {
                    fresh.copy_from_nonoverlapping(memory, layout.size().min(size));
                    self.dealloc(memory, layout);
                }
                fresh
            },
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_grows_and_shrinks_over_the_bound_keeps_its_bytes() {
        let mut bytes: Vec<u8> = Vec::new();
        for number in 0..3 * super::LARGE {
            bytes.push((number % 251) as u8);
        }
        bytes.truncate(super::LARGE / 2);
        bytes.shrink_to_fit();
        bytes.reserve_exact(super::LARGE);
        bytes.resize(super::LARGE, 7);
        let wanted = (0..super::LARGE).map(|number| if number < super::LARGE / 2 { (number % 251) as u8 } else { 7 });
        assert!(bytes.iter().copied().eq(wanted));
        assert_eq!(vec![0_u8; 2 * super::LARGE].iter().position(|byte| *byte != 0), None);
    }
}
