// SPDX-License-Identifier: Apache-2.0
// One product y = x W^T on one thread, at the shapes of published models and in every type of weights.
#pragma once

#include <benchmark/benchmark.h>

#include <array>
#include <cstddef>
#include <vector>

#include <trine/kernels/matmul.hpp>

#include "rotated_weights.hpp"

namespace trine::bench {

struct WeightShape {
  const char* name;
  std::size_t outs;
  std::size_t k;
};
inline constexpr std::array<WeightShape, 4> kWeightShapes{{{"deepseek_v2_lite_expert_up", 1408, 2048},
                                                           {"deepseek_v2_lite_expert_down", 2048, 1408},
                                                           {"qwen3_30b_a3b_expert_up", 768, 2048},
                                                           {"mixtral_8x7b_expert_up", 14336, 4096}}};

/// Weights, and the activations that they are multiplied with.
struct ProductType {
  const char* name;
  DType weights;
  ActivationPrecision activations = ActivationPrecision::automatic;
};
inline constexpr ProductType kNativeBf16{"bf16_native", DType::bf16, ActivationPrecision::native};
inline constexpr ProductType kNativePanels{"bf16_panels_native", kBf16Panels, ActivationPrecision::native};

/// Does this CPU have a product of this type, or would it be another's?
[[nodiscard]] inline bool exists(const ProductType& type) {
  return type.activations != ActivationPrecision::native ||
         kernels::multiplies_bf16(default_isa(), WeightMatrix{nullptr, type.weights, 16, 32});
}

class Product {
 public:
  Product(const ProductType& type, const WeightShape& shape, std::size_t rows)
      : execution_{.isa = default_isa(), .num_threads = 1, .activations = type.activations},
        weights_(type.weights, shape.outs, shape.k),
        values_(random_values(rows * shape.k)),
        x_(kernels::prepare(execution_, workspace_, View<const float, 2>(values_.data(), {rows, shape.k}),
                            {&weights_.next()})),
        y_({rows, shape.outs}) {}

  void run(benchmark::State& state) {
    for (auto _ : state) {
      const WeightMatrix weight = weights_.next();
      const kernels::Product product{&weight, nullptr, y_.view()};
      kernels::matmul(execution_, x_, {&product, 1});
      benchmark::DoNotOptimize(y_.data());
      benchmark::ClobberMemory();
    }
  }

  /// Of weights, in one product.
  [[nodiscard]] double gigabytes() const { return static_cast<double>(weights_.bytes()) * 1e-9; }
  /// A multiplication and an addition are two.
  [[nodiscard]] double giga_operations() const { return 2e-9 * static_cast<double>(y_.size() * x_.columns); }

 private:
  ExecutionContext execution_;
  Workspace workspace_;
  RotatedWeights weights_;
  std::vector<float> values_;
  kernels::ActivationRows x_;
  Tensor<float, 2> y_;
};

}  // namespace trine::bench
