#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# From a fresh checkout to generated text: installs what is missing (Debian, Ubuntu), builds one program, completes a
# prompt with the bundled model and shows which experts served which token.
#   ./examples/quickstart.sh [PROMPT]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

. cmake/install_dependencies.sh build

# A build directory that is there already keeps its settings.
if [[ ! -e build/CMakeCache.txt ]]; then
  cmake --preset release -DTRINE_BUILD_TESTS=OFF -DTRINE_BUILD_CONTRACT_TESTS=OFF -DTRINE_BUILD_BENCH=OFF >&2
fi
cmake --build build --parallel "$(nproc)" --target trine-generate >&2

run=(build/bin/trine-generate -m examples/models/shakespeare -p "${1:-ROMEO:}" -n 100 -s 1 --show-routing)
echo "${run[*]}" >&2
exec "${run[@]}"
