// SPDX-License-Identifier: Apache-2.0
#include <trine/interop/eigen.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include <gmock/gmock.h>

#include <trine/kernels/matmul.hpp>
#include <trine/platform/cpu_features.hpp>
#include <trine/quant/weight_matrix.hpp>

#include "support/expect_error.hpp"
#include "support/random_tensor.hpp"
#include "support/test_executor.hpp"
#include "support/values.hpp"

namespace trine::test {
namespace {

using ::testing::ElementsAre;

TEST(Eigen, MapsShareMemoryAndOrder) {
  Tensor<float, 2> tensor({2, 3});
  for (std::size_t i = 0; i < 6; ++i) tensor.data()[i] = static_cast<float>(i);
  auto map = as_eigen(tensor.view());
  EXPECT_EQ(map.rows(), 2);
  EXPECT_EQ(map.cols(), 3);
  EXPECT_EQ(map(1, 0), 3.0F);  // row-major
  map(0, 2) = 9.0F;
  EXPECT_EQ(tensor.view()(0, 2), 9.0F);
  EXPECT_EQ(map.data(), tensor.data());

  const Tensor<float, 2>& constant = tensor;
  EXPECT_EQ(as_eigen(constant.view()).data(), tensor.data());
}

TEST(Eigen, MapsVectors) {
  std::vector<float> numbers = {1, 2, 3};
  auto map = as_eigen(View<float, 1>(numbers.data(), {3}));
  EXPECT_EQ(map.size(), 3);
  map(1) = 5.0F;
  EXPECT_THAT(numbers, ElementsAre(1, 5, 3));
  EXPECT_EQ(as_eigen(View<const float, 1>(numbers.data(), {3}))(2), 3.0F);
}

TEST(Eigen, MapsMemoryWithoutAlignment) {
  std::vector<float> numbers(8, 1.0F);
  EXPECT_EQ(as_eigen(View<float, 2>(numbers.data() + 1, {1, 7})).sum(), 7.0F);
}

TEST(Eigen, MapsEmptyMatrices) {
  const auto map = as_eigen(View<const float, 2>());
  EXPECT_EQ(map.size(), 0);
  const EigenMatrix<float> none(0, 5);
  EXPECT_EQ(as_view(none).extent(0), 0U);
  EXPECT_EQ(as_view(none).extent(1), 5U);
}

TEST(Eigen, ViewsBorrowFromRowMajorMatrices) {
  EigenMatrix<float> matrix(2, 3);
  matrix << 1, 2, 3, 4, 5, 6;
  EXPECT_EQ(as_view(matrix).data(), matrix.data());
  EXPECT_THAT(values(as_view(matrix).row(1)), ElementsAre(4, 5, 6));
  as_mutable_view(matrix)(1, 2) = 7.0F;
  EXPECT_EQ(matrix(1, 2), 7.0F);

  const Eigen::VectorXf vector = Eigen::VectorXf::LinSpaced(3, 0.0F, 2.0F);
  EXPECT_EQ(as_view(vector).extent(0), 3U);
  EXPECT_EQ(as_view(vector).extent(1), 1U);
  EXPECT_EQ(as_view(vector)(2, 0), 2.0F);
}

TEST(Eigen, ViewsOfBlocksNeedDenseRows) {
  EigenMatrix<float> matrix = EigenMatrix<float>::Random(4, 5);
  EXPECT_EQ(as_view(matrix.middleRows(1, 2)).data(), matrix.data() + 5);
  EXPECT_ERROR(as_view(matrix.leftCols(3)), ShapeError, "without gaps");
  EXPECT_EQ(as_view(matrix.row(2).leftCols(3)).extent(1), 3U);  // one row has no gap behind it
  const Eigen::Map<const EigenMatrix<float>, 0, Eigen::OuterStride<>> strided(matrix.data(), 2, 3,
                                                                              Eigen::OuterStride<>(5));
  EXPECT_ERROR(as_view(strided), ShapeError, "without gaps");
}

// A second opinion on the matrix product, by another library and in double precision.
TEST(Eigen, AgreesWithOurMatrixProductPerIsa) {
  const ExecutionContext execution{.isa = default_isa(), .num_threads = 2, .executor = test::test_executor()};
  struct Size {
    std::size_t tokens, out, in;
  };
  for (const Size size : {Size{1, 1, 1}, Size{1, 64, 256}, Size{7, 33, 65}, Size{40, 100, 129}}) {
    const auto x = random_tensor({size.tokens, size.in}, 1);
    const auto weight = random_tensor({size.out, size.in}, 2);
    Tensor<float, 2> y({size.tokens, size.out});
    const WeightMatrix stored{reinterpret_cast<const std::byte*>(weight.data()), DType::f32, size.out, size.in};
    Workspace workspace;
    kernels::matmul(execution, workspace, x.view(), stored, y.view());
    const Eigen::MatrixXd dx = as_eigen(x.view()).cast<double>();
    const Eigen::MatrixXd dw = as_eigen(weight.view()).cast<double>();
    const Eigen::MatrixXd expected = dx * dw.transpose();
    // |error| <= n eps |x| |w|: every one of n products and n sums rounds once.
    const Eigen::MatrixXd bound = static_cast<double>(size.in + 1) *
                                  static_cast<double>(std::numeric_limits<float>::epsilon()) *
                                  (dx.cwiseAbs() * dw.cwiseAbs().transpose());
    const Eigen::MatrixXd error = (as_eigen(y.view()).cast<double>() - expected).cwiseAbs();
    EXPECT_TRUE((error.array() <= bound.array()).all())
        << "tokens " << size.tokens << ", out " << size.out << ", in " << size.in << ": " << error.maxCoeff();
  }
}

}  // namespace
}  // namespace trine::test
