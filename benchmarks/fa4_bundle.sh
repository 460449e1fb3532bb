#!/usr/bin/env bash
# Part of Flash, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# FlashAttention-4 for a GPU machine that has PyTorch for CUDA 13 and Python 3.12 but no network: its wheels from PyPI,
# unpacked, less what the benchmark does not need, in two archives (about 50 and 19 MiB), so that each can travel alone.
#
#   benchmarks/fa4_bundle.sh FOLDER      makes FOLDER/fa4-1.tar.xz and fa4-2.tar.xz; needs pip and 600 MB of disk
#
# There:
#   mkdir -p /tmp/fa4 && for f in FOLDER/fa4-*.tar.xz; do tar -C /tmp/fa4 -xJf "$f"; done
#   export PYTHONPATH=/tmp/fa4:/tmp/fa4/nvidia_cutlass_dsl/dsl_packages
#   python3 -c 'import flash_attn.cute'
set -euo pipefail
[ $# -eq 1 ] || { sed -n '6,15s/^# \{0,1\}//p' "$0"; exit 2; }
dsl=4.8.1
packages=(flash-attn-4==4.0.0b36 quack-kernels==0.6.5 apache-tvm-ffi==0.1.15.post2 torch-c-dlpack-ext==0.1.5
  nvidia-cutlass-dsl==$dsl nvidia-cutlass-dsl-libs-core==$dsl nvidia-cutlass-dsl-libs-base==$dsl nvidia-cutlass-dsl-libs-cu13==$dsl)
# What they need besides is part of such an installation: cuda-bindings, einops, protobuf, typing-extensions.
mkdir -p "$1"
out=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

platforms=()
for glibc in 2_28 2_27 2_24 2_17; do platforms+=(--platform "manylinux_${glibc}_x86_64"); done
python3 -m pip download --quiet --no-deps --only-binary=:all: --pre --python-version 3.12 --implementation cp "${platforms[@]}" \
  --platform manylinux2014_x86_64 -d "$work/wheels" "${packages[@]}"
mkdir "$work/site"
for wheel in "$work"/wheels/*.whl; do
  python3 -m zipfile -e "$wheel" "$work/site"
done
cd "$work/site"
# Cross-compilation, static libraries, sources of a debug library.
rm -rf nvidia_cutlass_dsl/cu13/lib/stubs tvm_ffi/3rdparty
find . -name '*.a' -delete
compiler=$(find . -name '_cutlass_ir.cu13*.so')
[ -n "$compiler" ] || { echo "fa4_bundle.sh: $dsl has no compiler for CUDA 13" >&2; exit 1; }
export XZ_OPT="-6 -T0"
tar -cJf "$out/fa4-1.tar.xz" "$compiler"
tar -cJf "$out/fa4-2.tar.xz" --exclude "$compiler" .
ls -l "$out"/fa4-*.tar.xz
