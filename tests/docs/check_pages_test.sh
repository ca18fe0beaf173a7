#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Does check_pages.sh find what it is there to find? Each case is one bad line in a small tree.   check_pages_test.sh CHECK
set -euo pipefail
check="$(realpath "${1:?usage: check_pages_test.sh CHECK}")"
tree="$(mktemp -d)"
trap 'rm -rf "$tree"' EXIT
failed=0

expect() {  # MESSAGE PAGE: what check_pages.sh says of that README.md
  mkdir -p "$tree/docs"
  printf '# Page\n\n## A heading, `code`\n\n%s\n' "$2" >"$tree/README.md"
  printf '# Other\n' >"$tree/docs/other.md"
  printf '// SPDX-License-Identifier: Apache-2.0\nint main() {\n  int x = 1;\n\n  if (x) {\n    return x;\n  }\n}\n' >"$tree/main.cpp"
  local said
  said="$(bash "$check" "$tree" 2>&1)" || true
  if [[ "$said" != *"$1"* ]]; then
    echo "expected '$1', found '$said', for"$'\n'"$2"
    failed=1
  fi
}

source_line='<!-- source: main.cpp -->'
fence='```'
expect "all as they should be" ""
expect "all as they should be" "$source_line"$'\n'"${fence}cpp"$'\nint x = 1;\n\nif (x) {\n  return x;\n}\n'"$fence"
expect "all as they should be" "${source_line/ --/, whole --}"$'\n'"${fence}cpp"$'\nint main() {\n  int x = 1;\n\n  if (x) {\n    return x;\n  }\n}\n'"$fence"
expect "not the whole of main.cpp" "${source_line/ --/, whole --}"$'\n'"${fence}cpp"$'\nint main() {\n'"$fence"
expect "do not stand in main.cpp" "$source_line"$'\n'"${fence}cpp"$'\nint x = 2;\n'"$fence"
expect "do not stand in main.cpp" "$source_line"$'\n'"${fence}cpp"$'\nif (x) {\nreturn x;\n}\n'"$fence"
expect "do not stand in main.cpp" "$source_line"$'\n'"${fence}cpp"$'\nint x = 1;\nif (x) {\n'"$fence"
expect "without <!-- source" "${fence}cpp"$'\nint x = 1;\n'"$fence"
expect "without <!-- source" "$source_line"$'\nwords\n'"${fence}cpp"$'\nint x = 1;\n'"$fence"
expect "no such file: other.cpp" "${source_line/main/other}"$'\n'"${fence}cpp"$'\nint x = 1;\n'"$fence"
expect "all as they should be" "[a](docs/other.md) [b](#a-heading-code) [c](docs/other.md#other) [d](https://example.org/x)"
expect "README.md:5: no such file: docs/none.md" "[a](docs/none.md)"
expect "no such heading: #none" "[a](#none)"
expect "no such heading: docs/other.md#none" "[a](docs/other.md#none)"
expect "no such file: none.svg" '<img src="none.svg">'
expect "leads out of the repository" "[a](..)"
expect "all as they should be" "${fence}text"$'\n[a](none.md)\n'"$fence"

((failed)) || echo "check_pages.sh finds all of them"
exit "$failed"
