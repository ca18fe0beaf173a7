// SPDX-License-Identifier: Apache-2.0
// Every line of the table of weight formats, and of that of their kernels: a new one is tested here as it is.
#include <trine/quant/weight_formats.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <trine/kernels/convert.hpp>
#include <trine/kernels/matmul.hpp>

#include "support/ggml_golden.hpp"
#include "support/random_tensor.hpp"
#include "support/reference_formats.hpp"
#include "support/test_executor.hpp"

namespace trine {
namespace {

bool is_of_ggml(const WeightFormat& format) { return format.ggml_type >= 0 && size_bytes(format.dtype) == 0; }

bool is_transposed(const WeightFormat& format) {
  return format.name.starts_with("gptq") || format.name.starts_with("awq");
}

// A matrix in some format: encoded, or of bytes that are no NaN and no infinity in any format; scales that leave blocks
// ragged, where blocks are of any shape. In formats of ggml it is blocks of the golden, in another order in every row.
class Sample {
 public:
  Sample(const WeightFormat& format, std::size_t rows, std::size_t columns) : format_(format) {
    std::mt19937 random(static_cast<unsigned>(rows + columns));
    bytes_.resize(static_cast<std::size_t>(stored_bytes(format.dtype, std::array{rows, columns}).value()));
    if (is_of_ggml(format)) {
      golden_ = test::read_ggml_golden(format.name);
      for (std::size_t b = 0; b * golden_.bytes < bytes_.size(); ++b)
        std::copy_n(golden_.blocks.data() + golden_block(b) * golden_.bytes, golden_.bytes,
                    bytes_.data() + b * golden_.bytes);
    } else if (format.encode != nullptr) {
      const auto values = test::random_tensor({rows, columns}, 7);
      format.encode(values.data(), columns, rows, columns, nullptr, data());
    } else {
      for (std::uint8_t& byte : bytes_) byte = static_cast<std::uint8_t>(random() % 0x60);
    }
    matrix_ = stored_matrix(data(), format.dtype, rows, columns);
    if (format.has_separate_scales) add_scales_and_zeros(random);
    if (!format.has_scale_tensor()) return;
    const bool any_shape = format.block_columns == 1;
    const std::size_t block_rows = any_shape ? 5 : format.block_rows;
    const std::size_t block_columns = any_shape ? 24 : format.block_columns;
    const std::size_t across = (columns + block_columns - 1) / block_columns;
    const std::size_t count = (rows + block_rows - 1) / block_rows * across;
    for (std::size_t i = 0; i < count; ++i) {
      const float scale = std::ldexp(static_cast<float>(random() % 100 + 1), -10);
      if (format.stored_scales == DType::u8) {
        scales_.push_back(static_cast<std::uint8_t>(120 + random() % 8));
      } else {
        scales_.resize(scales_.size() + sizeof scale);
        std::memcpy(scales_.data() + scales_.size() - sizeof scale, &scale, sizeof scale);
      }
    }
    matrix_.scales = {reinterpret_cast<const std::byte*>(scales_.data()), format.stored_scales, across, block_rows,
                      block_columns};
  }

  [[nodiscard]] const WeightMatrix& matrix() const { return matrix_; }
  [[nodiscard]] double reference(std::size_t r, std::size_t c) const {
    if (is_of_ggml(format_)) {
      const std::size_t i = r * matrix_.columns + c;
      return golden_.decoded[golden_block(i / golden_.values) * golden_.values + i % golden_.values];
    }
    return test::reference_formats().at(std::string(format_.name))(
        {bytes_.data(), matrix_.columns, scales_.data(), format_.has_separate_scales ? 1 : matrix_.scales.block_rows,
         matrix_.transposed ? matrix_.scales.block_rows : matrix_.scales.block_columns, matrix_.rows, zeros_.data()},
        r, c);
  }

 private:
  // One for each row of half of the columns, if the number is even; matrices of GPTQ and AWQ are stored transposed.
  void add_scales_and_zeros(std::mt19937& random) {
    const std::size_t rows = matrix_.rows;
    const std::size_t columns = matrix_.columns;
    const bool is_float = format_.block_columns == 16;
    const std::size_t group = is_float ? 16 : columns % 2 == 0 ? columns / 2 : columns;
    const std::size_t groups = columns / group;
    for (std::size_t i = 0; i < rows * groups; ++i) {
      const float scale = std::ldexp(static_cast<float>(random() % 100 + 1), -10);
      const std::size_t size = is_float ? 1 : sizeof scale;
      scales_.resize(scales_.size() + size);
      std::memcpy(scales_.data() + scales_.size() - size,
                  is_float ? bytes_.data() + i : static_cast<const void*>(&scale), size);
    }
    zeros_.resize((rows + 8) * groups * 4);
    for (std::uint8_t& byte : zeros_) byte = static_cast<std::uint8_t>(random() % 0x60);
    const bool transposed = is_transposed(format_);
    if (transposed) {
      matrix_.transposed = true;
      matrix_.stride = format_.name == "awq_int4" ? rows / 2 : rows * 4;
    }
    matrix_.scales = {.data = reinterpret_cast<const std::byte*>(scales_.data()),
                      .dtype = is_float ? DType::f8_e4m3 : DType::f32,
                      .stride = transposed ? rows : groups,
                      .block_rows = transposed ? group : 1,
                      .block_columns = transposed ? 1 : group,
                      .zeros = reinterpret_cast<const std::byte*>(zeros_.data()),
                      .zeros_stride = transposed ? (format_.name == "gptq_int8" ? rows / 4 : rows / 8) : groups,
                      .zeros_offset = format_.name.starts_with("gptq") ? 1 : 0,
                      .divisor = is_float ? 4.0F : 1.0F};
  }

  // The block of the golden that is block number b of the matrix.
  [[nodiscard]] std::size_t golden_block(std::size_t b) const { return (b + b / 3) % golden_.finite_count; }
  std::byte* data() { return reinterpret_cast<std::byte*>(bytes_.data()); }

  const WeightFormat& format_;
  std::vector<std::uint8_t> bytes_;
  std::vector<std::uint8_t> scales_;
  std::vector<std::uint8_t> zeros_;
  test::GgmlGolden golden_ = {};
  WeightMatrix matrix_;
};

// Shapes of some blocks and, where the format allows them, of parts of blocks at the ends.
std::vector<std::pair<std::size_t, std::size_t>> shapes_of(const WeightFormat& format) {
  const std::size_t whole = std::max<std::size_t>(format.block_columns, 32);
  if (is_transposed(format)) return {{8, 8}, {40, 72}, {64, 96}};
  return {{1, format.column_multiple}, {37, 2 * whole + format.column_multiple}, {64, 3 * whole}};
}

TEST(WeightFormats, HaveNamesAndTypesOfTheirOwn) {
  std::set<std::string_view> names;
  std::set<DType> dtypes;
  for (const WeightFormat* format : kWeightFormats) {
    EXPECT_TRUE(names.insert(format->name).second) << format->name;
    EXPECT_TRUE(dtypes.insert(format->dtype).second) << format->name;
    EXPECT_EQ(to_string(format->dtype), format->name);
    EXPECT_EQ(parse_dtype(format->name), format->dtype);
    EXPECT_EQ(find_format(format->dtype), format);
    EXPECT_TRUE(is_of_ggml(*format) || test::reference_formats().contains(std::string(format->name)))
        << format->name << ": expected a line in tests/support/reference_formats.hpp";
    EXPECT_TRUE(format->in_checkpoints || format->in_native_file) << format->name << " is in no file";
  }
}

TEST(WeightFormats, KeepElementTypesTheNamesOfFiles) {
  for (const DTypeInfo& info : kDTypes) {
    EXPECT_EQ(to_string(info.dtype), info.name);
    EXPECT_EQ(parse_dtype(info.name), info.dtype);
    EXPECT_FALSE(is_packed(info.dtype));
  }
  for (const char* name : {"", "F32", "f32 ", "f128", "float32", "?"})
    EXPECT_EQ(parse_dtype(name), std::nullopt) << name;
  EXPECT_EQ(to_string(static_cast<DType>(200)), "?");
  EXPECT_EQ(find_format(DType::i64), nullptr);
}

TEST(WeightFormats, CountTheirBytesInRowsOfBlocks) {
  for (const WeightFormat* format : kWeightFormats) {
    const std::size_t block = format->row_bytes(format->block_columns);
    for (const std::size_t blocks : {1U, 3U, 8U}) {
      EXPECT_EQ(format->row_bytes(blocks * format->block_columns), blocks * block) << format->name;
      EXPECT_EQ(format->row_bytes(blocks * format->block_columns) % format->alignment, 0U) << format->name;
    }
    const std::size_t columns = 2 * std::max<std::size_t>(format->block_columns, 32);
    for (const std::size_t rows : {0U, 1U, 16U, 17U, 40U}) {
      const std::size_t row_blocks = (rows + format->block_rows - 1) / format->block_rows;
      EXPECT_EQ(stored_bytes(format->dtype, std::array{rows, columns}), row_blocks * format->row_bytes(columns))
          << format->name;
    }
    constexpr std::size_t most = std::size_t{1} << 62U;
    EXPECT_EQ(stored_bytes(format->dtype, std::array{most, std::size_t{1} << 20U}), std::nullopt) << format->name;
    EXPECT_EQ(stored_bytes(format->dtype, std::array{std::size_t{1} << 20U, most}), std::nullopt) << format->name;
  }
}

// All of it, some rows, every other row, and the transpose of each; a run at a time and a value at a time.
TEST(WeightFormats, DecodeToWhatTheirSpecificationsSay) {
  for (const WeightFormat* format : kWeightFormats) {
    for (const auto& shape : shapes_of(*format)) {
      const std::size_t rows = shape.first;
      const std::size_t columns = shape.second;
      const Sample sample(*format, rows, columns);
      const auto check = [&](const WeightMatrix& w, const auto& reference, const char* view) {
        std::vector<float> all(w.parameters());
        kernels::decode(w, 0, w.rows, 0, w.columns, all.data(), w.columns, 1);
        for (std::size_t r = 0; r < w.rows; ++r) {
          for (std::size_t c = 0; c < w.columns; ++c) {
            const double expected = reference(r, c);
            ASSERT_NEAR(all[r * w.columns + c], expected, std::abs(expected) * 6e-8)
                << format->name << ", " << view << " of " << rows << " x " << columns << ", " << r << ", " << c;
            float one = NAN;
            kernels::decode(w, r, 1, c, 1, &one, 1, 1);
            ASSERT_EQ(one, all[r * w.columns + c]) << format->name << ", " << view;
          }
        }
      };
      const WeightMatrix& w = sample.matrix();
      check(
          w, [&](std::size_t r, std::size_t c) { return sample.reference(r, c); }, "all");
      check(
          w.transpose(), [&](std::size_t r, std::size_t c) { return sample.reference(c, r); }, "the transpose");
      if (rows < 4) continue;
      check(
          w.row_range(3, rows - 3), [&](auto r, auto c) { return sample.reference(r + 3, c); }, "rows from 3 on");
      check(
          w.strided_rows(1, 2), [&](auto r, auto c) { return sample.reference(2 * r + 1, c); }, "odd rows");
      check(
          w.transpose().strided_rows(1, 2), [&](auto r, auto c) { return sample.reference(c, 2 * r + 1); },
          "odd columns");
    }
  }
}

TEST(WeightFormats, AreSlicedByRowsOfBlocks) {
  for (const WeightFormat* format : kWeightFormats) {
    const std::size_t columns = 2 * std::max<std::size_t>(format->block_columns, 32);
    const Sample sample(*format, 64, columns);
    const WeightMatrix& w = sample.matrix();
    if (is_transposed(*format)) {
      EXPECT_FALSE(w.has_whole_rows()) << format->name;
      continue;
    }
    for (std::size_t r = 0; r < 64; ++r) {
      const WeightMatrix part = w.row_range(r, 64 - r);
      const bool begins_block = r % format->block_rows == 0;
      EXPECT_EQ(part.has_whole_rows(), begins_block) << format->name << ", row " << r;
      if (begins_block) {
        EXPECT_EQ(part.address(), w.data + r / format->block_rows * format->row_bytes(columns)) << format->name;
      }
    }
    EXPECT_FALSE(w.transpose().has_whole_rows());
    EXPECT_FALSE(w.strided_rows(0, 2).has_whole_rows());
    EXPECT_FALSE(w.transpose().row_range(32, 32).transpose().has_whole_rows()) << "columns from 32 on";
  }
}

TEST(WeightFormats, EncodeRowsOfBlocksIndependently) {
  for (const WeightFormat* format : kWeightFormats) {
    if (format->encode == nullptr) continue;
    const std::size_t columns = 3 * format->column_multiple;
    const auto values = test::random_tensor({40, columns}, 3);
    std::vector<std::byte> whole(static_cast<std::size_t>(*stored_bytes(format->dtype, std::array{40UL, columns})));
    std::vector<std::byte> parts(whole.size());
    format->encode(values.data(), columns, 40, columns, nullptr, whole.data());
    for (std::size_t r = 0; r < 40; r += format->block_rows)
      format->encode(values.data() + r * columns, columns, std::min(format->block_rows, 40 - r), columns, nullptr,
                     parts.data() + r / format->block_rows * format->row_bytes(columns));
    EXPECT_EQ(parts, whole) << format->name;
  }
}

// By every type of activations that there is a kernel for, alone and among other rows, in parts and on several threads:
// the sums of the values that the matrix decodes to. Activations in bf16 have 8 bits, and in int8 an error of
// half a step, which is the largest of a group over 127.
TEST(WeightFormatsPerIsa, MultiplyLikeTheNumbersThatTheyDecodeTo) {
  const Isa isa = default_isa();
  for (const WeightFormat* format : kWeightFormats) {
    for (const auto& [outs, k] : shapes_of(*format)) {
      const Sample sample(*format, outs, k);
      const WeightMatrix& w = sample.matrix();
      std::vector<float> values(outs * k);
      kernels::decode(w, 0, outs, 0, k, values.data(), k, 1);
      for (const ActivationPrecision activations :
           {ActivationPrecision::f32, ActivationPrecision::automatic, ActivationPrecision::native}) {
        const ExecutionContext execution{
            .isa = isa, .num_threads = 3, .activations = activations, .executor = test::test_executor()};
        const kernels::ActivationType type = kernels::activation_type(execution, w);
        const double step = type == kernels::ActivationType::f32    ? 0.0
                            : type == kernels::ActivationType::bf16 ? 1.0 / 256
                                                                    : 1.0 / 250;
        for (const std::size_t rows : {1U, 2U, 33U}) {
          const auto x = test::random_tensor({rows, k}, static_cast<unsigned>(rows));
          Workspace workspace;
          Tensor<float, 2> y({rows, outs});
          kernels::matmul(execution, workspace, x.view(), w, y.view());
          double largest = 0.0;
          for (const float value : x.view().span()) largest = std::max(largest, static_cast<double>(std::abs(value)));
          for (std::size_t r = 0; r < rows; ++r) {
            for (std::size_t o = 0; o < outs; ++o) {
              double sum = 0.0;
              double size = 0.0;
              for (std::size_t i = 0; i < k; ++i) {
                sum += static_cast<double>(x.view()(r, i)) * static_cast<double>(values[o * k + i]);
                size += largest * static_cast<double>(std::abs(values[o * k + i]));
              }
              ASSERT_NEAR(y.view()(r, o), sum, (step + static_cast<double>(k + 8) * 6e-8) * size + 1e-30)
                  << format->name << ", " << outs << " x " << k << ", row " << r << " of " << rows << ", output " << o
                  << ", " << to_string(isa);
            }
            const kernels::ActivationRows one = kernels::prepare(execution, workspace, x.view().slice(r, 1), {&w});
            std::vector<float> alone(outs);
            for (std::size_t o = 0; o < outs; o += 16)
              kernels::gemm(execution, one, nullptr, 0, 1, w.row_range(o, std::min<std::size_t>(16, outs - o)),
                            alone.data() + o, outs);
            ASSERT_TRUE(std::ranges::equal(alone, y.view().row(r))) << format->name << ", row " << r << " of " << rows;
          }
        }
      }
    }
  }
}

// A format without a kernel of its own is decoded; one that has a line serves matrices of that format.
TEST(WeightKernels, AreForFormatsOfTheTable) {
  for (const kernels::WeightKernels& line : kernels::kWeightKernels) {
    EXPECT_NE(find_format(line.dtype), nullptr);
    EXPECT_EQ(&kernels::kernels_of(line.dtype), &line) << to_string(line.dtype) << " has one line";
    EXPECT_EQ(line.bf16 == nullptr, line.takes_bf16 == nullptr) << to_string(line.dtype);
  }
  for (const WeightFormat* format : kWeightFormats) EXPECT_NE(kernels::kernels_of(format->dtype).f32, nullptr);
}

}  // namespace
}  // namespace trine
