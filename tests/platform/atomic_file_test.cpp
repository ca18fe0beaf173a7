// SPDX-License-Identifier: Apache-2.0
#include <trine/platform/atomic_file.hpp>

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include <trine/platform/output_directory.hpp>

#include "support/expect_error.hpp"
#include "support/temporary_directory.hpp"

namespace trine {
namespace {

namespace fs = std::filesystem;

class AtomicFileTest : public testing::Test {
 protected:
  static std::string read(const fs::path& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
  }
  static void replace(const fs::path& path, const std::string& text) {
    AtomicFile file(path);
    file.write(text);
    file.commit();
  }
  [[nodiscard]] std::vector<std::string> names() const {
    std::vector<std::string> result;
    for (const auto& entry : fs::directory_iterator(directory_.path()))
      result.push_back(entry.path().filename().string());
    return result;
  }

  const test::TemporaryDirectory directory_;
  const fs::path path_ = directory_.path() / "file";
};

TEST_F(AtomicFileTest, AppearsWholeAtTheCommit) {
  AtomicFile file(path_);
  file.write("some ");
  file.write("text");
  EXPECT_FALSE(fs::exists(path_));
  file.commit();
  EXPECT_EQ(read(path_), "some text");
  EXPECT_THAT(names(), testing::ElementsAre("file"));
}

TEST_F(AtomicFileTest, LeavesTheOldFileWithoutACommit) {
  directory_.write("file", "as it was");
  {
    AtomicFile file(path_);
    file.write("new");
  }
  EXPECT_EQ(read(path_), "as it was");
  EXPECT_THAT(names(), testing::ElementsAre("file"));
}

TEST_F(AtomicFileTest, ReplacesTheFileBehindALinkAndKeepsTheLink) {
  directory_.write("folder/old", "old");
  fs::create_symlink("folder/old", directory_.path() / "inner");
  fs::create_symlink(directory_.path() / "inner", path_);
  replace(path_, "new");
  EXPECT_TRUE(fs::is_symlink(path_));
  EXPECT_EQ(fs::read_symlink(directory_.path() / "inner"), "folder/old");
  EXPECT_EQ(read(directory_.path() / "folder" / "old"), "new");

  fs::create_symlink("folder/none yet", directory_.path() / "dangling");
  replace(directory_.path() / "dangling", "made");
  EXPECT_EQ(read(directory_.path() / "folder" / "none yet"), "made");

  fs::create_symlink("circle", directory_.path() / "circle");
  EXPECT_ERROR(AtomicFile(directory_.path() / "circle"), FileError, "circle: cannot be written: Too many levels");
}

TEST_F(AtomicFileTest, KeepsThePermissionsOfTheOldFile) {
  directory_.write("file", "private");
  ASSERT_EQ(::chmod(path_.c_str(), 0600), 0);
  replace(path_, "still private");
  EXPECT_EQ(fs::status(path_).permissions(), fs::perms::owner_read | fs::perms::owner_write);
}

// The names that a process will choose next can be guessed: what lies there is neither followed nor overwritten.
TEST_F(AtomicFileTest, DoesNotWriteWhereSomebodyLaidALink) {
  directory_.write("precious", "text");
  for (int i = 0; i < 3; ++i)
    fs::create_symlink("precious",
                       path_.string() + "." + std::to_string(::getpid()) + "-" + std::to_string(i) + ".partial");
  replace(path_, "new");
  EXPECT_EQ(read(directory_.path() / "precious"), "text");
  EXPECT_EQ(read(path_), "new");
}

TEST_F(AtomicFileTest, TakesSeveralWritersAtOnce) {
  AtomicFile first(path_);
  AtomicFile second(path_);
  first.write("first");
  second.write("second");
  second.commit();
  EXPECT_EQ(read(path_), "second");
  first.commit();
  EXPECT_EQ(read(path_), "first");
  EXPECT_THAT(names(), testing::ElementsAre("file"));
}

TEST_F(AtomicFileTest, TakesNamesAsLongAsTheFileSystemAllows) {
  const fs::path path = directory_.path() / std::string(255, 'a');
  replace(path, "text");
  EXPECT_EQ(read(path), "text");
}

TEST_F(AtomicFileTest, WritesToDevicesAndDescriptorsDirectly) {
  replace("/dev/null", "text");
  EXPECT_FALSE(fs::is_regular_file("/dev/null"));
  if (fs::exists("/dev/full"))
    EXPECT_ERROR(replace("/dev/full", "text"), FileError, "/dev/full: cannot write 4 bytes at offset 0: No space left");
  if (!fs::exists("/proc/self/fd")) GTEST_SKIP() << "no names of descriptors here";
  directory_.write("file", "before ");
  const int descriptor = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  replace("/proc/self/fd/" + std::to_string(descriptor), "behind");
  ::close(descriptor);
  EXPECT_EQ(read(path_), "before behind") << "what a shell opened with >> is not replaced";
}

TEST_F(AtomicFileTest, NamesTheTargetWhereNothingCanBeWritten) {
  EXPECT_ERROR(AtomicFile(directory_.path() / "none" / "file"), FileError,
               "none/file: cannot be written: No such file");
  EXPECT_ERROR(AtomicFile(directory_.path()), FileError, ": cannot be written: Is a directory");
  AtomicFile file(path_);
  fs::create_directory(path_);
  EXPECT_ERROR(file.commit(), FileError, "file: cannot be written: ");
}

TEST(OutputFileLinks, AreNotFollowed) {
  const test::TemporaryDirectory directory;
  fs::create_symlink("elsewhere", directory.path() / "file");
  EXPECT_ERROR(OutputFile(directory.path() / "file"), FileError, "file: cannot be made: ");
  EXPECT_FALSE(fs::exists(directory.path() / "elsewhere"));
}

TEST(OutputDirectoryLinks, AreNotTakenOver) {
  const test::TemporaryDirectory directory;
  directory.write(fs::path("precious") / OutputDirectory::kMarker, "");
  directory.write("precious/text", "text");
  fs::create_directory_symlink("precious", directory.path() / "out.partial");
  EXPECT_ERROR(OutputDirectory(directory.path() / "out"), FileError, "found neither: remove it");
  EXPECT_TRUE(fs::exists(directory.path() / "precious" / "text"));
}

}  // namespace
}  // namespace trine
