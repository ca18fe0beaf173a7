// SPDX-License-Identifier: Apache-2.0
// Matrix products at real shapes: trine in f32 and bf16 beside Eigen in f32, one thread each, GFLOP/s and GB/s of
// weights. For a fair comparison on a machine that drifts, interleave:
//   trine_kernels_bench --benchmark_filter='(trine|eigen)_' --benchmark_enable_random_interleaving=true
//                       --benchmark_repetitions=5 --benchmark_report_aggregates_only=true
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include <trine/core/random.hpp>
#include <trine/kernels/gemm.hpp>

#include "eigen_gemm.hpp"

namespace trine::bench {
namespace {

struct Shape {
  const char* name;
  std::size_t outs;
  std::size_t k;
};
constexpr Shape kShapes[] = {{"deepseek_v2_lite_expert_up", 1408, 2048},
                             {"deepseek_v2_lite_expert_down", 2048, 1408},
                             {"qwen3_30b_a3b_expert_up", 768, 2048},
                             {"olmoe_expert_down", 2048, 1024},
                             {"shakespeare_lm_head", 1024, 256}};
constexpr std::size_t kRows[] = {1, 2, 4, 8, 16, 32, 64, 128, 512};

template <class T>
std::vector<T> random_values(std::size_t count) {
  std::vector<T> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = T(static_cast<float>(CounterRandom{1}.uniform(i)) - 0.5F);
  return values;
}

// Enough matrices that none stays in the caches between two uses when weights come from memory in real life.
template <class W, class Product>
void run(benchmark::State& state, const Shape& shape, std::size_t rows, const Product& product) {
  const std::size_t bytes = shape.outs * shape.k * sizeof(W);
  const std::size_t copies = std::max<std::size_t>(1, (std::size_t{64} << 20U) / bytes);
  const auto weights = random_values<W>(shape.outs * shape.k);
  std::vector<std::vector<W>> experts(copies, weights);
  const auto x = random_values<float>(rows * shape.k);
  std::vector<float> y(rows * shape.outs);
  std::size_t next = 0;
  for (auto _ : state) {
    product(x.data(), experts[next].data(), y.data());
    benchmark::DoNotOptimize(y.data());
    benchmark::ClobberMemory();
    next = (next + 1) % copies;
  }
  const auto iterations = static_cast<double>(state.iterations());
  const double flop = 2.0 * static_cast<double>(rows * shape.outs * shape.k) * iterations;
  state.counters["GFLOP/s"] = benchmark::Counter(flop * 1e-9, benchmark::Counter::kIsRate);
  state.counters["weights_GB/s"] =
      benchmark::Counter(static_cast<double>(bytes) * iterations * 1e-9, benchmark::Counter::kIsRate);
}

template <class W>
void run_trine(benchmark::State& state, const Shape& shape, std::size_t rows) {
  const Isa isa = default_isa();
  run<W>(state, shape, rows, [&](const float* x, const W* w, float* y) {
    kernels::gemm(isa, x, shape.k, rows, w, shape.k, shape.outs, shape.k, y, shape.outs);
  });
}

const bool kRegistered = [] {
  benchmark::AddCustomContext("trine_isa", std::string(to_string(default_isa())));
  benchmark::AddCustomContext("eigen_isa", eigen_instruction_sets());
  for (const Shape& shape : kShapes) {
    for (const std::size_t rows : kRows) {
      const std::string name = std::string(shape.name) + "/rows:" + std::to_string(rows) + "/";
      benchmark::RegisterBenchmark((name + "trine_f32").c_str(),
                                   [=](benchmark::State& state) { run_trine<float>(state, shape, rows); });
      benchmark::RegisterBenchmark((name + "eigen_f32").c_str(), [=](benchmark::State& state) {
        run<float>(state, shape, rows,
                   [&](const float* x, const float* w, float* y) { eigen_gemm(x, rows, w, shape.outs, shape.k, y); });
      });
      benchmark::RegisterBenchmark((name + "trine_bf16").c_str(),
                                   [=](benchmark::State& state) { run_trine<bfloat16>(state, shape, rows); });
    }
  }
  return true;
}();

}  // namespace
}  // namespace trine::bench
