// SPDX-License-Identifier: Apache-2.0
#include <trine/core/tensor_view.hpp>

#include <array>
#include <numeric>
#include <type_traits>

#include <gmock/gmock.h>

#include "support/values.hpp"

namespace trine {
namespace {

using test::values;
using testing::ElementsAre;

TEST(View, IsRowMajor) {
  std::array<float, 6> memory{0, 1, 2, 3, 4, 5};
  const View<float, 2> view(memory.data(), {2, 3});
  EXPECT_EQ(view(1, 0), 3);
  EXPECT_THAT(values(view.row(1)), ElementsAre(3, 4, 5));
  EXPECT_THAT(values(view.span()), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_EQ(view.extent(0), 2U);
  EXPECT_EQ(view.extent(1), 3U);
}

TEST(View, WritesToTheMemoryItBorrows) {
  std::array<float, 4> memory{};
  const View<float, 2> view(memory.data(), {2, 2});
  view(0, 1) = 5;
  view.row(1)[0] = 7;
  EXPECT_THAT(memory, ElementsAre(0, 5, 7, 0));
}

TEST(View, OfMutableElementsIsAlsoAViewOfConstOnes) {
  std::array<float, 2> memory{1, 2};
  const View<float, 1> writable(memory.data(), {2});
  const View<const float, 1> readable = writable;
  writable[0] = 9;
  EXPECT_EQ(readable[0], 9);
  static_assert(!std::is_convertible_v<View<const float, 1>, View<float, 1>>);
  static_assert(!std::is_convertible_v<View<float, 1>, View<float, 2>>);
}

TEST(View, SlicesItsFirstAxis) {
  std::array<int, 24> memory{};
  std::iota(memory.begin(), memory.end(), 0);
  const View<int, 3> view(memory.data(), {4, 3, 2});
  const View<int, 3> middle = view.slice(1, 2);
  EXPECT_EQ(middle.shape(), (std::array<std::size_t, 3>{2, 3, 2}));
  EXPECT_EQ(middle.span().front(), 6);
  EXPECT_EQ(middle.span().back(), 17);
  EXPECT_EQ(view.slice(4, 0).size(), 0U);
}

TEST(View, OfNothingIsEmpty) {
  EXPECT_EQ((View<float, 2>().size()), 0U);
  EXPECT_TRUE((View<float, 2>(nullptr, {0, 5}).span().empty()));
  EXPECT_EQ((View<float, 3>(nullptr, {3, 0, 5}).size()), 0U);
}

TEST(View, IsAsCheapAsAPointerAndItsExtents) {
  static_assert(sizeof(View<float, 2>) == sizeof(float*) + 2 * sizeof(std::size_t));
  static_assert(std::is_trivially_copyable_v<View<float, 2>>);
}

}  // namespace
}  // namespace trine
