// SPDX-License-Identifier: Apache-2.0
// What the writer of safetensors writes, its readers read; merged models are tested in tests/adapters.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/weights/open_weights.hpp>
#include <trine/weights/safetensors_writer.hpp>

#include "support/expect_error.hpp"
#include "support/temporary_directory.hpp"

namespace trine::test {
namespace {

constexpr std::array<float, 6> kValues{1.0F, 2.0F, 3.0F, 4.0F, 5.0F, 6.0F};

std::vector<TensorHeader> three() {
  return {{"b", DType::f32, {2, 3}}, {"a\n\"", DType::bf16, {3}}, {"empty", DType::i64, {0, 4}}};
}

class SafetensorsWriterTest : public testing::Test {
 protected:
  void write(std::vector<TensorHeader> tensors, std::uint64_t max_shard_bytes) {
    OutputDirectory output(target_);
    SafetensorsWriter writer(output, std::move(tensors), max_shard_bytes);
    for (const TensorHeader& tensor : writer.tensors()) {
      writer.begin();
      std::size_t bytes = size_bytes(tensor.dtype);
      for (const std::size_t extent : tensor.shape) bytes *= extent;
      writer.write(std::as_bytes(std::span(kValues)).first(bytes));
    }
    writer.finish();
    output.commit();
  }

  const TemporaryDirectory directory_;
  const std::filesystem::path target_ = directory_.path() / "out";
};

TEST_F(SafetensorsWriterTest, WritesOneFileOrSeveral) {
  for (const std::uint64_t most : {std::uint64_t{1'000}, std::uint64_t{20}, std::uint64_t{1}}) {
    write(three(), most);
    const auto source = open_weights(target_);
    EXPECT_EQ(source->names(), (std::vector<std::string_view>{"a\n\"", "b", "empty"})) << most;
    for (const TensorHeader& tensor : three()) {
      const StoredTensor& stored = *source->find(tensor.name);
      EXPECT_EQ(stored.dtype, tensor.dtype);
      EXPECT_EQ(stored.shape, tensor.shape);
      EXPECT_TRUE(std::ranges::equal(stored.bytes, std::as_bytes(std::span(kValues)).first(stored.bytes.size())));
    }
    EXPECT_EQ(std::filesystem::exists(target_ / "model.safetensors"), most == 1'000);
    EXPECT_EQ(std::filesystem::exists(target_ / "model-00002-of-00002.safetensors"), most != 1'000) << most;
    std::filesystem::remove_all(target_);
  }
}

TEST_F(SafetensorsWriterTest, RefusesWhatTheFormatCannotHold) {
  OutputDirectory output(target_);
  const auto make = [&](std::vector<TensorHeader> tensors) { SafetensorsWriter(output, std::move(tensors), 100); };
  EXPECT_ERROR(make({{"a", DType::f32, {1}}, {"a", DType::f32, {2}}}), WeightError,
               "a: expected one tensor of that name, found two");
  EXPECT_ERROR(make({{"a", block_format(0), {16, 128}}}), WeightError, "safetensors holds no tensor of that type");
  EXPECT_ERROR(make({{"a", DType::f64, {~std::size_t{0}, 2}}}), WeightError,
               "safetensors holds no tensor of that type");
  SafetensorsWriter bad_name(output, {{"\xff", DType::f32, {1}}}, 100);
  EXPECT_ERROR(bad_name.begin(), WeightError, "expected tensor names in valid UTF-8");
}

TEST_F(SafetensorsWriterTest, CountsBytes) {
  OutputDirectory output(target_);
  SafetensorsWriter writer(output, {{"a", DType::f32, {2}}, {"b", DType::f32, {1}}}, 100);
  const auto bytes = std::as_bytes(std::span(kValues));
  writer.begin();
  EXPECT_ERROR(writer.write(bytes.first(12)), WeightError, "a: expected at most 8 more bytes, found 12");
  writer.write(bytes.first(4));
  EXPECT_ERROR(writer.begin(), WeightError, "a: expected 4 more bytes, found none");
  writer.write(bytes.first(4));
  EXPECT_ERROR(writer.finish(), WeightError, "b: expected its bytes before the end, found none");
}

}  // namespace
}  // namespace trine::test
