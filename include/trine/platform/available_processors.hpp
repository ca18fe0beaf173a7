// SPDX-License-Identifier: Apache-2.0
// How many processors a process may use: its affinity mask, and the CPU quota of its control groups.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>
#include <thread>

#if defined(__linux__)
#include <sched.h>
#include <unistd.h>
#endif

#include <trine/platform/control_groups.hpp>

namespace trine::inline TRINE_ABI {

namespace detail {

/// Processors in the affinity mask (taskset, cpusets), at least 1.
[[nodiscard]] inline std::size_t affinity_count() noexcept {
#if defined(__linux__)
  // Machines with more than 1024 processors need a larger mask: the kernel returns EINVAL.
  for (std::size_t processors = CPU_SETSIZE; processors <= std::size_t{1} << 16U; processors *= 4) {
    cpu_set_t* mask = CPU_ALLOC(processors);
    if (mask == nullptr) break;
    const std::size_t bytes = CPU_ALLOC_SIZE(processors);
    const bool known = sched_getaffinity(0, bytes, mask) == 0;
    const int count = known ? CPU_COUNT_S(bytes, mask) : 0;
    CPU_FREE(mask);
    if (count > 0) return static_cast<std::size_t>(count);
  }
#endif
  return std::max<std::size_t>(1, std::thread::hardware_concurrency());
}

/// Processors of the system, at least 1.
[[nodiscard]] inline std::size_t online_processors() noexcept {
#if defined(__linux__)
  if (const long count = sysconf(_SC_NPROCESSORS_ONLN); count > 0) return static_cast<std::size_t>(count);
#endif
  return std::max<std::size_t>(1, std::thread::hardware_concurrency());
}

}  // namespace detail

/// The CPU quota of the control groups of this process, in processors, such as 1.5; nullopt without a limit. Version 2:
/// cpu.max, "QUOTA PERIOD" in microseconds, or "max"; version 1: cpu.cfs_quota_us, -1 for none.
///   root: as for control_groups
[[nodiscard]] inline std::optional<double> cpu_quota(const std::filesystem::path& root = "/") {
  std::optional<double> least;
  for (const ControlGroup& group : control_groups("cpu", root)) {
    double quota = -1.0;
    double period = -1.0;
    if (group.unified) {
      std::ifstream limit(group.directory / "cpu.max");
      if (!(limit >> quota >> period)) continue;  // such as "max"
    } else {
      std::ifstream limit(group.directory / "cpu.cfs_quota_us");
      std::ifstream length(group.directory / "cpu.cfs_period_us");
      if (!(limit >> quota) || !(length >> period)) continue;
    }
    if (quota > 0.0 && period > 0.0) least = std::min(least.value_or(quota / period), quota / period);
  }
  return least;
}

/// Processors that this process may use: those of its affinity mask, or its CPU quota, rounded to the nearest integer,
/// if that is less. At least 1.
[[nodiscard]] inline std::size_t available_processors() noexcept {
  const std::size_t processors = detail::affinity_count();
  try {
    if (const std::optional<double> quota = cpu_quota(); quota && *quota < static_cast<double>(processors))
      return std::max<std::size_t>(1, static_cast<std::size_t>(*quota + 0.5));
  } catch (...) {  // no memory for a path: only the mask is known
    return processors;
  }
  return processors;
}

/// Runnable threads of the whole system, including the calling one; nullopt if unknown.
///   root: holds proc/loadavg, whose fourth field begins with it
[[nodiscard]] inline std::optional<std::size_t> runnable_threads(const std::filesystem::path& root = "/") {
  std::ifstream file(root / "proc/loadavg");
  std::array<double, 3> averages{};
  std::size_t runnable = 0;
  if (!(file >> averages[0] >> averages[1] >> averages[2] >> runnable)) return std::nullopt;
  return runnable;
}

/// The default number of threads of a pass: the first number of OMP_NUM_THREADS if that is set, otherwise
/// available_processors().
[[nodiscard]] inline std::size_t default_threads() noexcept {
  if (const char* told = std::getenv("OMP_NUM_THREADS")) {
    const std::string_view text = told;
    std::size_t threads = 0;
    const char* begin = text.data() + std::min(text.find_first_not_of(' '), text.size());
    const auto [end, error] = std::from_chars(begin, text.data() + text.size(), threads);
    const bool whole = end == text.data() + text.size() || *end == ',' || *end == ' ';
    if (error == std::errc() && whole && threads > 0) return std::min<std::size_t>(threads, 1024);
  }
  return available_processors();
}

}  // namespace trine::inline TRINE_ABI
