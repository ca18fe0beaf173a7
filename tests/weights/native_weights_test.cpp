// SPDX-License-Identifier: Apache-2.0
#include <trine/weights/native_weights.hpp>

#include <cstdint>
#include <ostream>
#include <string>

#include <gmock/gmock.h>

#include "support/expect_error.hpp"
#include "support/temporary_directory.hpp"

namespace trine {
namespace {

using test::TemporaryDirectory;
using testing::ElementsAre;

// 256 bytes: "a" is f32 [2, 3] at 0, "b" is bf16 [5] at 64, "c" is f16 [1, 2, 2] at 128; byte i is i.
constexpr std::size_t kBytes = 256;

std::string blob(std::size_t bytes = kBytes) {
  std::string result(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) result[i] = static_cast<char>(i);
  return result;
}

Json manifest() {
  return Json::parse(R"({"format": "trine-weights", "version": 1, "alignment": 64, "nbytes": 256, "tensors": {
    "a": {"dtype": "f32", "shape": [2, 3], "offset": 0, "nbytes": 24},
    "b": {"dtype": "bf16", "shape": [5], "offset": 64, "nbytes": 10},
    "c": {"dtype": "f16", "shape": [1, 2, 2], "offset": 128, "nbytes": 8}}})");
}

NativeWeights open(const TemporaryDirectory& directory, const std::string& text, const std::string& bytes = blob(),
                   FileAccess access = FileAccess::map) {
  directory.write("weights.json", text);
  directory.write("weights.bin", bytes);
  return NativeWeights(directory.path(), access);
}

class RawBlobByAccess : public testing::TestWithParam<FileAccess> {};

TEST_P(RawBlobByAccess, GivesEveryTensorAsItIsStored) {
  const TemporaryDirectory directory;
  const NativeWeights source = open(directory, manifest().dump(), blob(), GetParam());
  EXPECT_THAT(source.names(), ElementsAre("a", "b", "c"));
  EXPECT_EQ(source.source_name(), (directory.path() / "weights.json").string());
  EXPECT_EQ(source.find("d"), nullptr);
  const StoredTensor* c = source.find("c");
  ASSERT_NE(c, nullptr);
  EXPECT_EQ(c->dtype, DType::f16);
  EXPECT_THAT(c->shape, ElementsAre(1, 2, 2));
  ASSERT_EQ(c->bytes.size(), 8U);
  for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ(c->bytes[i], static_cast<std::byte>(128 + i));
  for (const std::string_view name : source.names())
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(source.find(name)->bytes.data()) % NativeWeights::kAlignment, 0U)
        << name;
}

INSTANTIATE_TEST_SUITE_P(All, RawBlobByAccess, testing::Values(FileAccess::map, FileAccess::read));

TEST(NativeWeights, OutlivesItsFileWhenItWasRead) {
  const TemporaryDirectory directory;
  const NativeWeights source = open(directory, manifest().dump(), blob(), FileAccess::read);
  directory.write("weights.bin", "");
  EXPECT_EQ(source.find("b")->bytes[0], static_cast<std::byte>(64));
}

TEST(NativeWeights, MayHoldNothing) {
  const TemporaryDirectory directory;
  const NativeWeights source =
      open(directory, R"({"format": "trine-weights", "version": 1, "alignment": 64, "nbytes": 0, "tensors": {}})", "");
  EXPECT_TRUE(source.names().empty());
}

TEST(NativeWeights, NamesTheFileThatIsMissing) {
  const TemporaryDirectory directory;
  EXPECT_ERROR(NativeWeights(directory.path()), FileError,
               (directory.path() / "weights.bin").string() + ": cannot be opened");
  directory.write("weights.bin", blob());
  EXPECT_ERROR(NativeWeights(directory.path()), FileError,
               (directory.path() / "weights.json").string() + ": cannot be opened");
}

TEST(NativeWeights, RefusesABlobThatIsCutOrTooLong) {
  for (const std::size_t bytes : {std::size_t{0}, kBytes - 1, kBytes + 1}) {
    const TemporaryDirectory directory;
    EXPECT_ERROR(open(directory, manifest().dump(), blob(bytes)), WeightError,
                 "weights.json: nbytes: expected " + std::to_string(bytes) + ", the size of weights.bin, found 256");
  }
}

// A manifest cut at any byte is an error of ours, never a crash and never a model.
TEST(NativeWeights, RefusesAManifestCutAnywhere) {
  const std::string whole = manifest().dump();
  const TemporaryDirectory directory;
  for (std::size_t length = 0; length < whole.size(); length += 3)
    EXPECT_ERROR(open(directory, whole.substr(0, length)), ConfigError, "weights.json");
}

struct Damage {
  const char* where;     // JSON pointer into the manifest
  const char* value;     // what is put there
  const char* expected;  // what the message says, the file aside
};

void PrintTo(const Damage& damage, std::ostream* out) { *out << damage.where << " = " << damage.value; }

class DamagedManifest : public testing::TestWithParam<Damage> {};

TEST_P(DamagedManifest, IsRefusedByTheNameOfTheField) {
  const Damage& damage = GetParam();
  Json document = manifest();
  document[Json::json_pointer(damage.where)] = Json::parse(damage.value);
  const TemporaryDirectory directory;
  EXPECT_ERROR(open(directory, document.dump()), Error, std::string("weights.json: ") + damage.expected);
}

INSTANTIATE_TEST_SUITE_P(
    Header, DamagedManifest,
    testing::Values(
        Damage{"/format", R"("safetensors")", R"(format: expected one of "trine-weights", found 'safetensors')"},
        Damage{"/version", "2", "version: expected an integer from 1 to 1, found 2"},
        Damage{"/version", R"("1")", "version: expected an integer from 1 to 1, found '1'"},
        Damage{"/alignment", "32", "alignment: expected an integer from 64 to 64, found 32"},
        Damage{"/nbytes", "-256", "nbytes: expected an integer from 0 to 9223372036854775807, found -256"},
        Damage{"/nbytes", "256.0", "nbytes: expected an integer from 0 to 9223372036854775807, found 256.0"},
        Damage{"/nbytes", "18446744073709551615", "nbytes: expected an integer from 0 to"},
        Damage{"/nbytes", "9223372036854775807", "nbytes: expected 256, the size of weights.bin, found 92233720368547"},
        Damage{"/tensors", "[]", "tensors: expected a JSON object, found a list"},
        Damage{"/tensors", "null", "tensors: expected a value, found none"},
        Damage{"/tensor", "{}", "unknown key 'tensor'; the nearest known key is 'tensors'"},
        Damage{"/tensors/a", "7", "tensors.a: expected a JSON object, found 7"}));

INSTANTIATE_TEST_SUITE_P(
    Tensor, DamagedManifest,
    testing::Values(
        Damage{
            "/tensors/a/dtype", R"("i8")",
            R"(tensors.a.dtype: expected one of "q8", "q6a", "q5a", "q4a", "q3a", "q4", "bf16", "f16", "f32", "bf16_panels", "u8" or a block type of GGUF, found 'i8')"},
        Damage{"/tensors/a/dtype", R"("F32")", "tensors.a.dtype: expected one of"},
        Damage{"/tensors/a/dtype", "0", "tensors.a.dtype: expected a string, found 0"},
        Damage{"/tensors/a/dtype", R"("bf16")", "tensors.'a': nbytes: expected 12 for bf16 [2, 3], found 24"},
        Damage{"/tensors/a/dtype", R"("Q4_K")", "tensors.a.shape: expected columns in groups of 256, found a list"},
        Damage{"/tensors/a/type", R"("f32")", "tensors.a: unknown key 'type'; the nearest known key is 'dtype'"},
        Damage{"/tensors/a/shape", "[]", "tensors.a.shape: expected a list of 1 to 4 integers, found a list"},
        Damage{"/tensors/a/shape", "[1, 1, 1, 1, 6]", "tensors.a.shape: expected a list of 1 to 4 integers"},
        Damage{"/tensors/a/shape", "6", "tensors.a.shape: expected a list of 1 to 4 integers, found 6"},
        Damage{"/tensors/a/shape", "[2, 4]", "tensors.'a': nbytes: expected 32 for f32 [2, 4], found 24"},
        Damage{"/tensors/a/shape", "[2, -3]", "tensors.a.shape: expected integers from 1 on, found -3"},
        Damage{"/tensors/a/shape", "[2, 3.0]", "tensors.a.shape: expected integers from 1 on, found 3.0"},
        Damage{"/tensors/a/shape", "[2, null]", "tensors.a.shape: expected integers from 1 on, found null"},
        Damage{"/tensors/a/shape", "[0, 3]", "tensors.a.shape: expected integers from 1 on, found 0"},
        Damage{"/tensors/a/nbytes", "25", "tensors.'a': nbytes: expected 24 for f32 [2, 3], found 25"},
        Damage{"/tensors/a/nbytes", "-24", "tensors.a.nbytes: expected an integer from 0 to"},
        Damage{"/tensors/a/nbytes", "18446744073709551615", "tensors.a.nbytes: expected an integer from 0 to"},
        Damage{"/tensors/a/offset", "8", "tensors.'a': offset: expected a multiple of 64, found 8"},
        Damage{"/tensors/a/offset", "-64", "tensors.a.offset: expected an integer from 0 to"},
        Damage{"/tensors/a/offset", "256",
               "tensors.'a': expected to end within the 256 bytes of weights.bin, found offset 256 and 24 bytes"},
        Damage{"/tensors/a/offset", "9223372036854775744", "tensors.'a': expected to end within the 256 bytes"},
        Damage{"/tensors/a/offset", "64", "tensors 'a' and 'b' overlap in weights.bin"},
        Damage{"/tensors/c/offset", "64", "tensors 'b' and 'c' overlap in weights.bin"}));

// Products that leave 64 bits, two of them for the very number of bytes that the manifest claims: 2^32 * 2^32 is 0 and
// (2^63 + 3) * 2 is 6 modulo 2^64, 4294967298 * 4294967299 * 4 wraps as well.
INSTANTIATE_TEST_SUITE_P(
    Overflow, DamagedManifest,
    testing::Values(
        Damage{"/tensors/a", R"({"dtype": "f32", "shape": [4294967296, 4294967296], "offset": 0, "nbytes": 0})",
               "tensors.'a': shape [4294967296, 4294967296] has more bytes than 64 bits count"},
        Damage{"/tensors/a", R"({"dtype": "f32", "shape": [9223372036854775811, 2], "offset": 0, "nbytes": 24})",
               "tensors.'a': shape [9223372036854775811, 2] has more bytes than 64 bits count"},
        Damage{"/tensors/a", R"({"dtype": "f32", "shape": [4611686018427387910], "offset": 0, "nbytes": 24})",
               "tensors.'a': shape [4611686018427387910] has more bytes than 64 bits count"},
        Damage{"/tensors/a", R"({"dtype": "f32", "shape": [4294967298, 4294967299], "offset": 0, "nbytes": 24})",
               "tensors.'a': shape [4294967298, 4294967299] has more bytes than 64 bits count"},
        Damage{"/tensors/a", R"({"dtype": "f32", "shape": [2305843009213693952], "offset": 0, "nbytes": 0})",
               "tensors.'a': nbytes: expected 9223372036854775808 for f32"}));

TEST(NativeWeights, NamesAFieldThatIsMissing) {
  for (const char* field : {"format", "version", "alignment", "nbytes", "tensors"}) {
    Json document = manifest();
    document.erase(field);
    const TemporaryDirectory directory;
    EXPECT_ERROR(open(directory, document.dump()), ConfigError,
                 "weights.json: " + std::string(field) + ": expected a value, found none");
  }
  for (const char* field : {"dtype", "shape", "offset", "nbytes"}) {
    Json document = manifest();
    document["tensors"]["b"].erase(field);
    const TemporaryDirectory directory;
    EXPECT_ERROR(open(directory, document.dump()), ConfigError,
                 "weights.json: tensors.b." + std::string(field) + ": expected a value, found none");
  }
}

TEST(NativeWeights, RefusesATensorThatIsThereTwice) {
  const TemporaryDirectory directory;
  const std::string text =
      R"({"format": "trine-weights", "version": 1, "alignment": 64, "nbytes": 256, "tensors": {
      "a": {"dtype": "f32", "shape": [1], "offset": 0, "nbytes": 4},
      "a": {"dtype": "f32", "shape": [1], "offset": 64, "nbytes": 4}}})";
  EXPECT_ERROR(open(directory, text), ConfigError, "weights.json: key 'a' appears twice in one object");
}

TEST(NativeWeights, PutsNoByteOfAHostileNameIntoAMessage) {
  Json document = manifest();
  document["tensors"]["\x1b[31m\n" + std::string(1000, 'x')] = document["tensors"]["a"];
  const TemporaryDirectory directory;
  try {
    static_cast<void>(open(directory, document.dump()));
    FAIL() << "expected WeightError";
  } catch (const WeightError& error) {
    const std::string message = error.what();
    EXPECT_THAT(message, testing::HasSubstr("overlap"));
    EXPECT_THAT(message, testing::Not(testing::HasSubstr("\x1b")));
    EXPECT_LT(message.size(), 600U);
  }
}

}  // namespace
}  // namespace trine
