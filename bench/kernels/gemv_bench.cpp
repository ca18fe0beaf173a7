// SPDX-License-Identifier: Apache-2.0
// One row of activations times weights from memory, GB/s of weights beside what a stream read of the same thread gets.
#include <algorithm>
#include <string>

#include "limits.hpp"
#include "product.hpp"

namespace trine::bench {
namespace {

constexpr ProductType kTypes[] = {{"f32", DType::f32},
                                  {"bf16", DType::bf16},
                                  {"bf16_panels", kBf16Panels},
                                  kNativeBf16,
                                  kNativePanels,
                                  {"f16", DType::f16},
                                  {"fp8", DType::f8_e4m3},
                                  {"mxfp4", kMxfp4},
                                  {"q8", kQ8},
                                  {"q6a", kQ6a},
                                  {"q5a", kQ5a},
                                  {"q4a", kQ4a},
                                  {"q3a", kQ3a},
                                  {"q4", kQ4},
                                  {"Q8_0", kQ8_0},
                                  {"Q4_0", kQ4_0},
                                  {"IQ4_NL", kIq4Nl},
                                  {"MXFP4", kGgmlMxfp4},
                                  {"Q3_K", kQ3_K},
                                  {"Q4_K", kQ4_K},
                                  {"Q5_K", kQ5_K},
                                  {"Q6_K", kQ6_K},
                                  {"IQ4_XS", kIq4Xs}};

void gemv(benchmark::State& state, const WeightShape& shape, const ProductType& type) {
  Product product(type, shape, 1);
  const BesideLimit result = beside(stream_read, [&] { product.run(state); });
  const double done = product.gigabytes() * static_cast<double>(state.iterations());
  state.counters["weights_GB/s"] = benchmark::Counter(done, benchmark::Counter::kIsRate);
  state.counters["of_stream"] = result.share(done);
}

void stream(benchmark::State& state) {
  double best = 0.0;
  for (auto _ : state) best = std::max(best, stream_read());
  state.counters["GB/s"] = best;
}

const bool kRegistered = [] {
  benchmark::RegisterBenchmark("stream_read", stream)->Unit(benchmark::kMillisecond);
  for (const WeightShape& shape : kWeightShapes) {
    for (const ProductType& type : kTypes) {
      if (!exists(type)) continue;
      const std::string name = std::string("gemv/") + shape.name + "/" + type.name;
      benchmark::RegisterBenchmark(name.c_str(), gemv, shape, type)->Unit(benchmark::kMicrosecond);
    }
  }
  return true;
}();

}  // namespace
}  // namespace trine::bench
