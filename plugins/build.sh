#!/usr/bin/env bash
# Builds every plugin of this workspace into prebuilt/ and writes prebuilt/STAMP.
#
#   build.sh              build, install into prebuilt/, write the stamp
#   build.sh --out DIR    the same into DIR (CI compares it with prebuilt/)
#   build.sh --check      build nothing; fail when prebuilt/ does not belong to the sources
#
# README.md describes the stamp. A toolchain with the wasm32-wasip2 target is used when there is one; otherwise
# Debian's compiler and library sources (packages rustc-web, rust-web-src, wasi-libc).
set -euo pipefail
export LC_ALL=C

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/.." && pwd)
target=wasm32-wasip2

fail() { echo "build.sh: $*" >&2; exit 1; }

# Names and digests of everything that decides what the components do, in byte order of the names.
source_list() {
    cd "$root"
    {
        find plugins -path plugins/README.md -prune -o -path plugins/templates -prune -o -path 'plugins/sdk-*' -prune -o -name target -prune -o -name prebuilt -prune -o -name '.*' -prune -o \
            -type f \( -name '*.rs' -o -name '*.toml' -o -name '*.json' -o -name '*.md' -o -name Cargo.lock \) -print
        find wit -maxdepth 1 -type f -name '*.wit' -print
    } | sort | while IFS= read -r file; do
        printf '%s %s\n' "$(sha256sum <"$file" | cut -d' ' -f1)" "$file"
    done
}

source_digest() { source_list | sha256sum | cut -d' ' -f1; }

# The folders of plugins: crates that make a cdylib. One line each: FOLDER NAME OUTPUT
plugin_list() {
    cd "$here"
    for manifest in */Cargo.toml testing/*/Cargo.toml; do
        grep -q '^crate-type *= *\[.*"cdylib"' "$manifest" || continue
        name=$(sed -n 's/^name *= *"\([^"]*\)".*/\1/p' "$manifest" | head -n 1)
        case $manifest in
            testing/*) echo "$name testing/$name.wasm" ;;
            *) echo "$name $name.wasm" ;;
        esac
    done | sort
}

check() {
    stamp=$here/prebuilt/STAMP
    [ -f "$stamp" ] || fail "prebuilt/STAMP is missing: run plugins/build.sh"
    recorded=$(sed -n 's/^source //p' "$stamp")
    now=$(source_digest)
    [ "$recorded" = "$now" ] || fail "prebuilt/ is stale: the sources are $now, the stamp says $recorded: run plugins/build.sh"
    while read -r _ digest file; do
        [ -f "$here/prebuilt/$file" ] || fail "prebuilt/$file is missing: run plugins/build.sh"
        [ "$(sha256sum <"$here/prebuilt/$file" | cut -d' ' -f1)" = "$digest" ] ||
            fail "prebuilt/$file is not what the stamp says: run plugins/build.sh"
    done < <(grep '^wasm ' "$stamp")
    while read -r name file; do
        grep -q "^wasm [0-9a-f]* $file\$" "$stamp" || fail "plugin $name is not in prebuilt/: run plugins/build.sh"
    done < <(plugin_list)
    echo "prebuilt/ belongs to the sources ($now)"
}

# Sets `extra` (arguments for cargo), `std` (where the library sources lie) and the environment of the toolchain.
choose_toolchain() {
    extra=()
    sysroot=$(rustc --print sysroot)
    if [ -d "$sysroot/lib/rustlib/$target/lib" ] && [ -z "${TRACKSIDE_GUEST_DEBIAN:-}" ]; then
        std=$sysroot/lib/rustlib/src/rust
        return
    fi
    std=/usr/lib/rustlib/src/rust
    [ -x /usr/bin/rustc ] && [ -d "$std/library" ] && [ -d /usr/lib/wasm32-wasi ] || fail \
        "no compiler for $target: run \`rustup target add $target\`, or install rustc-web, rust-web-src and wasi-libc"
    # The linkers come with the toolchain that builds the host; the compiler and the library are Debian's. Its own
    # sources are stable ones, hence the bootstrap switch for -Zbuild-std. Only this script's cargo sees any of it.
    tools=$sysroot/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin
    export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1
    export PATH="$tools:$tools/gcc-ld:$PATH"
    export CARGO_TARGET_WASM32_WASIP2_LINKER=$tools/wasm-component-ld
    extra=(-Zbuild-std=std,panic_abort)
    flags+=(-Clink-self-contained=no -Lnative=/usr/lib/wasm32-wasi)
}

build() {
    out=$1
    flags=()
    unset RUSTC_WRAPPER RUSTFLAGS CARGO_BUILD_RUSTFLAGS
    # The bytes depend on the sources alone: not on how whoever builds likes his own builds.
    unset "${!CARGO_PROFILE_@}"
    export CARGO_INCREMENTAL=0
    choose_toolchain
    # No path of this machine may end up in the bytes: panic messages carry file names.
    flags+=("--remap-path-prefix=$std=/rustc" "--remap-path-prefix=$(readlink -f "$std")=/rustc")
    flags+=("--remap-path-prefix=$here=/plugins")
    for registry in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/; do
        flags+=("--remap-path-prefix=${registry%/}=/crates")
    done
    CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f'; echo "${flags[*]}")
    export CARGO_ENCODED_RUSTFLAGS
    export CARGO_TARGET_DIR=${TRACKSIDE_GUEST_TARGET_DIR:-$here/target}

    # Taken before the build: sources that change meanwhile leave a stale stamp, not a wrong one.
    sources=$(source_digest)
    packages=()
    while read -r name _; do packages+=(-p "$name"); done < <(plugin_list)
    # One invocation, so that the standard library is compiled once.
    (cd "$here" && cargo build --locked --release --target "$target" "${extra[@]}" "${packages[@]}")

    # Each file is put in place by a rename: whoever reads meanwhile sees the old one or the new one, whole.
    new=$out/.new
    rm -rf "$new"
    mkdir -p "$new/testing" "$out/testing"
    {
        echo "# Written by plugins/build.sh; plugins/README.md says what it means."
        echo "source $sources"
        "${RUSTC:-rustc}" --version
        while read -r name file; do
            cp "$CARGO_TARGET_DIR/$target/release/${name//-/_}.wasm" "$new/$file"
            if grep -aqF -e "$here" -e "${CARGO_HOME:-$HOME/.cargo}" -e "$std" -e "$(readlink -f "$std")" "$new/$file"; then
                fail "$file holds a path of this machine"
            fi
            echo "wasm $(sha256sum <"$new/$file" | cut -d' ' -f1) $file"
        done < <(plugin_list)
    } >"$new/STAMP"
    while read -r _ file; do mv "$new/$file" "$out/$file"; done < <(plugin_list)
    mv "$new/STAMP" "$out/STAMP"
    rm -rf "$new"
    # What is no plugin any more.
    for old in "$out"/*.wasm "$out"/testing/*.wasm; do
        grep -q "^wasm [0-9a-f]* ${old#"$out"/}\$" "$out/STAMP" || rm -f "$old"
    done
    ls -l "$out"/*.wasm "$out"/testing/*.wasm | awk '{ print $5, $NF }'
}

case ${1:-} in
    "") build "$here/prebuilt" ;;
    --out)
        [ -n "${2:-}" ] || fail "--out needs a folder"
        mkdir -p "$2"
        build "$(cd "$2" && pwd)"
        ;;
    --check) check ;;
    *) fail "unknown argument $1: build.sh [--check | --out DIR]" ;;
esac
