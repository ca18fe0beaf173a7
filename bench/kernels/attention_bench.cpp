// SPDX-License-Identifier: Apache-2.0
// Attention layers at the shapes of published models, one thread, random weights in q8: 512 rows into an empty cache,
// and one row behind many tokens. `layer` is all of it; `heads` has a hidden size of 64, so that the projections hardly
// count and what is left are scores, softmax, sums of values and, in latent attention, the way to and from the latents.
#include <benchmark/benchmark.h>

#include <cmath>
#include <cstddef>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include <trine/attention/grouped_query_attention.hpp>
#include <trine/attention/multi_head_latent_attention.hpp>

#include "program/random_weights.hpp"
#include "rotated_weights.hpp"

namespace trine::bench {
namespace {

constexpr std::size_t kHeadDim = 128;
constexpr std::size_t kLatent = 512;
constexpr std::size_t kRope = 64;
constexpr std::size_t kLatentHeads = 16;
constexpr std::size_t kMostTokens = 8192;
constexpr std::size_t kDecoded = 256;

/// The attention of one layer and the weights that it borrows.
struct Layer {
  std::unique_ptr<const RandomWeights> weights;
  std::unique_ptr<const Attention> attention;
};

template <class Make>
Layer make_layer(const std::vector<TensorSpec>& tensors, const Make& make) {
  auto weights = std::make_unique<const RandomWeights>(tensors, kQ8, 1, [](std::size_t) {});
  WeightReader reader(*weights);
  auto attention = make(WeightScope(reader));
  return {std::move(weights), std::move(attention)};
}

template <std::size_t heads, std::size_t kv_heads, bool norm>
Layer grouped_query(std::size_t hidden) {
  std::vector<TensorSpec> tensors{{"q_proj.weight", {heads * kHeadDim, hidden}},
                                  {"k_proj.weight", {kv_heads * kHeadDim, hidden}},
                                  {"v_proj.weight", {kv_heads * kHeadDim, hidden}},
                                  {"o_proj.weight", {hidden, heads * kHeadDim}}};
  GroupedQueryOptions options;
  if (norm) {
    options.qk_norm = GroupedQueryOptions::Norm::per_head;
    tensors.push_back({"q_norm.weight", {kHeadDim}, TensorSpec::Kind::norm});
    tensors.push_back({"k_norm.weight", {kHeadDim}, TensorSpec::Kind::norm});
  }
  return make_layer(tensors, [&](const WeightScope& scope) {
    std::vector<HeadGroup> axes;
    axes.push_back({std::make_unique<FullPattern>(), heads, kv_heads});
    return std::make_unique<GroupedQueryAttention>(scope, hidden, kHeadDim, std::move(axes),
                                                   std::make_shared<const Rotary>(kHeadDim, 1e6, kMostTokens), options);
  });
}

Layer latent(std::size_t hidden) {
  const MlaOptions options{.hidden_size = hidden,
                           .num_heads = kLatentHeads,
                           .kv_lora_rank = kLatent,
                           .qk_nope_head_dim = kHeadDim,
                           .qk_rope_head_dim = kRope,
                           .v_head_dim = kHeadDim,
                           .softmax_scale = 1.0F / std::sqrt(float{kHeadDim + kRope})};
  const std::vector<TensorSpec> tensors{
      {"q_proj.weight", {kLatentHeads * (kHeadDim + kRope), hidden}},
      {"kv_a_proj_with_mqa.weight", {kLatent + kRope, hidden}},
      {"kv_a_layernorm.weight", {kLatent}, TensorSpec::Kind::norm},
      {"kv_b_proj.weight", {kLatentHeads * 2 * kHeadDim, kLatent}, TensorSpec::Kind::exact},
      {"o_proj.weight", {hidden, kLatentHeads * kHeadDim}}};
  return make_layer(tensors, [&](const WeightScope& scope) {
    return std::make_unique<MultiHeadLatentAttention>(
        scope, options,
        std::make_shared<const Rotary>(base_frequencies(kRope, 1e4), RotaryPairs::interleaved, kRope, kMostTokens));
  });
}

struct AttentionShape {
  const char* name;
  std::size_t hidden;
  Layer (*make)(std::size_t hidden);
  std::size_t prefill_products;  // of numbers, for one query and one key: scores and sums of all heads
  std::size_t decode_products;
};
constexpr AttentionShape kAttentions[] = {
    {"qwen3_30b_a3b", 2048, grouped_query<32, 4, true>, 32 * 2 * kHeadDim, 32 * 2 * kHeadDim},
    {"mixtral_8x7b", 4096, grouped_query<32, 8, false>, 32 * 2 * kHeadDim, 32 * 2 * kHeadDim},
    {"deepseek_v2_lite", 2048, latent, kLatentHeads*(2 * kHeadDim + kRope),
     kLatentHeads*(2 * kLatent + kRope)}};  // decode stays in the space of the latents

/// Rows through a layer, and what is counted of them.
class Run {
 public:
  Run(const AttentionShape& shape, std::size_t hidden) : layer_(shape.make(hidden)), hidden_(hidden) {}

  void use(MlaForm form) { execution_.mla_form = form; }
  void forget() { cache_ = layer_.attention->make_cache(); }
  void forward(std::size_t rows, std::size_t position) {
    if (x_.size() < rows * hidden_) {
      x_ = random_values(rows * hidden_);
      y_.resize(x_.size());
    }
    positions_.resize(rows);
    std::iota(positions_.begin(), positions_.end(), position);
    const SequenceSlice sequence{.first_row = 0, .rows = rows, .position = position, .state = {&cache_, 1}};
    layer_.attention->forward({execution_, workspace_, {{&sequence, 1}, positions_}}, {x_.data(), {rows, hidden_}},
                              {y_.data(), {rows, hidden_}});
    benchmark::DoNotOptimize(y_.data());
    benchmark::ClobberMemory();
  }

 private:
  ExecutionContext execution_{.isa = default_isa(), .num_threads = 1, .activations = ActivationPrecision::automatic};
  Layer layer_;
  std::size_t hidden_;
  Workspace workspace_;
  LayerState cache_;
  std::vector<float> x_;
  std::vector<float> y_;
  std::vector<std::size_t> positions_;
};

// pairs: of a query and a key that it sees
void report(benchmark::State& state, std::size_t rows, std::size_t pairs, std::size_t products) {
  state.counters["tokens/s"] = benchmark::Counter(static_cast<double>(rows), benchmark::Counter::kIsRate);
  state.counters["attention_GFLOP/s"] =
      benchmark::Counter(2e-9 * static_cast<double>(pairs * products), benchmark::Counter::kIsRate);
}

void prefill(benchmark::State& state, const AttentionShape& shape, std::size_t hidden, std::size_t rows) {
  Run run(shape, hidden);
  for (auto _ : state) {
    run.forget();
    run.forward(rows, 0);
  }
  const auto iterations = static_cast<std::size_t>(state.iterations());
  report(state, rows * iterations, rows * (rows + 1) / 2 * iterations, shape.prefill_products);
}

void decode(benchmark::State& state, const AttentionShape& shape, std::size_t hidden, std::size_t before) {
  Run run(shape, hidden);
  run.forget();
  for (std::size_t position = 0; position < before; position += 512) run.forward(512, position);
  std::size_t position = before;
  std::size_t pairs = 0;
  for (auto _ : state) {
    run.forward(1, position);
    pairs += ++position;
  }
  report(state, position - before, pairs, shape.decode_products);
}

/// The same rows after `before` tokens in one form of latent attention, again and again.
void rows_after(benchmark::State& state, MlaForm form, std::size_t rows, std::size_t before) {
  Run run(kAttentions[2], 64);
  run.forget();
  for (std::size_t position = 0; position < before; position += 512) run.forward(512, position);
  run.use(form);
  for (auto _ : state) run.forward(rows, before);
  state.counters["rows/s"] =
      benchmark::Counter(static_cast<double>(rows), benchmark::Counter::kIsIterationInvariantRate);
}

void register_forms() {
  for (const std::size_t before : {0U, 512U, 1024U, 2048U, 4096U, 7680U}) {
    for (const std::size_t rows : {1U, 2U, 4U, 8U, 16U, 32U, 64U, 128U, 256U}) {
      for (const auto& [form, name] : kMlaFormNames) {
        const std::string full = "mla_form/deepseek_v2_lite/after:" + std::to_string(before) +
                                 "/rows:" + std::to_string(rows) + "/" + std::string(name);
        benchmark::RegisterBenchmark(full.c_str(), rows_after, form, rows, before)->Unit(benchmark::kMicrosecond);
      }
    }
  }
}

const bool kRegistered = [] {
  register_forms();
  for (const AttentionShape& shape : kAttentions) {
    for (const auto& [part, hidden] : {std::pair("layer", shape.hidden), std::pair("heads", std::size_t{64})}) {
      const std::string name = std::string("attention/") + shape.name + "/" + part + "/";
      benchmark::RegisterBenchmark((name + "prefill:512").c_str(), prefill, shape, hidden, std::size_t{512})
          ->Unit(benchmark::kMillisecond);
      for (const std::size_t before : {1024U, 4096U}) {
        benchmark::RegisterBenchmark((name + "decode_after:" + std::to_string(before)).c_str(), decode, shape, hidden,
                                     before)
            ->Iterations(kDecoded)  // the sequence grows: a number of tokens that does not depend on the machine
            ->Unit(benchmark::kMillisecond);
      }
    }
  }
  return true;
}();

}  // namespace
}  // namespace trine::bench
