// SPDX-License-Identifier: Apache-2.0
// Eigen's product, compiled with everything this machine has (-march=native): the other side of gemm_bench.cpp.
#pragma once

#include <cstddef>

namespace trine::bench {

/// y = x W^T in one thread.   x: [rows, k]   w: [outs, k]   y: [rows, outs]
void eigen_gemm(const float* x, std::size_t rows, const float* w, std::size_t outs, std::size_t k, float* y);
const char* eigen_instruction_sets();

}  // namespace trine::bench
