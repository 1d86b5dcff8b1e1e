#!/usr/bin/env bash
# Builds the fuzz targets with the stable toolchain and runs each for a while, beginning with its corpus.
#
#   run.sh [SECONDS [TARGET..]]      default: 30 s each of all targets
#
# What a target finds is written to fuzz/artifacts/; run it again with
#   target/release/TARGET fuzz/artifacts/FILE
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds=${1:-30}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(workflow grants url component inference_rest inference_grpc model package)

# The command line's package takes part so that features are those of the usual build, and what was built for that is taken.
bins=()
for target in "${targets[@]}"; do bins+=(--bin "$target"); done
RUSTC_WORKSPACE_WRAPPER=$PWD/fuzz/instrument.sh cargo build --release -p trackside-cli -p trackside-fuzz "${bins[@]}"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p fuzz/artifacts
for target in "${targets[@]}"; do
    # New inputs go to a folder of their own: what is worth keeping is added to the corpus by hand, made small.
    mkdir "$work/$target"
    dictionary=()
    [ ! -f "fuzz/dictionaries/$target" ] || dictionary=(-dict="fuzz/dictionaries/$target")
    echo "== $target, $seconds s"
    "${CARGO_TARGET_DIR:-target}/release/$target" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=4096 -print_final_stats=1 \
        -artifact_prefix="fuzz/artifacts/$target-" "${dictionary[@]}" "$work/$target" "fuzz/corpus/$target" \
        >"$work/$target.log" 2>&1 || { tail -n 60 "$work/$target.log"; exit 1; }
    grep -E '^(stat::number_of_executed_units|stat::peak_rss_mb)|DONE' "$work/$target.log" | tail -n 3
done
