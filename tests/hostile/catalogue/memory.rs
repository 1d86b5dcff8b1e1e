//! Guests that take more than there is.

use super::{
    attack::{Attack, Attacks},
    guest::Guest,
    sections::with_modules,
};

#[test]
fn h04_grows_its_memory_to_the_maximum() {
    // It uses what it gets.
    let body = "(loop $l
          (local.set $p (memory.grow (i32.const 16)))
          (if (i32.eq (local.get $p) (i32.const -1)) (then unreachable))
          (memory.fill (i32.shl (local.get $p) (i32.const 16)) (i32.const 1) (i32.const 1048576))
          (br $l))";
    Attacks::of(4, 96)
        .attack(Attack::body(body).limits("memory: 64MiB").ends("out-of-memory", &["64 MiB", "limits.memory"]))
        .run();
}

#[test]
fn h05_spreads_over_many_memories() {
    let mut one_module = Guest::new();
    one_module.item("(memory 1)".repeat(99));
    let hundred = "(module (memory 1))";
    let large = "(module (memory 128) (data (i32.const 8388600) \"x\"))";
    let modules = |module: &str, count| with_modules(Guest::new().build(), &wat::parse_str(module).unwrap(), count);
    Attacks::of(5, 96)
        .attack(Attack::guest(&one_module).refused("TS-0312", &["memories"]))
        .attack(Attack::new(modules(hundred, 20)).refused("TS-0317", &["memor"]))
        .attack(Attack::new(modules(large, 6)).limits("memory: 40MiB").ends("out-of-memory", &["40 MiB"]))
        .run();
}

#[test]
fn h06_makes_tables_of_ten_million_elements() {
    let mut at_once = Guest::new();
    at_once.item("(table 10000000 funcref)");
    let mut many = Guest::new();
    many.item("(table 1 funcref)".repeat(90));
    let mut later = Guest::new();
    let grown = later.fail("grown", "it was given a table of ten million elements");
    later.item("(table $t 1 funcref)").run(format!(
        "(if (i32.ne (table.grow $t (ref.null func) (i32.const 10000000)) (i32.const -1)) (then {grown}))
        (loop $l (br_if $l (i32.ne (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1))))
        (if (i32.gt_u (table.size $t) (i32.const 100000)) (then {grown}))
        unreachable"
    ));
    Attacks::of(6, 32)
        .attack(Attack::guest(&at_once).refused("TS-0312", &["10000000", "100000"]))
        .attack(Attack::guest(&many).refused("TS-0312", &["90", "64"]))
        .attack(Attack::guest(&later).ends("host-limit", &["table", "limits.table"]))
        .run();
}
