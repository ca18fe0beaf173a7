// SPDX-License-Identifier: Apache-2.0
#include <trine/platform/available_processors.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "support/in_child.hpp"
#include "support/temporary_directory.hpp"

#if defined(__linux__)
#include <sched.h>
#endif

namespace trine {
namespace {

// A machine made of files: /proc and /sys/fs/cgroup below a directory.
class Machine {
 public:
  void file(const std::string& path, const std::string& text) const {
    std::filesystem::create_directories((root() / path).parent_path());
    std::ofstream(root() / path) << text;
  }
  [[nodiscard]] std::filesystem::path root() const { return place_.path(); }
  [[nodiscard]] std::optional<double> quota() const { return cpu_quota(root()); }

 private:
  test::TemporaryDirectory place_;
};

constexpr const char* kUnified =
    "25 30 0:23 / /sys/fs/cgroup rw,nosuid,nodev shared:4 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n";
constexpr const char* kVersion1 =
    "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"
    "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
    "33 31 0:30 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n";

TEST(CpuQuota, IsThatOfVersion2) {
  const Machine machine;
  machine.file("proc/self/mountinfo", kUnified);
  machine.file("proc/self/cgroup", "0::/user.slice/a.service\n");
  EXPECT_EQ(machine.quota(), std::nullopt);
  machine.file("sys/fs/cgroup/user.slice/a.service/cpu.max", "max 100000\n");
  EXPECT_EQ(machine.quota(), std::nullopt);
  machine.file("sys/fs/cgroup/user.slice/a.service/cpu.max", "150000 100000\n");
  EXPECT_EQ(machine.quota(), 1.5);
}

TEST(CpuQuota, IsTheLeastOfAllGroupsAround) {
  const Machine machine;
  machine.file("proc/self/mountinfo", kUnified);
  machine.file("proc/self/cgroup", "0::/pod/box\n");
  machine.file("sys/fs/cgroup/pod/box/cpu.max", "400000 100000\n");
  machine.file("sys/fs/cgroup/pod/cpu.max", "100000 50000\n");
  EXPECT_EQ(machine.quota(), 2.0);
  machine.file("sys/fs/cgroup/cpu.max", "50000 100000\n");
  EXPECT_EQ(machine.quota(), 0.5);
  machine.file("sys/fs/cgroup/pod/box/cpu.max", "25000 100000\n");
  EXPECT_EQ(machine.quota(), 0.25);
}

TEST(CpuQuota, IsThatOfVersion1) {
  const Machine machine;
  machine.file("proc/self/mountinfo", kVersion1);
  machine.file("proc/self/cgroup", "4:memory:/elsewhere\n3:cpu,cpuacct:/docker/box\n0::/\n");
  machine.file("sys/fs/cgroup/cpu,cpuacct/docker/box/cpu.cfs_period_us", "100000\n");
  machine.file("sys/fs/cgroup/cpu,cpuacct/docker/box/cpu.cfs_quota_us", "-1\n");
  EXPECT_EQ(machine.quota(), std::nullopt);
  machine.file("sys/fs/cgroup/cpu,cpuacct/docker/box/cpu.cfs_quota_us", "250000\n");
  EXPECT_EQ(machine.quota(), 2.5);
}

// Without a namespace for control groups, a container's mount begins at its group.
TEST(CpuQuota, IsFoundWhereAContainerSeesItsGroup) {
  const Machine machine;
  machine.file("proc/self/mountinfo",
               "32 31 0:29 /docker/box /sys/fs/cgroup/cpu ro,relatime master:9 - cgroup cgroup rw,cpu,cpuacct\n");
  machine.file("proc/self/cgroup", "3:cpu,cpuacct:/docker/box\n");
  machine.file("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  machine.file("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "300000\n");
  EXPECT_EQ(machine.quota(), 3.0);
}

TEST(CpuQuota, IsFoundUnderNamesOfAllKinds) {
  const Machine machine;
  machine.file("proc/self/mountinfo", "32 31 0:29 /a\\134x2db /sys/fs/c\\040g rw - cgroup2 cgroup2 rw\n");
  machine.file("proc/self/cgroup", "0::/a\\x2db/my..job\n");
  machine.file("sys/fs/c g/my..job/cpu.max", "200000 100000\n");
  EXPECT_EQ(machine.quota(), 2.0);
  machine.file("proc/self/cgroup", "0::/a\\x2dbc/my..job\n");  // another group, whose name begins alike
  EXPECT_EQ(machine.quota(), std::nullopt);
}

TEST(RunnableThreads, AreTheFirstNumberOfTheFourthField) {
  const Machine machine;
  EXPECT_EQ(runnable_threads(machine.root()), std::nullopt);
  machine.file("proc/loadavg", "3.19 0.23 12.06 7/90 2498\n");
  EXPECT_EQ(runnable_threads(machine.root()), 7U);
  for (const char* text : {"", "1 2 3", "1 2 3 x/90 5", "one two three 4/5 6"}) {
    machine.file("proc/loadavg", text);
    EXPECT_EQ(runnable_threads(machine.root()), std::nullopt) << text;
  }
}

TEST(CpuQuota, IsNoneWhereFilesSayNothingOfUse) {
  const Machine machine;
  EXPECT_EQ(machine.quota(), std::nullopt);
  machine.file("proc/self/mountinfo", "\n - \n1 2 3 - \n" + std::string(kUnified) + kVersion1);
  EXPECT_EQ(machine.quota(), std::nullopt);
  machine.file("proc/self/cgroup", "nonsense\n:\n0:\n0::/../../outside\n3:cpu,cpuacct:\n");
  machine.file("sys/fs/cgroup/cpu.max", "0 0\n");
  machine.file("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "100\n");
  machine.file("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "x\n");
  EXPECT_EQ(machine.quota(), std::nullopt);
  machine.file("sys/fs/cgroup/cpu.max", "99999999999999999999999999 1\n");
  EXPECT_GT(machine.quota().value_or(1e9), 1e8);
}

// default_threads() with OMP_NUM_THREADS set, in a process of its own.
int threads_with(const char* omp_num_threads) {
  return test::in_child([&] {
    ::setenv("OMP_NUM_THREADS", omp_num_threads, 1);
    return static_cast<int>(std::min<std::size_t>(default_threads(), 90));
  });
}

TEST(DefaultThreads, AreWhatOpenMpWasTold) {
  EXPECT_EQ(threads_with("1"), 1);
  EXPECT_EQ(threads_with("7"), 7);
  EXPECT_EQ(threads_with(" 5 "), 5);
  EXPECT_EQ(threads_with("3,2,1"), 3);
}

TEST(DefaultThreads, AreTheAvailableProcessorsOtherwise) {
  const int available = static_cast<int>(available_processors());
  EXPECT_GE(available, 1);
  for (const char* nonsense : {"", "0", "-1", "many", "2x", "99999999999999999999"})
    EXPECT_EQ(threads_with(nonsense), available) << nonsense;
}

#if defined(__linux__)
TEST(DefaultThreads, RespectTheAffinityMask) {
  EXPECT_EQ(test::in_child([] {
              ::unsetenv("OMP_NUM_THREADS");
              cpu_set_t mask;
              if (::sched_getaffinity(0, sizeof mask, &mask) != 0) return 90;
              std::size_t first = 0;
              while (!CPU_ISSET(first, &mask)) ++first;
              CPU_ZERO(&mask);
              CPU_SET(first, &mask);
              if (::sched_setaffinity(0, sizeof mask, &mask) != 0) return 91;
              return static_cast<int>(default_threads());
            }),
            1);
}
#endif

}  // namespace
}  // namespace trine
