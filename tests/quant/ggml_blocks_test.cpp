// SPDX-License-Identifier: Apache-2.0
// Every format of ggml, bit for bit as the Python package gguf decodes it.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <trine/quant/weight_formats.hpp>

#include "support/ggml_golden.hpp"

namespace trine {
namespace {

// Any NaN is as good as another: processors make different ones.
bool same_bits(float a, float b) {
  return std::isnan(a) ? std::isnan(b) : std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b);
}

struct Case {
  const WeightFormat* format;
  test::GgmlGolden golden;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const WeightFormat* format : kWeightFormats)
    if (format->ggml_type >= 0 && size_bytes(format->dtype) == 0)
      all.push_back({format, test::read_ggml_golden(format->name)});
  return all;
}

// All of the golden's blocks as a matrix with some columns of blocks. Its first byte is at an odd address.
class Matrix {
 public:
  Matrix(const WeightFormat& format, const std::vector<std::uint8_t>& blocks, std::size_t columns)
      : bytes_(blocks.size() + 1) {
    std::ranges::copy(blocks, bytes_.begin() + 1);
    matrix_ = stored_matrix(reinterpret_cast<const std::byte*>(bytes_.data() + 1), format.dtype,
                            blocks.size() / format.row_bytes(columns), columns);
  }
  [[nodiscard]] const WeightMatrix& view() const { return matrix_; }

 private:
  std::vector<std::uint8_t> bytes_;
  WeightMatrix matrix_;
};

TEST(GgmlBlocks, AreThoseThatGgufFilesContain) {
  EXPECT_EQ(cases().size(), 23U);
  for (const Case& c : cases()) {
    EXPECT_EQ(find_format_of_ggml_type(c.golden.type), c.format) << c.format->name;
    EXPECT_EQ(c.format->block_columns, c.golden.values) << c.format->name;
    EXPECT_EQ(c.format->column_multiple, c.golden.values) << c.format->name;
    EXPECT_EQ(c.format->row_bytes(3 * c.golden.values), 3 * c.golden.bytes) << c.format->name;
    EXPECT_EQ(c.format->block_rows, 1U) << c.format->name;
    EXPECT_TRUE(c.format->in_checkpoints && c.format->in_native_file && !c.format->is_conversion) << c.format->name;
  }
  EXPECT_EQ(find_format_of_ggml_type(0)->dtype, DType::f32);
  EXPECT_EQ(find_format_of_ggml_type(1)->dtype, DType::f16);
  EXPECT_EQ(find_format_of_ggml_type(30)->dtype, DType::bf16);
  for (const std::uint32_t type : {4U, 5U, 9U, 15U, 24U, 31U, 36U, 41U, 0xffffffffU})
    EXPECT_EQ(find_format_of_ggml_type(type), nullptr) << type;
}

TEST(GgmlBlocks, DecodeToTheBitsOfThePackage) {
  for (const auto& [format, golden] : cases()) {
    const std::size_t columns = 2 * golden.values;
    const Matrix matrix(*format, golden.blocks, columns);
    std::vector<float> row(columns);
    for (std::size_t r = 0; r < matrix.view().rows; ++r) {
      format->decode(matrix.view(), r, 0, columns, row.data(), 1);
      for (std::size_t c = 0; c < columns; ++c) {
        const float expected = golden.decoded[r * columns + c];
        ASSERT_TRUE(same_bits(row[c], expected))
            << format->name << ", block " << (r * columns + c) / golden.values << ", value " << c % golden.values
            << ": expected " << expected << ", found " << row[c];
      }
    }
  }
}

// All points of grids, and all combinations of scales that are zero, subnormal, the largest, infinite and NaN.
TEST(GgmlBlocks, DecodeEveryPointAndEveryScale) {
  for (const auto& [format, golden] : cases()) {
    const Matrix matrix(*format, golden.hashed_blocks, golden.values);
    ASSERT_EQ(matrix.view().rows, golden.hashes.size());
    std::vector<float> values(golden.values);
    for (std::size_t r = 0; r < matrix.view().rows; ++r) {
      format->decode(matrix.view(), r, 0, golden.values, values.data(), 1);
      ASSERT_EQ(test::hash_of(values.data(), values.size()), golden.hashes[r]) << format->name << ", block " << r;
    }
  }
}

// Runs that begin and end anywhere, at any distance of columns and of outputs, and nothing beyond them.
TEST(GgmlBlocks, DecodeAnyRunOfARow) {
  for (const auto& [format, golden] : cases()) {
    const std::size_t columns = golden.decoded.size() / 2;
    const Matrix matrix(*format, golden.blocks, columns);
    const std::span<const float> second_row(golden.decoded.data() + columns, columns);
    for (const std::size_t step : {std::size_t{1}, std::size_t{2}, std::size_t{7}, golden.values + std::size_t{1}}) {
      for (const std::size_t out_step : {1U, 3U}) {
        WeightMatrix view = matrix.view();
        view.step[1] = step;
        for (std::size_t column = 0; column < columns; column += 13) {
          const std::size_t most = (columns - 1 - column) / step + 1;
          for (const std::size_t count : {std::size_t{0}, std::size_t{1}, most / 2, most}) {
            std::vector<float> out(count * out_step + 1, -77.0F);
            format->decode(view, 1, column, count, out.data(), out_step);
            for (std::size_t i = 0; i < out.size(); ++i) {
              const bool is_value = i % out_step == 0 && i / out_step < count;
              const float expected = is_value ? second_row[column + i / out_step * step] : -77.0F;
              ASSERT_TRUE(same_bits(out[i], expected)) << format->name << ", column " << column << ", step " << step
                                                       << ", output " << i << " at step " << out_step;
            }
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace trine
