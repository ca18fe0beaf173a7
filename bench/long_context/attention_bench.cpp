// SPDX-License-Identifier: Apache-2.0
// One attention layer at 1 K to 128 K tokens: what each kind costs to prefill and to decode, and what it keeps. All
// kinds have 8 heads of 64 and the same projections, from a hidden size of 64, so that they hardly count.
//
//   full       8 heads, 2 key/value heads, over the whole past
//   chunked    the same over chunks of 1024
//   summary    4 heads over this frame of 64 and the one before, 4 over the last sites of all frames
//   strided    4 heads over this frame of 64 and the one before, 4 over the same site of all frames
//   latent     8 heads over latents of 128 + 32; one row at a time in the absorbed form
#include <benchmark/benchmark.h>
#include <malloc.h>

#include <chrono>
#include <cmath>
#include <cstddef>
#include <fstream>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include <trine/attention/grouped_query_attention.hpp>
#include <trine/attention/multi_head_latent_attention.hpp>
#include <trine/platform/thread_pool.hpp>

#include "program/random_weights.hpp"

namespace trine::bench {
namespace {

constexpr std::size_t kHidden = 64;
constexpr std::size_t kHeads = 8;
constexpr std::size_t kHeadDim = 64;
constexpr std::size_t kFrame = 64;
constexpr std::size_t kChosenFrames = 4;
constexpr std::size_t kChunk = 1024;
constexpr std::size_t kRank = 128;
constexpr std::size_t kRope = 32;
constexpr std::size_t kBatch = 512;   // rows of a call
constexpr std::size_t kDecoded = 32;  // tokens that are timed behind the prompt
constexpr std::size_t kMost = std::size_t{1} << 17U;

/// An attention layer and the weights that it borrows.
struct Layer {
  std::unique_ptr<const RandomWeights> weights;
  std::unique_ptr<const Attention> attention;
};

template <class Make>
Layer make_layer(const std::vector<TensorSpec>& tensors, const Make& make) {
  auto weights = std::make_unique<const RandomWeights>(tensors, DType::f32, 1, [](std::size_t) {});
  WeightReader reader(*weights);
  auto attention = make(WeightScope(reader));
  return {std::move(weights), std::move(attention)};
}

Layer grouped_query(std::vector<HeadGroup> axes) {
  std::size_t kv_heads = 0;
  for (const HeadGroup& heads : axes) kv_heads += heads.num_kv_heads;
  const std::vector<TensorSpec> tensors{{"q_proj.weight", {kHeads * kHeadDim, kHidden}},
                                        {"k_proj.weight", {kv_heads * kHeadDim, kHidden}},
                                        {"v_proj.weight", {kv_heads * kHeadDim, kHidden}},
                                        {"o_proj.weight", {kHidden, kHeads * kHeadDim}}};
  return make_layer(tensors, [&](const WeightScope& scope) {
    return std::make_unique<GroupedQueryAttention>(scope, kHidden, kHeadDim, std::move(axes),
                                                   std::make_shared<const Rotary>(kHeadDim, 1e6, 2 * kMost));
  });
}

Layer one_axis(std::unique_ptr<const AttentionPattern> pattern) {
  std::vector<HeadGroup> axes;
  axes.push_back({std::move(pattern), kHeads, 2});
  return grouped_query(std::move(axes));
}

Layer two_axes(std::unique_ptr<const AttentionPattern> temporal) {
  std::vector<HeadGroup> axes;
  axes.push_back({std::make_unique<FrameWindowPattern>(kFrame, 1, true), kHeads / 2, 1});
  axes.push_back({std::move(temporal), kHeads / 2, 1});
  return grouped_query(std::move(axes));
}

Layer latent() {
  const MlaOptions options{.hidden_size = kHidden,
                           .num_heads = kHeads,
                           .kv_lora_rank = kRank,
                           .qk_nope_head_dim = kHeadDim - kRope,
                           .qk_rope_head_dim = kRope,
                           .v_head_dim = kHeadDim,
                           .softmax_scale = 1.0F / std::sqrt(float{kHeadDim})};
  const std::vector<TensorSpec> tensors{
      {"q_proj.weight", {kHeads * kHeadDim, kHidden}},
      {"kv_a_proj_with_mqa.weight", {kRank + kRope, kHidden}},
      {"kv_a_layernorm.weight", {kRank}, TensorSpec::Kind::norm},
      {"kv_b_proj.weight", {kHeads * (2 * kHeadDim - kRope), kRank}, TensorSpec::Kind::exact},
      {"o_proj.weight", {kHidden, kHeads * kHeadDim}}};
  return make_layer(tensors, [&](const WeightScope& scope) {
    return std::make_unique<MultiHeadLatentAttention>(
        scope, options,
        std::make_shared<const Rotary>(base_frequencies(kRope, 1e4), RotaryPairs::interleaved, kRope, 2 * kMost));
  });
}

Layer make(const std::string& kind) {
  if (kind == "full") return one_axis(std::make_unique<FullPattern>());
  if (kind == "chunked") return one_axis(std::make_unique<FrameWindowPattern>(kChunk, 0, true));
  if (kind == "summary") return two_axes(std::make_unique<SummaryPattern>(kFrame));
  if (kind == "strided") return two_axes(std::make_unique<StridedPattern>(kFrame));
  if (kind == "routed") return two_axes(std::make_unique<RoutedPattern>(kFrame, kChosenFrames));
  return latent();
}

/// From here on, the peak of memory is counted anew (Linux: proc(5), clear_refs).
void forget_peak_memory() {
  ::malloc_trim(0);
  std::ofstream("/proc/self/clear_refs") << "5";
}

/// The most memory that this process held since then, MiB; 0 if it cannot be known.
double peak_memory_mib() {
  std::ifstream file("/proc/self/status");
  for (std::string word; file >> word;) {
    double kib = 0.0;
    if (word == "VmHWM:" && file >> kib) return kib / 1024;
  }
  return 0.0;
}

/// The time is that of the prompt; decode_ms is the mean of the tokens behind it, peak_MiB the peak of the whole
/// process's memory.
void attend(benchmark::State& state, const std::string& kind, std::size_t tokens, KvCacheDtype type) {
  const Layer layer = make(kind);
  ThreadPool pool;
  const ExecutionContext execution{.isa = default_isa(), .num_threads = pool.max_workers(), .executor = &pool};
  std::vector<float> x(kBatch * kHidden);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(CounterRandom{1}.uniform(i) - 0.5);
  std::vector<float> y(x.size());
  std::vector<std::size_t> positions(kBatch);
  double decode = 0.0;
  for (auto _ : state) {
    forget_peak_memory();
    Workspace workspace;
    LayerState cache = layer.attention->make_cache(type);
    const auto forward = [&](std::size_t position, std::size_t rows) {
      std::iota(positions.begin(), positions.end(), position);
      const SequenceSlice sequence{0, rows, position, {&cache, 1}};
      layer.attention->forward({execution, workspace, {{&sequence, 1}, std::span(positions).first(rows)}},
                               {x.data(), {rows, kHidden}}, {y.data(), {rows, kHidden}});
      benchmark::DoNotOptimize(y.data());
    };
    const auto seconds = [](auto since) {
      return std::chrono::duration<double>(std::chrono::steady_clock::now() - since).count();
    };
    const auto begin = std::chrono::steady_clock::now();
    for (std::size_t position = 0; position < tokens; position += kBatch) forward(position, kBatch);
    state.SetIterationTime(seconds(begin));
    forward(tokens, 1);  // to warm up
    const auto behind = std::chrono::steady_clock::now();
    for (std::size_t i = 1; i <= kDecoded; ++i) forward(tokens + i, 1);
    decode += 1e3 * seconds(behind) / kDecoded;
    state.counters["cache_MiB"] = static_cast<double>(cache.bytes()) / (1 << 20);
    state.counters["peak_MiB"] = peak_memory_mib();
    state.counters["scratch_MiB"] = static_cast<double>(workspace.capacity_bytes()) / (1 << 20);
  }
  state.counters["tokens"] = static_cast<double>(tokens);
  state.counters["decode_ms"] = decode / static_cast<double>(state.iterations());
}

const bool kRegistered = [] {
  for (const char* kind : {"full", "chunked", "summary", "strided", "routed", "latent"}) {
    for (const std::size_t tokens : {1024U, 4096U, 16384U, 32768U, 65536U, 131072U}) {
      benchmark::RegisterBenchmark((std::string(kind) + "/" + std::to_string(tokens)).c_str(), attend, kind, tokens,
                                   KvCacheDtype::f32)
          ->Unit(benchmark::kMillisecond)
          ->UseManualTime()
          ->Iterations(1);
    }
  }
  return true;
}();

}  // namespace
}  // namespace trine::bench
