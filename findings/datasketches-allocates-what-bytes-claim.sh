#!/usr/bin/env bash
# datasketches (Rust) 0.6.0: a few bytes make it ask for tens of gigabytes before it has looked whether what they claim is there.
#
# Run       `FrequentItemsSketch::<String>::deserialize` of 32 bytes that claim a map of 2^30 slots with nothing in it, and
#           `TDigestMut::deserialize` of 32 bytes of the older format that claim 2^32 - 1 centroids, each in a process that may have 8 GiB.
# Expected  An error: both inputs end where the first item would begin. (For KLL and for the newer t-digest format the library checks the
#           length first.)
# Seen      Both ask the allocator for the whole at once (24 GiB for the first of three lists; 64 GiB), and the process is aborted. Without a limit Linux lends the memory
#           of the second as it is not touched, and of the first as far as there is some.
# Here      The two bytes that say how large the map is are compared with what we write before the library sees them; t-digest is not used.
#
# Needs cargo. Exits 0 while it is so.
set -euo pipefail
unset CARGO_TARGET_DIR
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'EOF'
[package]
name = "claims"
version = "0.0.0"
edition = "2024"
[dependencies]
datasketches = { version = "=0.6.0", features = ["frequencies", "tdigest"] }
[workspace]
EOF
cat >"$work/src/main.rs" <<'EOF'
use datasketches::{frequencies::FrequentItemsSketch, tdigest::TDigestMut};

fn main() {
    let told = if std::env::args().nth(1).as_deref() == Some("frequent") {
        // Preamble of 4 longs, version 1, family 10, at most 2^30 slots, now 2^30 slots, not empty; no items, weight 1, offset 0.
        let mut bytes = vec![4, 1, 10, 30, 30, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        bytes.extend(1_u64.to_le_bytes());
        bytes.extend(0_u64.to_le_bytes());
        FrequentItemsSketch::<String>::deserialize(&bytes).err().map(|error| error.to_string())
    } else {
        // The reference implementation's format: type 1, least, greatest, compression 100, 2^32 - 1 centroids, and no more.
        let mut bytes = 1_u32.to_be_bytes().to_vec();
        [0.0_f64, 1.0, 100.0].iter().for_each(|number| bytes.extend(number.to_be_bytes()));
        bytes.extend(u32::MAX.to_be_bytes());
        TDigestMut::deserialize(&bytes).err().map(|error| error.to_string())
    };
    println!("answered: {told:?}");
}
EOF
(cd "$work" && cargo build --quiet --release)
for kind in frequent tdigest; do
    if (ulimit -v 8388608 && "$work/target/release/claims" "$kind") 2>"$work/told"; then
        echo "changed: $kind answers"
        exit 1
    fi
    grep -q "memory allocation of" "$work/told" || { cat "$work/told"; exit 1; }
    echo "$kind: $(head -1 "$work/told")"
done
