#!/bin/bash
# SPDX-License-Identifier: MIT
# Installs what a job of the Makefile needs and this machine lacks, through apt; says so first.
# Looks for the headers and commands themselves, so that what came from elsewhere counts too.
#
#     scripts/install-deps.sh run|bench|instructions|test|check|model|fuzz|format
#
# `bench` goes on, status 0, without what it cannot have: there is less to compare with then.
set -euo pipefail
shopt -s extglob

exec 9<"$0" # one at a time: the second finds what the first installed
flock 9

packages=()
lacking=()

need_header() { # header, package
    printf '#include <%s>\n' "$1" | ${CC:-cc} ${CPPFLAGS:-} -E -x c - >/dev/null 2>&1 && return
    lacking+=("<$1>")
    packages+=("$2")
}

need_command() { # command, package
    command -v "$1" >/dev/null && return
    lacking+=("$1")
    packages+=("$2")
}

need_fuzzer() {
    local clang=${CLANG:-clang}
    command -v "$clang" >/dev/null &&
        [ -e "$("$clang" -print-runtime-dir)/libclang_rt.fuzzer-$(uname -m).a" ] && return
    lacking+=("clang's libFuzzer")
    packages+=(libclang-rt-dev)
}

need_crate() { # crate, package
    compgen -G "${PEER_CRATES:-/usr/share/cargo/registry}/$1?(-[0-9]*)/Cargo.toml" >/dev/null && return
    lacking+=("the crate $1")
    packages+=("$2")
}

need_header uv.h libuv1-dev
case ${1:?run, bench, instructions, test, check, model, fuzz or format} in
run) ;;
bench)
    trap 'exit 0' EXIT
    need_command python3 python3
    need_command "${CARGO:-cargo}" cargo
    need_crate tokio librust-tokio-dev
    need_crate tokio-stream librust-tokio-stream-dev
    need_crate futures-util librust-futures-util-dev
    need_command "${GO:-go}" golang-go
    need_header liburing.h liburing-dev
    need_command redis-server redis-server
    need_command redis-benchmark redis-tools
    ;;
instructions)
    need_command python3 python3
    need_command valgrind valgrind
    ;;
test)
    need_header criterion/criterion.h libcriterion-dev
    ;;
check)
    need_header criterion/criterion.h libcriterion-dev
    need_command clang clang
    need_command clang-format clang-format
    need_command pkg-config pkg-config
    need_command python3 python3
    need_command redis-cli redis-tools
    need_command redis-benchmark redis-tools
    need_fuzzer
    ;;
model)
    need_command clang clang
    ;;
fuzz)
    need_command clang clang
    need_fuzzer
    ;;
format)
    lacking=() packages=()
    need_command clang-format clang-format
    ;;
*)
    echo "$0: no such job: $1" >&2
    exit 2
    ;;
esac
[ ${#packages[@]} -gt 0 ] || exit 0

packages=($(printf '%s\n' "${packages[@]}" | sort -u)) # no name has a space
echo "edo: not on this machine: ${lacking[*]}"
if ! command -v apt-get >/dev/null; then
    echo "edo: there is no apt-get here; Debian has them in the packages ${packages[*]}" >&2
    exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "edo: as root, please: apt-get update && apt-get install ${packages[*]}" >&2
        exit 1
    fi
    as_root=(sudo)
fi
echo "edo: installing ${packages[*]} (${as_root[*]:+${as_root[*]} }apt-get update, install)"
apt=("${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300)
"${apt[@]}" update
"${apt[@]}" install -y --no-install-recommends "${packages[@]}"
