#!/usr/bin/env bash
# Makes the bindings in internal/wit/{imports,exports} and cmd/build/component-type.bin from the contract. Needs
# wit-bindgen (`cargo install --locked wit-bindgen-cli@0.63.0 --no-default-features --features c,go`), gofmt and python3.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
module=github.com/trackside/trackside/plugins/sdk-go/internal/wit
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

wit-bindgen go --quiet --world trackside:plugin/plugin --pkg-name "$module" --generate-stubs --out-dir "$work/go" ../../wit
rm -rf internal/wit/imports internal/wit/exports/wit_exports
cp -r "$work/go/imports" internal/wit/imports
cp -r "$work/go/exports/wit_exports" internal/wit/exports/wit_exports
find internal/wit -name '*.go' -exec sed -i "s#go.bytecodealliance.org/pkg/wit/#$module/#" {} +
gofmt -w internal/wit

# What says which world the module has: a custom section that the C generator writes into an object file.
wit-bindgen c --world trackside:plugin/plugin --out-dir "$work/c" ../../wit
python3 - "$work/c/plugin_component_type.o" cmd/build/component-type.bin <<'PY'
import sys

def leb(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at

data, at = open(sys.argv[1], "rb").read(), 8
while at < len(data):
    begin, kind = at, data[at]
    size, at = leb(data, at + 1)
    length, name = leb(data, at)
    if kind == 0 and data[name : name + length].startswith(b"component-type"):
        open(sys.argv[2], "wb").write(data[begin : at + size])
    at += size
PY
