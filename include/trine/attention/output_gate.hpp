// SPDX-License-Identifier: Apache-2.0
// Output gates of attention: a linear map of a layer's input scales what heads give before they are mixed.
// Qiu et al. 2025, "Gated Attention for Large Language Models", arXiv:2505.06708.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <trine/kernels/online_softmax.hpp>
#include <trine/kernels/vector_math.hpp>
#include <trine/nn/linear.hpp>
#include <trine/platform/parallel_rows.hpp>

namespace trine::inline TRINE_ABI {

/// How a family gates the outputs of its heads.
struct OutputGateOptions {
  /// Of the gate.
  enum class Activation : std::uint8_t {
    sigmoid,   ///< 1 / (1 + e^-x)
    softplus,  ///< ln(1 + e^x)
  };
  std::string_view name = "g_proj";             ///< of the map: a string literal
  Activation activation = Activation::sigmoid;  ///< of its output
  bool per_element = false;                     ///< otherwise one gate for all elements of a head
  /// There is no such map: the rows of q_proj for a head are followed by those of its gate, a sigmoid per element.
  bool in_q_proj = false;
};

/// z *= activation(x W), per head or per element.
class OutputGate {
 public:
  /// Reads "NAME.weight" [heads, hidden] or [heads * head_dim, hidden]. Throws WeightError.
  OutputGate(const WeightScope& scope, std::size_t hidden, std::size_t heads, std::size_t head_dim,
             const OutputGateOptions& options)
      : weight_(scope / options.name, hidden, options.per_element ? heads * head_dim : heads),
        activation_(options.activation) {}

  /// x: [rows, hidden]   z: [rows, heads * head_dim], overwritten
  void apply(const ForwardContext& context, View<const float, 2> x, View<float, 2> z) const {
    const Workspace::Scope scope(context.workspace);
    const View<float, 2> gate = context.workspace.take_matrix<float>(x.extent(0), weight_.out());
    weight_.forward(context, x, gate);
    const Isa isa = context.execution.isa;
    parallel_rows(context.execution, z.extent(0), 2 * z.extent(1), [&](std::size_t r) {
      const std::size_t width = z.extent(1) / gate.extent(1);  // elements per gate
      if (width == 1 && activation_ == OutputGateOptions::Activation::sigmoid)
        return kernels::sigmoid_multiply(isa, gate.row(r), z.row(r));
      for (std::size_t i = 0; i < gate.extent(1); ++i)
        kernels::multiply(isa, z.row(r).subspan(i * width, width), activate(gate(r, i)));
    });
  }

  /// Number of weights.
  [[nodiscard]] std::size_t parameters() const noexcept { return weight_.parameters(); }

 private:
  [[nodiscard]] float activate(float x) const noexcept {
    if (activation_ == OutputGateOptions::Activation::sigmoid) return 1.0F / (1.0F + std::exp(-x));
    return x > 20.0F ? x : std::log1p(std::exp(x));  // beyond, they are the same number
  }

  Linear weight_;
  OutputGateOptions::Activation activation_;
};

}  // namespace trine::inline TRINE_ABI
