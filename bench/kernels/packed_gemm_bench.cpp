// SPDX-License-Identifier: Apache-2.0
// Many rows of activations times weights, GOP/s beside the arithmetic peak of the type that is multiplied. 48 rows are
// what an expert gets of a prompt of 512 tokens (DeepSeek-V2-Lite: 6 of 64 experts each).
#include <algorithm>
#include <string>

#include "limits.hpp"
#include "product.hpp"

namespace trine::bench {
namespace {

struct PeakedType {
  ProductType product;
  double (*peak)();
};
constexpr PeakedType kTypes[] = {{{"q8", kQ8}, arithmetic_peak<&ArithmeticPeak::int8>},
                                 {{"q6a", kQ6a}, arithmetic_peak<&ArithmeticPeak::int8>},
                                 {{"q4a", kQ4a}, arithmetic_peak<&ArithmeticPeak::int8>},
                                 {{"q4", kQ4}, arithmetic_peak<&ArithmeticPeak::int8>},
                                 {{"Q8_0", kQ8_0}, arithmetic_peak<&ArithmeticPeak::int8>},
                                 {{"Q4_0", kQ4_0}, arithmetic_peak<&ArithmeticPeak::int8>},
                                 {{"Q4_K", kQ4_K}, arithmetic_peak<&ArithmeticPeak::int8>},
                                 {{"Q5_K", kQ5_K}, arithmetic_peak<&ArithmeticPeak::int8>},
                                 {{"Q6_K", kQ6_K}, arithmetic_peak<&ArithmeticPeak::int8>},
                                 {{"IQ4_XS", kIq4Xs}, arithmetic_peak<&ArithmeticPeak::int8>},
                                 {kNativeBf16, arithmetic_peak<&ArithmeticPeak::bf16>},
                                 {kNativePanels, arithmetic_peak<&ArithmeticPeak::bf16>},
                                 {{"bf16_panels", kBf16Panels}, arithmetic_peak<&ArithmeticPeak::f32>}};
constexpr std::size_t kRows[] = {2, 4, 8, 16, 32, 48, 128, 512};

void gemm(benchmark::State& state, const WeightShape& shape, std::size_t rows, const PeakedType& type) {
  Product product(type.product, shape, rows);
  const BesideLimit result = beside(type.peak, [&] { product.run(state); });
  const double done = product.giga_operations() * static_cast<double>(state.iterations());
  state.counters["GOP/s"] = benchmark::Counter(done, benchmark::Counter::kIsRate);
  state.counters["of_peak"] = result.share(done);
}

void peaks(benchmark::State& state) {
  ArithmeticPeak best;
  for (auto _ : state) {
    const ArithmeticPeak now = measure_arithmetic_peak(1);
    best = {std::max(best.f32, now.f32), std::max(best.bf16, now.bf16), std::max(best.int8, now.int8)};
  }
  state.counters["f32_GFLOP/s"] = best.f32;
  state.counters["bf16_GFLOP/s"] = best.bf16;
  state.counters["int8_GOP/s"] = best.int8;
}

const bool kRegistered = [] {
  benchmark::RegisterBenchmark("arithmetic_peak", peaks)->Unit(benchmark::kMillisecond);
  for (const WeightShape& shape : kWeightShapes) {
    for (const std::size_t rows : kRows) {
      for (const PeakedType& type : kTypes) {
        if (!exists(type.product)) continue;
        const std::string name =
            std::string("gemm/") + shape.name + "/rows:" + std::to_string(rows) + "/" + type.product.name;
        benchmark::RegisterBenchmark(name.c_str(), gemm, shape, rows, type)->Unit(benchmark::kMicrosecond);
      }
    }
  }
  return true;
}();

}  // namespace
}  // namespace trine::bench
