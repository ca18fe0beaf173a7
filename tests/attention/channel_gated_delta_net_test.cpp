// SPDX-License-Identifier: Apache-2.0
#include <trine/attention/channel_gated_delta_net.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
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

constexpr std::size_t kRowWidth = 10;  // of a row

// Random weights of a layer, with the filters in three tensors or in one.
struct ChannelLayer {
  explicit ChannelLayer(ChannelGatedDeltaShape s) : shape(s) {
    shape.hidden = kRowWidth;
    const std::size_t width = shape.width();
    for (std::vector<float>& one : qkv) one = random(width * kRowWidth, 0.6F);
    b = random(shape.heads * kRowWidth, 1.0F);
    f_a = random(shape.head_dim * kRowWidth, 0.8F);
    f_b = random(width * shape.head_dim, 0.8F);
    g_a = random(shape.head_dim * kRowWidth, 0.8F);
    g_b = random(width * shape.head_dim, 0.8F);
    filters = random(3 * width * shape.taps, 0.8F);
    a_log = random(shape.heads, 2.0F);
    for (float& value : a_log) value -= 2.0F;  // heads that remember, too
    dt = random(width, 1.0F);
    gain = random(shape.head_dim, 1.0F);
    out = random(kRowWidth * width, 0.4F);
  }

  [[nodiscard]] std::vector<float> random(std::size_t count, float scale) {
    std::vector<float> result(count);
    test::fill_random(std::span(result), seed++);
    for (float& value : result) value *= scale;
    return result;
  }

  [[nodiscard]] std::unique_ptr<ChannelGatedDeltaNet> build(bool one_tensor = false) {
    const std::size_t width = shape.width();
    weights = std::make_unique<MemoryWeights>();
    const std::string gate = one_tensor ? "forget_gate." : "";  // as transformers writes it
    for (std::size_t part = 0; part < 3; ++part) {
      const std::string letter(1, "qkv"[part]);
      weights->add(letter + "_proj.weight", {width, kRowWidth}, qkv[part]);
      const auto first = filters.begin() + static_cast<std::ptrdiff_t>(part * width * shape.taps);
      if (!one_tensor)
        weights->add(letter + "_conv1d.weight", {width, 1, shape.taps},
                     {first, first + static_cast<std::ptrdiff_t>(width * shape.taps)});
    }
    if (one_tensor) weights->add("conv1d.weight", {3 * width, 1, shape.taps}, filters);
    weights->add("b_proj.weight", {shape.heads, kRowWidth}, b);
    weights->add(gate + "f_a_proj.weight", {shape.head_dim, kRowWidth}, f_a);
    weights->add(gate + "f_b_proj.weight", {width, shape.head_dim}, f_b);
    weights->add(gate + "A_log", {1, 1, shape.heads, 1}, a_log);
    weights->add(gate + "dt_bias", {width}, dt);
    weights->add("g_a_proj.weight", {shape.head_dim, kRowWidth}, g_a);
    weights->add("g_b_proj.weight", {width, shape.head_dim}, g_b);
    weights->add("o_norm.weight", {shape.head_dim}, gain);
    weights->add("o_proj.weight", {kRowWidth, width}, out);
    reader = std::make_unique<WeightReader>(*weights);
    return std::make_unique<ChannelGatedDeltaNet>(WeightScope(*reader), shape);
  }

  // The recurrence as the paper has it, row after row, in double precision.   x: [rows, kRowWidth]
  [[nodiscard]] std::vector<double> reference(View<const float, 2> x) const {
    const auto product = [](const std::vector<float>& w, std::size_t row, const auto& values) {
      double sum = 0;
      for (std::size_t i = 0; i < values.size(); ++i)
        sum += static_cast<double>(w[row * values.size() + i]) * static_cast<double>(values[i]);
      return sum;
    };
    const auto low_rank = [&](const std::vector<float>& a, const std::vector<float>& b_of, std::size_t row,
                              std::size_t n) {
      std::vector<double> inner;
      for (std::size_t i = 0; i < shape.head_dim; ++i) inner.push_back(product(a, i, x.row(n)));
      return product(b_of, row, inner);
    };
    const std::size_t dim = shape.head_dim;
    std::vector<double> result(x.extent(0) * kRowWidth);
    for (std::size_t h = 0; h < shape.heads; ++h) {
      const auto convolved = [&](std::size_t part, std::size_t i, std::size_t n) {
        const std::size_t channel = h * dim + i;
        double sum = 0;
        for (std::size_t t = 0; t < shape.taps; ++t)
          if (n + t + 1 >= shape.taps)
            sum += static_cast<double>(filters[(part * shape.width() + channel) * shape.taps + t]) *
                   product(qkv[part], channel, x.row(n + t + 1 - shape.taps));
        return sum / (1 + std::exp(-sum));
      };
      const auto normed = [&](std::size_t part, std::size_t n) {
        std::vector<double> y(dim);
        double squares = 1e-6;
        for (std::size_t i = 0; i < dim; ++i) squares += std::pow(y[i] = convolved(part, i, n), 2);
        for (double& value : y) value /= std::sqrt(squares);
        return y;
      };
      std::vector<double> state(dim * dim);
      for (std::size_t n = 0; n < x.extent(0); ++n) {
        const std::vector<double> q = normed(0, n);
        const std::vector<double> k = normed(1, n);
        const double beta = 1 / (1 + std::exp(-product(b, h, x.row(n))));
        for (std::size_t i = 0; i < dim; ++i) {
          const double step =
              std::log1p(std::exp(low_rank(f_a, f_b, h * dim + i, n) + static_cast<double>(dt[h * dim + i])));
          const double decay = std::exp(-std::exp(static_cast<double>(a_log[h])) * step);
          for (std::size_t j = 0; j < dim; ++j) state[i * dim + j] *= decay;
        }
        std::vector<double> o(dim);
        double squares = 0;
        for (std::size_t j = 0; j < dim; ++j) {
          double seen = 0;
          for (std::size_t i = 0; i < dim; ++i) seen += state[i * dim + j] * k[i];
          const double u = beta * (convolved(2, j, n) - seen);
          for (std::size_t i = 0; i < dim; ++i) {
            state[i * dim + j] += k[i] * u;
            o[j] += state[i * dim + j] * q[i] / std::sqrt(static_cast<double>(dim));
          }
          squares += o[j] * o[j];
        }
        const double scale =
            1 / std::sqrt(squares / static_cast<double>(dim) + static_cast<double>(shape.norm_epsilon));
        for (std::size_t j = 0; j < dim; ++j) {
          const double gate = 1 / (1 + std::exp(-low_rank(g_a, g_b, h * dim + j, n)));
          for (std::size_t i = 0; i < kRowWidth; ++i)
            result[n * kRowWidth + i] += o[j] * scale * static_cast<double>(gain[j]) * gate *
                                         static_cast<double>(out[i * shape.width() + h * dim + j]);
        }
      }
    }
    return result;
  }

  ChannelGatedDeltaShape shape;
  std::array<std::vector<float>, 3> qkv;
  std::vector<float> b, f_a, f_b, g_a, g_b, filters, a_log, dt, gain, out;
  std::uint64_t seed = 1;
  std::unique_ptr<MemoryWeights> weights;
  std::unique_ptr<WeightReader> reader;
};

// All rows of a sequence in passes of `chunk`, as bits.
std::vector<float> run(const ChannelGatedDeltaNet& layer, Isa isa, View<const float, 2> x, std::size_t chunk) {
  Workspace workspace;
  LayerState state = layer.make_cache();
  Tensor<float, 2> y({x.extent(0), kRowWidth});
  for (std::size_t n = 0; n < x.extent(0); n += chunk) {
    const std::size_t rows = std::min(chunk, x.extent(0) - n);
    const test::AttentionRows pass{0, rows, n, &state};
    test::forward(layer, {.isa = isa}, workspace, x.slice(n, rows), {&pass, 1}, y.view().slice(n, rows));
  }
  return {y.view().span().begin(), y.view().span().end()};
}

std::vector<std::uint32_t> bits_of(std::span<const float> values) {
  std::vector<std::uint32_t> result;
  for (const float value : values) result.push_back(std::bit_cast<std::uint32_t>(value));
  return result;
}

Tensor<float, 2> rows_of(std::size_t rows, std::uint64_t seed) {
  Tensor<float, 2> x({rows, kRowWidth});
  test::fill_random(x.view().span(), seed);
  return x;
}

void expect_close(const std::vector<float>& found, const std::vector<double>& expected) {
  double largest = 0;
  for (const double value : expected) largest = std::max(largest, std::abs(value));
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i)
    ASSERT_NEAR(static_cast<double>(found[i]), expected[i], 2e-5 * largest) << "row " << i / kRowWidth;
}

const std::vector<ChannelGatedDeltaShape> kChannelShapes = {
    {.heads = 3, .head_dim = 8},
    {.heads = 1, .head_dim = 5, .taps = 2},
    {.heads = 2, .head_dim = 17, .taps = 5},
    {.heads = 2, .head_dim = 1, .taps = 1},
};

TEST(ChannelGatedDeltaNetPerIsa, IsTheRecurrenceOfThePaper) {
  for (const ChannelGatedDeltaShape& shape : kChannelShapes) {
    ChannelLayer weights(shape);
    const Tensor<float, 2> x = rows_of(150, 9);
    expect_close(run(*weights.build(), default_isa(), x.view(), 150), weights.reference(x.view()));
  }
}

// Not a bit depends on how the rows are cut into passes.
TEST(ChannelGatedDeltaNetPerIsa, GivesTheSameBitsInAnyPasses) {
  for (const ChannelGatedDeltaShape& shape : kChannelShapes) {
    ChannelLayer weights(shape);
    const auto layer = weights.build();
    const Tensor<float, 2> x = rows_of(200, 4);
    const auto whole = bits_of(run(*layer, default_isa(), x.view(), 200));
    for (const std::size_t chunk : {1U, 3U, 31U, 32U, 33U, 64U, 97U})
      ASSERT_EQ(bits_of(run(*layer, default_isa(), x.view(), chunk)), whole) << "passes of " << chunk;
  }
}

// Nor on the other sequences of a pass, nor on the number of threads.
TEST(ChannelGatedDeltaNetPerIsa, GivesTheSameBitsAmongOtherSequences) {
  ChannelLayer weights(kChannelShapes[0]);
  const auto layer = weights.build();
  std::vector<LayerState> states;
  std::vector<test::AttentionRows> passes;
  std::vector<float> input;
  std::vector<float> alone;
  states.reserve(4);
  for (const std::size_t rows : {70U, 1U, 33U, 5U}) {
    const Tensor<float, 2> x = rows_of(rows, rows);
    const std::vector<float> one = run(*layer, default_isa(), x.view(), rows);
    alone.insert(alone.end(), one.begin(), one.end());
    states.push_back(layer->make_cache());
    passes.push_back({input.size() / kRowWidth, rows, 0, &states.back()});
    input.insert(input.end(), x.view().span().begin(), x.view().span().end());
  }
  const std::size_t all = input.size() / kRowWidth;
  Workspace workspace;
  Tensor<float, 2> y({all, kRowWidth});
  test::forward(*layer, {.isa = default_isa(), .num_threads = 3, .executor = test::test_executor()}, workspace,
                View<const float, 2>(input.data(), {all, kRowWidth}), passes, y.view());
  EXPECT_EQ(bits_of(y.view().span()), bits_of(alone));
}

TEST(ChannelGatedDeltaNet, ReadsFiltersInOneTensorAndAGateOfItsOwn) {
  ChannelLayer weights(kChannelShapes[0]);
  const Tensor<float, 2> x = rows_of(50, 2);
  const auto separate = weights.build();
  const std::size_t parameters = separate->parameters();
  const auto expected = bits_of(run(*separate, Isa::portable, x.view(), 50));
  const auto joint = weights.build(true);
  EXPECT_EQ(joint->parameters(), parameters);
  EXPECT_EQ(bits_of(run(*joint, Isa::portable, x.view(), 7)), expected);
}

// After a truncation, to wherever it leads, rows have the bits of a sequence that was never longer.
TEST(ChannelGatedDeltaNet, GoesBackAsIfItHadNeverBeenThere) {
  ChannelLayer weights({.heads = 1, .head_dim = 4});
  const auto layer = weights.build();
  Tensor<float, 2> x = rows_of(700, 4);
  LayerState state = layer->make_cache();
  Workspace workspace;
  const auto pass = [&](LayerState& to, std::size_t first, std::size_t rows) {
    Tensor<float, 2> y({rows, kRowWidth});
    const test::AttentionRows one{0, rows, first, &to};
    test::forward(*layer, {}, workspace, x.view().slice(first, rows), {&one, 1}, y.view());
    return bits_of(y.view().span());
  };
  pass(state, 0, 600);
  LayerState fresh = layer->make_cache();
  std::size_t computed = 0;
  for (std::size_t to = 0; to < 600; to += 37) {
    if (to > computed) pass(fresh, computed, to - computed);
    computed = to;
    LayerState shorter = state;
    const std::size_t at = layer->rewind_position(shorter, 600, to);
    layer->truncate(shorter, at);
    if (at < to) pass(shorter, at, to - at);
    LayerState longer = fresh;
    ASSERT_EQ(pass(shorter, to, 90), pass(longer, to, 90)) << "to " << to << " by " << at;
  }
}

// Channels that forget everything at once must not become slow or wrong: products below 1e-30 are 0, and none is
// divided by.
TEST(ChannelGatedDeltaNet, ForgetsWithoutDenormalNumbers) {
  ChannelLayer weights(kChannelShapes[0]);
  for (float& value : weights.a_log) value = 3.0F;
  for (std::size_t i = 0; i < weights.dt.size(); ++i) weights.dt[i] = i % 2 == 0 ? 2.0F : -9.0F;
  const Tensor<float, 2> x = rows_of(100, 5);
  const std::vector<float> y = run(*weights.build(), Isa::portable, x.view(), 100);
  expect_close(y, weights.reference(x.view()));
  for (const float value : y) EXPECT_TRUE(value == 0.0F || std::isnormal(value));
}

TEST(ChannelGatedDeltaNet, NamesWhatIsMissing) {
  ChannelLayer weights(kChannelShapes[0]);
  static_cast<void>(weights.build());
  MemoryWeights none;
  WeightReader reader(none);
  EXPECT_ERROR(ChannelGatedDeltaNet(WeightScope(reader) / "self_attn", weights.shape), WeightError,
               "no tensor named 'self_attn.q_proj.weight'");
  ChannelGatedDeltaShape other = weights.shape;
  other.taps = 3;
  EXPECT_ERROR(ChannelGatedDeltaNet(WeightScope(*weights.reader), other), WeightError,
               "q_conv1d.weight: expected shape [24, 1, 3], found [24, 1, 4]");
}

}  // namespace
}  // namespace trine
