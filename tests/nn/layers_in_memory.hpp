// SPDX-License-Identifier: Apache-2.0
// Random weights of small layers, and how the tests run them.
#pragma once

#include <string>
#include <vector>

#include "routing/routers_in_memory.hpp"
#include "support/naive.hpp"
#include "support/random_tensor.hpp"

namespace trine::test {

/// Adds a random matrix [rows, columns] and returns it in double precision.
inline naive::Matrix add_matrix(MemoryWeights& weights, const std::string& name, std::size_t rows, std::size_t columns,
                                std::uint64_t seed) {
  const auto values = random_tensor({rows, columns}, seed);
  const auto span = values.view().span();
  weights.add(name, {rows, columns}, {span.begin(), span.end()});
  return naive::Matrix::from(values.view());
}

/// The same for a vector.
inline std::vector<double> add_vector(MemoryWeights& weights, const std::string& name, std::size_t length,
                                      std::uint64_t seed) {
  const auto values = random_tensor({length}, seed);
  const auto span = values.view().span();
  weights.add(name, {length}, {span.begin(), span.end()});
  return {span.begin(), span.end()};
}

}  // namespace trine::test
