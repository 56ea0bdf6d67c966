#!/bin/sh
# Builds launch for both architectures, the same bytes each time. Usage: build.sh [DIRECTORY]
# Needs Debian 12's gcc and gcc-aarch64-linux-gnu; another compiler version gives other bytes.
set -eu
source=$(cd "$(dirname "$0")" && pwd)
output=${1:-$source}

build() {
  "$1" -std=gnu11 -Os -Wall -Wextra -Werror -ffreestanding -nostdlib -static -no-pie \
    -fno-pic -fno-stack-protector -fno-asynchronous-unwind-tables -fno-unwind-tables \
    -fno-tree-loop-distribute-patterns -fno-ident $3 \
    -Wl,--build-id=none -Wl,-z,noexecstack -Wl,-z,noseparate-code -Wl,-s \
    -o "$output/launch.$2" "$source/launch.c"
}

build "${CC_X86_64:-x86_64-linux-gnu-gcc}" x86_64 -fcf-protection=none
build "${CC_AARCH64:-aarch64-linux-gnu-gcc}" aarch64 -mno-outline-atomics
