// SPDX-License-Identifier: Apache-2.0
// Products of rows with rows for short rows, written once and included once per instruction set (kernels/dot.hpp).
//
// Lanes hold pieces of one sum: lane l adds the products of the indices that are l modulo the number of lanes, then the
// lanes are folded by the tree of `sum`. How many rows are worked on at once does not change an output's bits.

namespace trine::inline TRINE_ABI::kernels::TRINE_REGION {

template <std::size_t Rows, std::size_t Keys>
TRINE_INLINE void dot_tile(const float* q, std::size_t ldq, const float* key, std::size_t ldk, std::size_t n,
                           float* out, std::size_t ldo) {
  Vec acc[Rows][Keys];
  TRINE_UNROLL
  for (std::size_t r = 0; r < Rows; ++r) {
    TRINE_UNROLL
    for (std::size_t j = 0; j < Keys; ++j) acc[r][j] = Vec::zero();
  }
  for (std::size_t i = 0; i < n; i += Vec::lanes) {
    const bool whole = i + Vec::lanes <= n;
    Vec k[Keys];
    TRINE_UNROLL
    for (std::size_t j = 0; j < Keys; ++j)
      k[j] = whole ? Vec::load(key + j * ldk + i) : Vec::load_part(key + j * ldk + i, n - i);
    TRINE_UNROLL
    for (std::size_t r = 0; r < Rows; ++r) {
      const Vec row = whole ? Vec::load(q + r * ldq + i) : Vec::load_part(q + r * ldq + i, n - i);
      TRINE_UNROLL
      for (std::size_t j = 0; j < Keys; ++j) acc[r][j] = fma(row, k[j], acc[r][j]);
    }
  }
  TRINE_UNROLL
  for (std::size_t r = 0; r < Rows; ++r) {
    if constexpr (Keys == 4) {
      sum4(acc[r][0], acc[r][1], acc[r][2], acc[r][3], false, out + r * ldo);
    } else {
      out[r * ldo] = sum(acc[r][0]);
    }
  }
}

template <std::size_t Rows>
TRINE_INLINE void dot_rows(const float* q, std::size_t ldq, const float* key, std::size_t ldk, std::size_t keys,
                           std::size_t n, float* out, std::size_t ldo) {
  std::size_t j = 0;
  for (; j + 4 <= keys; j += 4) dot_tile<Rows, 4>(q, ldq, key + j * ldk, ldk, n, out + j, ldo);
  for (; j < keys; ++j) dot_tile<Rows, 1>(q, ldq, key + j * ldk, ldk, n, out + j, ldo);
}

/// out[r, j] = sum_i q[r, i] key[j, i]; see kernels/dot.hpp.
inline void dot(const float* q, std::size_t ldq, std::size_t rows, const float* key, std::size_t ldk, std::size_t keys,
                std::size_t n, float* out, std::size_t ldo) noexcept {
  std::size_t r = 0;
  for (; r + 4 <= rows; r += 4) dot_rows<4>(q + r * ldq, ldq, key, ldk, keys, n, out + r * ldo, ldo);
  for (; r + 2 <= rows; r += 2) dot_rows<2>(q + r * ldq, ldq, key, ldk, keys, n, out + r * ldo, ldo);
  if (r < rows) dot_rows<1>(q + r * ldq, ldq, key, ldk, keys, n, out + r * ldo, ldo);
}

}  // namespace trine::inline TRINE_ABI::kernels::TRINE_REGION
