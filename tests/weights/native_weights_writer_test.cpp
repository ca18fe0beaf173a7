// SPDX-License-Identifier: Apache-2.0
#include <trine/weights/native_weights_writer.hpp>

#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "support/expect_error.hpp"
#include "support/in_child.hpp"
#include "support/temporary_directory.hpp"

namespace trine {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;

constexpr std::array<std::size_t, 2> kMatrix = {2, 3};
constexpr std::array<std::size_t, 1> kVector = {5};

std::string numbered(std::size_t bytes) {
  std::string result(bytes, '\0');
  for (std::size_t i = 0; i < bytes; ++i) result[i] = static_cast<char>(i + 1);
  return result;
}
std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }
std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

class RawBlobWriterTest : public testing::Test {
 protected:
  const test::TemporaryDirectory directory_;
  const fs::path target_ = directory_.path() / "out";
};

TEST_F(RawBlobWriterTest, WritesWhatTheReaderReads) {
  const std::string name = "quoted \" and \\ and \u00e9";
  OutputDirectory output(target_);
  NativeWeightsWriter writer(output, 1000);
  writer.begin("matrix", DType::f32, kMatrix);
  writer.write(bytes_of(numbered(24)).first(10));
  writer.write(bytes_of(numbered(24)).subspan(10));
  writer.begin(name, DType::bf16, kVector);
  writer.write(bytes_of(numbered(10)));
  writer.begin("codes", DType::u8, kVector);
  writer.write(bytes_of(numbered(5)));
  writer.finish();
  output.commit();

  const NativeWeights blob(target_);
  EXPECT_THAT(blob.names(), ElementsAre("codes", "matrix", name));
  EXPECT_EQ(blob.find("matrix")->dtype, DType::f32);
  EXPECT_THAT(blob.find("matrix")->shape, ElementsAre(2, 3));
  EXPECT_EQ(text_of(blob.find("matrix")->bytes), numbered(24));
  EXPECT_EQ(blob.find(name)->dtype, DType::bf16);
  EXPECT_EQ(text_of(blob.find(name)->bytes), numbered(10));
  EXPECT_EQ(blob.find("codes")->dtype, DType::u8);
  EXPECT_EQ(text_of(blob.find("codes")->bytes), numbered(5));
  EXPECT_EQ(fs::file_size(target_ / "weights.bin"), 128U + 5U) << "aligned to 64, and nothing behind the last";
}

TEST_F(RawBlobWriterTest, MayWriteNothing) {
  OutputDirectory output(target_);
  NativeWeightsWriter writer(output);
  writer.finish();
  output.commit();
  EXPECT_TRUE(NativeWeights(target_).names().empty());
}

TEST_F(RawBlobWriterTest, DoesNotLoadBeforeItIsFinished) {
  OutputDirectory output(target_);
  NativeWeightsWriter writer(output);
  writer.begin("matrix", DType::f32, kMatrix);
  writer.write(bytes_of(numbered(24)));
  EXPECT_ERROR(NativeWeights(output.path()), FileError, "weights.json: cannot be opened");
}

TEST_F(RawBlobWriterTest, TakesNoMoreAndNoLessThanATensorHas) {
  const OutputDirectory output(target_);
  NativeWeightsWriter writer(output);
  writer.begin("matrix", DType::f32, kMatrix);
  writer.write(bytes_of(numbered(20)));
  EXPECT_ERROR(writer.write(bytes_of(numbered(5))), WeightError, "matrix: expected at most 4 more bytes, found 5");
  EXPECT_ERROR(writer.begin("next", DType::f32, kMatrix), WeightError, "matrix: expected 4 more bytes, found none");
  EXPECT_ERROR(writer.finish(), WeightError, "matrix: expected 4 more bytes, found none");
}

TEST_F(RawBlobWriterTest, RefusesWhatTheFormatDoesNotHold) {
  const OutputDirectory output(target_);
  NativeWeightsWriter writer(output);
  const auto begin = [&writer](DType dtype, const std::vector<std::size_t>& shape) { writer.begin("x", dtype, shape); };
  EXPECT_ERROR(begin(DType::f8_e4m3, {2, 3}), WeightError, "x: weights.bin holds no tensor of f8_e4m3 [2, 3]");
  EXPECT_ERROR(begin(DType::i64, {2}), WeightError, "x: weights.bin holds no tensor of i64 [2]");
  EXPECT_ERROR(begin(DType::f32, {}), WeightError, "x: weights.bin holds no tensor of f32 []");
  EXPECT_ERROR(begin(DType::f32, {2, 0}), WeightError, "x: weights.bin holds no tensor of f32 [2, 0]");
  EXPECT_ERROR(begin(DType::f32, {1, 1, 1, 1, 1}), WeightError, "no tensor of f32 [1, 1, 1, 1, 1]");
  EXPECT_ERROR(begin(DType::f32, {std::size_t{1} << 62U}), WeightError, "no tensor of f32 [4611686018427387904]");
  EXPECT_ERROR(begin(kQ8, {64}), WeightError, "no tensor of q8 [64]");
  EXPECT_ERROR(writer.begin("\xff", DType::f32, kVector), WeightError, "tensor name '\\xff': expected valid UTF-8");
}

TEST_F(RawBlobWriterTest, LeavesNothingOnAFullDisk) {
  const int code = test::in_child([&] {
    test::limit_file_size(1000);
    try {
      const OutputDirectory output(target_);
      NativeWeightsWriter writer(output);
      for (const char* name : {"a", "b", "c"}) {
        constexpr std::array<std::size_t, 1> kShape = {100};
        writer.begin(name, DType::f32, kShape);
        writer.write(bytes_of(numbered(400)));
      }
    } catch (const FileError& error) {
      return std::string(error.what()).find("weights.bin: cannot write 296 bytes at offset 1000: ") != std::string::npos
                 ? 0
                 : 1;
    }
    return 2;
  });
  EXPECT_EQ(code, 0);
  EXPECT_TRUE(fs::is_empty(directory_.path()));
}

}  // namespace
}  // namespace trine
