// SPDX-License-Identifier: Apache-2.0
#include <trine/platform/output_directory.hpp>

#include <csignal>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include <trine/platform/mapped_file.hpp>

#include "support/expect_error.hpp"
#include "support/in_child.hpp"
#include "support/temporary_directory.hpp"

namespace trine {
namespace {

namespace fs = std::filesystem;

class OutputDirectoryTest : public testing::Test {
 protected:
  static void write(const OutputDirectory& output, const std::string& name, const std::string& text) {
    OutputFile file = output.create(name);
    file.write(text);
    file.finish();
  }
  // As if a run had been killed after it wrote one file.
  void kill_a_run() const {
    ASSERT_EQ(test::in_child([&] {
                const OutputDirectory output(target_);
                write(output, "left", "half");
                std::raise(SIGKILL);
                return 0;
              }),
              128 + SIGKILL);
  }
  [[nodiscard]] bool is_all_empty() const { return fs::is_empty(directory_.path()); }

  const test::TemporaryDirectory directory_;
  const fs::path target_ = directory_.path() / "out";
  const fs::path partial_ = directory_.path() / "out.partial";
};

TEST_F(OutputDirectoryTest, AppearsWholeAtTheCommit) {
  OutputDirectory output(target_);
  EXPECT_EQ(output.path(), partial_);
  write(output, "a", "1");
  write(output, "b", "22");
  EXPECT_FALSE(fs::exists(target_));
  output.commit();
  EXPECT_FALSE(fs::exists(partial_));
  EXPECT_EQ(read_text_file(target_ / "a", 10), "1");
  EXPECT_EQ(read_text_file(target_ / "b", 10), "22");
  EXPECT_EQ(std::distance(fs::directory_iterator(target_), {}), 2) << "nothing else is in it";
}

TEST_F(OutputDirectoryTest, TakesANameWithASlashBehindIt) {
  OutputDirectory output(target_ / "");
  EXPECT_EQ(output.path(), partial_);
  output.commit();
  EXPECT_TRUE(fs::is_directory(target_));
}

TEST_F(OutputDirectoryTest, LeavesNothingWithoutACommit) {
  {
    const OutputDirectory output(target_);
    write(output, "a", "1");
  }
  EXPECT_TRUE(is_all_empty());
}

TEST_F(OutputDirectoryTest, StaysOutlivingTheObjectThatMadeIt) {
  {
    OutputDirectory output(target_);
    write(output, "a", "1");
    output.commit();
  }
  EXPECT_EQ(read_text_file(target_ / "a", 10), "1");
}

TEST_F(OutputDirectoryTest, RefusesANameThatIsTaken) {
  const auto refuses = [this] {
    EXPECT_ERROR(OutputDirectory(target_), FileError, target_.string() + ": expected a name that is free");
    EXPECT_FALSE(fs::exists(partial_));
  };
  fs::create_directory(target_);
  refuses();
  fs::remove(target_);
  directory_.write("out", "a file");
  refuses();
  EXPECT_EQ(read_text_file(target_, 10), "a file");
  fs::remove(target_);
  fs::create_symlink("nowhere", target_);
  refuses();
}

TEST_F(OutputDirectoryTest, RefusesANameThatIsTakenInTheMeantime) {
  {
    OutputDirectory output(target_);
    write(output, "a", "1");
    directory_.write("out/precious", "text");
    EXPECT_ERROR(output.commit(), FileError, target_.string() + ": expected a name that is free");
  }
  EXPECT_EQ(read_text_file(target_ / "precious", 10), "text");
  EXPECT_FALSE(fs::exists(partial_));
}

TEST_F(OutputDirectoryTest, NamesThePlaceWhereNothingCanBeMade) {
  EXPECT_ERROR(OutputDirectory(directory_.path() / "none" / "out"), FileError,
               "none/out.partial: cannot be made: No such file or directory");
}

TEST_F(OutputDirectoryTest, TakesOverWhatAKilledRunLeft) {
  kill_a_run();
  EXPECT_FALSE(fs::exists(target_));
  EXPECT_TRUE(fs::exists(partial_ / "left"));
  OutputDirectory output(target_);
  EXPECT_FALSE(fs::exists(partial_ / "left"));
  write(output, "a", "1");
  output.commit();
  EXPECT_EQ(std::distance(fs::directory_iterator(target_), {}), 1);
}

TEST_F(OutputDirectoryTest, DoesNotTakeOverARunThatIsAlive) {
  const OutputDirectory output(target_);
  write(output, "a", "1");
  EXPECT_ERROR(OutputDirectory(target_), FileError, partial_.string() + ": another run is writing it");
  EXPECT_EQ(test::in_child([&] {
              try {
                const OutputDirectory second(target_);
              } catch (const FileError&) {
                return 0;
              }
              return 1;
            }),
            0)
      << "nor does another process";
  EXPECT_EQ(read_text_file(partial_ / "a", 10), "1");
}

TEST_F(OutputDirectoryTest, DoesNotTouchWhatIsNotItsOwn) {
  directory_.write("out.partial/precious", "text");
  EXPECT_ERROR(OutputDirectory(target_), FileError,
               partial_.string() + ": expected nothing, or what an interrupted run left; found neither: remove it");
  EXPECT_EQ(read_text_file(partial_ / "precious", 10), "text");
  fs::remove_all(partial_);
  directory_.write("out.partial", "a file");
  EXPECT_ERROR(OutputDirectory(target_), FileError, "found neither: remove it");
  EXPECT_EQ(read_text_file(partial_, 10), "a file");
}

TEST_F(OutputDirectoryTest, DoesNotEmptyFoldersThatItDidNotMake) {
  kill_a_run();
  directory_.write("out.partial/folder/precious", "text");
  EXPECT_ERROR(OutputDirectory(target_), FileError, "folder: cannot be removed: Directory not empty");
  EXPECT_EQ(read_text_file(partial_ / "folder" / "precious", 10), "text");
}

}  // namespace
}  // namespace trine
