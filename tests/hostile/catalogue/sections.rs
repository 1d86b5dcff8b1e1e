//! Bytes of WebAssembly that no tool writes willingly.

use std::iter::repeat_n;

pub use crate::support::sections::{leb, section};

/// A custom section.
pub fn custom(name: &str, content: &[u8]) -> Vec<u8> {
    section(0, &[&leb(name.len()), name.as_bytes(), content].concat())
}

/// The ids and contents of the sections of a module or a component.
fn sections(bytes: &[u8]) -> Vec<(u8, &[u8])> {
    let mut found = Vec::new();
    let mut rest = &bytes[8..];
    while let [id, after @ ..] = rest {
        let (mut length, mut shift, mut at) = (0usize, 0, 0);
        loop {
            let byte = after[at];
            length |= usize::from(byte & 0x7f) << shift;
            (shift, at) = (shift + 7, at + 1);
            if byte < 0x80 {
                break;
            }
        }
        found.push((*id, &after[at..at + length]));
        rest = &after[at + length..];
    }
    found
}

/// The component with one more core module, which is instantiated so many times.
pub fn with_modules(component: Vec<u8>, module: &[u8], count: usize) -> Vec<u8> {
    const CORE_MODULE: u8 = 1;
    const CORE_INSTANCE: u8 = 2;
    let modules = sections(&component).iter().filter(|(id, _)| *id == CORE_MODULE).count();
    // Instantiate this module with no arguments.
    let instance = [&[0][..], &leb(modules), &[0]].concat();
    let instances = [leb(count), repeat_n(instance, count).flatten().collect()].concat();
    [component, section(CORE_MODULE, module), section(CORE_INSTANCE, &instances)].concat()
}
