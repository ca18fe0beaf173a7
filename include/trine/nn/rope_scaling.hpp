// SPDX-License-Identifier: Apache-2.0
// Rotary frequencies of published models: how each extends its original training context. Named after "rope_type" in
// config.json. docs/reference/rope.md lists what is supported.
//
// All in double precision. The transformers package evaluates frequencies, angles and cosines in f32: at position p its
// angles are off by up to p * 2^-23 radians; those of trine are not.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <trine/core/error.hpp>
#include <trine/nn/query_temperature.hpp>
#include <trine/nn/rotary.hpp>

namespace trine::inline TRINE_ABI {

/// "linear": positions are divided by `factor`. Chen et al. 2023, arXiv:2306.15595.
struct LinearScaling {
  double factor = 1.0;  ///< the context, as a multiple of the one that the model was first trained for
};

/// "dynamic": theta grows with the length n of the sequence, theta' = theta (factor n / L - (factor - 1))^(r / (r - 2))
/// for n beyond L = max_position_embeddings, and theta' = theta otherwise. No sequence in trine is longer than L, so
/// the frequencies are unscaled; cached keys could not follow a changing theta.
struct DynamicScaling {
  double factor = 1.0;  ///< not used: see above
};

/// By wavelength: with w = 2 pi / f the wavelength and L0 = original_max_position_embeddings, f stays where w < L0 /
/// high, is divided by `factor` where w > L0 / low, and in between is (1 - t) f / factor + t f, t = (L0 / w - low) /
/// (high - low). Llama Team 2024, arXiv:2407.21783.
struct WavelengthScaling {
  double factor = 1.0;           ///< the context, as a multiple of the one that the model was first trained for
  double low_freq_factor = 1.0;  ///< low: fewer rotations within the original context than this are divided by `factor`
  double high_freq_factor = 4.0;                     ///< high: more rotations than this are unchanged
  std::size_t original_max_position_embeddings = 0;  ///< the original context, in tokens
};

/// "yarn": fast pairs are unchanged, slow pairs are divided by `factor`, with a ramp over the index of the pair in
/// between. Peng et al. 2023, arXiv:2309.00071.
struct YarnScaling {
  double factor = 1.0;  ///< the context, as a multiple of the one that the model was first trained for
  std::size_t original_max_position_embeddings = 0;  ///< the original context, in tokens
  double beta_fast = 32.0;                           ///< rotations in the original context from which a pair is fast
  double beta_slow = 1.0;                            ///< and below which it is slow
  bool truncate = true;                              ///< the ramp begins and ends at whole indices
  double mscale = 0.0;                               ///< 0: not given
  double mscale_all_dim = 0.0;                       ///< 0: not given
  std::optional<double> attention_factor = std::nullopt;  ///< the amplitude, in place of the computed one
};

/// "longrope": f / short_factor[i] up to original_max_position_embeddings, f / long_factor[i] in longer sequences. Ding
/// et al. 2024, arXiv:2402.13753. Only the short factors are supported: a longer sequence would have to rotate all
/// cached keys again, so longer contexts are rejected when a configuration is read.
struct LongRopeScaling {
  std::vector<double> short_factor;  ///< [rotary_dim / 2]
  double factor = 1.0;               ///< the context, as a multiple of the one that the model was first trained for
  std::size_t original_max_position_embeddings = 0;       ///< the original context, in tokens
  std::optional<double> attention_factor = std::nullopt;  ///< the amplitude, in place of the computed one
};

/// "proportional": the first `rotated` pairs have frequencies f / factor, the others do not rotate. Pairs are those of
/// the whole head, unlike with a smaller rotary_dim. Gemma Team 2026; reference: transformers, modeling_rope_utils.
struct ProportionalScaling {
  double factor = 1.0;      ///< the context, as a multiple of the one that the model was first trained for
  std::size_t rotated = 0;  ///< pairs
};

/// Without scaling, frequencies are theta^(-2i/r).
using RopeScaling = std::variant<std::monostate, LinearScaling, DynamicScaling, WavelengthScaling, YarnScaling,
                                 LongRopeScaling, ProportionalScaling>;

/// The rotary settings of a model.
struct RopeOptions {
  std::size_t rotary_dim = 0;                                  ///< r: elements of a head that are rotated; even
  double theta = 10000.0;                                      ///< base of the frequencies
  RopeScaling scaling = {};                                    ///< how they are scaled
  std::optional<QueryTemperature> temperature = std::nullopt;  ///< of scores, which some files store beside
};

/// m(s, mscale) of YaRN: 1 for s <= 1, otherwise 0.1 mscale ln(s) + 1.
[[nodiscard]] inline double yarn_mscale(double factor, double mscale) {
  return factor <= 1.0 ? 1.0 : 0.1 * mscale * std::log(factor) + 1.0;
}

namespace detail {

inline void scale_frequencies(const std::monostate&, const RopeOptions&, RopeFrequencies&) {}

inline void scale_frequencies(const DynamicScaling&, const RopeOptions&, RopeFrequencies&) {}

inline void scale_frequencies(const LinearScaling& linear, const RopeOptions&, RopeFrequencies& result) {
  for (double& f : result.inverse) f /= linear.factor;
}

inline void scale_frequencies(const ProportionalScaling& proportional, const RopeOptions&, RopeFrequencies& result) {
  for (std::size_t i = 0; i < result.inverse.size(); ++i)
    result.inverse[i] = i < proportional.rotated ? result.inverse[i] / proportional.factor : 0.0;
}

inline void scale_frequencies(const WavelengthScaling& scaling, const RopeOptions&, RopeFrequencies& result) {
  for (double& f : result.inverse) {
    const double turns = static_cast<double>(scaling.original_max_position_embeddings) * f / (2.0 * std::numbers::pi);
    const double t =
        std::clamp((turns - scaling.low_freq_factor) / (scaling.high_freq_factor - scaling.low_freq_factor), 0.0, 1.0);
    f = (1.0 - t) * f / scaling.factor + t * f;
  }
}

inline void scale_frequencies(const YarnScaling& yarn, const RopeOptions& rope, RopeFrequencies& result) {
  // The (fractional) index of the pair that makes `turns` rotations within the original context.
  const auto dim = static_cast<double>(rope.rotary_dim);
  const auto original = static_cast<double>(yarn.original_max_position_embeddings);
  const auto pair_of = [&](double turns) {
    return dim * std::log(original / (2.0 * std::numbers::pi * turns)) / (2.0 * std::log(rope.theta));
  };
  double low = pair_of(yarn.beta_fast);
  double high = pair_of(yarn.beta_slow);
  if (yarn.truncate) {
    low = std::floor(low);
    high = std::ceil(high);
  }
  low = std::max(low, 0.0);
  high = std::min(high, dim - 1.0);
  if (low == high) high += 0.001;
  for (std::size_t i = 0; i < result.inverse.size(); ++i) {
    const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
    double& f = result.inverse[i];
    f = f / yarn.factor * ramp + f * (1.0 - ramp);
  }
  if (yarn.attention_factor) {
    result.amplitude = *yarn.attention_factor;
  } else if (yarn.mscale != 0.0 && yarn.mscale_all_dim != 0.0) {
    result.amplitude = yarn_mscale(yarn.factor, yarn.mscale) / yarn_mscale(yarn.factor, yarn.mscale_all_dim);
  } else {
    result.amplitude = yarn_mscale(yarn.factor, 1.0);
  }
}

inline void scale_frequencies(const LongRopeScaling& longrope, const RopeOptions&, RopeFrequencies& result) {
  if (longrope.short_factor.size() != result.inverse.size()) {
    throw ConfigError("longrope: expected " + std::to_string(result.inverse.size()) + " factors, found " +
                          std::to_string(longrope.short_factor.size()),
                      {.field = "longrope"});
  }
  for (std::size_t i = 0; i < result.inverse.size(); ++i) result.inverse[i] /= longrope.short_factor[i];
  if (longrope.attention_factor) {
    result.amplitude = *longrope.attention_factor;
  } else if (longrope.factor > 1.0) {
    const auto original = static_cast<double>(longrope.original_max_position_embeddings);
    result.amplitude = std::sqrt(1.0 + std::log(longrope.factor) / std::log(original));
  }
}

}  // namespace detail

/// The frequencies of every pair, and the amplitude. Throws ConfigError if a list has the wrong length.
[[nodiscard]] inline RopeFrequencies rope_frequencies(const RopeOptions& rope) {
  RopeFrequencies result = base_frequencies(rope.rotary_dim, rope.theta);
  std::visit([&](const auto& scaling) { detail::scale_frequencies(scaling, rope, result); }, rope.scaling);
  return result;
}

/// The factor of the softmax scale of multi-head latent attention: m(factor, mscale_all_dim)^2 under YaRN with an
/// mscale_all_dim, otherwise 1. It is separate from the amplitude, because it also affects elements that are not
/// rotated.
[[nodiscard]] inline double latent_softmax_correction(const RopeOptions& rope) {
  const auto* yarn = std::get_if<YarnScaling>(&rope.scaling);
  if (yarn == nullptr || yarn->mscale_all_dim == 0.0) return 1.0;
  const double mscale = yarn_mscale(yarn->factor, yarn->mscale_all_dim);
  return mscale * mscale;
}

}  // namespace trine::inline TRINE_ABI
