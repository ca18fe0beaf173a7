// SPDX-License-Identifier: Apache-2.0
// References in double precision, written as the textbook writes them: slow, and with no code of the library's kernels.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

namespace trine::test::naive {

/// Row-major [rows, columns].
struct Matrix {
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::vector<double> values;

  Matrix(std::size_t r, std::size_t c) : rows(r), columns(c), values(r * c) {}

  /// A copy of anything two-dimensional with extent(0), extent(1) and operator()(row, column).
  template <class Source>
  [[nodiscard]] static Matrix from(const Source& source) {
    Matrix result(source.extent(0), source.extent(1));
    for (std::size_t r = 0; r < result.rows; ++r)
      for (std::size_t c = 0; c < result.columns; ++c)
        result(r, c) = static_cast<double>(static_cast<float>(source(r, c)));
    return result;
  }

  [[nodiscard]] double& operator()(std::size_t r, std::size_t c) { return values[r * columns + c]; }
  [[nodiscard]] double operator()(std::size_t r, std::size_t c) const { return values[r * columns + c]; }
};

/// y[t, o] = sum_i x[t, i] weight[o, i].   x: [tokens, in], weight: [out, in]
[[nodiscard]] inline Matrix matmul(const Matrix& x, const Matrix& weight) {
  Matrix y(x.rows, weight.rows);
  for (std::size_t t = 0; t < x.rows; ++t)
    for (std::size_t o = 0; o < weight.rows; ++o)
      for (std::size_t i = 0; i < x.columns; ++i) y(t, o) += x(t, i) * weight(o, i);
  return y;
}

/// sum_i |x[t, i]| |weight[o, i]|: times the unit round-off and the length, a bound on what float32 may lose.
[[nodiscard]] inline Matrix matmul_magnitude(Matrix x, Matrix weight) {
  for (double& value : x.values) value = std::abs(value);
  for (double& value : weight.values) value = std::abs(value);
  return matmul(x, weight);
}

/// y[t, h] = x[t, h] / sqrt(mean_h(x[t, h]^2) + epsilon) * gain[h]
[[nodiscard]] inline Matrix rms_norm(const Matrix& x, const std::vector<double>& gain, double epsilon) {
  Matrix y(x.rows, x.columns);
  for (std::size_t t = 0; t < x.rows; ++t) {
    double sum = 0;
    for (std::size_t h = 0; h < x.columns; ++h) sum += x(t, h) * x(t, h);
    const double root = std::sqrt(sum / static_cast<double>(x.columns) + epsilon);
    for (std::size_t h = 0; h < x.columns; ++h) y(t, h) = x(t, h) / root * gain[h];
  }
  return y;
}

/// p_i = exp(x_i - max x) / sum_j exp(x_j - max x)
[[nodiscard]] inline std::vector<double> softmax(std::vector<double> x) {
  double largest = -HUGE_VAL;
  for (const double value : x) largest = std::fmax(largest, value);
  double sum = 0;
  for (double& value : x) sum += value = std::exp(value - largest);
  for (double& value : x) value /= sum;
  return x;
}

[[nodiscard]] inline double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

/// x sigmoid(x)
[[nodiscard]] inline double silu(double x) { return x * sigmoid(x); }

/// Rotary embedding of one head, half-split pairs (i, i + d/2), angle = position * theta^(-2i/d). Su et al. 2021,
/// arXiv:2104.09864.
[[nodiscard]] inline std::vector<double> rope(const std::vector<double>& head, double position, double theta) {
  std::vector<double> result(head.size());
  const std::size_t half = head.size() / 2;
  for (std::size_t i = 0; i < half; ++i) {
    const double angle = position * std::pow(theta, -2.0 * static_cast<double>(i) / static_cast<double>(head.size()));
    result[i] = head[i] * std::cos(angle) - head[i + half] * std::sin(angle);
    result[i + half] = head[i + half] * std::cos(angle) + head[i] * std::sin(angle);
  }
  return result;
}

}  // namespace trine::test::naive
