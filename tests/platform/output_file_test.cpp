// SPDX-License-Identifier: Apache-2.0
#include <trine/platform/output_file.hpp>

#include <string>
#include <string_view>

#include <gmock/gmock.h>

#include <trine/platform/mapped_file.hpp>

#include "support/expect_error.hpp"
#include "support/in_child.hpp"
#include "support/temporary_directory.hpp"

namespace trine {
namespace {

using test::TemporaryDirectory;

TEST(OutputFile, HoldsWhatWasWrittenInItsOrder) {
  const TemporaryDirectory directory;
  const auto path = directory.path() / "file";
  OutputFile file(path);
  file.write("one, ");
  file.write(std::string_view());
  file.write("two");
  EXPECT_EQ(file.size(), 8U);
  file.finish();
  EXPECT_EQ(read_text_file(path, 100), "one, two");
}

TEST(OutputFile, NeverOverwrites) {
  const TemporaryDirectory directory;
  const auto path = directory.write("file", "precious");
  EXPECT_ERROR(OutputFile(path), FileError, path.string() + ": cannot be made: File exists");
  EXPECT_EQ(read_text_file(path, 100), "precious");
  EXPECT_ERROR(OutputFile(directory.path() / "none" / "file"), FileError, "none/file: cannot be made: No such file");
}

TEST(OutputFile, SaysHowManyBytesAFullDiskDidNotTake) {
  const TemporaryDirectory directory;
  const int code = test::in_child([&] {
    test::limit_file_size(1000);
    OutputFile file(directory.path() / "file");
    file.write(std::string(600, 'a'));
    try {
      file.write(std::string(600, 'b'));
    } catch (const FileError& error) {
      const bool said =
          std::string(error.what()).find("file: cannot write 200 bytes at offset 1000: ") != std::string::npos;
      return said && file.size() == 1000 ? 0 : 1;
    }
    return 2;
  });
  EXPECT_EQ(code, 0);
}

TEST(OutputFile, ReservingSetsAsideWithoutGrowing) {
  const TemporaryDirectory directory;
  OutputFile file(directory.path() / "file");
  file.reserve(100000);
  file.reserve(0);
  file.write("abc");
  file.finish();
  EXPECT_EQ(std::filesystem::file_size(directory.path() / "file"), 3U);
}

TEST(OutputFile, ReservingFindsADiskThatIsTooSmall) {
  const TemporaryDirectory directory;
  const OutputFile file(directory.path() / "file");
  try {
    file.reserve(std::uint64_t{1} << 60U);
    GTEST_SKIP() << "this file system sets nothing aside";
  } catch (const FileError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("file: cannot set 1152921504606846976 bytes aside: "));
  }
}

}  // namespace
}  // namespace trine
