// SPDX-License-Identifier: Apache-2.0
// Multi-head latent attention in double precision, as its paper writes it (arXiv:2405.04434, section 2.1), with every
// key and value made; and the known ways to get it wrong.
#pragma once

#include <cmath>
#include <cstddef>
#include <optional>
#include <vector>

#include <trine/core/bfloat16.hpp>

#include "support/naive.hpp"

namespace trine::test::naive {

struct Latent {
  std::size_t heads = 0;
  std::size_t nope = 0;
  std::size_t rope = 0;
  std::size_t value = 0;
  std::optional<Matrix> q_a = std::nullopt;  // [q_lora_rank, hidden]
  std::vector<double> q_a_bias = {};         // empty: none
  std::vector<double> q_norm = {};
  Matrix q{0, 0};     // [heads * (nope + rope), q_lora_rank or hidden]
  Matrix kv_a{0, 0};  // [latent + rope, hidden]
  std::vector<double> kv_a_bias = {};
  std::vector<double> kv_norm = {};
  Matrix kv_b{0, 0};  // [heads * (nope + value), latent]
  Matrix o{0, 0};     // [hidden, heads * value]
  std::vector<double> o_bias = {};
  double epsilon = 1e-6;
  double softmax_scale = 0;
  std::vector<double> frequencies = {};  // [rope / 2]
  double amplitude = 1;
  bool interleaved = true;
  std::size_t chunk = 0;  // positions n and m are strangers if m < n / chunk * chunk - overlap; 0: none are
  std::size_t overlap = 0;
  bool bf16_latents = false;                 // are keys and values made of latents that were rounded so?
  std::vector<std::vector<bool>> sees = {};  // [tokens][positions] does token n attend to m? empty: to all m <= n
  enum class Norm { latent, latent_and_rotary_key } norm_covers = Norm::latent;  // the second is wrong
};

inline void add_bias(Matrix& x, const std::vector<double>& bias) {
  for (std::size_t t = 0; t < x.rows; ++t)
    for (std::size_t i = 0; i < bias.size(); ++i) x(t, i) += bias[i];
}

/// Columns [first, first + count).
[[nodiscard]] inline Matrix columns_of(const Matrix& x, std::size_t first, std::size_t count) {
  Matrix result(x.rows, count);
  for (std::size_t t = 0; t < x.rows; ++t)
    for (std::size_t i = 0; i < count; ++i) result(t, i) = x(t, first + i);
  return result;
}

/// Row t turned as position t.
[[nodiscard]] inline Matrix rotated(const Matrix& x, const Latent& layer) {
  Matrix y(x.rows, x.columns);
  const std::size_t half = x.columns / 2;
  for (std::size_t t = 0; t < x.rows; ++t) {
    for (std::size_t i = 0; i < half; ++i) {
      const std::size_t a = layer.interleaved ? 2 * i : i;
      const std::size_t b = layer.interleaved ? 2 * i + 1 : i + half;
      const double angle = static_cast<double>(t) * layer.frequencies[i];
      y(t, a) = layer.amplitude * (x(t, a) * std::cos(angle) - x(t, b) * std::sin(angle));
      y(t, b) = layer.amplitude * (x(t, b) * std::cos(angle) + x(t, a) * std::sin(angle));
    }
  }
  return y;
}

/// What queries are made of.
[[nodiscard]] inline Matrix latent_query_input(const Latent& layer, const Matrix& x) {
  if (!layer.q_a) return x;
  Matrix low = matmul(x, *layer.q_a);
  add_bias(low, layer.q_a_bias);
  return rms_norm(low, layer.q_norm, layer.epsilon);
}

/// y: [tokens, hidden] for one sequence x: [tokens, hidden] from position 0 on.
[[nodiscard]] inline Matrix latent_attention(const Latent& layer, const Matrix& x) {
  const Matrix q = matmul(latent_query_input(layer, x), layer.q);
  Matrix kv = matmul(x, layer.kv_a);
  add_bias(kv, layer.kv_a_bias);
  const std::size_t rank = kv.columns - layer.rope;
  if (layer.norm_covers == Latent::Norm::latent_and_rotary_key) {
    std::vector<double> gain = layer.kv_norm;
    gain.resize(kv.columns, 1.0);
    kv = rms_norm(kv, gain, layer.epsilon);
  }
  Matrix latent = layer.norm_covers == Latent::Norm::latent
                      ? rms_norm(columns_of(kv, 0, rank), layer.kv_norm, layer.epsilon)
                      : columns_of(kv, 0, rank);
  const Matrix rotary_key = rotated(columns_of(kv, rank, layer.rope), layer);
  if (layer.bf16_latents) {
    for (std::size_t t = 0; t < latent.rows; ++t)
      for (std::size_t i = 0; i < rank; ++i)
        latent(t, i) = static_cast<double>(static_cast<float>(bfloat16(static_cast<float>(latent(t, i)))));
  }
  const Matrix keys_and_values = matmul(latent, layer.kv_b);
  Matrix z(x.rows, layer.heads * layer.value);
  for (std::size_t h = 0; h < layer.heads; ++h) {
    const Matrix query = columns_of(q, h * (layer.nope + layer.rope), layer.nope);
    const Matrix rotary_query = rotated(columns_of(q, h * (layer.nope + layer.rope) + layer.nope, layer.rope), layer);
    const Matrix key = columns_of(keys_and_values, h * (layer.nope + layer.value), layer.nope);
    const Matrix value = columns_of(keys_and_values, h * (layer.nope + layer.value) + layer.nope, layer.value);
    for (std::size_t n = 0; n < x.rows; ++n) {
      std::vector<double> scores(n + 1);
      for (std::size_t m = 0; m <= n; ++m) {
        for (std::size_t i = 0; i < layer.nope; ++i) scores[m] += query(n, i) * key(m, i);
        for (std::size_t i = 0; i < layer.rope; ++i) scores[m] += rotary_query(n, i) * rotary_key(m, i);
        scores[m] *= layer.softmax_scale;
        if (!layer.sees.empty() && !layer.sees[n][m]) scores[m] = -1e30;
        if (layer.chunk != 0 && m + layer.overlap < n / layer.chunk * layer.chunk) scores[m] = -1e30;
      }
      const std::vector<double> p = softmax(scores);
      for (std::size_t m = 0; m <= n; ++m)
        for (std::size_t i = 0; i < layer.value; ++i) z(n, h * layer.value + i) += p[m] * value(m, i);
    }
  }
  Matrix y = matmul(z, layer.o);
  add_bias(y, layer.o_bias);
  return y;
}

}  // namespace trine::test::naive
