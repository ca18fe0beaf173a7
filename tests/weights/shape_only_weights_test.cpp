// SPDX-License-Identifier: Apache-2.0
// Tensors that are made up as they are requested: any shape, no memory.
#include <trine/weights/shape_only_weights.hpp>

#include <array>
#include <cstdint>
#include <limits>

#include <gmock/gmock.h>

#include <trine/weights/weight_scope.hpp>

#include "support/expect_error.hpp"

namespace trine {
namespace {

using testing::Each;
using testing::ElementsAre;

TEST(ShapeOnlyWeights, MakesUpWhatAModelFetches) {
  const ShapeOnlyWeights weights;
  WeightReader reader(weights);
  const WeightScope scope(reader);
  EXPECT_FALSE(scope.contains("norm.weight")) << "nobody has asked for it";
  EXPECT_THAT(scope.read_f32("norm.weight", 3).view().span(), ElementsAre(0.0F, 0.0F, 0.0F));
  const WeightMatrix matrix = scope.matrix("q.weight", 5, 7);
  EXPECT_EQ(matrix.dtype, DType::bf16);
  EXPECT_EQ(matrix.rows, 5U);
  EXPECT_EQ(matrix.columns, 7U);
  EXPECT_TRUE(scope.contains("q.weight"));
  EXPECT_THAT(weights.names(), ElementsAre("norm.weight", "q.weight"));
  EXPECT_EQ(weights.find("q.weight")->bytes.size(), 5U * 7U * 2U);
  reader.require_all_fetched();
}

TEST(ShapeOnlyWeights, HaveCodesAndScalesWhereAModelTakesThem) {
  const ShapeOnlyWeights weights;
  WeightReader reader(weights);
  const WeightStack stack = WeightScope(reader).stack("down_proj", {4, 1, 6, 64, StackLayout::interleaved});
  EXPECT_EQ(stack.matrix(3).rows, 6U);
  EXPECT_EQ(weights.find("down_proj_blocks")->bytes.size(), 4U * 6U * 2U * 16U);
  EXPECT_EQ(weights.find("down_proj_scales")->bytes.size(), 4U * 6U * 2U);
}

TEST(ShapeOnlyWeights, KeepTheShapeThatWasFirst) {
  const ShapeOnlyWeights weights;
  WeightReader reader(weights);
  const WeightScope scope(reader);
  static_cast<void>(scope.matrix("tied.weight", 5, 7));
  EXPECT_ERROR(scope.matrix("tied.weight", 7, 5), WeightError, "tied.weight: expected shape [7, 5], found [5, 7]");
}

TEST(ShapeOnlyWeights, TakeNoMemory) {
  const ShapeOnlyWeights weights;
  const std::array<std::size_t, 2> small{1, 3};
  const std::array<std::size_t, 2> large{std::size_t{1} << 15U, std::size_t{1} << 20U};  // 64 GiB
  const StoredTensor* first = weights.request("first", small);
  const StoredTensor* second = weights.request("second", large);
  ASSERT_EQ(second->bytes.size(), std::size_t{1} << 36U);
  EXPECT_THAT(first->bytes, Each(std::byte{0}));
  EXPECT_EQ(second->bytes.back(), std::byte{0});
}

TEST(ShapeOnlyWeights, RefuseWhatCannotBe) {
  const ShapeOnlyWeights weights;
  const std::array<std::size_t, 2> overflow{std::numeric_limits<std::size_t>::max(), 2};
  EXPECT_ERROR(weights.request("a.weight", overflow), WeightError,
               "a.weight: shape [18446744073709551615, 2] is too large (no weights, only a configuration)");
  const std::array<std::size_t, 2> beyond{std::size_t{1} << 30U, std::size_t{1} << 30U};
  EXPECT_ERROR(weights.request("b.weight", beyond), WeightError, "b.weight: no room in the address space");
  EXPECT_TRUE(weights.names().empty());
  const std::array<std::size_t, 1> half{ShapeOnlyWeights::kMostCopiedBytes / 4};
  static_cast<void>(weights.request("a.weight", half));
  static_cast<void>(weights.request("b.weight", half));
  const std::array<std::size_t, 2> more{1, 1};
  EXPECT_ERROR(weights.request("c_bias", more), WeightError,
               "c_bias: expected at most 1073741824 bytes of vectors and biases");
  EXPECT_EQ(weights.request("c.weight", more)->bytes.size(), 2U);
}

}  // namespace
}  // namespace trine
