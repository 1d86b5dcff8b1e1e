#!/usr/bin/env bash
# saphyr 0.3.4 (saphyr-parser 0.3.4 does the work; 0.3.3 is the same): a plain value that is parted from its key by a tab is
# refused with "':' must be followed by a valid YAML whitespace", in blocks and in braces. YAML 1.2.2 takes any s-white there
# (rules 63, 66, 80: s-separate-in-line is s-white+, a space or a tab). The same tab passes before a quoted value and before a
# list, and after the dash of an entry: files that are aligned with tabs work until somebody leaves quotes out. The JavaScript
# package yaml 2.9.1 reads all of them.
#
# Seen:
#   "key:\tword": saphyr refuses it, yaml reads {"key":"word"}
#   "{key:\tword}": saphyr refuses it, yaml reads {"key":"word"}
#   "key:\t\"word\"": saphyr reads it, yaml reads {"key":"word"}
#   "key:\t[word]": saphyr reads it, yaml reads {"key":["word"]}
#   "-\tword": saphyr reads it, yaml reads ["word"]
#
# Needs cargo, npm and node. Exits 0 while it is so.
set -euo pipefail
unset CARGO_TARGET_DIR
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir src
cat >Cargo.toml <<'END'
[package]
name = "finding"
version = "0.1.0"
edition = "2024"

[dependencies]
saphyr = "=0.3.4"
END
cat >src/main.rs <<'END'
use saphyr::{LoadableYamlNode, Yaml};

fn main() {
    let text = std::env::args().nth(1).unwrap();
    println!("{}", if Yaml::load_from_str(&text).is_ok() { "reads" } else { "refuses" });
}
END
cat >seen <<'END'
"key:\tword": saphyr refuses it, yaml reads {"key":"word"}
"{key:\tword}": saphyr refuses it, yaml reads {"key":"word"}
"key:\t\"word\"": saphyr reads it, yaml reads {"key":"word"}
"key:\t[word]": saphyr reads it, yaml reads {"key":["word"]}
"-\tword": saphyr reads it, yaml reads ["word"]
END
cargo build --quiet
npm install --silent --no-audit --no-fund yaml@2.9.1 >npm.log
cat >compare.js <<'END'
const { execFileSync } = require("child_process");
const yaml = require("yaml");
for (const text of ["key:\tword", "{key:\tword}", 'key:\t"word"', "key:\t[word]", "-\tword"]) {
  const saphyr = execFileSync("target/debug/finding", [text]).toString().trim();
  console.log(`${JSON.stringify(text)}: saphyr ${saphyr} it, yaml reads ${JSON.stringify(yaml.parse(text))}`);
}
END
node compare.js >now
cat now
diff seen now
