//! Bytes of WebAssembly, section by section.

use std::fs;

use super::repository;

/// An unsigned number in LEB128.
pub fn leb(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let byte = u8::try_from(number & 0x7f).unwrap();
        number >>= 7;
        if number == 0 {
            bytes.push(byte);
            return bytes;
        }
        bytes.push(byte | 0x80);
    }
}

/// A section of a module or a component.
pub fn section(id: u8, content: &[u8]) -> Vec<u8> {
    [&[id], leb(content.len()).as_slice(), content].concat()
}

/// One of our components with a custom section that makes it another one.
pub fn marked(component: &str, mark: &str) -> Vec<u8> {
    const NAME: &[u8] = b"mark";
    let mut bytes = fs::read(repository::component(component)).unwrap();
    bytes.extend(section(0, &[leb(NAME.len()).as_slice(), NAME, mark.as_bytes()].concat()));
    bytes
}
