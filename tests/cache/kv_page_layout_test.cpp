// SPDX-License-Identifier: Apache-2.0
#include <trine/cache/kv_page_layout.hpp>

#include <cmath>
#include <vector>

#include <gmock/gmock.h>

#include <trine/kernels/kv_rows.hpp>

#include "support/random_tensor.hpp"

namespace trine {
namespace {

// The largest error relative to the largest number of a group that storing may make.
double most_error(KvCacheDtype type) {
  return type == KvCacheDtype::f32 ? 0.0 : type == KvCacheDtype::bf16 ? 1.0 / 256 : 0.5 / 127 * 1.00001;
}

// Every row of every head comes back, keys from columns and values from rows.
TEST(KeyValuePagesPerIsa, KeepsRowsOfAllTypes) {
  for (const KvCacheDtype type : {KvCacheDtype::f32, KvCacheDtype::bf16, KvCacheDtype::q8}) {
    // The last number is the width of a value, 0: that of a key.
    for (const auto& [blocks, block_rows, heads, head_dim, value_dim] : {std::array<std::size_t, 5>{1, 64, 2, 80, 0},
                                                                         {3, 16, 1, 64, 0},
                                                                         {1, 5, 3, 7, 0},
                                                                         {2, 33, 2, 130, 0},
                                                                         {1, 64, 2, 80, 48},
                                                                         {2, 5, 2, 7, 130}}) {
      const KvPageLayout shape{blocks, block_rows, heads, head_dim, type, value_dim};
      const std::size_t width = shape.value_width();
      EXPECT_EQ(width, value_dim == 0 ? head_dim : value_dim);
      const std::size_t rows = 2 * shape.page_rows();
      const auto keys = test::random_tensor({rows, heads * head_dim}, 1, -3.0F, 3.0F);
      const auto values = test::random_tensor({rows, heads * width}, 2);
      PageTable pages(shape.page_bytes());
      for (std::size_t r = 0; r < rows; ++r)
        store_kv(shape, pages, {r / shape.page_rows(), r % shape.page_rows()}, keys.view().row(r),
                 values.view().row(r));
      EXPECT_EQ(pages.bytes(), 2 * shape.page_bytes());
      for (std::size_t r = 0; r < rows; ++r) {
        const std::size_t count = block_rows - r % block_rows;  // up to the end of the block
        for (std::size_t head = 0; head < heads; ++head) {
          const KvRows stored = kv_rows(shape, pages, head, {r / shape.page_rows(), r % shape.page_rows()});
          std::vector<float> key(head_dim * count);
          std::vector<float> value(width * count);
          if (type == KvCacheDtype::f32) {
            for (std::size_t i = 0; i < head_dim; ++i)
              for (std::size_t j = 0; j < count; ++j)
                key[i * count + j] = reinterpret_cast<const float*>(stored.keys)[i * block_rows + j];
            std::copy_n(reinterpret_cast<const float*>(stored.values), value.size(), value.data());
          } else {
            kernels::load_kv_columns(default_isa(), {type, stored.keys, block_rows, stored.key_scales, block_rows},
                                     count, head_dim, key.data(), count);
            kernels::load_kv_rows(default_isa(),
                                  {type, stored.values, width, stored.value_scales, shape.value_groups()}, count, width,
                                  value.data(), width);
          }
          for (std::size_t j = 0; j < count; ++j) {
            for (std::size_t i = 0; i < head_dim; ++i) {
              const float k = keys.view()(r + j, head * head_dim + i);
              const double size = type == KvCacheDtype::q8 ? 3.0 : std::abs(static_cast<double>(k));
              ASSERT_NEAR(static_cast<double>(key[i * count + j]), static_cast<double>(k), size * most_error(type))
                  << to_string(type) << ", row " << r + j;
            }
            for (std::size_t i = 0; i < width; ++i)
              ASSERT_NEAR(static_cast<double>(value[j * width + i]),
                          static_cast<double>(values.view()(r + j, head * width + i)), most_error(type));
          }
        }
      }
    }
  }
}

TEST(KeyValuePages, TakeTheBitsTheySay) {
  const auto bytes = [](KvCacheDtype type) { return KvPageLayout{1, 64, 8, 128, type}.page_bytes(); };
  EXPECT_EQ(bytes(KvCacheDtype::f32), 2U * 64 * 8 * 128 * 4);
  EXPECT_EQ(bytes(KvCacheDtype::bf16) * 2, bytes(KvCacheDtype::f32));
  EXPECT_EQ(bytes(KvCacheDtype::q8) * 32, bytes(KvCacheDtype::f32) * 17 / 2) << "8.5 bits";
}

TEST(CacheRow, MakesNumbersThatAreNotFiniteVisible) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    const std::vector<float> row{1.0F, bad, 2.0F};
    std::array<std::byte, 3> codes{};
    float scale = 0.0F;
    store_kv_row(KvCacheDtype::q8, row, codes.data(), 1, &scale, 1);
    EXPECT_TRUE(std::isnan(scale));
  }
  for (const float tiny : {0.0F, 1e-40F}) {
    std::array<std::byte, 2> codes{};
    float scale = 1.0F;
    store_kv_row(KvCacheDtype::q8, std::vector<float>{tiny, -tiny}, codes.data(), 1, &scale, 1);
    EXPECT_LE(std::abs(scale), 1e-40F);
  }
}

}  // namespace
}  // namespace trine
