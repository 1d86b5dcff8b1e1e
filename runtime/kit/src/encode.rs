//! From what a language's compiler makes to what the node loads.

use trackside_codes::Reason;
use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER,
};
use wit_component::ComponentEncoder;

/// Custom sections in which binding generators put the world of a core module begin so.
const WORLD_SECTION: &str = "component-type";

/// What a build made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A component already.
    Component,
    /// A core module that was made a component.
    Encoded,
    /// A WASI program with an entry point; it stays as it is.
    Command,
}

/// A file that the node can load.
#[derive(Debug)]
pub struct Encoded {
    /// What it was.
    pub kind: Kind,
    /// What it is now.
    pub bytes: Vec<u8>,
}

/// Makes what the node loads of what a compiler made: components and WASI commands are kept, core modules that carry
/// their world are encoded into components, with wasmtime's adapter in place of WASI preview 1.
///
/// # Errors
/// Why it is neither, in a sentence that goes on after the file's name.
pub fn encode(bytes: Vec<u8>) -> Result<Encoded, Reason> {
    match bytes.get(..8) {
        Some([0, b'a', b's', b'm', _, _, 1, 0]) => return Ok(Encoded { kind: Kind::Component, bytes }),
        Some([0, b'a', b's', b'm', 1, 0, 0, 0]) => {}
        _ => return Err("is no WebAssembly: does `build.output` in plugin.toml name the right file?".into()),
    }
    let module = Sections::read(&bytes).ok_or("is WebAssembly that is cut off or damaged: build it again")?;
    if module.has_world {
        let encode = || {
            ComponentEncoder::default()
                .validate(true)
                .module(&bytes)?
                .adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER)?
                .encode()
        };
        return match encode() {
            Ok(bytes) => Ok(Encoded { kind: Kind::Encoded, bytes }),
            Err(error) => Err(format!("cannot be made a component: {error:#}").into()),
        };
    }
    if module.has_start {
        return Ok(Encoded { kind: Kind::Command, bytes });
    }
    Err("is a core module without a world and without an entry point: build it with the bindings of `wit/` (a plugin) or \
         as a WASI command (a program with `main`)"
        .into())
}

/// The two facts about a core module that decide what it is.
#[derive(Default)]
struct Sections {
    has_world: bool,
    has_start: bool,
}

impl Sections {
    /// `None` when the bytes are no sequence of sections.
    fn read(bytes: &[u8]) -> Option<Self> {
        let mut found = Self::default();
        let mut rest = bytes.get(8..)?;
        while let Some((id, after)) = rest.split_first() {
            let (size, after) = number(after)?;
            let section = after.get(..size)?;
            rest = after.get(size..)?;
            match id {
                0 => found.has_world |= name(section)?.0.starts_with(WORLD_SECTION.as_bytes()),
                7 => found.has_start = exports(section)?.contains(&b"_start".as_slice()),
                _ => {}
            }
        }
        Some(found)
    }
}

/// Names of an export section.
fn exports(section: &[u8]) -> Option<Vec<&[u8]>> {
    let (count, mut rest) = number(section)?;
    let mut names = Vec::new();
    for _ in 0..count {
        let (text, after) = name(rest)?;
        names.push(text);
        // The kind, then the index.
        rest = number(after.get(1..)?)?.1;
    }
    Some(names)
}

fn name(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = number(bytes)?;
    Some((rest.get(..length)?, rest.get(length..)?))
}

/// An unsigned LEB128 number of at most 32 bits.
fn number(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0u64;
    for (place, byte) in bytes.iter().take(5).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            return Some((usize::try_from(value).ok()?, &bytes[place + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: [u8; 8] = [0, b'a', b's', b'm', 1, 0, 0, 0];

    fn module(sections: &[(u8, &[u8])]) -> Vec<u8> {
        let mut bytes = HEADER.to_vec();
        for (id, content) in sections {
            bytes.push(*id);
            bytes.push(u8::try_from(content.len()).unwrap());
            bytes.extend_from_slice(content);
        }
        bytes
    }

    #[test]
    fn a_component_and_a_command_stay_as_they_are() {
        let component = [0, b'a', b's', b'm', 13, 0, 1, 0, 1, 2, 3].to_vec();
        let made = encode(component.clone()).unwrap();
        assert_eq!((made.kind, made.bytes), (Kind::Component, component));
        let command = module(&[(7, b"\x02\x06memory\x02\x00\x06_start\x00\x80\x01")]);
        let made = encode(command.clone()).unwrap();
        assert_eq!((made.kind, made.bytes), (Kind::Command, command));
    }

    #[test]
    fn anything_else_is_told_apart() {
        for (bytes, says) in [
            (b"#!/bin/sh".to_vec(), "no WebAssembly"),
            (Vec::new(), "no WebAssembly"),
            (module(&[(7, b"\x01\x03run\x00\x00")]), "without a world"),
            ([HEADER.as_slice(), &[7, 200, 1, 0]].concat(), "cut off"),
            ([HEADER.as_slice(), &[0, 0xff, 0xff, 0xff, 0xff, 0xff]].concat(), "cut off"),
            (module(&[(0, b"\x0ecomponent-typerubbish")]), "made a component"),
        ] {
            let error = encode(bytes.clone()).unwrap_err();
            assert!(error.to_string().contains(says), "{bytes:?}: {error}");
        }
    }
}
