// SPDX-License-Identifier: Apache-2.0
// Online softmax over blocks of keys, written once and included once per instruction set (kernels/online_softmax.hpp).
// Builds on generic/vector_math.inl.

namespace trine::inline TRINE_ABI::kernels::TRINE_TARGET_NAMESPACE {

/// z[i] = factor z[i]
inline void multiply(float* z, std::size_t n, float factor) noexcept {
  const Vec f = Vec::broadcast(factor);
  std::size_t i = 0;
  for (; i + Vec::lanes <= n; i += Vec::lanes) mul(Vec::load(z + i), f).store(z + i);
  if (i < n) mul(Vec::load_part(z + i, n - i), f).store_part(z + i, n - i);
}

/// Adds `n` >= 1 scores x; see kernels/online_softmax.hpp.
inline float online_softmax_block(OnlineSoftmax& state, float* x, std::size_t n, float scale) noexcept {
  Vec best = Vec::broadcast(x[0]);
  std::size_t i = 0;
  for (; i + Vec::lanes <= n; i += Vec::lanes) best = max(best, Vec::load(x + i));
  float largest = max_of(best);
  for (; i < n; ++i) largest = x[i] > largest ? x[i] : largest;
  largest = scale * largest;
  float factor = 1.0F;
  if (largest > state.largest) {
    factor = max_of(exp(Vec::broadcast(state.largest - largest)));  // in the first block a tiny factor multiplies zeros
    state.largest = largest;
    state.total *= factor;
  }
  const Vec by = Vec::broadcast(scale);
  const Vec shift = Vec::broadcast(-state.largest);
  Vec total = Vec::zero();
  for (i = 0; i + Vec::lanes <= n; i += Vec::lanes) {
    const Vec e = exp(fma(Vec::load(x + i), by, shift));
    e.store(x + i);
    total = add(total, e);
  }
  if (i < n) {
    exp(fma(Vec::load_part(x + i, n - i), by, shift)).store_part(x + i, n - i);
    total = add(total, Vec::load_part(x + i, n - i));
  }
  state.total += sum(total);
  return factor;
}

}  // namespace trine::inline TRINE_ABI::kernels::TRINE_TARGET_NAMESPACE
