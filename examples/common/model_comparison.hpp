// SPDX-License-Identifier: Apache-2.0
// What a comparison of two models says: of trine-perplexity --against and trine-quantize --compare.
#pragma once

#include <cstdio>
#include <stop_token>

#include <nlohmann/json.hpp>

#include <trine/generate/model_comparison.hpp>

#include "common/perplexity.hpp"
#include "common/terminal.hpp"

namespace example {

/// Both models on the text: the reference with activations in f32, the other as `options` say.
[[nodiscard]] inline trine::ModelComparison compare(const trine::Model& reference, const trine::Model& model,
                                                    const trine::SessionOptions& options, const ScoredText& text,
                                                    const std::stop_token& stop) {
  ProgressBar progress("comparing", text.scored(), "tokens");
  trine::SessionOptions exact = options;
  exact.activations = trine::ActivationPrecision::f32;
  exact.adapters = {};
  return trine::compare_models(
      reference, exact, model, options, text.ids, text.window,
      [&](std::size_t done, std::size_t) { progress.update(done); }, stop);
}

inline void print(const trine::ModelComparison& found) {
  const auto percent_of = [&](std::size_t part, std::size_t all) {
    return 100.0 * static_cast<double>(part) / static_cast<double>(all);
  };
  std::printf("perplexity     %.4f, reference %.4f\n", found.perplexity, found.reference_perplexity);
  std::printf("change         %+.3f %% +/- %.3f, of the paired differences\n", 100.0 * found.change,
              100.0 * found.change_error);
  std::printf("KL divergence  %.5f +/- %.5f nats, 99 %% of the tokens below %.4f\n", found.kl_divergence,
              found.kl_divergence_error, found.kl_divergence_99);
  std::printf("same best      %.2f %% of %zu tokens\n", percent_of(found.same_best_token, found.tokens), found.tokens);
  if (found.layers.empty()) return;
  std::size_t tokens = 0;
  std::size_t changed = 0;
  std::printf("experts        changed, by layer:");
  for (const auto& [layer, counts] : found.layers) {
    std::printf(" %zu: %.1f %%", layer, percent_of(counts.changed, counts.tokens));
    tokens += counts.tokens;
    changed += counts.changed;
  }
  std::printf("\n               in all %.2f %% of %zu choices\n", percent_of(changed, tokens), tokens);
}

[[nodiscard]] inline nlohmann::ordered_json to_json(const trine::ModelComparison& found) {
  nlohmann::ordered_json layers = nlohmann::ordered_json::array();
  for (const auto& [layer, counts] : found.layers)
    layers.push_back({{"layer", layer}, {"tokens", counts.tokens}, {"changed", counts.changed}});
  return {{"tokens", found.tokens},
          {"perplexity", found.perplexity},
          {"reference_perplexity", found.reference_perplexity},
          {"change", found.change},
          {"change_error", found.change_error},
          {"kl_divergence", found.kl_divergence},
          {"kl_divergence_error", found.kl_divergence_error},
          {"kl_divergence_99", found.kl_divergence_99},
          {"same_best_token", found.same_best_token},
          {"non_finite_logits", found.non_finite_logits},
          {"layers", layers}};
}

}  // namespace example
