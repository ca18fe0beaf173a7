// SPDX-License-Identifier: Apache-2.0
#include <trine/core/error.hpp>

#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

#include <gtest/gtest.h>

#include <trine/core/source_name.hpp>

namespace trine {
namespace {

template <class E>
class EveryError : public testing::Test {};

using Errors = testing::Types<FileError, ConfigError, WeightError, ShapeError, TokenizerError, TemplateError,
                              DeviceError, InputError, CapacityError, NumericError, CancelledError>;
TYPED_TEST_SUITE(EveryError, Errors);

TYPED_TEST(EveryError, IsCaughtAsErrorAndAsRuntimeErrorWithItsMessage) {
  try {
    throw TypeParam("what went wrong");
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "what went wrong");
    EXPECT_EQ(error.path(), "");
    EXPECT_EQ(error.field(), "");
  }
  static_assert(std::is_base_of_v<std::runtime_error, TypeParam>);
  static_assert(std::is_nothrow_copy_constructible_v<TypeParam>, "an exception that throws when copied terminates");
}

TYPED_TEST(EveryError, CarriesWhatAProgramCanActOn) {
  const TypeParam error("a: b", {.kind = ErrorKind::unsupported, .path = "dir/a", .field = "b"});
  const TypeParam copy = error;  // NOLINT(performance-unnecessary-copy-initialization)
  EXPECT_EQ(copy.kind(), ErrorKind::unsupported);
  EXPECT_EQ(copy.path(), "dir/a");
  EXPECT_EQ(copy.field(), "b");
  EXPECT_EQ(copy.details().path, "dir/a");
}

// The message and the field are for people, the path is for open().
TYPED_TEST(EveryError, IsPrintableButForItsPath) {
  const TypeParam error("d\x1b[31m\n\xff/ä: b", {.path = "d\x1b[31m\n\xff/ä", .field = "\xfe"});
  EXPECT_STREQ(error.what(), "d\\x1b[31m\\x0a\\xff/ä: b");
  EXPECT_EQ(error.path(), "d\x1b[31m\n\xff/ä");
  EXPECT_EQ(error.field(), "\\xfe");
}

TEST(ErrorKind, FollowsFromTheClassWhereNobodySaysIt) {
  EXPECT_EQ(FileError("").kind(), ErrorKind::io);
  EXPECT_EQ(ConfigError("").kind(), ErrorKind::damaged);
  EXPECT_EQ(WeightError("").kind(), ErrorKind::damaged);
  EXPECT_EQ(TokenizerError("").kind(), ErrorKind::damaged);
  EXPECT_EQ(TemplateError("").kind(), ErrorKind::damaged);
  EXPECT_EQ(ShapeError("").kind(), ErrorKind::mismatch);
  EXPECT_EQ(DeviceError("").kind(), ErrorKind::unsupported);
  EXPECT_EQ(InputError("").kind(), ErrorKind::out_of_range);
  EXPECT_EQ(CapacityError("").kind(), ErrorKind::does_not_fit);
  EXPECT_EQ(NumericError("").kind(), ErrorKind::not_finite);
  EXPECT_EQ(CancelledError("").kind(), ErrorKind::cancelled);
}

TEST(ErrorKind, HasANameForEach) {
  std::set<std::string_view> names;
  for (int kind = 0; kind <= static_cast<int>(ErrorKind::cancelled); ++kind)
    names.insert(to_string(static_cast<ErrorKind>(kind)));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(ErrorKind::cancelled) + 1);
  EXPECT_EQ(to_string(ErrorKind::damaged), "damaged");
  EXPECT_EQ(to_string(ErrorKind::cancelled), "cancelled");
}

TEST(SourceName, IsAFileOrAPartOfOne) {
  const SourceName file = "config.json";
  EXPECT_EQ(file.text, "config.json");
  EXPECT_EQ(file.details("moe.router.k").path, "config.json");
  EXPECT_EQ(file.details("moe.router.k").field, "moe.router.k");
  const SourceName part("a.safetensors", "tensor 'x'", "x");
  EXPECT_EQ(part.text, "a.safetensors: tensor 'x'");
  EXPECT_EQ(part.details("dtype", ErrorKind::unsupported).path, "a.safetensors");
  EXPECT_EQ(part.details("dtype").field, "x.dtype");
  EXPECT_EQ(part.details("").field, "x");
}

}  // namespace
}  // namespace trine
