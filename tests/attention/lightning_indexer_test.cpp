// SPDX-License-Identifier: Apache-2.0
#include <trine/attention/lightning_indexer.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include <trine/attention/multi_head_latent_attention.hpp>

#include "nn/layers_in_memory.hpp"
#include "support/attention_rows.hpp"
#include "support/naive_latent.hpp"
#include "support/test_executor.hpp"
#include "support/values.hpp"

namespace trine {
namespace {

using test::naive::Matrix;

constexpr std::size_t kIndexedTokens = 300;  // three pages of the cache
constexpr std::size_t kRotated = 6;

// Latent attention with an indexer, and both in double precision.
struct IndexedLayer {
  static constexpr std::size_t kWidth = 12;  // of x
  static constexpr std::size_t kLow = 5;

  explicit IndexedLayer(std::size_t topk, RotaryPairs pairs = RotaryPairs::half_split) : index_pairs(pairs) {
    options = {.hidden_size = kWidth,
               .num_heads = 3,
               .q_lora_rank = kLow,
               .kv_lora_rank = 10,
               .qk_nope_head_dim = 7,
               .qk_rope_head_dim = kRotated,
               .v_head_dim = 9,
               .softmax_scale = 0.3F,
               .index_topk = topk};
    indexer = {kWidth, kLow, 5, kRotated + 3, topk};
    naive.heads = 3;
    naive.nope = 7;
    naive.rope = kRotated;
    naive.value = 9;
    naive.q_a = test::add_matrix(weights, "q_a_proj.weight", kLow, kWidth, 1);
    naive.q_norm = test::add_vector(weights, "q_a_layernorm.weight", kLow, 2);
    naive.q = test::add_matrix(weights, "q_b_proj.weight", 3 * 13, kLow, 3);
    naive.kv_a = test::add_matrix(weights, "kv_a_proj_with_mqa.weight", 16, kWidth, 4);
    naive.kv_norm = test::add_vector(weights, "kv_a_layernorm.weight", 10, 5);
    naive.kv_b = test::add_matrix(weights, "kv_b_proj.weight", 3 * 16, 10, 6);
    naive.o = test::add_matrix(weights, "o_proj.weight", kWidth, 27, 7);
    naive.softmax_scale = static_cast<double>(options.softmax_scale);
    const RopeFrequencies frequencies = base_frequencies(kRotated, 100.0);
    naive.frequencies = frequencies.inverse;
    rotary = std::make_shared<const Rotary>(frequencies, RotaryPairs::interleaved, kRotated, kIndexedTokens);
    index_q = test::add_matrix(weights, "indexer.wq_b.weight", 5 * 9, kLow, 8);
    index_k = test::add_matrix(weights, "indexer.wk.weight", 9, kWidth, 9);
    index_gain = test::add_vector(weights, "indexer.k_norm.weight", 9, 10);
    index_bias = test::add_vector(weights, "indexer.k_norm.bias", 9, 11);
    index_weights = test::add_matrix(weights, "indexer.weights_proj.weight", 5, kWidth, 12);
  }

  [[nodiscard]] MultiHeadLatentAttention make() {
    const WeightScope scope(reader);
    return MultiHeadLatentAttention(scope, options, rotary, LightningIndexer(scope / "indexer", indexer, pairs()));
  }
  // The same attention, which takes what another selected.
  [[nodiscard]] MultiHeadLatentAttention make_sharing() {
    return MultiHeadLatentAttention(WeightScope(reader), options, rotary);
  }
  [[nodiscard]] std::shared_ptr<const Rotary> pairs() const {
    return std::make_shared<const Rotary>(rotary->with_pairs(index_pairs));
  }

  // [tokens, tokens] the score of each position for each token; 0 for those that it does not see.
  [[nodiscard]] Matrix scores(const Matrix& x) const {
    test::naive::Latent turn = naive;
    turn.interleaved = index_pairs == RotaryPairs::interleaved;
    const auto rotate_head = [&](const Matrix& all, std::size_t first) {
      Matrix head = test::naive::columns_of(all, first, 9);
      const Matrix turned = test::naive::rotated(test::naive::columns_of(head, 0, kRotated), turn);
      for (std::size_t t = 0; t < x.rows; ++t)
        for (std::size_t i = 0; i < kRotated; ++i) head(t, i) = turned(t, i);
      return head;
    };
    Matrix k = test::naive::matmul(x, index_k);
    for (std::size_t t = 0; t < x.rows; ++t) {
      double mean = 0.0;
      double variance = 0.0;
      for (std::size_t i = 0; i < 9; ++i) mean += k(t, i) / 9.0;
      for (std::size_t i = 0; i < 9; ++i) variance += (k(t, i) - mean) * (k(t, i) - mean) / 9.0;
      for (std::size_t i = 0; i < 9; ++i)
        k(t, i) = (k(t, i) - mean) / std::sqrt(variance + 1e-6) * index_gain[i] + index_bias[i];
    }
    k = rotate_head(k, 0);
    const Matrix q = test::naive::matmul(test::naive::latent_query_input(naive, x), index_q);
    const Matrix w = test::naive::matmul(x, index_weights);
    Matrix result(x.rows, x.rows);
    for (std::size_t h = 0; h < 5; ++h) {
      const Matrix products = test::naive::matmul(rotate_head(q, h * 9), k);
      for (std::size_t n = 0; n < x.rows; ++n)
        for (std::size_t m = 0; m <= n; ++m)
          result(n, m) += w(n, h) * std::fmax(0.0, products(n, m) / std::sqrt(9.0)) / std::sqrt(5.0);
    }
    return result;
  }

  RotaryPairs index_pairs;
  MlaOptions options;
  IndexerOptions indexer;
  test::naive::Latent naive;
  Matrix index_q{0, 0};
  Matrix index_k{0, 0};
  std::vector<double> index_gain;
  std::vector<double> index_bias;
  Matrix index_weights{0, 0};
  test::MemoryWeights weights;
  WeightReader reader{weights};
  std::shared_ptr<const Rotary> rotary;
};

struct Attended {
  Tensor<float, 2> y;
  std::vector<std::vector<std::uint32_t>> selected;  // of each row, as far as it selects
  std::size_t cache_bytes;
};

Attended attend_in_chunks(const MultiHeadLatentAttention& attention, View<const float, 2> x, std::size_t chunk,
                          std::size_t threads = 1, KvCacheDtype type = KvCacheDtype::f32,
                          MlaForm form = MlaForm::absorbed) {
  Workspace workspace;
  LayerState cache = attention.make_cache(type);
  Attended result{Tensor<float, 2>({x.extent(0), x.extent(1)}), {}, 0};
  const std::size_t topk = attention.selected_positions();
  for (std::size_t done = 0; done < x.extent(0); done += chunk) {
    const std::size_t count = std::min(chunk, x.extent(0) - done);
    const test::AttentionRows rows{0, count, done, &cache};
    Tensor<std::uint32_t, 2> selected({count, topk});
    test::forward(attention, {default_isa(), threads, {}, ActivationPrecision::f32, test::test_executor(), form},
                  workspace, x.slice(done, count), std::span(&rows, 1), result.y.view().slice(done, count),
                  selected.view());
    for (std::size_t r = 0; r < count; ++r) {
      const std::span<const std::uint32_t> row = selected.view().row(r);
      result.selected.emplace_back();
      if (done + r >= topk) result.selected.back().assign(row.begin(), row.end());
    }
  }
  result.cache_bytes = cache.bytes();
  return result;
}

bool ascends(const std::vector<std::uint32_t>& positions) {
  return std::ranges::adjacent_find(positions, std::ranges::greater_equal()) == positions.end();
}

TEST(LightningIndexerPerIsa, SelectsTheBestPositionsToWhichItsRowsAttend) {
  const auto x = test::random_tensor({kIndexedTokens, IndexedLayer::kWidth}, 21);
  for (const RotaryPairs pairs : {RotaryPairs::half_split, RotaryPairs::interleaved}) {
    for (const std::size_t topk : {std::size_t{1}, std::size_t{7}, std::size_t{140}, kIndexedTokens}) {
      IndexedLayer layer(topk, pairs);
      const Attended found = attend_in_chunks(layer.make(), x.view(), kIndexedTokens, 2);
      const Matrix scores = layer.scores(Matrix::from(x.view()));
      std::size_t clear = 0;
      layer.naive.sees.resize(kIndexedTokens);
      for (std::size_t n = 0; n < kIndexedTokens; ++n) {
        layer.naive.sees[n].assign(n + 1, n < topk);
        for (const std::uint32_t m : found.selected[n]) layer.naive.sees[n][m] = true;
        if (n < topk) continue;
        ASSERT_TRUE(ascends(found.selected[n])) << n;
        double worst = HUGE_VAL;
        double best_left_out = -HUGE_VAL;
        for (std::size_t m = 0; m <= n; ++m)
          (layer.naive.sees[n][m] ? worst = std::fmin(worst, scores(n, m))
                                  : best_left_out = std::fmax(best_left_out, scores(n, m)));
        EXPECT_GT(worst, best_left_out - 1e-5) << "row " << n << " of " << topk;
        clear += worst > best_left_out ? 1U : 0U;
      }
      EXPECT_GE(clear, (kIndexedTokens - topk) * 9 / 10) << "no order of scores shows";
      const Matrix expected = test::naive::latent_attention(layer.naive, Matrix::from(x.view()));
      double error = 0.0;
      double largest = 0.0;
      for (std::size_t n = 0; n < kIndexedTokens; ++n)
        for (std::size_t i = 0; i < IndexedLayer::kWidth; ++i) {
          error = std::fmax(error, std::abs(static_cast<double>(found.y.view()(n, i)) - expected(n, i)));
          largest = std::fmax(largest, std::abs(expected(n, i)));
        }
      EXPECT_LT(error, 2e-6 * largest) << topk;
    }
  }
}

TEST(LightningIndexerPerIsa, GivesTheSameBitsHoweverAPromptIsCutAndOnAnyNumberOfThreads) {
  const auto x = test::random_tensor({kIndexedTokens, IndexedLayer::kWidth}, 22);
  for (const std::size_t topk : {std::size_t{7}, std::size_t{140}}) {
    IndexedLayer layer(topk);
    const MultiHeadLatentAttention attention = layer.make();
    for (const KvCacheDtype type : {KvCacheDtype::f32, KvCacheDtype::bf16, KvCacheDtype::q8}) {
      for (const MlaForm form : {MlaForm::absorbed, MlaForm::naive}) {
        const Attended whole = attend_in_chunks(attention, x.view(), kIndexedTokens, 1, type, form);
        for (const auto& [chunk, threads] : std::vector<std::pair<std::size_t, std::size_t>>{
                 {1, 2}, {3, 1}, {37, 3}, {128, 2}, {141, 1}, {kIndexedTokens, 5}}) {
          const Attended cut = attend_in_chunks(attention, x.view(), chunk, threads, type, form);
          ASSERT_EQ(cut.selected, whole.selected) << "chunks of " << chunk;
          ASSERT_TRUE(std::ranges::equal(cut.y.view().span(), whole.y.view().span()))
              << "chunks of " << chunk << ", " << threads << " threads";
        }
      }
    }
  }
}

TEST(LightningIndexer, GivesSequencesOfOneBatchWhatTheyGetAlone) {
  const auto x = test::random_tensor({60, IndexedLayer::kWidth}, 23);
  IndexedLayer layer(6);
  const MultiHeadLatentAttention attention = layer.make();
  const Attended first = attend_in_chunks(attention, x.view().slice(0, 40), 40);
  const Attended second = attend_in_chunks(attention, x.view().slice(40, 20), 20);
  Workspace workspace;
  std::vector<LayerState> states(2, attention.make_cache());
  Tensor<float, 2> y({60, IndexedLayer::kWidth});
  const ExecutionContext execution{
      .isa = default_isa(), .num_threads = 3, .executor = test::test_executor(), .mla_form = MlaForm::absorbed};
  const test::AttentionRows begin{0, 21, 0, &states[0]};
  test::forward(attention, execution, workspace, x.view().slice(0, 21), std::span(&begin, 1), y.view().slice(0, 21));
  const std::vector<test::AttentionRows> both{{0, 19, 21, &states[0]}, {19, 20, 0, &states[1]}};
  test::forward(attention, execution, workspace, x.view().slice(21, 39), both, y.view().slice(21, 39));
  EXPECT_TRUE(std::ranges::equal(y.view().slice(0, 40).span(), first.y.view().span()));
  EXPECT_TRUE(std::ranges::equal(y.view().slice(40, 20).span(), second.y.view().span()));
}

// A row with as many positions as it may see has the bits of attention without an indexer.
TEST(LightningIndexer, ChangesNothingUpToTopkPositions) {
  const auto x = test::random_tensor({40, IndexedLayer::kWidth}, 24);
  IndexedLayer layer(40);
  IndexedLayer dense(0);
  for (const MlaForm form : {MlaForm::absorbed, MlaForm::naive, MlaForm::automatic}) {
    const Attended found = attend_in_chunks(layer.make(), x.view(), 13, 2, KvCacheDtype::f32, form);
    const Attended expected = attend_in_chunks(dense.make_sharing(), x.view(), 13, 2, KvCacheDtype::f32, form);
    EXPECT_TRUE(std::ranges::equal(found.y.view().span(), expected.y.view().span()));
  }
}

TEST(LightningIndexer, TakesTheLowerPositionsOfEqualScores) {
  const auto x = test::random_tensor({30, IndexedLayer::kWidth}, 25);
  IndexedLayer layer(4);
  layer.weights.add("indexer.weights_proj.weight", {5, IndexedLayer::kWidth},
                    std::vector<float>(5 * IndexedLayer::kWidth));
  const Attended found = attend_in_chunks(layer.make(), x.view(), 30);
  for (std::size_t n = 4; n < 30; ++n) EXPECT_THAT(found.selected[n], testing::ElementsAre(0, 1, 2, 3)) << n;
}

TEST(LightningIndexer, SelectsPositionsThatExistWhereScoresAreNotNumbers) {
  auto x = test::random_tensor({30, IndexedLayer::kWidth}, 26);
  x.view()(7, 3) = std::numeric_limits<float>::quiet_NaN();
  x.view()(20, 0) = std::numeric_limits<float>::infinity();
  IndexedLayer layer(4);
  const Attended found = attend_in_chunks(layer.make(), x.view(), 30);
  for (std::size_t n = 4; n < 30; ++n) {
    EXPECT_TRUE(ascends(found.selected[n])) << n;
    EXPECT_LE(found.selected[n].back(), n);
  }
}

TEST(LightningIndexer, SelectsWithinAChunkIfAttentionIsCutIntoSome) {
  const auto x = test::random_tensor({kIndexedTokens, IndexedLayer::kWidth}, 27);
  IndexedLayer layer(7);
  layer.options.chunking = Chunking{50, 10};
  const MultiHeadLatentAttention attention = layer.make();
  Workspace workspace;
  LayerState cache = attention.make_cache();
  Tensor<float, 2> y({kIndexedTokens, IndexedLayer::kWidth});
  Tensor<std::uint32_t, 2> selected({kIndexedTokens, 7});
  const test::AttentionRows rows{0, kIndexedTokens, 0, &cache};
  test::forward(attention, {.isa = default_isa()}, workspace, x.view(), std::span(&rows, 1), y.view(), selected.view());
  const Attended cut = attend_in_chunks(attention, x.view(), 33, 2, KvCacheDtype::f32, MlaForm::automatic);
  const Matrix scores = layer.scores(Matrix::from(x.view()));
  for (std::size_t n = 7; n < kIndexedTokens; ++n) {
    const std::size_t begin = layer.options.chunking->first(n);
    if (n + 1 - begin <= 7) continue;
    const std::span<const std::uint32_t> row = selected.view().row(n);
    EXPECT_GE(row.front(), begin) << n;
    EXPECT_THAT(cut.selected[n], testing::ElementsAreArray(row)) << n;
    double worst = HUGE_VAL;
    for (const std::uint32_t m : row) worst = std::fmin(worst, scores(n, m));
    for (std::size_t m = begin; m <= n; ++m) {
      const bool is_selected = std::ranges::find(row, m) != row.end();
      EXPECT_TRUE(is_selected || scores(n, m) < worst + 1e-5) << n << ' ' << m;
    }
  }
}

// Layers without an indexer attend to what they are told, and keep no index keys.
TEST(LightningIndexer, LendsItsSelectionToLayersWithoutOne) {
  const auto x = test::random_tensor({30, IndexedLayer::kWidth}, 28);
  IndexedLayer layer(4);
  const MultiHeadLatentAttention own = layer.make();
  const MultiHeadLatentAttention sharing = layer.make_sharing();
  EXPECT_EQ(own.cache_pages(300), (std::vector<std::size_t>{3, 3}));
  EXPECT_EQ(sharing.cache_pages(300), (std::vector<std::size_t>{3}));
  Workspace workspace;
  LayerState state = own.make_cache();
  LayerState other = sharing.make_cache();
  Tensor<float, 2> y({30, IndexedLayer::kWidth});
  Tensor<float, 2> again({30, IndexedLayer::kWidth});
  Tensor<std::uint32_t, 2> selected({30, 4});
  const test::AttentionRows rows{0, 30, 0, &state};
  const test::AttentionRows same{0, 30, 0, &other};
  const ExecutionContext execution{.isa = default_isa()};
  test::forward(own, execution, workspace, x.view(), std::span(&rows, 1), y.view(), selected.view());
  test::forward(sharing, execution, workspace, x.view(), std::span(&same, 1), again.view(), selected.view());
  EXPECT_TRUE(std::ranges::equal(y.view().span(), again.view().span()));
  std::ranges::fill(selected.view().row(29), 0U);
  test::forward(sharing, execution, workspace, x.view(), std::span(&same, 1), again.view(), selected.view());
  EXPECT_FALSE(std::ranges::equal(y.view().row(29), again.view().row(29)));
}

// Forks share pages of both tables; a sequence that goes back forgets what came after.
TEST(LightningIndexer, KeepsItsKeysInForksAndForgetsThemWhereASequenceGoesBack) {
  const auto x = test::random_tensor({200, IndexedLayer::kWidth}, 29);
  const auto other = test::random_tensor({200, IndexedLayer::kWidth}, 30);
  IndexedLayer layer(9);
  const MultiHeadLatentAttention attention = layer.make();
  Tensor<float, 2> mixed({200, IndexedLayer::kWidth});  // 100 rows of x, then of the other
  std::ranges::copy(x.view().slice(0, 100).span(), mixed.data());
  std::ranges::copy(other.view().slice(100, 100).span(), mixed.view().slice(100, 100).data());
  const Attended expected = attend_in_chunks(attention, x.view(), 200);
  const Attended expected_mixed = attend_in_chunks(attention, mixed.view(), 200);

  Workspace workspace;
  const ExecutionContext execution{.isa = default_isa(), .mla_form = MlaForm::absorbed};
  LayerState state = attention.make_cache();
  Tensor<float, 2> y({200, IndexedLayer::kWidth});
  const auto run = [&](LayerState& of, View<const float, 2> input, std::size_t first, std::size_t count) {
    const test::AttentionRows rows{0, count, first, &of};
    test::forward(attention, execution, workspace, input.slice(first, count), std::span(&rows, 1),
                  y.view().slice(first, count));
  };
  run(state, x.view(), 0, 100);
  LayerState fork = state;
  run(fork, mixed.view(), 100, 100);
  EXPECT_TRUE(std::ranges::equal(y.view().slice(100, 100).span(), expected_mixed.y.view().slice(100, 100).span()));
  run(state, x.view(), 100, 100);
  EXPECT_TRUE(std::ranges::equal(y.view().slice(100, 100).span(), expected.y.view().slice(100, 100).span()));
  attention.truncate(state, attention.rewind_position(state, 200, 100));
  EXPECT_EQ(state.bytes(), attention.cache_bytes(100));
  run(state, mixed.view(), 100, 100);
  EXPECT_TRUE(std::ranges::equal(y.view().slice(100, 100).span(), expected_mixed.y.view().slice(100, 100).span()));
  EXPECT_EQ(state.bytes(), attention.cache_bytes(200));
  EXPECT_EQ(attention.cache_bytes(1), 128 * (16 + 9) * sizeof(float));
}

TEST(LightningIndexer, CountsItsParameters) {
  IndexedLayer layer(4);
  std::size_t expected = 0;
  for (const std::string_view name : layer.weights.names()) {
    std::size_t size = 1;
    for (const std::size_t extent : layer.weights.find(name)->shape) size *= extent;
    expected += size;
  }
  EXPECT_EQ(layer.make().parameters(), expected);
  layer.reader.require_all_fetched();
}

}  // namespace
}  // namespace trine
