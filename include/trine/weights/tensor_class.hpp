// SPDX-License-Identifier: Apache-2.0
// What a tensor is for, told from its name: the native names and those of Hugging Face.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI {

enum class TensorClass : std::uint8_t {
  experts,
  shared_experts,
  attention,
  mlp,
  embedding,
  head,
  router,
  vector,  // norms, biases, sinks
  other,   // heads of classifiers, embeddings of features and sites, and whatever is not known
};

[[nodiscard]] constexpr std::string_view to_string(TensorClass kind) noexcept {
  switch (kind) {
    case TensorClass::experts:
      return "experts";
    case TensorClass::shared_experts:
      return "shared experts";
    case TensorClass::attention:
      return "attention";
    case TensorClass::mlp:
      return "mlp";
    case TensorClass::embedding:
      return "embedding";
    case TensorClass::head:
      return "head";
    case TensorClass::router:
      return "router";
    case TensorClass::vector:
      return "norms, biases";
    case TensorClass::other:
      return "other";
  }
  return "?";
}

/// Is nearly all of a model in such tensors, and do few bits serve them well? Routers decide, and a wrong decision
/// costs more than a wrong digit; the rest is small.
[[nodiscard]] constexpr bool is_quantized_by_default(TensorClass kind) noexcept {
  return kind != TensorClass::router && kind != TensorClass::vector && kind != TensorClass::other;
}

/// The parts of `name` between dots decide, from the innermost module outwards: a router of experts is a router, the
/// bias of a router a vector.
[[nodiscard]] inline TensorClass class_of(std::string_view name, std::size_t rank) {
  const std::string between = "." + std::string(name) + ".";
  const auto has = [&between](std::initializer_list<std::string_view> parts) {
    return std::ranges::any_of(parts, [&between](std::string_view part) {
      return between.find("." + std::string(part) + ".") != std::string::npos;
    });
  };
  if (rank < 2 || name.ends_with("bias")) return TensorClass::vector;
  if (has({"router", "gate", "shared_expert_gate"})) return TensorClass::router;
  if (has({"shared_experts", "shared_expert"})) return TensorClass::shared_experts;
  if (has({"experts"})) return TensorClass::experts;
  if (has({"self_attn", "attention", "expert_attention"})) return TensorClass::attention;
  if (has({"mlp"})) return TensorClass::mlp;
  if (has({"embed_tokens"})) return TensorClass::embedding;
  if (has({"lm_head"})) return TensorClass::head;
  return TensorClass::other;
}

}  // namespace trine::inline TRINE_ABI
