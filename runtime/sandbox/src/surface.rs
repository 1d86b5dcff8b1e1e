//! What a file imports and exports, read from its sections: what does not fit is refused before a minute goes into compiling
//! it, and by the name of what it lacks where the compiler would stop at the first thing that it does not know.
//!
//! Nothing is validated here. A file that cannot be read is the compiler's to refuse.

use std::collections::{BTreeMap, BTreeSet};

use wasmparser::{
    BinaryReaderError, Chunk, ComponentExternalKind, CompositeInnerType, ExternalKind, Parser, Payload, TypeRef,
    ValType,
};

/// Parameters and results of a function.
pub(crate) type Signature = (Vec<ValType>, Vec<ValType>);

/// More imports, types or functions than any compiler takes.
const MOST: usize = 1_000_000;

/// Why a file's sections cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SurfaceError {
    /// They are damaged.
    #[error(transparent)]
    Malformed(#[from] BinaryReaderError),
    /// There is less of it than it says.
    #[error("it ends too early")]
    Cut,
    /// More than any compiler takes.
    #[error("it has more than {MOST} imports, types or functions")]
    TooMany,
}

/// What a core module shows.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ModuleSurface {
    /// Module and name of each import.
    pub(crate) imports: Vec<(String, String)>,
    /// For each of them that is a function, the index of its type.
    pub(crate) import_types: Vec<Option<u32>>,
    /// Whether it exports something called `_start`, and whether that is a function without parameters and results.
    pub(crate) start: Option<bool>,
    /// Whether it exports `_initialize`.
    pub(crate) initialize: bool,
    /// Whether it exports a memory called `memory`.
    pub(crate) memory: bool,
}

/// What a component shows: names, sorted.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ComponentSurface {
    pub(crate) imports: Vec<String>,
    /// Instances only: that is what the contract and WASI consist of.
    pub(crate) exports: Vec<String>,
}

/// Walks through the sections of the outermost module or component; what is nested, and code, is passed over.
fn sections(
    mut wasm: &[u8],
    mut take: impl FnMut(Payload<'_>) -> Result<(), SurfaceError>,
) -> Result<(), SurfaceError> {
    let mut parser = Parser::new(0);
    loop {
        let (consumed, payload) = match parser.parse(wasm, true)? {
            Chunk::NeedMoreData(_) => return Err(SurfaceError::Cut),
            Chunk::Parsed { consumed, payload } => (consumed, payload),
        };
        let passed_over = match &payload {
            Payload::End(_) => return Ok(()),
            Payload::CodeSectionStart { size, .. } => {
                parser.skip_section();
                usize::try_from(*size).map_err(|_| SurfaceError::Cut)?
            }
            Payload::ModuleSection { unchecked_range: range, .. }
            | Payload::ComponentSection { unchecked_range: range, .. } => range.len(),
            _ => 0,
        };
        take(payload)?;
        wasm = consumed.checked_add(passed_over).and_then(|length| wasm.get(length..)).ok_or(SurfaceError::Cut)?;
    }
}

/// Reads a core module.
pub(crate) fn module(wasm: &[u8]) -> Result<ModuleSurface, SurfaceError> {
    let mut surface = ModuleSurface::default();
    // By type index: whether it is a function that takes and gives nothing. By function index: its type.
    let (mut plain, mut functions): (Vec<bool>, Vec<u32>) = (Vec::new(), Vec::new());
    let mut start = None;
    sections(wasm, |payload| {
        match payload {
            Payload::TypeSection(types) => {
                for group in types {
                    for one in group?.into_types() {
                        let is_plain = matches!(&one.composite_type.inner, CompositeInnerType::Func(function)
                            if function.params().is_empty() && function.results().is_empty());
                        push(&mut plain, is_plain)?;
                    }
                }
            }
            Payload::ImportSection(imports) => {
                for import in imports.into_imports() {
                    let import = import?;
                    push(&mut surface.imports, (import.module.to_owned(), import.name.to_owned()))?;
                    let of = match import.ty {
                        TypeRef::Func(of) | TypeRef::FuncExact(of) => Some(of),
                        _ => None,
                    };
                    surface.import_types.push(of);
                    of.map_or(Ok(()), |of| push(&mut functions, of))?;
                }
            }
            Payload::FunctionSection(of) => of.into_iter().try_for_each(|of| push(&mut functions, of?))?,
            Payload::ExportSection(exports) => {
                for export in exports {
                    let export = export?;
                    match export.name {
                        "_start" => {
                            start = Some((export.kind == ExternalKind::Func).then_some(export.index));
                        }
                        "_initialize" => surface.initialize = true,
                        "memory" => surface.memory = export.kind == ExternalKind::Memory,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    let at = |index: u32| usize::try_from(index).unwrap_or(usize::MAX);
    let is_plain =
        |function: u32| functions.get(at(function)).and_then(|of| plain.get(at(*of))).copied().unwrap_or(false);
    surface.start = start.map(|function| function.is_some_and(is_plain));
    Ok(surface)
}

/// The function types with these indices, parameters and results, of those that consist of numbers only.
pub(crate) fn types(wasm: &[u8], wanted: &BTreeSet<u32>) -> Result<BTreeMap<u32, Signature>, SurfaceError> {
    let (mut found, mut index) = (BTreeMap::new(), 0u32);
    let is_number = |one: &ValType| matches!(one, ValType::I32 | ValType::I64 | ValType::F32 | ValType::F64);
    sections(wasm, |payload| {
        let Payload::TypeSection(types) = payload else { return Ok(()) };
        for group in types {
            for one in group?.into_types() {
                if let (true, CompositeInnerType::Func(function)) = (wanted.contains(&index), &one.composite_type.inner)
                    && function.params().iter().chain(function.results()).all(is_number)
                {
                    found.insert(index, (function.params().to_vec(), function.results().to_vec()));
                }
                index = index.saturating_add(1);
            }
        }
        Ok(())
    })?;
    Ok(found)
}

/// Reads a component.
pub(crate) fn component(wasm: &[u8]) -> Result<ComponentSurface, SurfaceError> {
    let mut surface = ComponentSurface::default();
    sections(wasm, |payload| {
        match payload {
            Payload::ComponentImportSection(imports) => {
                for import in imports {
                    push(&mut surface.imports, import?.name.name.to_owned())?;
                }
            }
            Payload::ComponentExportSection(exports) => {
                for export in exports {
                    let export = export?;
                    if export.kind == ComponentExternalKind::Instance {
                        push(&mut surface.exports, export.name.name.to_owned())?;
                    }
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    surface.imports.sort();
    surface.exports.sort();
    Ok(surface)
}

fn push<T>(list: &mut Vec<T>, one: T) -> Result<(), SurfaceError> {
    if list.len() == MOST {
        return Err(SurfaceError::TooMany);
    }
    list.push(one);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wat(text: &str) -> Vec<u8> {
        wat::parse_str(text).unwrap()
    }

    #[test]
    fn a_module_shows_its_imports_and_the_exports_that_count() {
        let text = r#"(module
            (type (func (param i32)))
            (import "env" "table" (table 1 funcref))
            (import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 1)
            (func (export "other") (param i32))
            (func (export "_start") (loop $more (br $more)))
            (func (export "_initialize")))"#;
        let imports = [("env", "table"), ("wasi_snapshot_preview1", "fd_write")];
        let expected = ModuleSurface {
            imports: imports.iter().map(|(module, name)| ((*module).to_owned(), (*name).to_owned())).collect(),
            import_types: vec![None, Some(1)],
            start: Some(true),
            initialize: true,
            memory: true,
        };
        assert_eq!(module(&wat(text)).unwrap(), expected);
        let found = types(&wat(text), &BTreeSet::from([0, 1, 7])).unwrap();
        assert_eq!(found[&0], (vec![ValType::I32], Vec::new()));
        assert_eq!(found[&1], (vec![ValType::I32; 4], vec![ValType::I32]));
        let start = |text: &str| module(&wat(text)).unwrap().start;
        assert_eq!(start("(module)"), None);
        assert_eq!(start("(module (func (export \"_start\") (result i32) (i32.const 0)))"), Some(false));
        assert_eq!(start("(module (memory (export \"_start\") 1))"), Some(false));
        assert_eq!(start("(module (import \"a\" \"b\" (func $f)) (export \"_start\" (func $f)))"), Some(true));
    }

    #[test]
    fn a_component_shows_what_is_outermost() {
        let text = r#"(component
            (import "wasi:io/poll@0.2.3" (instance))
            (import "acme:gpu/launch@1.0.0" (func))
            (component (import "inner" (instance)))
            (core module (import "deep" "deep" (func)) (func (export "f")))
            (instance $i)
            (export "z:z/z@1.0.0" (instance $i))
            (export "a:a/a@1.0.0" (instance $i)))"#;
        let surface = component(&wat(text)).unwrap();
        assert_eq!(surface.imports, ["acme:gpu/launch@1.0.0", "wasi:io/poll@0.2.3"]);
        assert_eq!(surface.exports, ["a:a/a@1.0.0", "z:z/z@1.0.0"]);
    }

    #[test]
    fn what_is_cut_off_anywhere_is_an_error_and_no_panic() {
        let whole = wat(
            "(module (import \"a\" \"b\" (func)) (memory (export \"memory\") 1) (func (export \"_start\") (nop)) (data \"x\"))",
        );
        let outer = wat("(component (core module (func (export \"f\") (nop))) (import \"a:a/a@1.0.0\" (instance)))");
        for length in 8..whole.len() {
            let _ = module(&whole[..length]);
            let mut flipped = whole.clone();
            flipped[length] ^= 0xff;
            let _ = module(&flipped);
        }
        for length in 8..outer.len() {
            let _ = component(&outer[..length]);
            let mut flipped = outer.clone();
            flipped[length] ^= 0xff;
            let _ = component(&flipped);
        }
        // Within the code, and within what is nested.
        assert!(module(&whole[..whole.len() - 7]).is_err() && component(&outer[..20]).is_err());
    }
}
