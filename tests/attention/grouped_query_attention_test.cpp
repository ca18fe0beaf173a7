// SPDX-License-Identifier: Apache-2.0
#include <trine/attention/grouped_query_attention.hpp>

#include <algorithm>
#include <cmath>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "routing/routers_in_memory.hpp"
#include "support/attention_rows.hpp"
#include "support/expect_error.hpp"
#include "support/naive.hpp"
#include "support/random_tensor.hpp"
#include "support/test_executor.hpp"

namespace trine {
namespace {

using test::MemoryWeights;
using test::naive::Matrix;

constexpr std::size_t kHidden = 12;
constexpr std::size_t kHeadDim = 6;
constexpr double kTheta = 10000.0;

std::vector<float> random_values(std::size_t count, std::uint64_t seed) {
  std::vector<float> result(count);
  test::fill_random(std::span(result), seed);
  return result;
}

// Weights of an attention layer, kept also as double-precision matrices for the reference.
struct Layer {
  // What models add, off unless a test sets it. Biases and gains are in `weights` too, and used if `options` say so.
  GroupedQueryOptions options;
  std::vector<double> q_bias, k_bias, v_bias, o_bias;
  std::vector<double> q_gain, k_gain;
  std::vector<double> sinks;

  Layer(std::size_t heads, std::size_t kv_heads)
      : q(heads * kHeadDim, kHidden),
        k(kv_heads * kHeadDim, kHidden),
        v(kv_heads * kHeadDim, kHidden),
        o(kHidden, heads * kHeadDim) {
    std::uint64_t seed = 1;
    for (auto& [name, matrix] : {std::pair<const char*, Matrix*>{"q", &q}, {"k", &k}, {"v", &v}, {"o", &o}}) {
      const std::vector<float> values = random_values(matrix->values.size(), seed++);
      matrix->values.assign(values.begin(), values.end());
      weights.add(std::string(name) + "_proj.weight", {matrix->rows, matrix->columns}, values);
    }
  }
  GroupedQueryAttention make(std::vector<HeadGroup> head_groups) {
    return GroupedQueryAttention(WeightScope(reader), kHidden, kHeadDim, std::move(head_groups),
                                 std::make_shared<const Rotary>(kHeadDim, kTheta, 256), options);
  }
  std::vector<double> add(const std::string& name, std::size_t length, std::uint64_t seed) {
    std::vector<float> values = random_values(length, seed);
    std::vector<double> wide(values.begin(), values.end());
    weights.add(name, {length}, std::move(values));
    return wide;
  }
  // Projection, bias, norm, clip: what comes before the rotation.
  [[nodiscard]] Matrix project(const Matrix& x, const Matrix& weight, const std::vector<double>& bias,
                               const std::vector<double>& gain) const {
    Matrix y = test::naive::matmul(x, weight);
    for (std::size_t n = 0; n < y.rows; ++n)
      for (std::size_t i = 0; i < bias.size(); ++i) y(n, i) += bias[i];
    if (!gain.empty()) {
      Matrix parts(y.values.size() / gain.size(), gain.size());  // a head a row, or all heads
      parts.values = y.values;
      y.values = test::naive::rms_norm(parts, gain, static_cast<double>(options.norm_epsilon)).values;
    }
    if (options.clip_qkv) {
      const auto clip = static_cast<double>(*options.clip_qkv);
      for (double& value : y.values) value = std::clamp(value, -clip, clip);
    }
    return y;
  }
  Matrix q, k, v, o;
  MemoryWeights weights;
  WeightReader reader{weights};
};

// The textbook: every head of query n over the keys that `allowed` names.
template <class Allowed, class Position>
void add_axis(const Layer& layer, const Matrix& x, std::size_t first_head, std::size_t heads, std::size_t first_kv,
              std::size_t kv_heads, const Allowed& allowed, const Position& position, Matrix& z) {
  const Matrix q = layer.project(x, layer.q, layer.q_bias, layer.q_gain);
  const Matrix k = layer.project(x, layer.k, layer.k_bias, layer.k_gain);
  const Matrix v = layer.project(x, layer.v, layer.v_bias, {});
  const auto head_of = [](const Matrix& m, std::size_t row, std::size_t head) {
    const auto begin = m.values.begin() + static_cast<std::ptrdiff_t>(row * m.columns + head * kHeadDim);
    return std::vector<double>(begin, begin + kHeadDim);
  };
  for (std::size_t h = 0; h < heads; ++h) {
    const std::size_t kv = first_kv + h / (heads / kv_heads);
    for (std::size_t n = 0; n < x.rows; ++n) {
      const auto query = test::naive::rope(head_of(q, n, first_head + h), static_cast<double>(position(n)), kTheta);
      std::vector<double> scores;
      std::vector<std::size_t> keys;
      for (std::size_t m = 0; m < x.rows; ++m) {
        if (!allowed(n, m)) continue;
        const auto key = test::naive::rope(head_of(k, m, kv), static_cast<double>(position(m)), kTheta);
        double score = 0;
        for (std::size_t i = 0; i < kHeadDim; ++i) score += query[i] * key[i];
        scores.push_back(score / std::sqrt(static_cast<double>(kHeadDim)));
        keys.push_back(m);
      }
      if (!layer.sinks.empty()) scores.push_back(layer.sinks[first_head + h]);
      const auto p = test::naive::softmax(scores);
      for (std::size_t j = 0; j < keys.size(); ++j) {
        const auto value = head_of(v, keys[j], kv);
        for (std::size_t i = 0; i < kHeadDim; ++i) z(n, (first_head + h) * kHeadDim + i) += p[j] * value[i];
      }
    }
  }
}

Tensor<float, 2> run(const GroupedQueryAttention& attention, View<const float, 2> x, std::size_t chunk,
                     std::size_t threads = 1, KvCacheDtype type = KvCacheDtype::f32) {
  Workspace workspace;
  LayerState cache = attention.make_cache(type);
  Tensor<float, 2> y({x.extent(0), x.extent(1)});
  for (std::size_t done = 0; done < x.extent(0); done += chunk) {
    const std::size_t count = std::min(chunk, x.extent(0) - done);
    const test::AttentionRows rows{0, count, done, &cache};
    test::forward(attention, {.isa = default_isa(), .num_threads = threads, .executor = test::test_executor()},
                  workspace, x.slice(done, count), std::span(&rows, 1), y.view().slice(done, count));
  }
  return y;
}

float distance(const Tensor<float, 2>& a, const Tensor<float, 2>& b) {
  float worst = 0.0F;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const float error = std::abs(a.data()[i] - b.data()[i]);
    if (!(error <= worst)) worst = error;  // a NaN stays
  }
  return worst;
}

void expect_near(const Tensor<float, 2>& found, const Matrix& expected) {
  for (std::size_t n = 0; n < expected.rows; ++n) {
    // Projections of 12 numbers, softmax and mixture lose some round-offs of numbers of size 10: measured 2.5e-6.
    for (std::size_t i = 0; i < expected.columns; ++i)
      ASSERT_NEAR(static_cast<double>(found.view()(n, i)), expected(n, i), 1e-5) << "row " << n << ", " << i;
  }
}

TEST(GroupedQueryAttentionPerIsa, EqualsTheTextbookWithFullAttention) {
  for (const auto& [heads, kv_heads] : std::vector<std::pair<std::size_t, std::size_t>>{{4, 4}, {4, 2}, {3, 1}}) {
    Layer layer(heads, kv_heads);
    std::vector<HeadGroup> head_groups;
    head_groups.push_back({std::make_unique<FullPattern>(), heads, kv_heads});
    const GroupedQueryAttention attention = layer.make(std::move(head_groups));
    const auto x = test::random_tensor({70, kHidden}, 5);
    Matrix z(70, heads * kHeadDim);
    add_axis(
        layer, Matrix::from(x.view()), 0, heads, 0, kv_heads, [](std::size_t n, std::size_t m) { return m <= n; },
        [](std::size_t n) { return n; }, z);
    expect_near(run(attention, x.view(), 70), test::naive::matmul(z, layer.o));
  }
}

TEST(GroupedQueryAttentionPerIsa, EqualsTheTextbookAlongTwoAxes) {
  constexpr std::size_t kFrame = 5;
  Layer layer(6, 3);
  std::vector<HeadGroup> head_groups;
  head_groups.push_back({std::make_unique<FrameWindowPattern>(kFrame, 1, true), 4, 2});
  head_groups.push_back({std::make_unique<SummaryPattern>(kFrame), 2, 1});
  const GroupedQueryAttention attention = layer.make(std::move(head_groups));
  const auto x = test::random_tensor({43, kHidden}, 6);
  const Matrix rows = Matrix::from(x.view());
  Matrix z(43, 6 * kHeadDim);
  add_axis(
      layer, rows, 0, 4, 0, 2, [](std::size_t n, std::size_t m) { return m <= n && n / kFrame - m / kFrame <= 1; },
      [](std::size_t n) { return n; }, z);
  add_axis(
      layer, rows, 4, 2, 2, 1,
      [](std::size_t n, std::size_t m) { return m == n || (m / kFrame < n / kFrame && m % kFrame == kFrame - 1); },
      [](std::size_t n) { return n / kFrame; }, z);
  for (const std::size_t chunk : {1U, 4U, 43U})
    expect_near(run(attention, x.view(), chunk), test::naive::matmul(z, layer.o));
}

// Which earlier frames the heads of a key/value head choose for query n, by double precision.
// q, k: of all heads, before rotation
std::vector<std::size_t> frames_chosen(const Matrix& q, const Matrix& k, std::size_t n, std::size_t first_head,
                                       std::size_t group, std::size_t kv, std::size_t frame_size, std::size_t top_k) {
  const auto rotated = [&](const Matrix& of, std::size_t row, std::size_t head) {
    const auto begin = of.values.begin() + static_cast<std::ptrdiff_t>(row * of.columns + head * kHeadDim);
    return test::naive::rope({begin, begin + kHeadDim}, static_cast<double>(row / frame_size), kTheta);
  };
  std::vector<std::pair<double, std::size_t>> order;
  for (std::size_t frame = 0; frame < n / frame_size; ++frame) {
    double affinity = 0.0;
    for (std::size_t h = 0; h < group; ++h) {
      const std::vector<double> query = rotated(q, n, first_head + h);
      for (std::size_t i = 0; i < kHeadDim; ++i) {
        double most = -1e300;
        for (std::size_t site = 0; site < frame_size; ++site)
          most = std::max(most, query[i] * rotated(k, frame * frame_size + site, kv)[i]);
        affinity += most;
      }
    }
    order.emplace_back(-affinity, frame);
  }
  std::ranges::sort(order);
  std::vector<std::size_t> frames;
  for (const auto& [affinity, frame] : order)
    if (frames.size() < top_k) frames.push_back(frame);
  return frames;
}

TEST(GroupedQueryAttentionPerIsa, EqualsTheTextbookOfChosenFrames) {
  struct Case {
    std::size_t frame_size, top_k, heads, kv_heads, tokens;
  };
  for (const Case& c : {Case{5, 2, 4, 2, 43}, Case{1, 3, 3, 1, 20}, Case{4, 100, 2, 2, 31}, Case{70, 1, 2, 1, 300},
                        Case{130, 2, 2, 1, 540}}) {
    Layer layer(c.heads, c.kv_heads);
    std::vector<HeadGroup> head_groups;
    head_groups.push_back({std::make_unique<RoutedPattern>(c.frame_size, c.top_k), c.heads, c.kv_heads});
    const GroupedQueryAttention attention = layer.make(std::move(head_groups));
    const auto x = test::random_tensor({c.tokens, kHidden}, 12);
    const Matrix rows = Matrix::from(x.view());
    const Matrix q = layer.project(rows, layer.q, {}, {});
    const Matrix k = layer.project(rows, layer.k, {}, {});
    Matrix z(c.tokens, c.heads * kHeadDim);
    const std::size_t group = c.heads / c.kv_heads;
    for (std::size_t kv = 0; kv < c.kv_heads; ++kv) {
      std::vector<std::vector<std::size_t>> chosen;
      for (std::size_t n = 0; n < c.tokens; ++n)
        chosen.push_back(frames_chosen(q, k, n, kv * group, group, kv, c.frame_size, c.top_k));
      add_axis(
          layer, rows, kv * group, group, kv, 1,
          [&](std::size_t n, std::size_t m) {
            return m == n || std::ranges::find(chosen[n], m / c.frame_size) != chosen[n].end();
          },
          [&](std::size_t n) { return n / c.frame_size; }, z);
    }
    const Tensor<float, 2> whole = run(attention, x.view(), c.tokens);
    expect_near(whole, test::naive::matmul(z, layer.o));
    for (const std::size_t chunk : {1U, 3U, 64U}) EXPECT_EQ(distance(run(attention, x.view(), chunk), whole), 0.0F);
    EXPECT_EQ(distance(run(attention, x.view(), c.tokens, 3), whole), 0.0F) << "threads";
  }
}

// Bounds of what is stored, in every type of cache, and again after the end of a frame was taken back.
TEST(GroupedQueryAttentionPerIsa, ChoosesFramesFromEveryCacheAndAfterTruncation) {
  Layer layer(4, 2);
  std::vector<HeadGroup> head_groups;
  head_groups.push_back({std::make_unique<FrameWindowPattern>(4, 1, true), 2, 1});
  head_groups.push_back({std::make_unique<RoutedPattern>(2, 2), 2, 1});
  const GroupedQueryAttention attention = layer.make(std::move(head_groups));
  const auto x = test::random_tensor({252, kHidden}, 13);  // more frames than a page of bounds has
  const Tensor<float, 2> exact = run(attention, x.view(), 252);
  for (const KvCacheDtype type : {KvCacheDtype::bf16, KvCacheDtype::q8}) {
    const Tensor<float, 2> rounded = run(attention, x.view(), 252, 1, type);
    EXPECT_EQ(distance(run(attention, x.view(), 7, 2, type), rounded), 0.0F);
    std::size_t near = 0;  // rows whose choice rounding did not change
    for (std::size_t n = 0; n < 252; ++n) {
      float worst = 0.0F;
      for (std::size_t i = 0; i < kHidden; ++i)
        worst = std::max(worst, std::abs(rounded.view()(n, i) - exact.view()(n, i)));
      if (worst < 0.05F) ++near;
    }
    EXPECT_GT(near, 226U);
    EXPECT_GT(distance(rounded, exact), 0.0F);
  }
  for (const std::size_t to : {251U, 250U, 248U}) {
    Workspace workspace;
    LayerState cache = attention.make_cache();
    Tensor<float, 2> y({252, kHidden});
    const auto forward = [&](std::size_t begin, std::size_t count, const Tensor<float, 2>& from) {
      const test::AttentionRows rows{0, count, begin, &cache};
      test::forward(attention, {.isa = default_isa(), .num_threads = 1, .executor = test::test_executor()}, workspace,
                    from.view().slice(begin, count), std::span(&rows, 1), y.view().slice(begin, count));
    };
    forward(0, to, x);
    forward(to, 252 - to, test::random_tensor({252, kHidden}, 14));  // another end
    ASSERT_EQ(attention.rewind_position(cache, 252, to), to);
    const LayerState kept = cache;
    attention.truncate(cache, to);
    EXPECT_EQ(cache.bytes(), attention.cache_bytes(to));
    forward(to, 252 - to, x);
    for (std::size_t n = to; n < 252; ++n)
      for (std::size_t i = 0; i < kHidden; ++i) ASSERT_EQ(y.view()(n, i), exact.view()(n, i)) << n;
    EXPECT_EQ(kept.bytes(), attention.cache_bytes(252)) << "a copy keeps its own";
  }
}

// One option at a time against the textbook, in one piece and in chunks.
void expect_option(Layer& layer, std::size_t window = 0) {
  std::vector<HeadGroup> head_groups;
  if (window == 0) {
    head_groups.push_back({std::make_unique<FullPattern>(), 4, 2});
  } else {
    head_groups.push_back({std::make_unique<SlidingWindowPattern>(window), 4, 2});
  }
  const GroupedQueryAttention attention = layer.make(std::move(head_groups));
  const auto x = test::random_tensor({150, kHidden}, 9);
  Matrix z(150, 4 * kHeadDim);
  add_axis(
      layer, Matrix::from(x.view()), 0, 4, 0, 2,
      [&](std::size_t n, std::size_t m) { return m <= n && (window == 0 || n - m < window); },
      [](std::size_t n) { return n; }, z);
  Matrix y = test::naive::matmul(z, layer.o);
  for (std::size_t n = 0; n < y.rows; ++n)
    for (std::size_t i = 0; i < layer.o_bias.size(); ++i) y(n, i) += layer.o_bias[i];
  const Tensor<float, 2> whole = run(attention, x.view(), 150);
  expect_near(whole, y);
  for (const std::size_t chunk : {1U, 7U}) {
    const Tensor<float, 2> cut = run(attention, x.view(), chunk, 2);
    EXPECT_TRUE(std::ranges::equal(whole.view().span(), cut.view().span())) << "chunks of " << chunk;
  }
}

TEST(GroupedQueryAttentionPerIsa, LooksThroughASlidingWindow) {
  for (const std::size_t window : {1U, 8U, 64U, 100U}) {
    Layer layer(4, 2);
    expect_option(layer, window);
  }
}

TEST(GroupedQueryAttentionPerIsa, AddsBiases) {
  Layer layer(4, 2);
  layer.q_bias = layer.add("q_proj.bias", 4 * kHeadDim, 11);
  layer.k_bias = layer.add("k_proj.bias", 2 * kHeadDim, 12);
  layer.v_bias = layer.add("v_proj.bias", 2 * kHeadDim, 13);
  layer.options.qkv_bias = Linear::Bias::yes;
  expect_option(layer);
  layer.o_bias = layer.add("o_proj.bias", kHidden, 14);
  layer.options.o_bias = Linear::Bias::yes;
  expect_option(layer);
}

TEST(GroupedQueryAttentionPerIsa, NormalisesEachHeadOrAllTogether) {
  Layer layer(4, 2);
  layer.options.qk_norm = GroupedQueryOptions::Norm::per_head;
  layer.options.norm_epsilon = 0.01F;
  layer.q_gain = layer.add("q_norm.weight", kHeadDim, 15);
  layer.k_gain = layer.add("k_norm.weight", kHeadDim, 16);
  expect_option(layer);
  layer.options.qk_norm = GroupedQueryOptions::Norm::whole_vector;
  layer.q_gain = layer.add("q_norm.weight", 4 * kHeadDim, 17);
  layer.k_gain = layer.add("k_norm.weight", 2 * kHeadDim, 18);
  expect_option(layer);
  layer.options.clip_qkv = 0.5F;
  expect_option(layer);
}

TEST(GroupedQueryAttentionPerIsa, LetsASinkOfEachHeadTakePart) {
  Layer layer(4, 2);
  layer.options.sinks = true;
  layer.sinks = layer.add("sinks", 4, 19);
  expect_option(layer);
  expect_option(layer, 8);
}

// 70 rows of one sequence with full attention.
Tensor<float, 2> run_full(Layer& layer, const std::shared_ptr<const Rotary>& rotary = nullptr, std::size_t chunk = 70,
                          KvCacheDtype type = KvCacheDtype::f32) {
  std::vector<HeadGroup> groups;
  groups.push_back({std::make_unique<FullPattern>(), 4, 2});
  const GroupedQueryAttention attention(WeightScope(layer.reader), kHidden, kHeadDim, std::move(groups), rotary,
                                        layer.options);
  const auto x = test::random_tensor({70, kHidden}, 5);
  return run(attention, x.view(), chunk, 1, type);
}

void expect_multiple(const Tensor<float, 2>& found, const Tensor<float, 2>& of, float factor) {
  for (std::size_t i = 0; i < of.size(); ++i)
    ASSERT_NEAR(found.data()[i], factor * of.data()[i], 1e-5F * std::max(1.0F, std::abs(found.data()[i]))) << i;
}

TEST(GroupedQueryAttentionPerIsa, GatesHeadsOrElements) {
  Layer layer(4, 2);
  const Tensor<float, 2> plain = run_full(layer);
  using Activation = OutputGateOptions::Activation;
  layer.weights.add("heads.weight", {4, kHidden}, std::vector<float>(4 * kHidden));
  layer.weights.add("elements.weight", {4 * kHeadDim, kHidden}, std::vector<float>(4 * kHeadDim * kHidden));
  for (const auto& [activation, factor] :
       {std::pair{Activation::sigmoid, 0.5F}, {Activation::softplus, std::log(2.0F)}}) {
    layer.options.output_gate = {.name = "heads", .activation = activation};
    expect_multiple(run_full(layer), plain, factor);
    layer.options.output_gate = {.name = "elements", .activation = activation, .per_element = true};
    expect_multiple(run_full(layer), plain, factor);
  }
}

TEST(GroupedQueryAttentionPerIsa, GatesOfElementsMayBeRowsOfTheQueries) {
  Layer layer(4, 2);
  const std::vector<float> gates = random_values(layer.q.values.size(), 31);
  const std::size_t head = kHeadDim * kHidden;  // elements of the rows of a head
  std::vector<float> both;
  for (std::size_t i = 0; i < gates.size(); i += head) {
    const auto queries = std::span(layer.q.values).subspan(i, head);
    const auto rows = std::span(gates).subspan(i, head);
    both.insert(both.end(), queries.begin(), queries.end());
    both.insert(both.end(), rows.begin(), rows.end());
  }
  layer.add("q_norm.weight", kHeadDim, 32);
  layer.add("k_norm.weight", kHeadDim, 33);
  layer.options.qk_norm = GroupedQueryOptions::Norm::per_head;
  layer.options.output_gate = {.name = "elements", .per_element = true};
  layer.weights.add("elements.weight", {layer.q.rows, kHidden}, gates);
  const Tensor<float, 2> apart = run_full(layer);
  layer.options.output_gate = {.in_q_proj = true};
  layer.weights.add("q_proj.weight", {2 * layer.q.rows, kHidden}, both);
  expect_multiple(run_full(layer), apart, 1.0F);
  layer.options.output_gate.reset();
  EXPECT_THROW(static_cast<void>(run_full(layer)), WeightError) << "rows of gates that there are not";
}

TEST(GroupedQueryAttentionPerIsa, TakesKeysForValuesAndNormalisesThem) {
  Layer layer(4, 2);
  layer.v = layer.k;
  std::vector<float> keys(layer.k.values.begin(), layer.k.values.end());
  layer.weights.add("v_proj.weight", {layer.k.rows, layer.k.columns}, keys);
  for (const bool normalises : {false, true}) {
    layer.options.v_norm = normalises;
    layer.options.k_eq_v = false;
    const Tensor<float, 2> twice = run_full(layer);
    layer.options.k_eq_v = true;
    EXPECT_EQ(distance(run_full(layer), twice), 0.0F);
  }
  layer.options.v_scale = 3.0F;
  const Tensor<float, 2> scaled = run_full(layer);
  layer.options.v_scale = 1.0F;
  expect_multiple(scaled, run_full(layer), 3.0F);
}

TEST(GroupedQueryAttentionPerIsa, KeepsValuesOfAnotherWidthThanKeysInEveryCache) {
  for (const std::size_t width : {4U, 10U}) {
    Layer layer(4, 2);
    layer.options.v_head_dim = width;
    layer.weights.add("v_proj.weight", {2 * width, kHidden}, random_values(2 * width * kHidden, 21));
    layer.weights.add("o_proj.weight", {kHidden, 4 * width}, random_values(4 * width * kHidden, 22));
    const Tensor<float, 2> exact = run_full(layer);
    EXPECT_EQ(distance(run_full(layer, nullptr, 9), exact), 0.0F);
    EXPECT_LE(distance(run_full(layer, nullptr, 9, KvCacheDtype::bf16), exact), 0.1F);
    EXPECT_LE(distance(run_full(layer, nullptr, 30, KvCacheDtype::q8), exact), 0.1F);
  }
}

TEST(GroupedQueryAttentionPerIsa, NormalisesAfterTheRotationWithoutAGain) {
  // A rotation keeps the length of a vector, unless it has an amplitude, which the norm then takes away.
  Layer layer(4, 2);
  layer.options.qk_norm = GroupedQueryOptions::Norm::after_rotation;
  RopeFrequencies frequencies = base_frequencies(kHeadDim, kTheta);
  const auto rotary = std::make_shared<const Rotary>(frequencies, RotaryPairs::half_split, kHeadDim, 256);
  frequencies.amplitude = 3.0;
  const auto louder = std::make_shared<const Rotary>(frequencies, RotaryPairs::half_split, kHeadDim, 256);
  EXPECT_LE(distance(run_full(layer, rotary), run_full(layer, louder)), 1e-5F);
  EXPECT_GE(distance(run_full(layer, rotary), run_full(layer)), 0.01F) << "without rotation";
}

TEST(QueryTemperature, GrowsWithTheLogarithmOfThePosition) {
  const QueryTemperature temperature{.scale = 0.5F, .length = 8, .offset = 1};
  EXPECT_EQ(temperature.factor(0), 1.0F);
  EXPECT_EQ(temperature.factor(6), 1.0F);
  EXPECT_FLOAT_EQ(temperature.factor(7), 1.0F + 0.5F * std::log(2.0F));
  EXPECT_FLOAT_EQ(temperature.factor(31), 1.0F + 0.5F * std::log(5.0F));
}

TEST(GroupedQueryAttentionPerIsa, ScalesScoresAsAskedAndByPosition) {
  Layer layer(4, 2);
  layer.options.scale = 0.0F;  // all keys alike
  const Tensor<float, 2> alike = run_full(layer);
  layer.options.temperature = {.scale = 10.0F, .length = 1, .offset = 0};
  EXPECT_EQ(distance(run_full(layer), alike), 0.0F);
  layer.options.scale = 0.4F;
  const Tensor<float, 2> sharp = run_full(layer);
  layer.options.temperature = std::nullopt;
  const Tensor<float, 2> plain = run_full(layer);
  EXPECT_GE(distance(sharp, plain), 0.01F);
  for (std::size_t i = 0; i < kHidden; ++i) EXPECT_EQ(sharp.view()(0, i), plain.view()(0, i)) << "position 0";
}

TEST(GroupedQueryAttentionPerIsa, GivesSequencesOfOneBatchWhatTheyGetAlone) {
  Layer layer(4, 3);
  std::vector<HeadGroup> head_groups;
  head_groups.push_back({std::make_unique<FrameWindowPattern>(4, 1, true), 2, 1});
  head_groups.push_back({std::make_unique<StridedPattern>(4), 1, 1});
  head_groups.push_back({std::make_unique<RoutedPattern>(2, 2), 1, 1});
  const GroupedQueryAttention attention = layer.make(std::move(head_groups));
  const auto x = test::random_tensor({20, kHidden}, 7);
  const Tensor<float, 2> first = run(attention, x.view().slice(0, 13), 13);
  const Tensor<float, 2> second = run(attention, x.view().slice(13, 7), 7);

  // Both together: 9 and 7 rows, then the other 4 of the first.
  Workspace workspace;
  LayerState cache = attention.make_cache();
  LayerState other = attention.make_cache();
  Tensor<float, 2> mixed({16, kHidden});
  std::copy_n(x.data(), 9 * kHidden, mixed.data());
  std::copy_n(x.data() + 13 * kHidden, 7 * kHidden, mixed.data() + 9 * kHidden);
  Tensor<float, 2> y({16, kHidden});
  const std::vector<test::AttentionRows> both{{0, 9, 0, &cache}, {9, 7, 0, &other}};
  test::forward(attention, {.isa = default_isa(), .num_threads = 2, .executor = test::test_executor()}, workspace,
                mixed.view(), both, y.view());
  Tensor<float, 2> rest({4, kHidden});
  const std::vector<test::AttentionRows> one{{0, 4, 9, &cache}};
  test::forward(attention, {.isa = default_isa(), .num_threads = 2, .executor = test::test_executor()}, workspace,
                x.view().slice(9, 4), one, rest.view());
  for (std::size_t i = 0; i < kHidden; ++i) {
    for (std::size_t n = 0; n < 9; ++n) EXPECT_EQ(y.view()(n, i), first.view()(n, i));
    for (std::size_t n = 0; n < 7; ++n) EXPECT_EQ(y.view()(9 + n, i), second.view()(n, i));
    for (std::size_t n = 0; n < 4; ++n) EXPECT_EQ(rest.view()(n, i), first.view()(9 + n, i));
  }
}

TEST(GroupedQueryAttention, ForetellsTheBytesOfItsCache) {
  Layer layer(4, 3);
  std::vector<HeadGroup> head_groups;
  head_groups.push_back({std::make_unique<RoutedPattern>(3, 2), 1, 1});
  head_groups.push_back({std::make_unique<FrameWindowPattern>(5, 1, true), 2, 1});
  head_groups.push_back({std::make_unique<StridedPattern>(5), 1, 1});
  const GroupedQueryAttention attention = layer.make(std::move(head_groups));
  const auto x = test::random_tensor({1, kHidden}, 8);
  Tensor<float, 2> y({1, kHidden});
  Workspace workspace;
  LayerState cache = attention.make_cache();
  for (std::size_t n = 0; n < 200; ++n) {
    ASSERT_EQ(cache.bytes(), attention.cache_bytes(n)) << n;
    const test::AttentionRows rows{0, 1, n, &cache};
    test::forward(attention, {default_isa(), 1, {}}, workspace, x.view(), std::span(&rows, 1), y.view());
  }
  // The window holds two frames of five, whatever the length: keys and values of two heads, each in whole cache lines.
  std::vector<HeadGroup> window;
  window.push_back({std::make_unique<FrameWindowPattern>(5, 1, true), 4, 2});
  const std::size_t lines = (5 * kHeadDim * sizeof(float) + 63) / 64 * 64;
  EXPECT_EQ(Layer(4, 2).make(std::move(window)).cache_bytes(1000000), 2 * 2 * 2 * lines);
}

TEST(GroupedQueryAttention, NamesTheProjectionThatIsMissing) {
  MemoryWeights empty;
  WeightReader reader(empty);
  std::vector<HeadGroup> head_groups;
  head_groups.push_back({std::make_unique<FullPattern>(), 1, 1});
  EXPECT_ERROR(GroupedQueryAttention(WeightScope(reader, "layers.2.attention"), kHidden, kHeadDim,
                                     std::move(head_groups), nullptr),
               WeightError, "no tensor named 'layers.2.attention.q_proj.weight'");
}

}  // namespace
}  // namespace trine
