// SPDX-License-Identifier: Apache-2.0
#include <trine/core/shape.hpp>

#include <array>
#include <cstddef>
#include <vector>

#include <gtest/gtest.h>

#include "support/expect_error.hpp"

namespace trine {
namespace {

TEST(Shape, IsPrintedAsAList) {
  EXPECT_EQ(to_string(std::array<std::size_t, 3>{2, 3, 4}), "[2, 3, 4]");
  EXPECT_EQ(to_string(std::array<std::size_t, 1>{0}), "[0]");
  EXPECT_EQ(to_string(std::span<const std::size_t>()), "[]");
}

TEST(RequireShape, AcceptsTheSameShape) {
  const std::array<std::size_t, 2> shape{2, 3};
  EXPECT_NO_THROW(require_shape("x", shape, shape));
  EXPECT_NO_THROW(require_shape("x", {2, 3}, shape));
  EXPECT_NO_THROW(require_shape("x", {}, std::span<const std::size_t>()));
}

TEST(RequireShape, NamesPlaceExpectationAndFinding) {
  const std::array<std::size_t, 2> found{2, 4};
  try {
    require_shape("layers.3.gate", {2, 3}, found);
    FAIL() << "expected ShapeError";
  } catch (const ShapeError& error) {
    EXPECT_STREQ(error.what(), "layers.3.gate: expected shape [2, 3], found [2, 4]");
  }
}

TEST(RequireShape, RefusesAnotherRankOfTheSameSize) {
  const std::array<std::size_t, 2> found{6, 1};
  EXPECT_ERROR(require_shape("x", {6}, found), ShapeError, "expected shape [6], found [6, 1]");
  EXPECT_ERROR(require_shape("x", {6, 1, 1}, found), ShapeError, "expected shape [6, 1, 1], found [6, 1]");
}

}  // namespace
}  // namespace trine
