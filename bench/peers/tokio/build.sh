#!/bin/bash
# SPDX-License-Identifier: MIT
# Builds Tokio's side of bench/compare.py from crates that are on this machine, without a network: the
# program FOLDER/peer, and what it is made of in FOLDER/version. Where it cannot, it says what to get,
# status 1.
#
#     bench/peers/tokio/build.sh FOLDER
#
# CARGO is the cargo to use; PEER_CRATES, a folder of crates instead of Debian's, as `cargo vendor` makes.
set -euo pipefail
shopt -s extglob

here=$(cd "$(dirname "$0")" && pwd)
out=${1:?a folder to build in}
cargo=${CARGO:-cargo}
crates=${PEER_CRATES:-/usr/share/cargo/registry}

rm -f "$out/peer" "$out/version" # nobody measures what is not of these sources
lacking=()
command -v "$cargo" >/dev/null || lacking+=("$cargo")
for crate in tokio tokio-stream futures-util; do
    compgen -G "$crates/$crate?(-[0-9]*)/Cargo.toml" >/dev/null || lacking+=("$crates/$crate")
done
if [ ${#lacking[@]} -gt 0 ]; then
    echo "bench: no peer from Tokio: there is no ${lacking[*]}. In Debian: apt-get install cargo" \
        "librust-tokio-dev librust-tokio-stream-dev librust-futures-util-dev" >&2
    exit 1
fi

# The sources are copied: cargo writes its lock beside them, and reads its configuration there.
mkdir -p "$out/src" "$out/.cargo"
cp -p "$here/Cargo.toml" "$out"
cp -p "$here"/src/*.rs "$out/src"
cat >"$out/.cargo/config.toml" <<EOF
[source.crates-io]
replace-with = "here"
[source.here]
directory = "$(cd "$crates" && pwd)"
EOF
cd "$out"
rm -f Cargo.lock # other crates may be there since
if ! CARGO_TARGET_DIR=target "$cargo" build --release --offline --quiet; then
    echo "bench: no peer from Tokio: it was not built from $crates by $("$cargo" --version)" >&2
    exit 1
fi
cp target/release/peer-tokio peer
version_of() { # crate
    sed -n "/^name = \"$1\"\$/ { n; s/version = \"\(.*\)\"/\1/p }" Cargo.lock
}
echo "tokio $(version_of tokio), tokio-stream $(version_of tokio-stream)," \
    "futures-util $(version_of futures-util), $("${RUSTC:-rustc}" --version)" >version
