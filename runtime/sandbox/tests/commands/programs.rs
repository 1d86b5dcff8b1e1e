//! Small WASI programs, as text.

/// A preview 1 program. `body` is what `_start` does; the functions below are there to be called, and the memory is
/// free from 4,096 on.
pub fn program(body: &str) -> Vec<u8> {
    module(&format!("{PREVIEW_1}\n(func (export \"_start\") (local $n i32) {body})"))
}

/// A module with these fields and a memory.
pub fn module(fields: &str) -> Vec<u8> {
    wat::parse_str(format!("(module {fields} (memory (export \"memory\") 2))")).unwrap()
}

/// Imports, and: `$out` and `$err` write a piece of memory, `$read` reads up to 32 KiB to 4,096, `$open` opens a path
/// below the first folder and gives its errno; the descriptor is then at 64.
const PREVIEW_1: &str = r#"
(import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "path_open"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "path_symlink" (func $path_symlink (param i32 i32 i32 i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "path_unlink_file" (func $path_unlink_file (param i32 i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "path_create_directory" (func $path_create_directory (param i32 i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "args_get" (func $args_get (param i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes_get (param i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "environ_get" (func $environ_get (param i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "clock_time_get" (func $clock_time_get (param i32 i64 i32) (result i32)))
(import "wasi_snapshot_preview1" "random_get" (func $random_get (param i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "sock_accept" (func $sock_accept (param i32 i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "poll_oneoff" (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
(func $write (param $fd i32) (param $at i32) (param $length i32)
    (i32.store (i32.const 0) (local.get $at))
    (i32.store (i32.const 4) (local.get $length))
    (if (call $fd_write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)) (then unreachable)))
(func $out (param i32 i32) (call $write (i32.const 1) (local.get 0) (local.get 1)))
(func $err (param i32 i32) (call $write (i32.const 2) (local.get 0) (local.get 1)))
(func $read (param $fd i32) (result i32)
    (i32.store (i32.const 0) (i32.const 4096))
    (i32.store (i32.const 4) (i32.const 32768))
    (if (call $fd_read (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)) (then unreachable))
    (i32.load (i32.const 8)))
(func $open (param $path i32) (param $length i32) (param $create i32) (param $rights i64) (result i32)
    (call $path_open (i32.const 3) (i32.const 1) (local.get $path) (local.get $length) (local.get $create)
        (local.get $rights) (i64.const 0) (i32.const 0) (i32.const 64)))
"#;

/// Copies standard input to standard output.
pub fn cat() -> Vec<u8> {
    program(
        "(loop $more
            (local.set $n (call $read (i32.const 0)))
            (if (local.get $n) (then (call $out (i32.const 4096) (local.get $n)) (br $more))))",
    )
}

/// Prints `text`, writes `errors` to standard error, and exits with `code`.
pub fn says(text: &str, errors: &str, code: u32) -> Vec<u8> {
    let data = |at: usize, text: &str| {
        let bytes: String = text.bytes().map(|byte| format!("\\{byte:02x}")).collect();
        format!("(data (i32.const {at}) \"{bytes}\")")
    };
    module(&format!(
        "{PREVIEW_1} {} {} (func (export \"_start\")
            (call $out (i32.const 8192) (i32.const {})) (call $err (i32.const 16384) (i32.const {}))
            (call $exit (i32.const {code})))",
        data(8192, text),
        data(16384, errors),
        text.len(),
        errors.len(),
    ))
}

/// A preview 1 program with `text` at 8,192.
pub fn with_text(text: &str, body: &str) -> Vec<u8> {
    module(&format!("{PREVIEW_1} (data (i32.const 8192) \"{text}\") (func (export \"_start\") (local $n i32) {body})"))
}

/// A preview 2 program: `run` is the body of a function that gives 0 (well) or 1; `$exit` takes a code.
pub fn component(run: &str) -> Vec<u8> {
    wat::parse_str(format!(
        r#"(component
            (import "wasi:cli/exit@0.2.12" (instance $exits
                (export "exit-with-code" (func (param "status-code" u8)))))
            (core func $exit (canon lower (func $exits "exit-with-code")))
            (core module $program
                (import "host" "exit" (func $exit (param i32)))
                (func (export "run") (result i32) {run}))
            (core instance $host (export "exit" (func $exit)))
            (core instance $it (instantiate $program (with "host" (instance $host))))
            (func $run (result (result)) (canon lift (core func $it "run")))
            (instance $runs (export "run" (func $run)))
            (export "wasi:cli/run@0.2.12" (instance $runs)))"#
    ))
    .unwrap()
}
