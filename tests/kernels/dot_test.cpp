// SPDX-License-Identifier: Apache-2.0
#include <trine/kernels/dot.hpp>

#include <bit>
#include <cmath>
#include <vector>

#include <gmock/gmock.h>

#include "kernels/page_end.hpp"
#include "support/random_tensor.hpp"

namespace trine {
namespace {

using test::fill_random;
using test::PageEnd;
using test::random_tensor;

constexpr float kGuard = -12345.0F;

TEST(DotPerIsa, IsTheProductForEverySizeAndTouchesNothingElse) {
  const Isa isa = default_isa();
  for (std::size_t rows = 0; rows <= 9; ++rows) {
    for (std::size_t keys = 0; keys <= 9; ++keys) {
      for (std::size_t n = 0; n <= 35; n += n < 18 ? 1 : 17) {
        const std::size_t ldq = n + rows % 3;
        const std::size_t ldk = n + keys % 3;
        const std::size_t ldo = keys + n % 3;
        const PageEnd<float> q(rows == 0 ? 0 : (rows - 1) * ldq + n);
        const PageEnd<float> key(keys == 0 ? 0 : (keys - 1) * ldk + n);
        const PageEnd<float> out(rows == 0 ? 0 : (rows - 1) * ldo + keys);
        fill_random(q.span(), rows + n);
        fill_random(key.span(), keys + 100 * n);
        std::ranges::fill(out.span(), kGuard);
        kernels::dot(isa, q.data(), ldq, rows, key.data(), ldk, keys, n, out.data(), ldo);
        for (std::size_t i = 0; i < out.span().size(); ++i) {
          const std::size_t r = i / ldo;
          const std::size_t j = i % ldo;
          if (j >= keys) {
            ASSERT_EQ(out.span()[i], kGuard) << rows << " x " << keys << " x " << n;
            continue;
          }
          double sum = 0;
          double magnitude = 0;
          for (std::size_t c = 0; c < n; ++c) {
            const double product =
                static_cast<double>(q.data()[r * ldq + c]) * static_cast<double>(key.data()[j * ldk + c]);
            sum += product;
            magnitude += std::abs(product);
          }
          ASSERT_NEAR(static_cast<double>(out.span()[i]), sum, static_cast<double>(n + 1) * 0x1p-24 * magnitude)
              << to_string(isa) << ", " << rows << " x " << keys << " x " << n << ", at " << r << ", " << j;
        }
      }
    }
  }
}

TEST(DotPerIsa, GivesAPairTheSameBitsAloneAndAmongOthers) {
  const Isa isa = default_isa();
  constexpr std::size_t kRows = 7;
  constexpr std::size_t kKeys = 11;
  for (const std::size_t n : {5U, 32U, 83U}) {
    const auto q = random_tensor({kRows, n}, 1);
    const auto key = random_tensor({kKeys, n}, 2);
    Tensor<float, 2> all({kRows, kKeys});
    kernels::dot(isa, q.data(), n, kRows, key.data(), n, kKeys, n, all.data(), kKeys);
    for (std::size_t r = 0; r < kRows; ++r) {
      for (std::size_t j = 0; j < kKeys; ++j) {
        float alone = 0.0F;
        kernels::dot(isa, q.view().row(r).data(), n, 1, key.view().row(j).data(), n, 1, n, &alone, 1);
        EXPECT_EQ(std::bit_cast<std::uint32_t>(alone), std::bit_cast<std::uint32_t>(all.view()(r, j)))
            << to_string(isa) << ", n " << n << ", at " << r << ", " << j;
      }
    }
  }
}

}  // namespace
}  // namespace trine
