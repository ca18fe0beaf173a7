#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing on Debian or Ubuntu; with everything there it needs neither root nor the network.
#
#   . cmake/install_dependencies.sh SET...      sets: build (the programs), tests, docs (Doxygen), format, clang,
#                                               arm (cross build)
#
# Sourced, because it also chooses the tools: CXX (GCC 12 or newer unless already set) and CMAKE_GENERATOR (Ninja if there).

trine_cmake_is_new_enough() {
  local version
  version="$(cmake --version 2>/dev/null | sed -n 's/^cmake version //p')" || return
  [[ -n "$version" && "$(printf '%s\n' 3.22 "$version" | sort -V | head -n 1)" == 3.22 ]]
}

# A package counts as there when dpkg says so, or when the tool or header that we need of it is found without it.
trine_has() {  # PACKAGE
  local header=""
  case "$1" in
    g++) command -v "${CXX:-g++}" >/dev/null && return ;;
    cmake) trine_cmake_is_new_enough && return ;;
    ninja-build) ninja --version >/dev/null 2>&1 && return ;;
    clang-14) command -v clang++-14 >/dev/null && return ;;
    libclang-rt-14-dev) compgen -G '/usr/lib/llvm-*/lib/clang/*/lib/linux/libclang_rt.fuzzer-*' >/dev/null && return ;;
    doxygen) command -v doxygen >/dev/null && return ;;
    clang-format-14) command -v clang-format-14 >/dev/null && return ;;
    libeigen3-dev) header=eigen3/Eigen/Core ;;
    nlohmann-json3-dev) header=nlohmann/json.hpp ;;
    libgtest-dev) header=gtest/gtest.h ;;
    libgmock-dev) header=gmock/gmock.h ;;
    libbenchmark-dev) header=benchmark/benchmark.h ;;
    libcli11-dev) header=CLI/CLI.hpp ;;
    libtbb-dev) header=tbb/task_arena.h ;;
    libpcre2-dev) header=pcre2.h ;;
    g++-aarch64-linux-gnu) command -v aarch64-linux-gnu-g++ >/dev/null && return ;;
    qemu-user) command -v qemu-aarch64 >/dev/null && return ;;
  esac
  [[ -n "$header" && (-e /usr/local/include/$header || -e /usr/include/$header) ]] && return
  [[ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" == installed ]]
}

trine_apt_get() {
  local as_root=(env)
  if ((EUID != 0)); then
    if ! command -v sudo >/dev/null; then
      echo "This needs root, and there is no sudo: apt-get $*" >&2
      return 1
    fi
    as_root=(sudo env)
  fi
  "${as_root[@]}" DEBIAN_FRONTEND=noninteractive apt-get -q "$@" </dev/null >&2
}

# Could PACKAGE be installed? Also yes where the lists of packages cannot be read: then installing it says why not.
trine_release_has() {  # PACKAGE
  trine_has "$1" && return
  command -v apt-cache >/dev/null || return 0
  trine_apt_get update || return 0
  [[ -n "$(apt-cache madison "$1")" || -z "$(apt-cache madison g++)" ]]
}

# Installs the missing ones of PACKAGE...; of "a|b" the first that this release has.
trine_install() {
  local package missing=() chosen=()
  for package in "$@"; do
    trine_has "${package%%|*}" || trine_has "${package#*|}" || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  echo "Installing ${missing[*]}" >&2
  if ! command -v apt-get >/dev/null; then
    echo "No apt-get here: please install what these Debian packages hold." >&2
    return 0  # CMake says precisely what it cannot find
  fi
  trine_apt_get update || return
  for package in "${missing[@]}"; do
    if [[ "$package" == *'|'* ]] && ! apt-cache show "${package%%|*}" >/dev/null 2>&1; then
      chosen+=("${package#*|}")
    else
      chosen+=("${package%%|*}")
    fi
  done
  trine_apt_get install -y --no-install-recommends "${chosen[@]}"
}

trine_choose_compiler() {
  [[ -n "${CXX:-}" ]] && return
  local candidate major
  for candidate in g++ g++-15 g++-14 g++-13 g++-12; do
    major="$("$candidate" -dumpversion 2>/dev/null | cut -d. -f1)" || continue
    if ((${major:-0} >= 12)); then
      export CXX="$candidate"
      return
    fi
  done
  trine_install g++-12 || return  # the release's own g++ is older, as on Ubuntu 22.04
  export CXX=g++-12
}

trine_packages=()
for trine_set in "$@"; do
  case "$trine_set" in
    build) trine_packages+=(g++ cmake ninja-build libeigen3-dev nlohmann-json3-dev libcli11-dev libpcre2-dev) ;;
    tests) trine_packages+=(libgtest-dev libgmock-dev libbenchmark-dev libtbb-dev) ;;
    docs) trine_packages+=(doxygen) ;;
    format) trine_packages+=('clang-format-14|clang-format') ;;
    arm) trine_packages+=(g++-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user googletest libeigen3-dev nlohmann-json3-dev) ;;
    clang) trine_packages+=('clang-14|clang' 'libomp-14-dev|libomp-dev') ;;
    *)
      echo "install_dependencies.sh: unknown set $trine_set" >&2
      exit 2
      ;;
  esac
done
trine_install "${trine_packages[@]}"
# Sanitizers and libFuzzer. Asked for last: up to Ubuntu 22.04 they come with clang-14 itself.
if [[ " $* " == *" clang "* ]]; then trine_install 'libclang-rt-14-dev|libclang-rt-dev'; fi
trine_choose_compiler
# A cmake found earlier in PATH may be older than the one just installed, or a wrapper around nothing.
if ! trine_cmake_is_new_enough && [[ -x /usr/bin/cmake ]]; then export PATH="/usr/bin:$PATH"; fi
if [[ -z "${CMAKE_GENERATOR:-}" ]] && ninja --version >/dev/null 2>&1; then export CMAKE_GENERATOR=Ninja; fi
