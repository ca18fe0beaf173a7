// SPDX-License-Identifier: Apache-2.0
// Rows of a model's own embedding table, to be given as input embeddings.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>

#include <trine/core/tensor.hpp>
#include <trine/core/token_id.hpp>
#include <trine/model/model.hpp>
#include <trine/weights/weight_scope.hpp>
#include <trine/weights/weight_source.hpp>

namespace trine::test {

/// [tokens, hidden], widened to f32 value by value.
[[nodiscard]] inline Tensor<float, 2> embedding_rows(const Model& model, std::span<const TokenId> tokens) {
  WeightReader reader(model.weights());
  const std::string prefix = model.weights().find("embed_tokens.weight") == nullptr ? "model" : "";
  const std::size_t hidden = model.info().hidden_size;
  const Tensor<float, 2> table =
      WeightScope(reader, prefix).read_f32("embed_tokens.weight", model.info().vocab_size, hidden);
  Tensor<float, 2> rows({tokens.size(), hidden});
  for (std::size_t t = 0; t < tokens.size(); ++t)
    std::ranges::copy(table.view().row(tokens[t]), rows.view().row(t).begin());
  return rows;
}

}  // namespace trine::test
