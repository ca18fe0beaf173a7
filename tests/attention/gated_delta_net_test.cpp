// SPDX-License-Identifier: Apache-2.0
#include <trine/attention/gated_delta_net.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "routing/routers_in_memory.hpp"
#include "support/attention_rows.hpp"
#include "support/expect_error.hpp"
#include "support/random_tensor.hpp"
#include "support/test_executor.hpp"

namespace trine {
namespace {

using test::MemoryWeights;

constexpr std::size_t kHidden = 10;

// Random weights of a layer in the layout with separate projections, and in the others.
struct Layer {
  explicit Layer(GatedDeltaShape s) : shape(s) {
    shape.hidden = kHidden;
    const std::size_t values = shape.value_heads * shape.value_dim;
    qkv = random(shape.channels() * kHidden, 0.6F);
    z = random(values * kHidden, 0.6F);
    b = random(shape.value_heads * kHidden, 1.0F);
    a = random(shape.value_heads * kHidden, 1.0F);
    filters = random(shape.channels() * shape.taps, 0.8F);
    a_log = random(shape.value_heads, 2.0F);
    for (float& value : a_log) value -= 2.0F;  // heads that remember, too
    dt = random(shape.value_heads, 1.0F);
    gain = random(shape.value_dim, 1.0F);
    out = random(kHidden * values, 0.4F);
  }

  [[nodiscard]] std::vector<float> random(std::size_t count, float scale) {
    std::vector<float> result(count);
    test::fill_random(std::span(result), seed++);
    for (float& value : result) value *= scale;
    return result;
  }
  // Rows of the head in the projection of q, k and v.
  [[nodiscard]] std::size_t key_row(std::size_t head) const { return (shape.key_heads + head) * shape.key_dim; }
  [[nodiscard]] std::size_t value_row(std::size_t head) const {
    return 2 * shape.key_heads * shape.key_dim + head * shape.value_dim;
  }

  void begin() {
    weights = std::make_unique<MemoryWeights>();
    weights->add("conv1d.weight", {shape.channels(), 1, shape.taps}, filters);
    weights->add("A_log", {shape.value_heads}, a_log);
    weights->add("dt_bias", {shape.value_heads}, dt);
    weights->add("norm.weight", {shape.value_dim}, gain);
    weights->add("out_proj.weight", {kHidden, shape.value_heads * shape.value_dim}, out);
  }
  [[nodiscard]] std::unique_ptr<GatedDeltaNet> separate() {
    begin();
    weights->add("in_proj_qkv.weight", {shape.channels(), kHidden}, qkv);
    weights->add("in_proj_z.weight", {shape.value_heads * shape.value_dim, kHidden}, z);
    weights->add("in_proj_b.weight", {shape.value_heads, kHidden}, b);
    weights->add("in_proj_a.weight", {shape.value_heads, kHidden}, a);
    reader = std::make_unique<WeightReader>(*weights);
    return std::make_unique<GatedDeltaNet>(WeightScope(*reader), shape);
  }
  // One projection for q, k, v and z, and one for b and a, key head by key head; or only one of these.
  [[nodiscard]] std::unique_ptr<GatedDeltaNet> fused(bool inputs, bool gates) {
    begin();
    std::vector<float> all;
    std::vector<float> ba;
    const auto append = [](std::vector<float>& to, const std::vector<float>& from, std::size_t row, std::size_t rows) {
      to.insert(to.end(), from.begin() + static_cast<std::ptrdiff_t>(row * kHidden),
                from.begin() + static_cast<std::ptrdiff_t>((row + rows) * kHidden));
    };
    const std::size_t group = shape.value_heads / shape.key_heads;
    for (std::size_t h = 0; h < shape.key_heads; ++h) {
      append(all, qkv, h * shape.key_dim, shape.key_dim);
      append(all, qkv, key_row(h), shape.key_dim);
      append(all, qkv, value_row(h * group), group * shape.value_dim);
      append(all, z, h * group * shape.value_dim, group * shape.value_dim);
      append(ba, b, h * group, group);
      append(ba, a, h * group, group);
    }
    const std::size_t values = shape.value_heads * shape.value_dim;
    if (inputs) {
      weights->add("in_proj_qkvz.weight", {shape.channels() + values, kHidden}, all);
    } else {
      weights->add("in_proj_qkv.weight", {shape.channels(), kHidden}, qkv);
      weights->add("in_proj_z.weight", {values, kHidden}, z);
    }
    if (gates) {
      weights->add("in_proj_ba.weight", {2 * shape.value_heads, kHidden}, ba);
    } else {
      weights->add("in_proj_b.weight", {shape.value_heads, kHidden}, b);
      weights->add("in_proj_a.weight", {shape.value_heads, kHidden}, a);
    }
    reader = std::make_unique<WeightReader>(*weights);
    return std::make_unique<GatedDeltaNet>(WeightScope(*reader), shape);
  }

  // The recurrence as the paper has it, row after row, in double precision.   x: [rows, hidden]
  [[nodiscard]] std::vector<double> reference(View<const float, 2> x) const {
    const auto product = [&](const std::vector<float>& w, std::size_t row, std::size_t n) {
      double sum = 0;
      for (std::size_t i = 0; i < kHidden; ++i)
        sum += static_cast<double>(w[row * kHidden + i]) * static_cast<double>(x.row(n)[i]);
      return sum;
    };
    const auto silu = [](double v) { return v / (1 + std::exp(-v)); };
    const std::size_t rows = x.extent(0);
    const std::size_t dk = shape.key_dim;
    const std::size_t dv = shape.value_dim;
    std::vector<double> result(rows * kHidden);
    for (std::size_t h = 0; h < shape.value_heads; ++h) {
      const std::size_t kh = shape.order == GatedDeltaShape::ValueHeads::tiled
                                 ? h % shape.key_heads
                                 : h / (shape.value_heads / shape.key_heads);
      const auto convolved = [&](std::size_t channel, std::size_t n) {
        double sum = 0;
        for (std::size_t t = 0; t < shape.taps; ++t)
          if (n + t + 1 >= shape.taps)
            sum +=
                static_cast<double>(filters[channel * shape.taps + t]) * product(qkv, channel, n + t + 1 - shape.taps);
        return silu(sum);
      };
      const auto normed = [&](std::size_t row, std::size_t n) {
        std::vector<double> y(dk);
        double squares = 1e-6;
        for (std::size_t i = 0; i < dk; ++i) squares += std::pow(y[i] = convolved(row + i, n), 2);
        for (double& value : y) value /= std::sqrt(squares);
        return y;
      };
      std::vector<double> state(dk * dv);
      for (std::size_t n = 0; n < rows; ++n) {
        const std::vector<double> q = normed(kh * dk, n);
        const std::vector<double> k = normed(key_row(kh), n);
        const double beta = 1 / (1 + std::exp(-product(b, h, n)));
        const double step = std::log1p(std::exp(product(a, h, n) + static_cast<double>(dt[h])));
        const double decay = std::exp(-std::exp(static_cast<double>(a_log[h])) * step);
        for (double& value : state) value *= decay;
        std::vector<double> o(dv);
        double squares = 0;
        for (std::size_t j = 0; j < dv; ++j) {
          double seen = 0;
          for (std::size_t i = 0; i < dk; ++i) seen += state[i * dv + j] * k[i];
          const double u = beta * (convolved(value_row(h) + j, n) - seen);
          for (std::size_t i = 0; i < dk; ++i) {
            state[i * dv + j] += k[i] * u;
            o[j] += state[i * dv + j] * q[i] / std::sqrt(static_cast<double>(dk));
          }
          squares += o[j] * o[j];
        }
        const double scale = 1 / std::sqrt(squares / static_cast<double>(dv) + static_cast<double>(shape.norm_epsilon));
        for (std::size_t j = 0; j < dv; ++j) {
          const double y = o[j] * scale * static_cast<double>(gain[j]) * silu(product(z, h * dv + j, n));
          for (std::size_t i = 0; i < kHidden; ++i)
            result[n * kHidden + i] += y * static_cast<double>(out[i * shape.value_heads * dv + h * dv + j]);
        }
      }
    }
    return result;
  }

  GatedDeltaShape shape;
  std::vector<float> qkv, z, b, a, filters, a_log, dt, gain, out;
  std::uint64_t seed = 1;
  std::unique_ptr<MemoryWeights> weights;
  std::unique_ptr<WeightReader> reader;
};

// All rows of a sequence in passes of `chunk`.
std::vector<float> run(const GatedDeltaNet& layer, Isa isa, View<const float, 2> x, std::size_t chunk, LayerState state,
                       std::size_t first = 0) {
  Workspace workspace;
  Tensor<float, 2> y({x.extent(0), kHidden});
  for (std::size_t n = first; n < x.extent(0); n += chunk) {
    const std::size_t rows = std::min(chunk, x.extent(0) - n);
    const test::AttentionRows pass{0, rows, n, &state};
    test::forward(layer, {.isa = isa}, workspace, x.slice(n, rows), {&pass, 1}, y.view().slice(n, rows));
  }
  const std::span<const float> values = y.view().slice(first, x.extent(0) - first).span();
  return {values.begin(), values.end()};
}

std::vector<std::uint32_t> bits(const std::vector<float>& values) {
  std::vector<std::uint32_t> result;
  for (const float value : values) result.push_back(std::bit_cast<std::uint32_t>(value));
  return result;
}

Tensor<float, 2> random_rows(std::size_t rows, std::uint64_t seed) {
  Tensor<float, 2> x({rows, kHidden});
  test::fill_random(x.view().span(), seed);
  return x;
}

void expect_near(const std::vector<float>& found, const std::vector<double>& expected) {
  double largest = 0;
  for (const double value : expected) largest = std::max(largest, std::abs(value));
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i)
    ASSERT_NEAR(static_cast<double>(found[i]), expected[i], 2e-5 * largest) << "row " << i / kHidden;
}

const std::vector<GatedDeltaShape> kShapes = {
    {.key_heads = 2, .value_heads = 4, .key_dim = 8, .value_dim = 12},
    {.key_heads = 1, .value_heads = 3, .key_dim = 5, .value_dim = 3, .taps = 2},
    {.key_heads = 3, .value_heads = 3, .key_dim = 17, .value_dim = 33, .taps = 5},
    {.key_heads = 2, .value_heads = 2, .key_dim = 4, .value_dim = 4, .taps = 1},
};

TEST(GatedDeltaNetPerIsa, IsTheRecurrenceOfThePaper) {
  for (const GatedDeltaShape& shape : kShapes) {
    Layer weights(shape);
    const auto layer = weights.separate();
    const Tensor<float, 2> x = random_rows(150, 9);
    expect_near(run(*layer, default_isa(), x.view(), 150, layer->make_cache()), weights.reference(x.view()));
  }
}

// Not a bit depends on how the rows are cut into passes.
TEST(GatedDeltaNetPerIsa, GivesTheSameBitsInAnyPasses) {
  for (const GatedDeltaShape& shape : kShapes) {
    Layer weights(shape);
    const auto layer = weights.separate();
    const Tensor<float, 2> x = random_rows(200, 4);
    const auto whole = bits(run(*layer, default_isa(), x.view(), 200, layer->make_cache()));
    for (const std::size_t chunk : {1U, 3U, 31U, 32U, 33U, 64U, 97U})
      ASSERT_EQ(bits(run(*layer, default_isa(), x.view(), chunk, layer->make_cache())), whole) << "passes of " << chunk;
  }
}

// Nor on the other sequences of a pass, nor on the number of threads.
TEST(GatedDeltaNetPerIsa, GivesTheSameBitsAmongOtherSequences) {
  Layer weights(kShapes[0]);
  const auto layer = weights.separate();
  const std::vector<std::size_t> lengths = {70, 1, 33, 128, 5};
  std::vector<std::vector<float>> alone;
  std::vector<LayerState> states;
  for (std::size_t s = 0; s < lengths.size(); ++s) {
    const Tensor<float, 2> x = random_rows(lengths[s] + 40, s);
    alone.push_back(run(*layer, default_isa(), x.view(), 200, layer->make_cache()));
    states.push_back(layer->make_cache());
  }
  for (const bool second : {false, true}) {  // a prompt of some length for each, then 40 rows
    std::vector<test::AttentionRows> passes;
    std::vector<float> input;
    for (std::size_t s = 0; s < lengths.size(); ++s) {
      const std::size_t first = second ? lengths[s] : 0;
      const std::size_t rows = second ? 40 : lengths[s];
      passes.push_back({input.size() / kHidden, rows, first, &states[s]});
      const Tensor<float, 2> x = random_rows(lengths[s] + 40, s);
      const std::span<const float> part = x.view().slice(first, rows).span();
      input.insert(input.end(), part.begin(), part.end());
    }
    const std::size_t all = input.size() / kHidden;
    Workspace workspace;
    Tensor<float, 2> y({all, kHidden});
    test::forward(*layer, {.isa = default_isa(), .num_threads = 3, .executor = test::test_executor()}, workspace,
                  View<const float, 2>(input.data(), {all, kHidden}), passes, y.view());
    for (std::size_t s = 0; s < lengths.size(); ++s) {
      const std::span<const float> found = y.view().slice(passes[s].first_row, passes[s].rows).span();
      const std::vector<float> expected(
          alone[s].begin() + static_cast<std::ptrdiff_t>(passes[s].position * kHidden),
          alone[s].begin() + static_cast<std::ptrdiff_t>((passes[s].position + passes[s].rows) * kHidden));
      EXPECT_EQ(bits({found.begin(), found.end()}), bits(expected)) << "sequence " << s;
    }
  }
}

TEST(GatedDeltaNet, ReadsEveryLayoutOfItsProjections) {
  Layer weights(kShapes[0]);
  const Tensor<float, 2> x = random_rows(50, 2);
  const auto layer = weights.separate();
  const std::size_t parameters = layer->parameters();
  const std::vector<float> expected = run(*layer, Isa::portable, x.view(), 50, layer->make_cache());
  for (const auto& [inputs, gates] : {std::pair(true, true), {true, false}, {false, true}}) {
    const auto fused = weights.fused(inputs, gates);
    EXPECT_EQ(fused->parameters(), parameters);
    EXPECT_EQ(bits(run(*fused, Isa::portable, x.view(), 50, fused->make_cache())), bits(expected));
    EXPECT_EQ(bits(run(*fused, Isa::portable, x.view(), 7, fused->make_cache())), bits(expected));
  }
}

TEST(GatedDeltaNet, ReadsValueHeadsThatConversionHasReordered) {
  GatedDeltaShape shape = kShapes[0];
  shape.order = GatedDeltaShape::ValueHeads::tiled;
  Layer weights(shape);
  const auto layer = weights.separate();
  const Tensor<float, 2> x = random_rows(50, 2);
  expect_near(run(*layer, Isa::portable, x.view(), 50, layer->make_cache()), weights.reference(x.view()));
  for (const auto& [inputs, gates] : {std::pair(true, false), {false, true}})
    EXPECT_ERROR(weights.fused(inputs, gates), WeightError, "expected tiled value heads in tensors apart");
}

// After a truncation, to wherever it leads, rows have the bits of a sequence that was never longer.
TEST(GatedDeltaNet, GoesBackAsIfItHadNeverBeenThere) {
  Layer weights({.key_heads = 1, .value_heads = 2, .key_dim = 4, .value_dim = 4});
  const auto layer = weights.separate();
  Tensor<float, 2> x = random_rows(1300, 4);
  LayerState state = layer->make_cache();
  Workspace workspace;
  const auto pass = [&](LayerState& to, std::size_t first, std::size_t rows) {
    Tensor<float, 2> y({rows, kHidden});
    const test::AttentionRows one{0, rows, first, &to};
    test::forward(*layer, {}, workspace, x.view().slice(first, rows), {&one, 1}, y.view());
    return bits({y.view().span().begin(), y.view().span().end()});
  };
  pass(state, 0, 1200);
  LayerState fresh = layer->make_cache();
  std::size_t computed = 0;
  for (std::size_t to = 0; to < 1200; to += 37) {
    if (to > computed) pass(fresh, computed, to - computed);
    computed = to;
    LayerState shorter = state;
    const std::size_t at = layer->rewind_position(shorter, 1200, to);
    layer->truncate(shorter, at);
    if (at < to) pass(shorter, at, to - at);
    LayerState longer = fresh;
    ASSERT_EQ(pass(shorter, to, 90), pass(longer, to, 90)) << "to " << to << " by " << at;
  }
}

// A head that forgets everything at once must not become slow or wrong: factors below 1e-30 are 0.
TEST(GatedDeltaNet, ForgetsWithoutDenormalNumbers) {
  Layer weights(kShapes[0]);
  for (float& value : weights.a_log) value = 3.0F;
  for (float& value : weights.dt) value = 2.0F;
  const auto layer = weights.separate();
  const Tensor<float, 2> x = random_rows(100, 5);
  expect_near(run(*layer, Isa::portable, x.view(), 100, layer->make_cache()), weights.reference(x.view()));
  LayerState state = layer->make_cache();
  std::vector<float> y = run(*layer, Isa::portable, x.view(), 100, state);
  for (const float value : y) EXPECT_TRUE(value == 0.0F || std::isnormal(value));
}

TEST(GatedDeltaNet, NamesWhatIsMissing) {
  Layer weights(kShapes[0]);
  static_cast<void>(weights.separate());
  MemoryWeights none;
  WeightReader reader(none);
  EXPECT_ERROR(GatedDeltaNet(WeightScope(reader) / "linear_attn", weights.shape), WeightError,
               "no tensor named 'linear_attn.in_proj_qkv.weight'");
  GatedDeltaShape other = weights.shape;
  other.taps = 3;
  EXPECT_ERROR(GatedDeltaNet(WeightScope(*weights.reader), other), WeightError,
               "conv1d.weight: expected shape [80, 1, 3], found [80, 1, 4]");
}

}  // namespace
}  // namespace trine
