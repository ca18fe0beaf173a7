// SPDX-License-Identifier: Apache-2.0
#include <trine/core/tensor.hpp>

#include <cstdint>
#include <new>
#include <utility>

#include <gmock/gmock.h>

#include "support/expect_error.hpp"
#include "support/values.hpp"

namespace trine {
namespace {

using test::values;
using testing::Each;

TEST(Tensor, IsZeroWhenMade) {
  const Tensor<float, 2> tensor({3, 5});
  EXPECT_EQ(tensor.size(), 15U);
  EXPECT_THAT(values(tensor.view().span()), Each(0.0F));
}

TEST(Tensor, StartsOnACacheLine) {
  for (std::size_t n = 1; n < 40; ++n) {
    const Tensor<float, 1> tensor({n});
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(tensor.data()) % kCacheLineBytes, 0U) << n;
  }
}

TEST(Tensor, KeepsItsElementsWhereTheyAreWhenMoved) {
  Tensor<float, 2> tensor({2, 2});
  tensor.view()(1, 1) = 4;
  const float* const address = tensor.data();
  const Tensor<float, 2> moved = std::move(tensor);
  EXPECT_EQ(moved.data(), address);
  EXPECT_EQ(moved.view()(1, 1), 4);
}

TEST(Tensor, CopiesItsElements) {
  Tensor<float, 1> tensor({2});
  Tensor<float, 1> copy = tensor;
  copy.view()[0] = 1;
  EXPECT_EQ(tensor.view()[0], 0);
}

TEST(Tensor, WithAZeroExtentIsEmptyAndKeepsItsShape) {
  const Tensor<float, 2> tensor({0, 7});
  EXPECT_EQ(tensor.size(), 0U);
  EXPECT_EQ(tensor.shape(), (std::array<std::size_t, 2>{0, 7}));
}

TEST(Tensor, RefusesAShapeWhoseSizeWraps) {
  const std::array<std::size_t, 2> shape{std::size_t{1} << 33U, std::size_t{1} << 33U};
  EXPECT_THROW((Tensor<float, 2>(shape)), std::bad_array_new_length);
}

TEST(CacheLineAllocator, RefusesACountWhoseBytesWrap) {
  CacheLineAllocator<float> allocator;
  EXPECT_THROW(static_cast<void>(allocator.allocate(static_cast<std::size_t>(-1) / 2)), std::bad_array_new_length);
}

}  // namespace
}  // namespace trine
