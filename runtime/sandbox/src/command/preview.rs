//! Whether preview 1 has the functions that a module imports, with their types. Asked of the linker by a module that has the
//! same imports and nothing else: to compile it takes no time, and it is written here, of numbers and names alone.

use std::collections::{BTreeMap, BTreeSet};

use wasmparser::ValType;
use wasmtime::{Engine, Module};

use super::{Linkers, kind::PREVIEW_1};
use crate::{
    error::{LoadError, refused},
    surface::{self, ModuleSurface},
};

/// Preview 1 has 46 functions. A module with far more imports of it is left to the linker.
const MOST: usize = 256;
/// A longer name, or a function of more numbers, is none of preview 1.
const LONGEST: usize = 127;

/// Refuses a module whose imports the linker would refuse after the whole module was compiled.
pub(crate) fn check(
    linkers: &Linkers,
    engine: &Engine,
    wasm: &[u8],
    module: &ModuleSurface,
    name: &str,
) -> Result<(), LoadError> {
    let imports: BTreeMap<&str, u32> = module
        .imports
        .iter()
        .zip(&module.import_types)
        .filter(|((from, import), _)| from == PREVIEW_1 && import.len() <= LONGEST)
        .filter_map(|((_, import), of)| Some((import.as_str(), (*of)?)))
        .collect();
    if imports.is_empty() || imports.len() > MOST {
        return Ok(());
    }
    // What cannot be read is refused by the compiler.
    let Ok(types) = surface::types(wasm, &imports.values().copied().collect::<BTreeSet<_>>()) else { return Ok(()) };
    let known: Vec<_> = imports
        .into_iter()
        .filter_map(|(import, of)| Some((import, types.get(&of)?)))
        .filter(|(_, (params, results))| params.len() <= LONGEST && results.len() <= LONGEST)
        .collect();
    let misfit =
        |error: wasmtime::Error| LoadError::CommandDoesNotFit { name: name.to_owned(), reason: refused(error) };
    let twin = Module::new(engine, twin(&known)).map_err(misfit)?;
    linkers.module(engine)?.instantiate_pre(&twin).map(drop).map_err(misfit)
}

/// A module with these imports, each with a type of its own.
fn twin(imports: &[(&str, &crate::surface::Signature)]) -> Vec<u8> {
    let (mut types, mut names) = (number(imports.len()), number(imports.len()));
    for (index, (name, (params, results))) in imports.iter().enumerate() {
        types.push(0x60);
        for values in [params, results] {
            types.extend(number(values.len()));
            types.extend(values.iter().map(|value| match value {
                ValType::I64 => 0x7e,
                ValType::F32 => 0x7d,
                ValType::F64 => 0x7c,
                _ => 0x7f,
            }));
        }
        for text in [PREVIEW_1, name] {
            names.extend(number(text.len()));
            names.extend(text.as_bytes());
        }
        names.push(0x00);
        names.extend(number(index));
    }
    let mut wasm = b"\0asm\x01\0\0\0".to_vec();
    for (id, content) in [(1, types), (2, names)] {
        wasm.push(id);
        wasm.extend(number(content.len()));
        wasm.extend(content);
    }
    wasm
}

/// A number as WebAssembly writes it: seven bits in each byte, the lowest first.
fn number(mut value: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(value & 0x7f).unwrap_or_default();
        value >>= 7;
        if value == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}
