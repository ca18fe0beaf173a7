#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing on Debian or Ubuntu; with everything there it needs neither root nor the network.
#
#   . cmake/install_dependencies.sh SET...      sets: build (the programs), tests, format, clang
#
# Sourced, because it also chooses the tools: CXX (GCC 12 or newer unless already set) and CMAKE_GENERATOR (Ninja if there).

# A package counts as there when dpkg says so, or when the tool or header that we need from it is found without it.
trine_has() {  # PACKAGE
  case "$1" in
    g++) command -v "${CXX:-g++}" >/dev/null && return ;;
    cmake) trine_cmake_is_new_enough && return ;;
    ninja-build) ninja --version >/dev/null 2>&1 && return ;;
    clang-format-14) command -v clang-format-14 >/dev/null && return ;;
  esac
  [[ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" == installed ]] && return
  local header
  case "$1" in
    libeigen3-dev) header=eigen3/Eigen/Core ;;
    nlohmann-json3-dev) header=nlohmann/json.hpp ;;
    libgtest-dev) header=gtest/gtest.h ;;
    libgmock-dev) header=gmock/gmock.h ;;
    libbenchmark-dev) header=benchmark/benchmark.h ;;
    libcli11-dev) header=CLI/CLI.hpp ;;
    *) return 1 ;;
  esac
  [[ -e /usr/local/include/$header || -e /usr/include/$header ]]
}

trine_cmake_is_new_enough() {
  local version
  version="$(cmake --version 2>/dev/null | sed -n 's/^cmake version //p')"
  [[ -n "$version" && "$(printf '%s\n' 3.22 "$version" | sort -V | head -n 1)" == 3.22 ]]
}

trine_install() {  # PACKAGE...
  local package missing=()
  for package in "$@"; do
    trine_has "$package" || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  if ! command -v apt-get >/dev/null; then
    echo "Please install what these Debian packages hold: ${missing[*]}" >&2
    return 0  # CMake says precisely what it cannot find
  fi
  local as_root=(env)
  if ((EUID != 0)); then
    if ! command -v sudo >/dev/null; then
      echo "Missing packages, and no sudo to install them. As root: apt-get install ${missing[*]}" >&2
      return 1
    fi
    as_root=(sudo env)
  fi
  echo "Installing ${missing[*]}" >&2
  "${as_root[@]}" DEBIAN_FRONTEND=noninteractive apt-get update -q >&2
  "${as_root[@]}" DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}" >&2
}

trine_gcc_major() { "$1" -dumpversion 2>/dev/null | cut -d. -f1; }

trine_choose_compiler() {
  [[ -n "${CXX:-}" ]] && return
  local candidate major
  for candidate in g++ g++-15 g++-14 g++-13 g++-12; do
    major="$(trine_gcc_major "$candidate" || true)"
    [[ -n "$major" ]] && ((major >= 12)) && export CXX="$candidate" && return
  done
  trine_install g++-12  # the release's own g++ is older, as on Ubuntu 22.04
  export CXX=g++-12
}

trine_clang_packages() {  # the version that CI is written for, otherwise the release's own
  if trine_has clang-14 || [[ -n "$(apt-cache search --names-only '^clang-14$' 2>/dev/null)" ]]; then
    echo clang-14 libomp-14-dev
  else
    echo clang libomp-dev
  fi
}

for trine_set in "$@"; do
  case "$trine_set" in
    build) trine_install g++ cmake ninja-build libeigen3-dev nlohmann-json3-dev libcli11-dev ;;
    tests) trine_install libgtest-dev libgmock-dev libbenchmark-dev ;;
    format) trine_install clang-format-14 ;;
    clang) trine_install $(trine_clang_packages) ;;
    *) echo "install_dependencies.sh: unknown set $trine_set" >&2; exit 2 ;;
  esac
done
unset trine_set

trine_choose_compiler
# A cmake found earlier in PATH may be older than the one just installed, or a wrapper around nothing.
if ! trine_cmake_is_new_enough && [[ -x /usr/bin/cmake ]]; then export PATH="/usr/bin:$PATH"; fi
if [[ -z "${CMAKE_GENERATOR:-}" ]] && ninja --version >/dev/null 2>&1; then export CMAKE_GENERATOR=Ninja; fi
