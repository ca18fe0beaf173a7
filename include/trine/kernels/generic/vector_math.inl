// SPDX-License-Identifier: Apache-2.0
// Elementwise and row-wise mathematics, written once and included once per instruction set (kernels/vector_math.hpp).

namespace trine::inline TRINE_ABI::kernels::TRINE_TARGET_NAMESPACE {

TRINE_INLINE Vec silu(Vec x) {
  const Vec one = Vec::broadcast(1.0F);
  return div(x, add(one, exp(sub(Vec::zero(), x))));
}

/// gate[i] = silu(gate[i]) * up[i]
inline void silu_multiply(float* gate, const float* up, std::size_t n) noexcept {
  std::size_t i = 0;
  for (; i + Vec::lanes <= n; i += Vec::lanes) mul(silu(Vec::load(gate + i)), Vec::load(up + i)).store(gate + i);
  if (i < n) mul(silu(Vec::load_part(gate + i, n - i)), Vec::load_part(up + i, n - i)).store_part(gate + i, n - i);
}

TRINE_INLINE Vec clamped_swiglu(Vec gate, Vec up, Vec alpha, Vec limit) {
  const Vec one = Vec::broadcast(1.0F);
  const Vec g = min(limit, gate);
  const Vec u = max(sub(Vec::zero(), limit), min(limit, up));
  return mul(div(g, add(one, exp(sub(Vec::zero(), mul(alpha, g))))), add(u, one));
}

/// gate[i] = g sigmoid(alpha g) (u + 1), g = min(gate[i], limit), u = up[i] in [-limit, limit]; NaN stays NaN
inline void clamped_swiglu_multiply(float* gate, const float* up, std::size_t n, float alpha, float limit) noexcept {
  const Vec a = Vec::broadcast(alpha);
  const Vec most = Vec::broadcast(limit);
  std::size_t i = 0;
  for (; i + Vec::lanes <= n; i += Vec::lanes)
    clamped_swiglu(Vec::load(gate + i), Vec::load(up + i), a, most).store(gate + i);
  if (i < n)
    clamped_swiglu(Vec::load_part(gate + i, n - i), Vec::load_part(up + i, n - i), a, most).store_part(gate + i, n - i);
}

TRINE_INLINE Vec limited_silu(Vec gate, Vec up, Vec limit) {
  return mul(min(limit, silu(gate)), max(sub(Vec::zero(), limit), min(limit, up)));
}

/// gate[i] = min(silu(gate[i]), limit) u, u = up[i] in [-limit, limit]; NaN stays NaN
inline void limited_silu_multiply(float* gate, const float* up, std::size_t n, float limit) noexcept {
  const Vec most = Vec::broadcast(limit);
  std::size_t i = 0;
  for (; i + Vec::lanes <= n; i += Vec::lanes)
    limited_silu(Vec::load(gate + i), Vec::load(up + i), most).store(gate + i);
  if (i < n)
    limited_silu(Vec::load_part(gate + i, n - i), Vec::load_part(up + i, n - i), most).store_part(gate + i, n - i);
}

// 1 + tanh(u) = 2 / (1 + e^-2u), so that x / 2 (1 + tanh(u)) = x / (1 + e^-2u).
TRINE_INLINE Vec gelu_tanh(Vec x) {
  const Vec one = Vec::broadcast(1.0F);
  const Vec factor =
      fma(mul(x, x), Vec::broadcast(-2.0F * 0.7978845608F * 0.044715F), Vec::broadcast(-2.0F * 0.7978845608F));
  return div(x, add(one, exp(mul(x, factor))));
}

/// gate[i] = gelu(gate[i]) * up[i], by the tanh approximation
inline void gelu_tanh_multiply(float* gate, const float* up, std::size_t n) noexcept {
  std::size_t i = 0;
  for (; i + Vec::lanes <= n; i += Vec::lanes) mul(gelu_tanh(Vec::load(gate + i)), Vec::load(up + i)).store(gate + i);
  if (i < n) mul(gelu_tanh(Vec::load_part(gate + i, n - i)), Vec::load_part(up + i, n - i)).store_part(gate + i, n - i);
}

/// y[i] = x[i] / sqrt(mean(x^2) + epsilon) * gain[i]
inline void rms_norm_row(const float* x, const float* gain, float epsilon, std::size_t n, float* y) noexcept {
  Vec squares = Vec::zero();
  std::size_t i = 0;
  for (; i + Vec::lanes <= n; i += Vec::lanes) squares = fma(Vec::load(x + i), Vec::load(x + i), squares);
  if (i < n) squares = fma(Vec::load_part(x + i, n - i), Vec::load_part(x + i, n - i), squares);
  const Vec scale = Vec::broadcast(1.0F / std::sqrt(sum(squares) / static_cast<float>(n) + epsilon));
  for (i = 0; i + Vec::lanes <= n; i += Vec::lanes) mul(mul(Vec::load(x + i), scale), Vec::load(gain + i)).store(y + i);
  if (i < n) mul(mul(Vec::load_part(x + i, n - i), scale), Vec::load_part(gain + i, n - i)).store_part(y + i, n - i);
}

/// x[i] = scale x[i] / sqrt(sum(x^2) + epsilon)
inline void l2_normalize_row(float* x, std::size_t n, float epsilon, float scale) noexcept {
  Vec squares = Vec::zero();
  std::size_t i = 0;
  for (; i + Vec::lanes <= n; i += Vec::lanes) squares = fma(Vec::load(x + i), Vec::load(x + i), squares);
  if (i < n) squares = fma(Vec::load_part(x + i, n - i), Vec::load_part(x + i, n - i), squares);
  const Vec factor = Vec::broadcast(scale / std::sqrt(sum(squares) + epsilon));
  for (i = 0; i + Vec::lanes <= n; i += Vec::lanes) mul(Vec::load(x + i), factor).store(x + i);
  if (i < n) mul(Vec::load_part(x + i, n - i), factor).store_part(x + i, n - i);
}

/// y[i] *= sigmoid(gate[i])
inline void sigmoid_multiply(const float* gate, std::size_t n, float* y) noexcept {
  const Vec one = Vec::broadcast(1.0F);
  const auto gated = [&](Vec value, Vec by) { return div(value, add(one, exp(sub(Vec::zero(), by)))); };
  std::size_t i = 0;
  for (; i + Vec::lanes <= n; i += Vec::lanes) gated(Vec::load(y + i), Vec::load(gate + i)).store(y + i);
  if (i < n) gated(Vec::load_part(y + i, n - i), Vec::load_part(gate + i, n - i)).store_part(y + i, n - i);
}

// Lane i: start + sum_t weight[t, i] x_t[i].
template <class Load>
TRINE_INLINE Vec convolve(const float* const* x, std::size_t taps, const float* weight, std::size_t ld, std::size_t i,
                          Vec start, const Load& load) {
  for (std::size_t t = 0; t < taps; ++t) start = fma(load(weight + t * ld + i), load(x[t] + i), start);
  return start;
}

/// y[i] = silu(sum_t weight[t, i] x_t[i])
inline void convolve_silu_row(const float* const* x, std::size_t taps, const float* weight, std::size_t ld,
                              std::size_t n, float* y) noexcept {
  std::size_t i = 0;
  const auto whole = [](const float* p) { return Vec::load(p); };
  for (; i + Vec::lanes <= n; i += Vec::lanes) silu(convolve(x, taps, weight, ld, i, Vec::zero(), whole)).store(y + i);
  const auto part = [&](const float* p) { return Vec::load_part(p, n - i); };
  if (i < n) silu(convolve(x, taps, weight, ld, i, Vec::zero(), part)).store_part(y + i, n - i);
}

/// y[i] = gate[i] (sum_t weight[t, i] x_t[i] + bias[i])
inline void convolve_gate_row(const float* const* x, std::size_t taps, const float* weight, std::size_t ld,
                              const float* bias, const float* gate, std::size_t n, float* y) noexcept {
  std::size_t i = 0;
  const auto row = [&](const auto& load) {
    const Vec start = bias == nullptr ? Vec::zero() : load(bias + i);
    return mul(load(gate + i), convolve(x, taps, weight, ld, i, start, load));
  };
  for (; i + Vec::lanes <= n; i += Vec::lanes) row([](const float* p) { return Vec::load(p); }).store(y + i);
  if (i < n) row([&](const float* p) { return Vec::load_part(p, n - i); }).store_part(y + i, n - i);
}

/// y[i] *= x[i]
inline void multiply_inplace(const float* x, std::size_t n, float* y) noexcept {
  std::size_t i = 0;
  for (; i + Vec::lanes <= n; i += Vec::lanes) mul(Vec::load(y + i), Vec::load(x + i)).store(y + i);
  if (i < n) mul(Vec::load_part(y + i, n - i), Vec::load_part(x + i, n - i)).store_part(y + i, n - i);
}

/// y[i] += x[i]
inline void add_inplace(const float* x, std::size_t n, float* y) noexcept {
  std::size_t i = 0;
  for (; i + Vec::lanes <= n; i += Vec::lanes) add(Vec::load(y + i), Vec::load(x + i)).store(y + i);
  if (i < n) add(Vec::load_part(y + i, n - i), Vec::load_part(x + i, n - i)).store_part(y + i, n - i);
}

/// x[i] = e^(scale x[i] - m) / sum_j e^(scale x[j] - m), m = max_j scale x[j]. `scale` must not be negative.
inline void softmax_row(float* x, std::size_t n, float scale) noexcept {
  if (n == 0) return;
  Vec best = Vec::broadcast(x[0]);
  std::size_t i = 0;
  for (; i + Vec::lanes <= n; i += Vec::lanes) best = max(best, Vec::load(x + i));
  float largest = max_of(best);
  for (; i < n; ++i) largest = x[i] > largest ? x[i] : largest;
  const Vec factor = Vec::broadcast(scale);
  const Vec shift = Vec::broadcast(-scale * largest);
  Vec total = Vec::zero();
  for (i = 0; i + Vec::lanes <= n; i += Vec::lanes) {
    const Vec e = exp(fma(Vec::load(x + i), factor, shift));
    e.store(x + i);
    total = add(total, e);
  }
  if (i < n) {
    exp(fma(Vec::load_part(x + i, n - i), factor, shift)).store_part(x + i, n - i);
    total = add(total, Vec::load_part(x + i, n - i));
  }
  const Vec inverse = Vec::broadcast(1.0F / sum(total));
  for (i = 0; i + Vec::lanes <= n; i += Vec::lanes) mul(Vec::load(x + i), inverse).store(x + i);
  if (i < n) mul(Vec::load_part(x + i, n - i), inverse).store_part(x + i, n - i);
}

// Columns [0, Vectors * lanes) of `weighted_sum`, the sums in registers.
template <std::size_t Vectors>
TRINE_INLINE void weighted_columns(const float* weight, const float* rows, std::size_t ld, std::size_t count,
                                   float* y) {
  Vec acc[Vectors];
  TRINE_UNROLL
  for (std::size_t c = 0; c < Vectors; ++c) acc[c] = Vec::load(y + c * Vec::lanes);
  for (std::size_t j = 0; j < count; ++j) {
    const Vec w = Vec::broadcast(weight[j]);
    TRINE_UNROLL
    for (std::size_t c = 0; c < Vectors; ++c) acc[c] = fma(w, Vec::load(rows + j * ld + c * Vec::lanes), acc[c]);
  }
  TRINE_UNROLL
  for (std::size_t c = 0; c < Vectors; ++c) acc[c].store(y + c * Vec::lanes);
}

/// y[i] += sum_j weight[j] rows[j, i], j ascending for every i: a longer sum may be split into several calls.
inline void weighted_sum(const float* weight, const float* rows, std::size_t ld, std::size_t count, std::size_t n,
                         float* y) noexcept {
  std::size_t i = 0;
  for (; i + 4 * Vec::lanes <= n; i += 4 * Vec::lanes) weighted_columns<4>(weight, rows + i, ld, count, y + i);
  for (; i + Vec::lanes <= n; i += Vec::lanes) weighted_columns<1>(weight, rows + i, ld, count, y + i);
  if (i < n) {
    Vec acc = Vec::load_part(y + i, n - i);
    for (std::size_t j = 0; j < count; ++j)
      acc = fma(Vec::broadcast(weight[j]), Vec::load_part(rows + j * ld + i, n - i), acc);
    acc.store_part(y + i, n - i);
  }
}

// d a, or 0 if that is below 1e-30: what is left of the difference is never denormal.
TRINE_INLINE Vec next_decay(Vec d, Vec a) { return max(sub(mul(d, a), Vec::broadcast(1e-30F)), Vec::zero()); }

/// on_x[j] = sum_i x[i] d_j[i] keys[j, i], the same for y, with d_j the product of the decays of the rows after j
inline void decayed_dots(const float* x, const float* y, const float* keys, const float* decays, std::size_t rows,
                         std::size_t width, float* on_x, float* on_y, float* product) noexcept {
  for (std::size_t i = 0; i < width; ++i) product[i] = 1.0F;
  for (std::size_t j = rows; j-- > 0;) {
    const float* const key = keys + j * width;
    const float* const decay = decays + j * width;
    Vec sum_x = Vec::zero();
    Vec sum_y = Vec::zero();
    std::size_t i = 0;
    for (; i + Vec::lanes <= width; i += Vec::lanes) {
      const Vec d = Vec::load(product + i);
      const Vec k = mul(d, Vec::load(key + i));
      sum_x = fma(Vec::load(x + i), k, sum_x);
      sum_y = fma(Vec::load(y + i), k, sum_y);
      next_decay(d, Vec::load(decay + i)).store(product + i);
    }
    if (i < width) {
      const Vec d = Vec::load_part(product + i, width - i);
      const Vec k = mul(d, Vec::load_part(key + i, width - i));
      sum_x = fma(Vec::load_part(x + i, width - i), k, sum_x);
      sum_y = fma(Vec::load_part(y + i, width - i), k, sum_y);
      next_decay(d, Vec::load_part(decay + i, width - i)).store_part(product + i, width - i);
    }
    on_x[j] = sum(sum_x);
    on_y[j] = sum(sum_y);
  }
}

}  // namespace trine::inline TRINE_ABI::kernels::TRINE_TARGET_NAMESPACE
