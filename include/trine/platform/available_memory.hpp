// SPDX-License-Identifier: Apache-2.0
// How much memory is available to the process.
#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI {

namespace detail {

/// The number after `name` in lines of "name: number kB"; nullopt if there is none.
[[nodiscard]] inline std::optional<std::uint64_t> memory_line(std::istream& lines, const std::string& name) {
  std::string word;
  std::uint64_t value = 0;
  while (lines >> word) {
    if (word == name && lines >> value && value <= std::numeric_limits<std::uint64_t>::max() / 1024)
      return value * 1024;
    lines.clear();
    lines.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return std::nullopt;
}

[[nodiscard]] inline std::optional<std::uint64_t> number_in(const std::filesystem::path& file) {
  std::ifstream stream(file);
  std::uint64_t value = 0;
  if (stream >> value) return value;
  return std::nullopt;  // such as "max"
}

}  // namespace detail

/// Bytes that are free or could be reclaimed from file caches: MemAvailable of /proc/meminfo, or less if a control
/// group (v2) of the process allows less; nullopt if unknown.
[[nodiscard]] inline std::optional<std::uint64_t> available_memory() {
  std::ifstream memory("/proc/meminfo");
  std::optional<std::uint64_t> available = detail::memory_line(memory, "MemAvailable:");
  const std::filesystem::path group = "/sys/fs/cgroup";
  const auto most = detail::number_in(group / "memory.max");
  const auto used = detail::number_in(group / "memory.current");
  if (most && used) {
    const std::uint64_t left = *most - std::min(*most, *used);
    available = std::min(available.value_or(left), left);
  }
  return available;
}

}  // namespace trine::inline TRINE_ABI
