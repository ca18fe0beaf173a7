// SPDX-License-Identifier: Apache-2.0
// The control groups (Linux cgroups, versions 1 and 2) of a process, which limit containers and services. cgroups(7),
// proc_pid_mountinfo(5).
#pragma once

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI {

/// A directory of limits, of the group of this process or a parent group.
struct ControlGroup {
  std::filesystem::path directory;
  bool unified = false;  // version 2: "cpu.max"; otherwise version 1: "cpu.cfs_quota_us"
};

namespace detail {

/// Returns whether `word` is one of "a,b,c".
[[nodiscard]] inline bool list_has(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (list.substr(0, comma) == word) return true;
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return false;
}

/// The path of this process in the hierarchy of `controller`, from "id:controllers:path" lines; version 2 lists no
/// controllers there.
[[nodiscard]] inline std::optional<std::string> group_path(std::istream& lines, std::string_view controller,
                                                           bool unified) {
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string_view controllers = std::string_view(line).substr(first + 1, second - first - 1);
    if (unified ? controllers.empty() && line.starts_with("0:") : list_has(controllers, controller))
      return line.substr(second + 1);
  }
  return std::nullopt;
}

/// A field of mountinfo, in which blanks and backslashes are written as octal escapes: "a\\040b" is "a b".
[[nodiscard]] inline std::string unescaped(std::string_view field) {
  const auto is_octal = [](char c) { return c >= '0' && c <= '7'; };
  std::string text;
  for (std::size_t i = 0; i < field.size(); ++i) {
    if (field[i] == '\\' && i + 3 < field.size() && std::ranges::all_of(field.substr(i + 1, 3), is_octal)) {
      text += static_cast<char>((field[i + 1] - '0') * 64 + (field[i + 2] - '0') * 8 + (field[i + 3] - '0'));
      i += 3;
    } else {
      text += field[i];
    }
  }
  return text;
}

}  // namespace detail

/// The groups that limit `controller` ("cpu", "memory") for this process, innermost first. Empty if there are none or
/// they are unknown.   root: prefix of /proc and the mount points, for tests
[[nodiscard]] inline std::vector<ControlGroup> control_groups(std::string_view controller,
                                                              const std::filesystem::path& root = "/") {
  std::vector<ControlGroup> groups;
  std::ifstream mounts(root / "proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    // 36 35 98:0 /root/of/mount /mount/point rw,noatime shared:1 - cgroup2 cgroup2 rw,nsdelegate
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream before(line.substr(0, dash));
    std::istringstream after(line.substr(dash + 3));
    std::string skipped;
    std::string mount_root;
    std::string mount_point;
    std::string type;
    std::string options;
    before >> skipped >> skipped >> skipped >> mount_root >> mount_point;
    after >> type >> skipped >> options;
    const bool unified = type == "cgroup2";
    if (!unified && (type != "cgroup" || !detail::list_has(options, controller))) continue;
    std::ifstream paths(root / "proc/self/cgroup");
    std::optional<std::string> path = detail::group_path(paths, controller, unified);
    if (!path || mount_point.empty()) continue;
    // A container sees its own group as the root of the mount; a group outside of it is not visible.
    mount_root = detail::unescaped(mount_root);
    mount_point = detail::unescaped(mount_point);
    if (mount_root != "/") {
      const bool inside =
          path->starts_with(mount_root) && (path->size() == mount_root.size() || (*path)[mount_root.size()] == '/');
      path = inside ? path->substr(mount_root.size()) : "";
    }
    if (std::ranges::count(std::filesystem::path(*path), "..") != 0) path->clear();
    const std::filesystem::path top = root / std::filesystem::path(mount_point).relative_path();
    std::filesystem::path directory = (top / std::filesystem::path(*path).relative_path()).lexically_normal();
    for (; directory != top && directory.has_relative_path(); directory = directory.parent_path())
      if (directory.has_filename()) groups.push_back({directory, unified});
    groups.push_back({top, unified});
  }
  return groups;
}

}  // namespace trine::inline TRINE_ABI
