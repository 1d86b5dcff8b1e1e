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
/// library's own where memory is bounded by the kernel (the process that compiles): mimalloc reserves 1 GiB at once, all of
/// which counts there.
struct Chosen;

#[global_allocator]
static ALLOCATOR: Chosen = Chosen;

/// Made at the first allocation, before there is a second thread, and never changed.
static CHOICE: AtomicU8 = AtomicU8::new(OPEN);
const OPEN: u8 = 0;
const OWN: u8 = 1;
const SYSTEM: u8 = 2;

fn is_system() -> bool {
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

// SAFETY: both are allocators, and all memory of a process comes from the same one of them.
unsafe impl GlobalAlloc for Chosen {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is the one that is asked for.
        if is_system() { unsafe { System.alloc(layout) } } else { unsafe { MiMalloc.alloc(layout) } }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above; the memory is of the same allocator.
        if is_system() {
            unsafe { System.dealloc(memory, layout) }
        } else {
            unsafe { MiMalloc.dealloc(memory, layout) }
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        if is_system() { unsafe { System.alloc_zeroed(layout) } } else { unsafe { MiMalloc.alloc_zeroed(layout) } }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        if is_system() {
            unsafe { System.realloc(memory, layout, size) }
        } else {
            unsafe { MiMalloc.realloc(memory, layout, size) }
        }
    }
}
