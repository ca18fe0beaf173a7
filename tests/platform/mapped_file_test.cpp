// SPDX-License-Identifier: Apache-2.0
#include <trine/core/error.hpp>
#include <trine/platform/mapped_file.hpp>

#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

#include "support/expect_error.hpp"
#include "support/temporary_directory.hpp"

namespace trine {
namespace {

std::string_view text_of(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

class BothWays : public testing::TestWithParam<FileAccess> {
 protected:
  test::TemporaryDirectory directory_;
};
INSTANTIATE_TEST_SUITE_P(MappedFile, BothWays, testing::Values(FileAccess::map, FileAccess::read),
                         [](const auto& instance) { return instance.param == FileAccess::map ? "map" : "read"; });

TEST_P(BothWays, GivesTheBytesOfTheFile) {
  const std::string content("a\0b\xff\n", 5);
  const auto path = directory_.write("file", content);
  const MappedFile file(path, GetParam());
  EXPECT_EQ(text_of(file), content);
  EXPECT_EQ(file.size(), 5U);
  EXPECT_EQ(file.path(), path);
}

TEST_P(BothWays, GivesFilesOfManyPages) {
  std::string content(100003, '\0');
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 31 % 251);
  const MappedFile file(directory_.write("file", content), GetParam());
  EXPECT_EQ(text_of(file), content);
}

TEST_P(BothWays, GivesAnEmptyFileAsNothing) {
  const MappedFile file(directory_.write("empty", ""), GetParam());
  EXPECT_EQ(file.size(), 0U);
  EXPECT_TRUE(file.bytes().empty());
}

TEST_P(BothWays, NamesTheMissingFile) {
  const auto path = directory_.path() / "nowhere";
  EXPECT_ERROR(MappedFile(path, GetParam()), FileError, path.string() + ": cannot be opened: No such file");
}

TEST_P(BothWays, RefusesWhatIsNotARegularFile) {
  EXPECT_ERROR(MappedFile(directory_.path(), GetParam()), FileError, ": expected a regular file");
  EXPECT_ERROR(MappedFile("/dev/null", GetParam()), FileError, "/dev/null: expected a regular file");
  const auto pipe = directory_.path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_ERROR(MappedFile(pipe, GetParam()), FileError, ": expected a regular file");  // and does not wait for a writer
}

TEST_P(BothWays, NamesAFileThatMayNotBeRead) {
  const auto path = directory_.write("secret", "x");
  std::filesystem::permissions(path, std::filesystem::perms::none);
  if (::geteuid() == 0) GTEST_SKIP() << "root may read everything";
  EXPECT_ERROR(MappedFile(path, GetParam()), FileError, "cannot be opened: Permission denied");
}

// As a clone without Git LFS leaves it; the format: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
TEST_P(BothWays, RecognisesAGitLfsPointer) {
  const std::string pointer =
      "version https://git-lfs.github.com/spec/v1\n"
      "oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n"
      "size 4976698672\n";
  const auto path = directory_.write("model.safetensors", pointer);
  EXPECT_ERROR(MappedFile(path, GetParam()), FileError,
               path.string() + ": expected the file itself, found a Git LFS pointer to it: run 'git lfs pull'");
  EXPECT_EQ(MappedFile(directory_.write("cut", pointer.substr(0, 20)), GetParam()).size(), 20U);
  EXPECT_EQ(MappedFile(directory_.write("long", pointer + std::string(1024, ' ')), GetParam()).size(),
            pointer.size() + 1024);
}

TEST_P(BothWays, OutlivesTheNameOfTheFile) {
  const auto path = directory_.write("file", "still here");
  const MappedFile file(path, GetParam());
  std::filesystem::remove(path);
  EXPECT_EQ(text_of(file), "still here");
}

TEST_P(BothWays, KeepsItsAddressWhenMoved) {
  MappedFile file(directory_.write("file", "content"), GetParam());
  const auto* const address = file.bytes().data();
  MappedFile moved = std::move(file);
  EXPECT_EQ(moved.bytes().data(), address);
  EXPECT_TRUE(file.bytes().empty());  // NOLINT(bugprone-use-after-move): documented to be empty
  MappedFile other(directory_.write("other", "x"), GetParam());
  other = std::move(moved);
  EXPECT_EQ(other.bytes().data(), address);
  EXPECT_EQ(text_of(other), "content");
}

TEST(MappedFile, ReadIntoMemoryIsItsOwnCopy) {
  const test::TemporaryDirectory directory;
  const auto path = directory.write("file", "before");
  const MappedFile file(path, FileAccess::read);
  directory.write("file", "a");  // shorter: with a map the rest would be gone
  EXPECT_EQ(text_of(file), "before");
}

TEST(MappedFile, SaysSoWhenAFileEndsBeforeItsSize) {
  // The kernel reports 4096 bytes for such files and gives fewer.
  const std::filesystem::path path = "/sys/kernel/mm/transparent_hugepage/enabled";
  std::error_code error;
  if (std::filesystem::file_size(path, error) < 100 || error) GTEST_SKIP() << "no file of this kind here";
  EXPECT_ERROR(MappedFile(path, FileAccess::read), FileError, ": ended after ");
}

TEST(ReadTextFile, GivesTheText) {
  const test::TemporaryDirectory directory;
  EXPECT_EQ(read_text_file(directory.write("text", "line\n"), 5), "line\n");
  EXPECT_EQ(read_text_file(directory.write("empty", ""), 5), "");
}

TEST(ReadTextFile, RefusesMoreThanTheLimit) {
  const test::TemporaryDirectory directory;
  const auto path = directory.write("text", "123456");
  EXPECT_ERROR(read_text_file(path, 5), FileError, path.string() + ": expected at most 5 bytes, found 6");
}

}  // namespace
}  // namespace trine
