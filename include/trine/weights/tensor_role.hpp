// SPDX-License-Identifier: Apache-2.0
// The role of a tensor, which the builder of a model declares when it fetches the tensor.
#pragma once

#include <cstdint>
#include <string_view>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI {

/// The role of a tensor in the computation, by which a conversion chooses the format.
enum class TensorRole : std::uint8_t {
  experts,         ///< routed experts
  shared_experts,  ///< experts that serve every token
  attention,       ///< projections of attention
  mlp,             ///< feed-forwards of dense layers
  embedding,       ///< of tokens
  head,            ///< of a language model
  router,          ///< weights that choose experts
  vector,          ///< norms, biases, sinks
  other,           ///< heads of classifiers, embeddings of features and sites, and tensors without a declared role
};

/// The name for messages and tables: "shared experts".
[[nodiscard]] constexpr std::string_view to_string(TensorRole role) noexcept {
  switch (role) {
    case TensorRole::experts:
      return "experts";
    case TensorRole::shared_experts:
      return "shared experts";
    case TensorRole::attention:
      return "attention";
    case TensorRole::mlp:
      return "mlp";
    case TensorRole::embedding:
      return "embedding";
    case TensorRole::head:
      return "head";
    case TensorRole::router:
      return "router";
    case TensorRole::vector:
      return "norms, biases";
    case TensorRole::other:
      return "other";
  }
  return "?";
}

/// Returns whether tensors of this role are worth quantising: they hold nearly all of a model. A wrong decision of a
/// router costs more than a rounding error; the other roles are small.
[[nodiscard]] constexpr bool is_quantized_by_default(TensorRole role) noexcept {
  return role != TensorRole::router && role != TensorRole::vector && role != TensorRole::other;
}

}  // namespace trine::inline TRINE_ABI
