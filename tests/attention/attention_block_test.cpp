// SPDX-License-Identifier: Apache-2.0
#include <trine/attention/attention_block.hpp>

#include <cmath>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "support/naive.hpp"
#include "support/random_tensor.hpp"

namespace trine {
namespace {

constexpr std::size_t kKeys = 300;
constexpr std::size_t kHeads = 3;
constexpr std::size_t kWidth = 6;
constexpr std::size_t kColumns = 37;

struct Case {
  std::string name;
  VisibleRange visible;
  std::size_t queries;
  bool sinks;
};

std::vector<Case> cases() {
  return {{"causal, from the middle of a block", {.last = 14, .advance = 1}, 250, false},
          {"a window", {.last = 14, .advance = 1, .window = 90}, 250, false},
          {"a narrow window", {.last = 1, .advance = 1, .window = 1}, 250, false},
          {"the same keys for all, with sinks", {.first = 3, .last = 140, .advance = 0}, 70, true},
          {"no key at all but the sink", {.last = 0, .advance = 1}, 80, true}};
}

// Keys as columns in blocks of `part`, or as rows.
Tensor<float, 2> attend(const Case& c, View<const float, 2> q, View<const float, 2> keys, View<const float, 2> values,
                        std::size_t part, bool columns, std::span<const float> sinks) {
  const std::size_t rows = c.queries * kHeads;
  Tensor<float, 2> z({rows, kColumns});
  std::vector<kernels::OnlineSoftmax> softmax(rows);
  std::vector<float> scores(kQueryTile * kKeyBlock);
  const AttentionInputs queries{kWidth,    kColumns, q.data(), kWidth,   rows,           kHeads,
                                c.visible, 0.5F,     z.data(), kColumns, softmax.data(), scores.data()};
  init_attention(queries, c.sinks ? sinks.data() : nullptr);
  for (std::size_t begin = 0; begin < kKeys; begin += kKeyBlock) {
    std::vector<std::vector<float>> stored;
    std::vector<KeyValues<float>> parts;
    const std::size_t end = std::min(begin + kKeyBlock, kKeys);
    for (std::size_t m = begin; m < end; m += part) {
      const std::size_t count = std::min(part, end - m);
      std::vector<float> transposed(kWidth * count);
      for (std::size_t j = 0; j < count; ++j)
        for (std::size_t i = 0; i < kWidth; ++i) transposed[i * count + j] = keys(m + j, i);
      stored.push_back(std::move(transposed));
      const float* key = columns ? stored.back().data() : keys.row(m).data();
      parts.push_back({key, columns ? count : kWidth, columns, values.row(m).data(), kColumns, count});
    }
    attention_block<float>(default_isa(), queries, begin, parts);
  }
  finalize_attention(default_isa(), queries);
  return z;
}

TEST(AttentionBlockPerIsa, EqualsTheTextbook) {
  const std::vector<float> sinks{0.5F, -2.0F, 3.0F};
  for (const Case& c : cases()) {
    const auto q = test::random_tensor({c.queries * kHeads, kWidth}, 1, -3.0F, 3.0F);
    const auto keys = test::random_tensor({kKeys, kWidth}, 2);
    const auto values = test::random_tensor({kKeys, kColumns}, 3);
    for (const std::size_t part : {128U, 50U, 16U}) {
      for (const bool columns : {true, false}) {
        const auto z = attend(c, q.view(), keys.view(), values.view(), part, columns, sinks);
        for (std::size_t row = 0; row < z.shape()[0]; ++row) {
          std::vector<double> p;
          const std::size_t first = c.visible.begin(row / kHeads);
          const std::size_t end = std::min(c.visible.end(row / kHeads), kKeys);
          for (std::size_t m = first; m < end; ++m) {
            double score = 0.0;
            for (std::size_t i = 0; i < kWidth; ++i)
              score += 0.5 * static_cast<double>(q.view()(row, i)) * static_cast<double>(keys.view()(m, i));
            p.push_back(score);
          }
          if (c.sinks) p.push_back(static_cast<double>(sinks[row % kHeads]));
          p = test::naive::softmax(p);
          for (std::size_t i = 0; i < kColumns; ++i) {
            double sum = 0;
            for (std::size_t m = first; m < end; ++m) sum += p[m - first] * static_cast<double>(values.view()(m, i));
            ASSERT_NEAR(static_cast<double>(z.view()(row, i)), sum, 1e-6)  // numbers below 1
                << c.name << ", row " << row << ", parts of " << part;
          }
        }
      }
    }
  }
}

// A value that one query sees and its neighbour does not must not reach the neighbour, whatever it is.
TEST(AttentionBlockPerIsa, KeepsWhatAQueryDoesNotSeeOutOfIt) {
  const Case c{"causal", {.last = 1, .advance = 1}, 100, false};
  const auto q = test::random_tensor({c.queries * kHeads, kWidth}, 1);
  const auto keys = test::random_tensor({kKeys, kWidth}, 2);
  auto values = test::random_tensor({kKeys, kColumns}, 3);
  for (float& value : values.view().row(60)) value = std::numeric_limits<float>::infinity();
  const auto z = attend(c, q.view(), keys.view(), values.view(), 64, true, {});
  for (std::size_t row = 0; row < z.shape()[0]; ++row)
    ASSERT_EQ(std::isfinite(z.view()(row, 0)), row / kHeads < 60) << row;
}

}  // namespace
}  // namespace trine
