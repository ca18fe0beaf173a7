// SPDX-License-Identifier: Apache-2.0
// A part of trine::compiled (cmake/trine-compiled.cmake): mathematics on rows, products with weights as they lie.
#include <trine/kernels/dispatch/gemm.inl>
#include <trine/kernels/dispatch/kv_rows.inl>
#include <trine/kernels/dispatch/online_softmax.inl>
#include <trine/kernels/dispatch/quantize_rows.inl>
#include <trine/kernels/dispatch/vector_math.inl>
