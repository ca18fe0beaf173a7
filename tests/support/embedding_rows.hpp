// SPDX-License-Identifier: Apache-2.0
// Rows of a model's own embedding table, to be given as input embeddings.
#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <string>

#include <trine/core/tensor.hpp>
#include <trine/core/token_id.hpp>
#include <trine/json/parse.hpp>
#include <trine/model/model.hpp>
#include <trine/weights/weight_scope.hpp>
#include <trine/weights/weight_source.hpp>

namespace trine::test {

/// [tokens, hidden], widened to f32 value by value, as the model scales them.
[[nodiscard]] inline Tensor<float, 2> embedding_rows(const Model& model, std::span<const TokenId> tokens) {
  WeightReader reader(model.weights());
  std::string name = "embed_tokens.weight";
  for (const char* one : {"model.embed_tokens.weight", "model.language_model.embed_tokens.weight",
                          "language_model.model.embed_tokens.weight", "model.word_embeddings.weight"})
    if (model.weights().find(one) != nullptr) name = one;
  const std::size_t hidden = model.info().hidden_size;
  const Tensor<float, 2> table = WeightScope(reader).read_f32(name, model.info().vocab_size, hidden);
  // Input embeddings are rows that the model has scaled, where it scales those of its table.
  const Json& config = model.config();
  float scale = config.value("embedding_multiplier", 1.0F);
  if (model.info().model_type.starts_with("gemma") || config.value("mup_enabled", false))
    scale = std::sqrt(static_cast<float>(hidden));
  Tensor<float, 2> rows({tokens.size(), hidden});
  for (std::size_t t = 0; t < tokens.size(); ++t)
    for (std::size_t i = 0; i < hidden; ++i) rows.view()(t, i) = scale * table.view()(tokens[t], i);
  return rows;
}

}  // namespace trine::test
