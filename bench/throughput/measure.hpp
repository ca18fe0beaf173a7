// SPDX-License-Identifier: Apache-2.0
// Tokens a second of a model, and how near that is to what the machine could do.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <trine/generate/session.hpp>

#include "throughput/machine_limits.hpp"

namespace trine::bench {

/// One thing to measure.
struct Test {
  enum class Kind : std::uint8_t {
    prefill,  // `rows` tokens of a new sequence in one call: "pp512"
    decode,   // `rows` tokens one after the other behind a short prompt: "tg64"
    batch     // `rows` tokens in one call behind a short prompt, as speculative decoding checks them: "b8"
  };
  Kind kind = Kind::prefill;
  std::size_t rows = 512;
  std::size_t threads = 1;

  [[nodiscard]] std::string name() const;
};

/// What a token costs at least.
struct Work {
  DType dtype = DType::f32;    // of most weights
  double weight_bytes = 0;     // of the model
  double bytes_per_token = 0;  // weights that one token reads
  double bits_per_weight = 0;
  double parameters = 0;
  double active_parameters = 0;  // multiplied with by each token, without the head
  double head_parameters = 0;    // multiplied with once a call
};
/// Facts of the model for its limits. `config`: its config.json.
[[nodiscard]] Work work_of(const Model& model, const Json& config);

struct Result {
  Test test;
  std::vector<double> tokens_per_second;  // of each repetition
  double mean = 0;
  double deviation = 0;
  double median = 0;
  MachineLimits limits;  // the better of before and after
  double limit = 0;      // tokens a second: operations over the peak, or bytes over the read rate; 0: neither bounds it
  double share = 0;      // median / limit
  double peak_bytes = 0;  // most memory that this process held so far
};

/// Runs `test` once to warm up and then `repetitions` times.
[[nodiscard]] Result measure(const Model& model, const Work& work, const Test& test, std::size_t repetitions,
                             Activations activations, double limit_seconds);

}  // namespace trine::bench
