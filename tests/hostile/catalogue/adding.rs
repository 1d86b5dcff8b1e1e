//! Files that are no plugins, or that are made to hurt whoever compiles them.

use std::{
    fs::{self, File},
    time::Duration,
};

use super::{
    attack::{Attack, Attacks},
    guest::{Guest, component},
    sections::{leb, section},
};
use crate::support::{Project, wait::patient};

/// A core module around these functions and with this in it, as a plugin.
fn with(item: &str) -> Vec<u8> {
    let mut guest = Guest::new();
    guest.item(item).build()
}

/// Native code as the node itself made it, taken out of its cache.
fn native_code() -> Vec<u8> {
    let project = Project::new();
    project.write("plugins/honest.wasm", Guest::new().build());
    project.workflow("well", "steps:\n  good: { plugin: honest }\n");
    project.run(&["run", "well"]).ok();
    let file = fs::read_dir(project.path(".trackside/cache")).unwrap().flatten().next().unwrap().path();
    let bytes = fs::read(file).unwrap();
    let start = bytes.windows(4).position(|bytes| bytes == b"\x7fELF").expect("native code is an ELF file");
    bytes[start..].to_vec()
}

#[test]
fn h44_is_no_plugin() {
    let good = Guest::new().build();
    let mut stranger = Guest::new();
    stranger.import("anything", "nobody:offers/this@1.0.0", "anything", "(result i32)").run("(drop (call $anything))");
    let text = Guest::new().core();
    let other_version = component_of(&text.replace("@0.1.0", "@0.9.0"), "0.1.0", "0.9.0");
    let early_version = component_of(&text.replace("@0.1.0", "@0.1.0-rc.1"), "0.1.0", "0.1.0-rc.1");
    let other_world = component(
        "(module (memory (export \"memory\") 1)
          (func (export \"nobody:offers/this@1.0.0#anything\") (result i32) (i32.const 7)))",
        "other",
    );
    let reactor = wat::parse_str("(module (func (export \"run\")))").unwrap();
    let elf = fs::read(crate::support::command::BINARY).unwrap();
    let refused = [
        (b"".to_vec(), "TS-0311", "empty file"),
        (elf[..1 << 20].to_vec(), "TS-0311", "ELF"),
        (native_code(), "TS-0311", "native code"),
        (b"(component)".to_vec(), "TS-0311", "text"),
        (b"#!/bin/sh\nrm -rf /\n".to_vec(), "TS-0311", "something else"),
        (b"\0asm\x0d\0\x01\0".to_vec(), "TS-0314", "describe"),
        (b"\0asm\x09\0\0\0".to_vec(), "TS-0311", "unknown version"),
        (b"\0asm".to_vec(), "TS-0311", ""),
        (good[..good.len() - 7].to_vec(), "TS-0312", ""),
        (good[..good.len() / 2].to_vec(), "TS-0312", ""),
        ([&good[..], &[0xff; 64]].concat(), "TS-0312", ""),
        (reactor, "TS-0320", "core module"),
        (other_world, "TS-0314", "describe"),
        (other_version, "TS-0313", "0.9.0"),
        (early_version, "TS-0316", "0.1.0"),
        (stranger.build(), "TS-0315", "nobody:offers"),
    ];
    let mut attacks = Attacks::of(44, 48);
    for (file, code, word) in refused {
        attacks = attacks.attack(Attack::new(file).refused(code, &[word]));
    }
    // Four gigabytes that take no room on the disk; the last attack of the case, by its number.
    let last = attacks.count();
    attacks
        .attack(Attack::new(b"\0asm\x0d\0\x01\0".to_vec()).refused("TS-0310", &["bytes"]))
        .prepare_last(move |project| {
            let file = project.path(&format!("plugins/bad-{last}.wasm"));
            File::options().write(true).open(file).unwrap().set_len(4 << 30).unwrap();
        })
        .run();
}

/// A component of the contract with other numbers in its names.
fn component_of(core: &str, own: &str, other: &str) -> Vec<u8> {
    super::guest::component_with(core, "guest", |wit| {
        wit.replace(&format!("trackside:plugin@{own}"), &format!("trackside:plugin@{other}"))
            .replace(&format!("trackside:plugin/plugin@{own}"), &format!("trackside:plugin/plugin@{other}"))
            .replace(&format!("version = {own}"), &format!("version = {other}"))
    })
}

/// A plugin with one more function, whose body is this.
fn body(code: &[u8]) -> Vec<u8> {
    // No local variables.
    let code = [&[0][..], code, &[0x0b]].concat();
    let code = [leb(code.len()), code].concat();
    command(&[], &[code])
}

/// A WASI command with more of these sections, and functions of no arguments.
fn command(sections: &[Vec<u8>], bodies: &[Vec<u8>]) -> Vec<u8> {
    let types = section(1, &[1, 0x60, 0, 0]);
    let count = bodies.len() + 1;
    let declared = section(3, &[leb(count), vec![0; count]].concat());
    let memory = section(5, &[1, 0, 1]);
    let exports = section(7, &[&[2, 6][..], b"_start", &[0, 0, 6], b"memory", &[2, 0]].concat());
    let codes = section(10, &[leb(count), vec![2, 0, 0x0b], bodies.concat()].concat());
    [b"\0asm\x01\0\0\0".to_vec(), types, declared, memory, exports, codes, sections.concat()].concat()
}

#[test]
fn h45_is_hard_to_compile() {
    // i32.const 1, drop, for seven megabytes.
    let long = body(&[0x41, 1, 0x1a].repeat(2_300_000));
    let longer = body(&[0x41, 1, 0x1a].repeat(2_700_000));
    let deep = body(&[[0x02, 0x40].repeat(200_000), vec![0x0b; 200_000]].concat());
    let jumps = body(&[vec![0x02, 0x40, 0x41, 0, 0x0e], leb(1_000_000), vec![0; 1_000_001], vec![0x0b]].concat());
    let functions = command(&[], &vec![vec![2, 0, 0x0b]; 300_000]);
    // Conditional calls over a thousand variables that all live to the end.
    let variables = {
        let mut code = [&[1][..], &leb(1_000), &[0x7f]].concat();
        for step in 0..20_000 {
            let (from, to) = (leb(step * 7 % 1_000), leb(step * 13 % 1_000));
            code.extend([&[0x20][..], &from, &[0x04, 0x40, 0x20], &to, &[0x21], &from, &[0x10, 0, 0x0b]].concat());
        }
        code.push(0x0b);
        command(&[], &vec![[leb(code.len()), code].concat(); 200])
    };
    let data = {
        let segments = [leb(40_000), [0, 0x41, 0, 0x0b, 1, 7].repeat(40_000)].concat();
        command(&[section(11, &segments)], &[])
    };
    let types = with(&"(type (func))".repeat(100_000));
    // Enough for what may be compiled, also where the machine has other work.
    let time = patient(Duration::from_secs(3)).as_millis();
    let config = format!("[plugins]\ncompile_time = \"{time}ms\"\ncompile_memory = \"256MiB\"\n");
    let compiled = |plugin: Vec<u8>| Attack::new(plugin).more("    command: { stdout: text }\n");
    Attacks::of(45, 128)
        .config(config)
        .attack(Attack::new(longer).refused("TS-0312", &["size"]))
        .attack(Attack::new(deep).refused("TS-0328", &["compile_memory"]))
        .attack(Attack::new(variables).refused("TS-0328", &["compile_"]))
        .attack(Attack::new(long).refused("TS-0328", &["compile_memory"]))
        .attack(Attack::new(jumps).refused("TS-0312", &["br_table"]))
        .attack(Attack::new(functions).refused("TS-0328", &["compile_"]))
        .attack(compiled(data))
        .attack(Attack::new(types).limits("memory: 32MiB"))
        .run();
}
