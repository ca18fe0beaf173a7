// SPDX-License-Identifier: Apache-2.0
// Rows of a batch by the adapters that they have: each A and B is read once. Results stand beside PEFT's in
// tests/adapters.
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <trine/core/workspace.hpp>
#include <trine/nn/low_rank_updates.hpp>
#include <trine/platform/cpu_features.hpp>

namespace trine::test {
namespace {

constexpr std::size_t kIn = 3;
constexpr std::size_t kOut = 2;

struct Map {
  std::vector<float> a;  // [rank, in]
  std::vector<float> b;  // [rank, out]
  LowRank map;

  explicit Map(float value) : a(kIn, value), b(kOut, 1.0F) {
    map = {.rank = 1, .scale = 2.0F, .a = a.data(), .b = b.data()};
  }
};

// Sequences of one row each, with the adapters of the list in turn.
struct Rows {
  std::vector<const LowRank*> maps;                // of each adapter, those of one target
  std::vector<std::array<AttachedAdapter, 1>> of;  // of each sequence
  std::vector<AdapterRows> rows;

  Rows(std::vector<const LowRank*> adapters, std::size_t sequences) : maps(std::move(adapters)), of(sequences) {
    for (std::size_t i = 0; i < sequences; ++i) {
      of[i] = {AttachedAdapter{.maps = std::span(maps).subspan(i % maps.size(), 1)}};
      rows.push_back({.first = i, .count = 1, .adapters = of[i]});
    }
  }
};

TEST(LowRankUpdates, ReadEachAdapterOnce) {
  const Map one(1.0F);
  const Map two(2.0F);
  Workspace workspace;
  const Workspace::Scope scope(workspace);
  const Rows same({&one.map}, 8);
  EXPECT_EQ(LowRankUpdates(workspace, 0, kIn, kOut, nullptr, same.rows, nullptr, 8).pieces(), 1U);
  const Rows different({&one.map, &two.map}, 8);
  EXPECT_EQ(LowRankUpdates(workspace, 0, kIn, kOut, nullptr, different.rows, nullptr, 8).pieces(), 2U);
  EXPECT_TRUE(LowRankUpdates(workspace, 1, kIn, kOut, nullptr, same.rows, nullptr, 8).empty()) << "another map";
}

TEST(LowRankUpdates, AreOfTheRowsThatHaveThem) {
  const Map one(1.0F);
  const Map two(10.0F);
  Workspace workspace;
  const Workspace::Scope scope(workspace);
  const Rows rows({&one.map, nullptr, &two.map}, 6);
  const std::array<std::uint32_t, 4> slots{1, 2, 3, 5};  // as an expert gathers them
  const LowRankUpdates updates(workspace, 0, kIn, kOut, nullptr, rows.rows, slots.data(), slots.size());
  const std::vector<float> x(6 * kIn, 1.0F);
  std::vector<float> y(4 * kOut, 0.5F);
  for (std::size_t piece = 0; piece < updates.pieces(); ++piece) updates.multiply(best_isa(), piece, x.data(), kIn);
  updates.add(best_isa(), 0, 4, 0, kOut, y.data(), kOut, x.data(), kIn);
  // y += 2 (A x), with A x = 3 of the first and 30 of the other adapter.
  EXPECT_EQ(y, (std::vector<float>{0.5F, 0.5F, 60.5F, 60.5F, 6.5F, 6.5F, 60.5F, 60.5F}));
}

}  // namespace
}  // namespace trine::test
