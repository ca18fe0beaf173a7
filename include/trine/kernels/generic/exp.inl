// SPDX-License-Identifier: Apache-2.0
// The exponential, written once and included once per instruction set (kernels/simd/exp.hpp).

namespace trine::inline TRINE_ABI::kernels::TRINE_TARGET_NAMESPACE {

// e^x, relative error below 2e-7 on [-87.3, 88]; clamped outside; NaN stays NaN (the order of min's and max's
// operands). x = n ln 2 + r, |r| <= ln 2 / 2; e^r by its Taylor polynomial of degree 7.
TRINE_INLINE Vec exp(Vec x) {
  x = max(Vec::broadcast(-87.3F), min(Vec::broadcast(88.0F), x));
  const Vec n = round(mul(x, Vec::broadcast(1.44269504F)));
  Vec r = fma(n, Vec::broadcast(-0.693359375F), x);  // ln 2 in two parts: the first product is exact
  r = fma(n, Vec::broadcast(2.12194440e-4F), r);
  Vec p = Vec::broadcast(1.0F / 5040.0F);
  p = fma(p, r, Vec::broadcast(1.0F / 720.0F));
  p = fma(p, r, Vec::broadcast(1.0F / 120.0F));
  p = fma(p, r, Vec::broadcast(1.0F / 24.0F));
  p = fma(p, r, Vec::broadcast(1.0F / 6.0F));
  p = fma(p, r, Vec::broadcast(0.5F));
  p = fma(p, r, Vec::broadcast(1.0F));
  p = fma(p, r, Vec::broadcast(1.0F));
  return mul(p, power_of_two(n));
}

}  // namespace trine::inline TRINE_ABI::kernels::TRINE_TARGET_NAMESPACE
