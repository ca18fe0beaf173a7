// SPDX-License-Identifier: Apache-2.0
#include <trine/quant/panel_copy.hpp>

#include <cstddef>
#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include <trine/core/bfloat16.hpp>

namespace trine {
namespace {

// Element (r, c) of a stored matrix, a number of its own with a bit pattern that no rounding would keep by chance.
bfloat16 number(std::size_t r, std::size_t c) { return bfloat16(static_cast<float>(r * 3 + c + 1) * 0.0078125F); }

TEST(PanelCopy, HasTheBytesThatPackingWrites) {
  constexpr std::size_t kRows = 40;
  constexpr std::size_t kColumns = 160;
  std::vector<bfloat16> stored;
  for (std::size_t r = 0; r < kRows; ++r)
    for (std::size_t c = 0; c < kColumns; ++c) stored.push_back(number(r, c));
  const WeightMatrix all{reinterpret_cast<const std::byte*>(stored.data()), DType::bf16, kRows, kColumns};
  for (const auto& [first, rows] : {std::pair<std::size_t, std::size_t>{0, 40}, {8, 32}, {5, 16}, {39, 1}, {3, 33}}) {
    std::vector<float> widened;
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t c = 0; c < kColumns; ++c) widened.push_back(static_cast<float>(number(first + r, c)));
    const std::size_t bytes = packed_bytes(kBf16Panels, rows, kColumns).value();
    std::vector<std::byte> expected(bytes);
    pack(kBf16Panels, widened.data(), kColumns, rows, kColumns, expected.data());
    std::vector<std::byte> found(bytes, std::byte{0xee});
    const WeightMatrix copy = copy_to_panels(all.row_range(first, rows), found.data());
    EXPECT_EQ(found, expected) << first << ' ' << rows;
    EXPECT_TRUE(copy.has_whole_rows());
    EXPECT_EQ(copy.address(), found.data());
    EXPECT_EQ(copy.rows, rows);
    EXPECT_EQ(copy.columns, kColumns);
    EXPECT_EQ(copy.stride, panel_bytes(kBf16Panels, kColumns));
  }
}

}  // namespace
}  // namespace trine
