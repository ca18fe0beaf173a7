// SPDX-License-Identifier: Apache-2.0
// A downstream program with trine::eigen.
#include <trine/interop/eigen.hpp>

int main() {
  trine::EigenMatrix<float> matrix(2, 3);
  matrix.setOnes();
  return trine::as_eigen(trine::as_view(matrix)).sum() == 6.0F ? 0 : 1;
}
