#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes the API reference with Doxygen.   make.sh [FOLDER]      FOLDER/html/index.html; build/api-reference unless given
# Fails on a public name without a description, a reference to nothing, and a description of a parameter that is not there.
# Ends with 77 where there is no doxygen.
set -euo pipefail
folder="$(realpath -m "${1:-$(dirname "${BASH_SOURCE[0]}")/../../../build/api-reference}")"
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."

if ! command -v doxygen >/dev/null; then
  echo "doxygen is not installed (Debian: apt-get install doxygen): skipped"
  exit 77
fi

pages=(docs/reference/api.md docs/how-to/generate-text.md docs/reference/api/namespaces.dox)
mapfile -t headers < <(grep -oE '\]\(\.\./\.\./include/trine/[a-z0-9_/]+\.hpp\)' docs/reference/api.md | grep -oE 'include/[^)]+' | LC_ALL=C sort -u)

rm -rf "$folder/html"
mkdir -p "$folder"
{
  cat docs/reference/api/Doxyfile
  echo "INPUT = ${pages[*]} ${headers[*]}"
  echo "OUTPUT_DIRECTORY = \"$folder\""
} | doxygen -
echo "${#headers[@]} headers: $folder/html/index.html"
