// SPDX-License-Identifier: Apache-2.0
#include "eigen_gemm.hpp"

#define EIGEN_DONT_PARALLELIZE
#include <Eigen/Core>

namespace trine::bench {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

void eigen_gemm(const float* x, std::size_t rows, const float* w, std::size_t outs, std::size_t k, float* y) {
  const auto r = static_cast<Eigen::Index>(rows);
  const auto o = static_cast<Eigen::Index>(outs);
  const auto n = static_cast<Eigen::Index>(k);
  const Eigen::Map<const Matrix> xm(x, r, n);
  const Eigen::Map<const Matrix> wm(w, o, n);
  Eigen::Map<Matrix> ym(y, r, o);
  if (rows == 1) {  // the matrix-vector product is Eigen's faster way for one row
    ym.row(0).transpose().noalias() = wm * xm.row(0).transpose();
  } else {
    ym.noalias() = xm * wm.transpose();
  }
}

const char* eigen_instruction_sets() { return Eigen::SimdInstructionSetsInUse(); }

}  // namespace trine::bench
