// SPDX-License-Identifier: Apache-2.0
// The exponential of the kernels, element by element: what vector_math_test.cpp measures, once per instruction set.

namespace trine::inline TRINE_ABI::kernels::TRINE_TARGET_NAMESPACE {

/// y[i] = e^x[i] for whole vectors only.
inline void exp_row(const float* x, std::size_t n, float* y) noexcept {
  for (std::size_t i = 0; i + Vec::lanes <= n; i += Vec::lanes) exp(Vec::load(x + i)).store(y + i);
}

}  // namespace trine::inline TRINE_ABI::kernels::TRINE_TARGET_NAMESPACE
