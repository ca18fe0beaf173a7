// SPDX-License-Identifier: Apache-2.0
// A part of trine::compiled (cmake/trine-compiled.cmake): mathematics on rows, products with weights as they lie.
#include <trine/kernels/dispatched/cache_rows.inl>
#include <trine/kernels/dispatched/gemm.inl>
#include <trine/kernels/dispatched/quantize_rows.inl>
#include <trine/kernels/dispatched/streaming_softmax.inl>
#include <trine/kernels/dispatched/vector_math.inl>
