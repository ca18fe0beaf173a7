// SPDX-License-Identifier: Apache-2.0
// Tensors of reproducible uniform numbers: element i depends on (seed, i) alone.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include <trine/core/random.hpp>
#include <trine/core/tensor.hpp>

namespace trine::test {

/// Fills with numbers in [low, high).
template <class T>
void fill_random(std::span<T> values, std::uint64_t seed, float low = -1.0F, float high = 1.0F) {
  const CounterRandom random{seed};
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = T(low + (high - low) * static_cast<float>(random.uniform(i)));
}

/// random_tensor({3, 4}, seed) is a Tensor<float, 2> of shape [3, 4]; random_tensor<bfloat16>(...) rounds.
template <class T = float, std::size_t Rank>
[[nodiscard]] Tensor<T, Rank> random_tensor(const std::size_t (&shape)[Rank], std::uint64_t seed, float low = -1.0F,
                                            float high = 1.0F) {
  std::array<std::size_t, Rank> extents;
  for (std::size_t axis = 0; axis < Rank; ++axis) extents[axis] = shape[axis];
  Tensor<T, Rank> tensor(extents);
  fill_random(tensor.view().span(), seed, low, high);
  return tensor;
}

}  // namespace trine::test
