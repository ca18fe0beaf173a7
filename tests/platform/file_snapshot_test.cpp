// SPDX-License-Identifier: Apache-2.0
#include <trine/platform/file_snapshot.hpp>

#include <chrono>
#include <filesystem>

#include <gtest/gtest.h>

#include "support/temporary_directory.hpp"

namespace trine {
namespace {

namespace fs = std::filesystem;

TEST(FileSnapshot, TellsAChangedFileFromTheSame) {
  const test::TemporaryDirectory directory;
  const fs::path file = directory.write("file", "abc");
  const auto stamp = FileSnapshot::of(file);
  ASSERT_TRUE(stamp.has_value());
  EXPECT_EQ(FileSnapshot::of(file), stamp);
  fs::last_write_time(file, fs::last_write_time(file) + std::chrono::milliseconds(1));
  EXPECT_NE(FileSnapshot::of(file), stamp) << "another time";
  directory.write("longer", "abcd");
  fs::rename(directory.path() / "longer", file);
  EXPECT_NE(FileSnapshot::of(file), stamp) << "another file";
  fs::remove(file);
  EXPECT_EQ(FileSnapshot::of(file), std::nullopt);
}

}  // namespace
}  // namespace trine
