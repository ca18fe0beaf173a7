#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Does check_public_headers.sh find what it is there to find? Each case is a small tree.   check_public_headers_test.sh CHECK
set -euo pipefail
check="$(realpath "${1:?usage: check_public_headers_test.sh CHECK}")"
tree="$(mktemp -d)"
trap 'rm -rf "$tree"' EXIT
failed=0

expect() {  # MESSAGE HEADER INTERNAL...: with public.hpp and HEADER linked, the program including both public.hpp and used.hpp
  rm -rf "${tree:?}"/*
  mkdir -p "$tree"/{docs/reference,examples,tests/contract/consumers,include/trine/deep/er}
  touch "$tree"/include/trine/{public,used,deep/er/inner}.hpp "$tree/README.md"
  printf '#include <trine/public.hpp>\n' >"$tree/include/trine/trine.hpp"
  printf '#include <trine/used.hpp>\nint main() {}\n' >"$tree/examples/main.cpp"
  {
    echo '| [trine.hpp](../../include/trine/trine.hpp) |'
    echo '| [public.hpp](../../include/trine/public.hpp) |'
    echo "| [$2](../../include/trine/$2) |"
    echo '## Internal headers'
    printf -- '- `%s`\n' "${@:3}"
  } >"$tree/docs/reference/api.md"
  local said
  said="$(bash "$check" "$tree" 2>&1)" || true
  if [[ "$said" != *"$1"* ]]; then
    echo "expected '$1', found '$said', for ${*:2}"
    failed=1
  fi
}

expect "all as they should be" used.hpp 'deep/*'
expect "all as they should be" used.hpp deep/er/inner.hpp
expect "public.hpp: twice on the page" public.hpp 'deep/*' used.hpp
expect "deep/er/inner.hpp: neither linked nor" used.hpp used.hpp
expect "none/*: in the list of internal headers, and there is no such" used.hpp 'deep/*' 'none/*'
expect "used.hpp: programs or pages include it" deep/er/inner.hpp used.hpp
exit "$failed"
