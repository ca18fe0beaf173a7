// SPDX-License-Identifier: Apache-2.0
#include <trine/weights/gguf_metadata.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>

#include <gmock/gmock.h>

#include <trine/weights/gguf.hpp>

#include "support/expect_error.hpp"
#include "support/gguf_writer.hpp"
#include "support/temporary_directory.hpp"

namespace trine {
namespace {

using test::GgufWriter;
using testing::ElementsAre;

class GgufMetadataTest : public testing::Test {
 protected:
  GgufMetadataTest()
      : file_(directory_.write("m.gguf", GgufWriter()
                                             .set("u8", std::uint8_t{200})
                                             .set("i8", std::int8_t{-3})
                                             .set("u64", std::numeric_limits<std::uint64_t>::max())
                                             .set("i64", std::numeric_limits<std::int64_t>::min())
                                             .set("f32", 0.5F)
                                             .set("nan", std::nanf(""))
                                             .set("infinite", std::numeric_limits<double>::infinity())
                                             .set("no", false)
                                             .set("yes", true)
                                             .set("text", std::string("a\n\xFF"))
                                             .set_array<std::string>("texts", {"", "b", "\xC3"})
                                             .set_array<bool>("bools", {true, false})
                                             .set_array<std::int32_t>("i32s", {-1, 7})
                                             .set_array<float>("f32s", {0.25F, std::nanf("")})
                                             .set_array<float>("none", {})
                                             .file())) {}

  [[nodiscard]] std::string message(const std::string& text) const { return path() + ": " + text; }
  [[nodiscard]] std::string path() const { return (directory_.path() / "m.gguf").string(); }
  [[nodiscard]] const GgufMetadata& metadata() const { return file_.metadata(); }

  test::TemporaryDirectory directory_;
  GgufFile file_;
};

TEST_F(GgufMetadataTest, ReadsAnIntegerOfAnyIntegerType) {
  EXPECT_EQ(metadata().unsigned_integer("u8"), 200U);
  EXPECT_EQ(metadata().unsigned_integer("u8", 200, 200), 200U);
  EXPECT_EQ(metadata().unsigned_integer("u8", 0, 300), 200U);  // 300 is no u8
  EXPECT_EQ(metadata().unsigned_integer("u64"), GgufMetadata::kMaxUnsigned);
  EXPECT_ERROR(metadata().unsigned_integer("u8", 1, 199), ConfigError,
               message("u8: expected an integer from 1 to 199, found u8 200"));
  EXPECT_ERROR(metadata().unsigned_integer("i8", 0, 9), ConfigError,
               message("i8: expected an integer from 0 to 9, found i8 -3"));
  EXPECT_ERROR(metadata().unsigned_integer("f32", 0, 9), ConfigError,
               message("f32: expected an integer from 0 to 9, found f32 0.5"));
  EXPECT_ERROR(metadata().unsigned_integer("yes", 0, 9), ConfigError,
               message("yes: expected an integer from 0 to 9, found bool true"));
  EXPECT_ERROR(metadata().unsigned_integer("i32s", 0, 9), ConfigError,
               message("i32s: expected an integer from 0 to 9, found an array of 2 x i32"));
  EXPECT_ERROR(metadata().unsigned_integer("absent", 0, 9), ConfigError,
               message("absent: expected an integer from 0 to 9, found none"));
}

TEST_F(GgufMetadataTest, ReadsASignedIntegerOfAnyIntegerType) {
  EXPECT_EQ(metadata().integer("i8"), -3);
  EXPECT_EQ(metadata().integer("u8", 0, 200), 200);
  EXPECT_EQ(metadata().integer("i64"), GgufMetadata::kLeastInteger);
  EXPECT_ERROR(metadata().integer("i8", -2, 9), ConfigError,
               message("i8: expected an integer from -2 to 9, found i8 -3"));
  EXPECT_ERROR(metadata().integer("u64"), ConfigError, "found u64 18446744073709551615");
}

TEST_F(GgufMetadataTest, ReadsAFiniteNumberOfAnyNumericType) {
  EXPECT_EQ(metadata().number("f32"), 0.5);
  EXPECT_EQ(metadata().number("i8"), -3.0);
  EXPECT_EQ(metadata().number("i64"), -0x1p63);
  EXPECT_ERROR(metadata().number("f32", 1, 2), ConfigError,
               message("f32: expected a number from 1 to 2, found f32 0.5"));
  EXPECT_ERROR(metadata().number("nan", 0, 1), ConfigError,
               message("nan: expected a number from 0 to 1, found f32 nan"));
  EXPECT_ERROR(metadata().number("infinite"), ConfigError, "found f64 inf");
  EXPECT_ERROR(metadata().number("text", 0, 1), ConfigError,
               message("text: expected a number from 0 to 1, found string 'a\\x0a\\xff'"));
}

TEST_F(GgufMetadataTest, ReadsStringsByteForByte) {
  EXPECT_EQ(metadata().string("text"), "a\n\xFF");
  EXPECT_THAT(metadata().strings("texts"), ElementsAre("", "b", "\xC3"));
  EXPECT_ERROR(metadata().string("u8"), ConfigError, message("u8: expected a string, found u8 200"));
  EXPECT_ERROR(metadata().string("texts"), ConfigError,
               message("texts: expected a string, found an array of 3 x string"));
  EXPECT_ERROR(metadata().strings("text"), ConfigError, message("text: expected an array of strings, found string "));
  EXPECT_ERROR(metadata().strings("i32s"), ConfigError,
               message("i32s: expected an array of strings, found an array of 2 x i32"));
}

TEST_F(GgufMetadataTest, ReadsBooleans) {
  EXPECT_TRUE(metadata().boolean("yes"));
  EXPECT_FALSE(metadata().boolean("no"));
  EXPECT_THAT(metadata().booleans("bools"), ElementsAre(true, false));
  EXPECT_ERROR(metadata().boolean("u8"), ConfigError, message("u8: expected true or false, found u8 200"));
  EXPECT_ERROR(metadata().booleans("i32s"), ConfigError,
               message("i32s: expected an array of bool, found an array of 2 x i32"));
}

TEST_F(GgufMetadataTest, ReadsArraysOfNumbers) {
  EXPECT_THAT(metadata().integers("i32s"), ElementsAre(-1, 7));
  EXPECT_THAT(metadata().numbers("i32s"), ElementsAre(-1.0, 7.0));
  EXPECT_TRUE(metadata().numbers("none").empty());
  EXPECT_ERROR(metadata().unsigned_integers("i32s", 0, 9), ConfigError,
               message("i32s: expected an array of integers from 0 to 9, found i32 -1 at index 0"));
  EXPECT_ERROR(metadata().integers("i32s", -1, 6), ConfigError,
               message("i32s: expected an array of integers from -1 to 6, found i32 7 at index 1"));
  EXPECT_ERROR(metadata().integers("f32s", 0, 9), ConfigError,
               message("f32s: expected an array of integers from 0 to 9, found an array of 2 x f32"));
  EXPECT_ERROR(metadata().numbers("f32s", 0, 1), ConfigError,
               message("f32s: expected an array of numbers from 0 to 1, found f32 nan at index 1"));
  EXPECT_ERROR(metadata().numbers("u8", 0, 1), ConfigError,
               message("u8: expected an array of numbers from 0 to 1, found u8 200"));
}

TEST_F(GgufMetadataTest, GivesTheOtherValueOnlyWhereTheKeyIsMissing) {
  EXPECT_EQ(metadata().unsigned_integer_or("absent", 0, 9, 99), 99U);
  EXPECT_EQ(metadata().number_or("absent", 0, 1, 5), 5.0);
  EXPECT_EQ(metadata().string_or("absent", "x"), "x");
  EXPECT_TRUE(metadata().boolean_or("absent", true));
  EXPECT_EQ(metadata().unsigned_integer_or("u8", 0, 255, 99), 200U);
  EXPECT_FALSE(metadata().boolean_or("no", true));
  EXPECT_EQ(metadata().string_or("text", "x"), "a\n\xFF");
  EXPECT_EQ(metadata().number_or("f32", 0, 1, 5), 0.5);
  EXPECT_ERROR(metadata().boolean_or("u8", true), ConfigError, "u8: expected true or false");
}

TEST_F(GgufMetadataTest, ListsItsKeysSorted) {
  EXPECT_THAT(metadata().keys(), ElementsAre("bools", "f32", "f32s", "i32s", "i64", "i8", "infinite", "nan", "no",
                                             "none", "text", "texts", "u64", "u8", "yes"));
  EXPECT_TRUE(metadata().has("no"));
  EXPECT_FALSE(metadata().has("absent"));
  EXPECT_EQ(metadata().find("absent"), nullptr);
  ASSERT_NE(metadata().find("texts"), nullptr);
  EXPECT_EQ(metadata().find("texts")->count, 3U);
}

TEST_F(GgufMetadataTest, ErrorsCarryTheirDetails) {
  try {
    static_cast<void>(metadata().unsigned_integer("u8", 0, 9));
    FAIL() << "expected ConfigError";
  } catch (const ConfigError& error) {
    EXPECT_EQ(error.kind(), ErrorKind::out_of_range);
    EXPECT_EQ(error.path(), path());
    EXPECT_EQ(error.field(), "u8");
  }
  try {
    static_cast<void>(metadata().unsigned_integer("f32", 0, 9));
    FAIL() << "expected ConfigError";
  } catch (const ConfigError& error) {
    EXPECT_EQ(error.kind(), ErrorKind::damaged);
  }
  try {
    metadata().fail("text", "a known architecture", ErrorKind::unsupported);
  } catch (const ConfigError& error) {
    EXPECT_EQ(error.kind(), ErrorKind::unsupported);
    EXPECT_EQ(std::string(error.what()), message("text: expected a known architecture, found string 'a\\x0a\\xff'"));
  }
}

}  // namespace
}  // namespace trine
