// SPDX-License-Identifier: Apache-2.0
#include <trine/core/error.hpp>

#include <stdexcept>
#include <string>
#include <type_traits>

#include <gtest/gtest.h>

namespace trine {
namespace {

template <class E>
class EveryError : public testing::Test {};

using Errors = testing::Types<FileError, ConfigError, WeightError, ShapeError, TokenizerError, DeviceError, InputError,
                              CapacityError, CancelledError>;
TYPED_TEST_SUITE(EveryError, Errors);

TYPED_TEST(EveryError, IsCaughtAsErrorAndAsRuntimeErrorWithItsMessage) {
  try {
    throw TypeParam("what went wrong");
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "what went wrong");
  }
  static_assert(std::is_base_of_v<std::runtime_error, TypeParam>);
  static_assert(std::is_nothrow_copy_constructible_v<TypeParam>, "an exception that throws when copied terminates");
}

TEST(InQuotes, KeepsPrintableTextAsItIs) { EXPECT_EQ(in_quotes("q_proj.weight ~"), "'q_proj.weight ~'"); }

TEST(InQuotes, IsTwoQuotesForNothing) { EXPECT_EQ(in_quotes(""), "''"); }

TEST(InQuotes, EscapesControlAndNonAsciiBytes) {
  EXPECT_EQ(in_quotes(std::string_view("\0\n\x1b[31m\x7f\xff", 9)), "'\\x00\\x0a\\x1b[31m\\x7f\\xff'");
}

TEST(InQuotes, CutsAfterSixtyFourBytesAndSaysSo) {
  EXPECT_EQ(in_quotes(std::string(64, 'a')), "'" + std::string(64, 'a') + "'");
  EXPECT_EQ(in_quotes(std::string(65, 'a')), "'" + std::string(64, 'a') + "...'");
}

TEST(InQuotes, IsPrintableWhateverItIsGiven) {
  for (int first = 0; first < 256; ++first) {
    for (const char c : in_quotes(std::string(3, static_cast<char>(first)))) {
      EXPECT_GE(c, ' ') << "byte " << first;
      EXPECT_LT(c, 0x7f) << "byte " << first;
    }
  }
}

}  // namespace
}  // namespace trine
