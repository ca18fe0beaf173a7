// SPDX-License-Identifier: Apache-2.0
#include <trine/core/workspace.hpp>

#include <algorithm>
#include <cstdint>
#include <new>
#include <vector>

#include <gmock/gmock.h>

#include "support/values.hpp"

namespace trine {
namespace {

using test::values;
using testing::Each;

TEST(Workspace, GivesCacheLineAlignedSpansThatDoNotOverlap) {
  Workspace workspace;
  const Workspace::Scope scope(workspace);
  std::vector<std::span<std::uint8_t>> spans;
  for (std::size_t n = 0; n < 300; n += 7) {
    spans.push_back(workspace.take<std::uint8_t>(n));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(spans.back().data()) % kCacheLineBytes, 0U);
    EXPECT_EQ(spans.back().size(), n);
    std::ranges::fill(spans.back(), static_cast<std::uint8_t>(spans.size()));
  }
  for (std::size_t i = 0; i < spans.size(); ++i) EXPECT_THAT(values(spans[i]), Each(i + 1)) << i;
}

TEST(Workspace, GivesTheSameMemoryAgainAfterAScope) {
  Workspace workspace;
  const float* first = nullptr;
  for (int pass = 0; pass < 3; ++pass) {
    const Workspace::Scope scope(workspace);
    const float* const taken = workspace.take<float>(100).data();
    if (pass == 0) first = taken;
    EXPECT_EQ(taken, first) << pass;
  }
}

TEST(Workspace, KeepsWhatWasTakenBeforeAnInnerScope) {
  Workspace workspace;
  const Workspace::Scope outer(workspace);
  const auto kept = workspace.take<int>(16);
  std::ranges::fill(kept, 7);
  const int* inside = nullptr;
  {
    const Workspace::Scope inner(workspace);
    const auto scratch = workspace.take<int>(std::size_t{1} << 20U);  // larger than what is left: another block
    std::ranges::fill(scratch, 9);
    inside = scratch.data();
  }
  EXPECT_THAT(values(kept), Each(7));
  EXPECT_NE(kept.data(), inside);
}

TEST(Workspace, AllocatesNothingAfterTheFirstPassOfASize) {
  Workspace workspace;
  const auto pass = [&] {
    const Workspace::Scope scope(workspace);
    for (std::size_t i = 1; i < 20; ++i) std::ranges::fill(workspace.take<float>(i * 5000), 1.0F);
  };
  pass();
  const std::size_t held = workspace.capacity_bytes();
  EXPECT_GE(held, 20U * 19 / 2 * 5000 * sizeof(float));
  for (int i = 0; i < 3; ++i) pass();
  EXPECT_EQ(workspace.capacity_bytes(), held);
}

TEST(Workspace, JoinsItsBlocksSoThatALaterPassIsContiguous) {
  Workspace workspace;
  constexpr std::size_t kCount = 20000;  // more than the first block each
  for (int pass = 0; pass < 2; ++pass) {
    const Workspace::Scope scope(workspace);
    const float* const a = workspace.take<float>(kCount).data();
    const float* const b = workspace.take<float>(kCount).data();
    if (pass == 1) {
      EXPECT_EQ(b, a + kCount);
    }
  }
}

TEST(Workspace, TakesAMatrix) {
  Workspace workspace;
  const Workspace::Scope scope(workspace);
  const View<float, 2> matrix = workspace.take_matrix<float>(3, 5);
  EXPECT_EQ(matrix.shape(), (std::array<std::size_t, 2>{3, 5}));
}

TEST(Workspace, TakesNothing) {
  Workspace workspace;
  const Workspace::Scope scope(workspace);
  EXPECT_TRUE(workspace.take<float>(0).empty());
  EXPECT_EQ(workspace.take_matrix<float>(0, 5).size(), 0U);
}

TEST(Workspace, RefusesACountWhoseBytesWrap) {
  Workspace workspace;
  const Workspace::Scope scope(workspace);
  EXPECT_THROW(static_cast<void>(workspace.take<double>(static_cast<std::size_t>(-1) / 8)), std::bad_array_new_length);
}

TEST(Workspace, WorksOnAfterAnAllocationFailed) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers end the program when an allocation is too large";
#endif
  Workspace workspace;
  const Workspace::Scope scope(workspace);
  const auto before = workspace.take<int>(4);
  std::ranges::fill(before, 3);
  EXPECT_THROW(static_cast<void>(workspace.take<std::byte>(static_cast<std::size_t>(-1) >> 2U)), std::bad_alloc);
  std::ranges::fill(workspace.take<int>(4), 5);
  EXPECT_THAT(values(before), Each(3));
}

}  // namespace
}  // namespace trine
