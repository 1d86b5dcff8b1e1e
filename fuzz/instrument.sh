#!/bin/sh
# Stands between cargo and rustc for the crates of this workspace (RUSTC_WORKSPACE_WRAPPER): adds the coverage that
# libFuzzer follows. Everything else, wasmtime above all, stays as it is built for the tests.
case " $* " in
*" --crate-name build_script_"* | *" --crate-type proc-macro "*) exec "$@" ;;
esac
exec "$@" --cfg fuzzing -Cpasses=sancov-module -Ccodegen-units=1 \
    -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares
