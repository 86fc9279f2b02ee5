#!/bin/bash
# SPDX-License-Identifier: MIT
# Builds Go's side of the benchmarks from its standard library, without a network: the program
# FOLDER/peer, and what it is made of in FOLDER/version. Where it cannot, it says what to get, status 1.
#
#     bench/peers/go/build.sh FOLDER
#
# GO is the go to use.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
out=${1:?a folder to build in}
go=${GO:-go}

rm -f "$out/peer" "$out/version" # nobody measures what is not of these sources
if ! command -v "$go" >/dev/null; then
    echo "bench: no peer in Go: there is no $go. In Debian: apt-get install golang-go" >&2
    exit 1
fi

mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$here"
# Nothing of the user's: neither settings nor a workspace, nor another toolchain from the network.
export GOENV=off GOFLAGS='' GOWORK=off GOPROXY=off GOTOOLCHAIN=local GOCACHE="$out/cache"
# The library's own resolver and no libc, as nothing here asks for names.
export CGO_ENABLED=0
if ! "$go" vet . || ! "$go" build -trimpath -buildvcs=false -o "$out/peer" .; then
    echo "bench: no peer in Go: it was not built by $("$go" version); Go 1.19 or later is what it takes" >&2
    exit 1
fi
"$go" version | sed 's/^go version //' >"$out/version"
