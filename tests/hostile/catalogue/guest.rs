//! Hostile guests as text: a core module around the body of `run`, made a component of the contract's world.
//!
//! Everything that a guest says or asks for lies in one picture of its memory, so that a case states only what is
//! hostile about it.

use std::fmt::Write as _;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::support::repository;

/// Where the host puts results that do not fit into a register: 192 bytes.
pub const RET: u32 = 64;
/// Where the result of `run` is put together.
const RESULT: u32 = 256;
/// Where the picture begins.
const BASE: u32 = 1_024;

/// A text in the guest's memory.
#[derive(Clone, Copy)]
pub struct Text {
    /// Address.
    pub at: u32,
    /// Bytes.
    pub length: u32,
}

impl std::fmt::Display for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "(i32.const {}) (i32.const {})", self.at, self.length)
    }
}

/// A guest in the making.
pub struct Guest {
    picture: Vec<u8>,
    imports: String,
    items: String,
    run: String,
    describe: String,
    realloc: String,
    pages: u32,
    input_schema: String,
    output_schema: String,
    wants: Vec<&'static str>,
}

impl Guest {
    /// One that describes itself well and succeeds.
    pub fn new() -> Self {
        Self {
            picture: Vec::new(),
            imports: String::new(),
            items: String::new(),
            run: String::new(),
            describe: String::new(),
            realloc: String::new(),
            pages: 4,
            input_schema: "{}".to_owned(),
            output_schema: "{}".to_owned(),
            wants: vec!["http", "secrets", "models", "state", "deliver", "clock", "random", "env"],
        }
    }

    /// Imports a function as `$alias`. The interface is one of the contract, or one of WASI when there is a slash in it.
    pub fn import(&mut self, alias: &str, interface: &str, function: &str, signature: &str) -> &mut Self {
        let interface = match interface {
            with_version if with_version.contains('@') => with_version.to_owned(),
            wasi if wasi.contains('/') => format!("wasi:{wasi}@0.2.0"),
            own => format!("trackside:plugin/{own}@0.1.0"),
        };
        writeln!(self.imports, "(import \"{interface}\" \"{function}\" (func ${alias} {signature}))").unwrap();
        self
    }

    /// Statements of `run`; without a return it is done. There are the locals `$a $b $c $n $p $l` and the long `$w`.
    pub fn run(&mut self, body: impl Into<String>) -> &mut Self {
        self.run = body.into();
        self
    }

    /// More fields of the module: functions, globals, tables.
    pub fn item(&mut self, item: impl AsRef<str>) -> &mut Self {
        self.items.push_str(item.as_ref());
        self.items.push('\n');
        self
    }

    /// Statements before `describe` answers.
    pub fn describe(&mut self, body: &str) -> &mut Self {
        self.describe = body.to_owned();
        self
    }

    /// Statements before memory for the host's results is given out.
    pub fn realloc(&mut self, body: &str) -> &mut Self {
        self.realloc = body.to_owned();
        self
    }

    /// Pages of memory at the start.
    pub fn pages(&mut self, pages: u32) -> &mut Self {
        self.pages = pages;
        self
    }

    /// The schemas that it describes.
    pub fn schemas(&mut self, input: &str, output: &str) -> &mut Self {
        (self.input_schema, self.output_schema) = (input.to_owned(), output.to_owned());
        self
    }

    /// Bytes in its memory.
    pub fn bytes(&mut self, bytes: &[u8]) -> Text {
        let aligned = self.picture.len().next_multiple_of(8);
        self.picture.resize(aligned, 0);
        self.picture.extend_from_slice(bytes);
        Text { at: BASE + u32::try_from(aligned).unwrap(), length: u32::try_from(bytes.len()).unwrap() }
    }

    /// A text in its memory.
    pub fn text(&mut self, text: &str) -> Text {
        self.bytes(text.as_bytes())
    }

    /// Numbers in its memory.
    pub fn words(&mut self, words: &[u32]) -> u32 {
        self.bytes(&words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>()).at
    }

    /// A list of texts as the host reads it: rows of address and length.
    pub fn texts(&mut self, texts: &[&str]) -> u32 {
        let rows: Vec<u32> = texts
            .iter()
            .flat_map(|text| {
                let text = self.text(text);
                [text.at, text.length]
            })
            .collect();
        self.words(&rows)
    }

    /// Runs `body` for every text, with its address in `$p` and its length in `$l`; `$n` counts.
    pub fn each(&mut self, texts: &[&str], body: &str) -> String {
        let rows = self.texts(texts);
        format!(
            "(local.set $n (i32.const 0))
            (loop $each
              (local.set $p (i32.load (i32.add (i32.const {rows}) (i32.shl (local.get $n) (i32.const 3)))))
              (local.set $l (i32.load offset=4 (i32.add (i32.const {rows}) (i32.shl (local.get $n) (i32.const 3)))))
              {body}
              (local.set $n (i32.add (local.get $n) (i32.const 1)))
              (br_if $each (i32.lt_u (local.get $n) (i32.const {}))))",
            texts.len()
        )
    }

    /// Returns an error of this code and message.
    pub fn fail(&mut self, code: &str, message: &str) -> String {
        let (code, message) = (self.text(code), self.text(message));
        format!("(return (call $fail (i32.const 1) {code} {message}))")
    }

    /// Returns the host's error at `at`, of this type of the contract, as the step's own.
    pub fn refused(&mut self, error: &str, at: u32) -> String {
        // Cases in the order of the contract; an asterisk marks those without a text.
        let cases: &[&str] = match error {
            "artifact" => &["not-found*", "denied", "quota-exceeded", "io"],
            "http" => &["denied", "bad-request", "dns", "connect", "tls", "timeout*", "too-large", "protocol"],
            "state" => &["denied", "conflict*", "quota-exceeded", "storage"],
            "inference" => &["model-not-found", "denied", "bad-tensor", "resource-exhausted", "timeout*", "runtime"],
            "secret" => &["denied", "unavailable"],
            "outbox" => &["denied", "bad-request", "quota-exceeded"],
            other => panic!("the contract has no error `{other}`"),
        };
        let rows: Vec<u32> = cases
            .iter()
            .flat_map(|case| {
                let name = self.text(case.trim_end_matches('*'));
                [name.at, name.length, u32::from(case.ends_with('*'))]
            })
            .collect();
        let rows = self.words(&rows);
        format!("(return (call $refused (i32.const {rows}) (i32.const {at})))")
    }

    /// The text of the core module.
    pub fn core(&self) -> String {
        let mut done = Self {
            picture: self.picture.clone(),
            imports: String::new(),
            items: String::new(),
            run: String::new(),
            describe: String::new(),
            realloc: String::new(),
            input_schema: String::new(),
            output_schema: String::new(),
            wants: Vec::new(),
            pages: 0,
        };
        let description = self.description(&mut done);
        let empty = done.text("{}");
        let mut data = String::new();
        for byte in &done.picture {
            write!(data, "\\{byte:02x}").unwrap();
        }
        let heap = (BASE as usize + done.picture.len()).next_multiple_of(16);
        let pages = self.pages.max(u32::try_from(heap >> 16).unwrap() + 1);
        let Self { imports, items, run, describe, realloc, .. } = self;
        format!(
            r#"(module {imports}
  (memory (export "memory") {pages})
  (data (i32.const {BASE}) "{data}")
  (global $heap (mut i32) (i32.const {heap}))
  (func $realloc (export "cabi_realloc") (param $old i32) (param $was i32) (param $align i32) (param $size i32) (result i32)
    (local $at i32)
    {realloc}
    (local.set $at (i32.and
      (i32.add (global.get $heap) (i32.sub (local.get $align) (i32.const 1))) (i32.sub (i32.const 0) (local.get $align))))
    (global.set $heap (i32.add (local.get $at) (local.get $size)))
    (block $fits
      (br_if $fits (i32.le_u (global.get $heap) (i32.shl (memory.size) (i32.const 16))))
      (br_if $fits (i32.ge_s
        (memory.grow (i32.add (i32.shr_u (local.get $size) (i32.const 16)) (i32.const 1))) (i32.const 0)))
      unreachable)
    (local.get $at))
  (func $done (param $at i32) (param $length i32) (result i32)
    (i64.store (i32.const {RESULT}) (i64.const 0))
    (i32.store offset=8 (i32.const {RESULT}) (local.get $at))
    (i32.store offset=12 (i32.const {RESULT}) (local.get $length))
    (i32.const {RESULT}))
  (func $fail (param $kind i32) (param $code i32) (param $code-length i32) (param $at i32) (param $length i32) (result i32)
    (i32.store (i32.const {RESULT}) (i32.const 1))
    (i32.store offset=4 (i32.const {RESULT}) (local.get $kind))
    (i32.store offset=8 (i32.const {RESULT}) (local.get $code))
    (i32.store offset=12 (i32.const {RESULT}) (local.get $code-length))
    (i32.store offset=16 (i32.const {RESULT}) (local.get $at))
    (i32.store offset=20 (i32.const {RESULT}) (local.get $length))
    (i64.store offset=24 (i32.const {RESULT}) (i64.const 0))
    (i64.store offset=32 (i32.const {RESULT}) (i64.const 0))
    (i32.const {RESULT}))
  (func $refused (param $rows i32) (param $at i32) (result i32)
    (local $row i32)
    (local.set $row (i32.add (local.get $rows) (i32.mul (i32.load8_u (local.get $at)) (i32.const 12))))
    (if (result i32) (i32.load offset=8 (local.get $row))
      (then (call $fail (i32.const 1)
        (i32.load (local.get $row)) (i32.load offset=4 (local.get $row))
        (i32.load (local.get $row)) (i32.load offset=4 (local.get $row))))
      (else (call $fail (i32.const 1)
        (i32.load (local.get $row)) (i32.load offset=4 (local.get $row))
        (i32.load offset=4 (local.get $at)) (i32.load offset=8 (local.get $at))))))
  (func $describe (export "trackside:plugin/describe@0.1.0#describe") (result i32)
    {describe}
    (i32.const {description}))
  (func $run (export "trackside:plugin/step@0.1.0#run") (result i32)
    (local $a i32) (local $b i32) (local $c i32) (local $n i32) (local $p i32) (local $l i32) (local $w i64)
    {run}
    (call $done {empty}))
  {items})"#
        )
    }

    /// Puts the answer of `describe` into the picture.
    fn description(&self, picture: &mut Self) -> u32 {
        let port = |picture: &mut Self, name: &str, many: bool| {
            let (name, what) = (picture.text(name), picture.text("any"));
            [name.at, name.length, what.at, what.length, 0, 0, u32::from(many) << 8]
        };
        let inputs = port(picture, "in", false);
        let inputs = picture.words(&inputs);
        let outputs = [port(picture, "out", false), port(picture, "many", true)].concat();
        let outputs = picture.words(&outputs);
        let mut wants = Vec::new();
        for want in &self.wants {
            let want = picture.text(want);
            wants.extend([want.at, want.length, 0, 0, want.at, want.length, 1]);
        }
        let wants = picture.words(&wants);
        let mut record = Vec::new();
        for text in ["hostile", "1.0.0", "breaks the rules", "", &self.input_schema, &self.output_schema] {
            let text = picture.text(text);
            record.extend([text.at, text.length]);
        }
        record.extend([inputs, 1, outputs, 2, wants, u32::try_from(self.wants.len()).unwrap(), 0, 0, 0]);
        picture.words(&record)
    }

    /// A WASI command instead: these functions of preview 1, under these names, and the body of `_start`. Its memory
    /// holds what was put into the picture.
    pub fn command(&self, imports: &[(&str, &str, &str)], body: &str) -> Vec<u8> {
        let imports: String = imports
            .iter()
            .map(|(function, alias, signature)| {
                format!("(import \"wasi_snapshot_preview1\" \"{function}\" (func ${alias} {signature}))\n")
            })
            .collect();
        let data: String = self.picture.iter().map(|byte| format!("\\{byte:02x}")).collect();
        let text = format!(
            "(module {imports} (memory (export \"memory\") 4) (data (i32.const {BASE}) \"{data}\")
            (func (export \"_start\") (local $a i32) (local $b i32) (local $n i32) {body}))"
        );
        wat::parse_str(text).unwrap_or_else(|error| panic!("{error}"))
    }

    /// The component.
    pub fn build(&self) -> Vec<u8> {
        component(&self.core(), "guest")
    }
}

/// Makes a core module a component of one of the worlds in `wasi.wit`.
pub fn component(core: &str, world: &str) -> Vec<u8> {
    component_with(core, world, str::to_owned)
}

/// The same with changes to the text of the contract.
pub fn component_with(core: &str, world: &str, change: impl Fn(&str) -> String) -> Vec<u8> {
    let mut module = wat::parse_str(core).unwrap_or_else(|error| panic!("{error}"));
    let mut resolve = Resolve::default();
    let contract = tempfile::tempdir().unwrap();
    for file in std::fs::read_dir(repository::root().join("wit")).unwrap().flatten().map(|entry| entry.path()) {
        if file.extension().is_some_and(|extension| extension == "wit") {
            let text = change(&std::fs::read_to_string(&file).unwrap());
            std::fs::write(contract.path().join(file.file_name().unwrap()), text).unwrap();
        }
    }
    resolve.push_dir(contract.path()).unwrap();
    let package = resolve.push_str("wasi.wit", &change(include_str!("wasi.wit"))).unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    // The host's own check is what is under test.
    ComponentEncoder::default()
        .validate(false)
        .module(&module)
        .unwrap()
        .encode()
        .unwrap_or_else(|error| panic!("{error:#}"))
}

/// A guest whose only special thing is the body of `run`.
pub fn runs(body: &str) -> Vec<u8> {
    Guest::new().run(body).build()
}
