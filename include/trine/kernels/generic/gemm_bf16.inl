// SPDX-License-Identifier: Apache-2.0
// GEMM with both sides in bf16, included once per instruction set with bf16 dot products (kernels/gemm.hpp).

namespace trine::inline TRINE_ABI::kernels::TRINE_TARGET_NAMESPACE {

inline void round_to_bf16(const float* x, std::size_t count, bfloat16* y) noexcept {
  std::size_t i = 0;
  for (; i + Vec::lanes <= count; i += Vec::lanes) store_bf16(Vec::load(x + i), y + i);
  for (; i < count; ++i) y[i] = bfloat16(x[i]);
}

inline void gemm_bf16(const RowsOf<bfloat16>& x, std::size_t rows, const bfloat16* w, std::size_t ldw, std::size_t outs,
                      std::size_t k, const void* after, float* y, std::size_t ldy) noexcept {
  inner_gemm<Pairs>(x, rows, StoredRows<bfloat16>{w, ldw, after}, outs, k, y, ldy);
}

}  // namespace trine::inline TRINE_ABI::kernels::TRINE_TARGET_NAMESPACE
