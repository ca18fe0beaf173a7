// SPDX-License-Identifier: Apache-2.0
#include <trine/attention/causal_stream.hpp>

#include <cmath>
#include <vector>

#include <gmock/gmock.h>

#include "support/naive.hpp"
#include "support/random_tensor.hpp"

namespace trine {
namespace {

// Several heads a position, more rows than a tile, queries that begin in the middle of a block.
TEST(CausalStreamPerIsa, EqualsTheTextbook) {
  constexpr std::size_t kKeys = 50;
  constexpr std::size_t kFirst = 13;  // position of the first query
  constexpr std::size_t kHeads = 3;
  constexpr std::size_t kRows = (kKeys - kFirst) * kHeads;
  constexpr std::size_t kBlock = 16;
  constexpr std::size_t kWidth = 6;
  constexpr std::size_t kColumns = 4;
  const auto q = test::random_tensor({kRows, kWidth}, 1, -3.0F, 3.0F);
  const auto keys = test::random_tensor({kKeys, kWidth}, 2);
  const auto values = test::random_tensor({kKeys, kColumns}, 3);
  Tensor<float, 2> z({kRows, kColumns});
  std::vector<kernels::StreamingSoftmax> softmax(kRows);
  std::vector<float> scores(kQueryTile * kBlock);
  const CausalQueries queries{q.data(), kWidth,   kRows,    kFirst,         kHeads,
                              0.5F,     z.data(), kColumns, softmax.data(), scores.data()};
  begin_stream(queries, kColumns);
  for (std::size_t begin = 0; begin < kKeys; begin += kBlock)
    attend_block(default_isa(), queries,
                 {begin, std::min(kBlock, kKeys - begin), keys.view().row(begin).data(), kWidth, kWidth,
                  values.view().row(begin).data(), kColumns, kColumns});
  end_stream(default_isa(), queries, kColumns);

  for (std::size_t row = 0; row < kRows; ++row) {
    std::vector<double> p(kFirst + row / kHeads + 1);
    for (std::size_t m = 0; m < p.size(); ++m)
      for (std::size_t i = 0; i < kWidth; ++i)
        p[m] += 0.5 * static_cast<double>(q.view()(row, i)) * static_cast<double>(keys.view()(m, i));
    p = test::naive::softmax(p);
    for (std::size_t i = 0; i < kColumns; ++i) {
      double sum = 0;
      for (std::size_t m = 0; m < p.size(); ++m) sum += p[m] * static_cast<double>(values.view()(m, i));
      ASSERT_NEAR(static_cast<double>(z.view()(row, i)), sum, 1e-6) << "row " << row;  // numbers below 1
    }
  }
}

}  // namespace
}  // namespace trine
