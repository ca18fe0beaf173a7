// SPDX-License-Identifier: Apache-2.0
// A part of trine::compiled (cmake/trine-compiled.cmake): products of bytes.
#include <trine/kernels/dispatch/block_gemm.inl>
#include <trine/kernels/dispatch/packed_gemm.inl>
