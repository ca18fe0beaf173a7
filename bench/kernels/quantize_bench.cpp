// SPDX-License-Identifier: Apache-2.0
// Rounding: rows of activations to bytes or bf16, which every product with such weights does first, in GB/s of f32; and
// packing of weights, which trine-quantize does once, in weights per second.
#include <benchmark/benchmark.h>

#include <cstddef>
#include <string>
#include <vector>

#include <trine/kernels/matmul.hpp>
#include <trine/quant/packed.hpp>

#include "rotated_weights.hpp"

namespace trine::bench {
namespace {

struct Rows {
  const char* name;
  std::size_t count;
  std::size_t width;
};
constexpr Rows kRows[] = {{"deepseek_v2_lite_hidden/rows:1", 1, 2048},
                          {"deepseek_v2_lite_hidden/rows:512", 512, 2048},
                          {"mixtral_8x7b_ffn/rows:512", 512, 14336}};

// Through the door that products use: x as weights of this type want it.
void round_rows(benchmark::State& state, const Rows& rows, DType dtype) {
  const std::vector<float> values = random_values(rows.count * rows.width);
  const View<const float, 2> x(values.data(), {rows.count, rows.width});
  const WeightMatrix weight{nullptr, dtype, kPanelRows, rows.width};
  const ExecutionContext execution{.isa = default_isa(), .num_threads = 1, .activations = ActivationPrecision::native};
  Workspace workspace;
  for (auto _ : state) {
    const Workspace::Scope scope(workspace);
    const kernels::ActivationRows rounded = kernels::prepare(execution, workspace, x, {&weight});
    benchmark::DoNotOptimize(rounded);
    benchmark::ClobberMemory();
  }
  const double bytes = static_cast<double>(x.size() * sizeof(float)) * static_cast<double>(state.iterations());
  state.counters["GB/s"] = benchmark::Counter(bytes * 1e-9, benchmark::Counter::kIsRate);
}

void pack_weights(benchmark::State& state, DType dtype) {
  constexpr std::size_t columns = 2048;  // a row of an expert of DeepSeek-V2-Lite
  const std::vector<float> panel = random_values(kPanelRows * columns);
  std::vector<std::byte> packed(panel_bytes(dtype, columns));
  for (auto _ : state) {
    pack(dtype, panel.data(), columns, kPanelRows, columns, packed.data());
    benchmark::DoNotOptimize(packed.data());
    benchmark::ClobberMemory();
  }
  const double weights = static_cast<double>(panel.size()) * static_cast<double>(state.iterations());
  state.counters["weights/s"] = benchmark::Counter(weights, benchmark::Counter::kIsRate);
}

const bool kRegistered = [] {
  for (const Rows& rows : kRows) {
    benchmark::RegisterBenchmark((std::string("quantize_rows/q8/") + rows.name).c_str(), round_rows, rows, kQ8);
    if (kernels::multiplies_bf16(default_isa()))
      benchmark::RegisterBenchmark((std::string("round_rows/bf16/") + rows.name).c_str(), round_rows, rows,
                                   DType::bf16);
  }
  for (const DType dtype : {kQ8, kQ6a, kQ4a, kQ4}) {
    const std::string name = "pack/" + std::string(to_string(dtype)) + "/deepseek_v2_lite_expert_up";
    benchmark::RegisterBenchmark(name.c_str(), pack_weights, dtype);
  }
  return true;
}();

}  // namespace
}  // namespace trine::bench
