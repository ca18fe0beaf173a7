// SPDX-License-Identifier: Apache-2.0
// How well a model predicts a text: what trine-perplexity prints, and trine-quantize before and after.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include <trine/generate/session.hpp>
#include <trine/text/tokenizer/tokenizer.hpp>

#include "common/model.hpp"
#include "common/terminal.hpp"
#include "common/windows.hpp"

namespace example {

/// A text as tokens, cut in windows that do not overlap: every token but the very first is predicted from those before
/// it in its window.
struct ScoredText {
  std::vector<trine::TokenId> ids;
  std::size_t window = 0;
  std::size_t bytes = 0;  // of the tokens that are predicted

  /// `window` 0: 512 tokens, or as many as the model can. `place` names the text in errors. Throws InputError,
  /// CapacityError.
  ScoredText(const trine::Model& model, const trine::Tokenizer& tokenizer, const std::string& text,
             const std::string& source_name, std::size_t tokens_of_window)
      : ids(tokenizer.encode(text)), window(window_size(model, tokens_of_window)) {
    if (model.info().output != trine::OutputKind::language_model)
      throw trine::InputError("this model has no language model head");
    if (ids.size() < 2)
      throw trine::InputError(source_name + ": expected at least 2 tokens, found " + std::to_string(ids.size()));
    bytes = text.size() - (tokenizer.is_special(ids[0]) ? 0 : tokenizer.token_bytes(ids[0]).size());
  }

  [[nodiscard]] std::size_t scored() const { return ids.size() - 1; }
};

struct Perplexity {
  double perplexity = 0.0;      // exp(mean of -ln p)
  double standard_error = 0.0;  // of the perplexity
  double bits_per_byte = 0.0;
  std::size_t non_finite_logits = 0;
};

/// -ln softmax(logits)[target], in double precision.
[[nodiscard]] inline double negative_log_likelihood(std::span<const float> logits, trine::TokenId target) {
  const auto largest = static_cast<double>(*std::ranges::max_element(logits));
  double sum = 0.0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
  return largest + std::log(sum) - static_cast<double>(logits[target]);
}

/// Scores the text, with a bar named `label` meanwhile. Throws CancelledError; NumericError where a token has no
/// probability.
[[nodiscard]] inline Perplexity measure_perplexity(const trine::Model& model, const ScoredText& text,
                                                   trine::SessionOptions options, const std::stop_token& stop,
                                                   const std::string& label) {
  options.context_length = text.window;
  trine::Session session(model, options);
  ProgressBar progress(label, text.scored(), "tokens");
  double sum = 0.0;
  double sum_of_squares = 0.0;
  std::size_t non_finite_logits = 0;
  for_each_window(text.scored(), text.window, [&](std::size_t begin, std::size_t count) {
    session.reset();
    const auto logits = session.forward(std::span(text.ids).subspan(begin, count), trine::OutputRows::all, stop);
    non_finite_logits += session.non_finite_outputs();
    for (std::size_t i = 0; i < count; ++i) {
      const double nll = negative_log_likelihood(logits.row(i), text.ids[begin + i + 1]);
      if (!std::isfinite(nll))
        throw trine::NumericError("token " + std::to_string(begin + i + 1) +
                                  ": expected finite logits to score it by, found others");
      sum += nll;
      sum_of_squares += nll * nll;
    }
    progress.update(begin + count);
  });
  const auto n = static_cast<double>(text.scored());
  const double mean = sum / n;
  const double variance = std::max(0.0, (sum_of_squares / n - mean * mean) * n / std::max(n - 1.0, 1.0));
  const double perplexity = std::exp(mean);
  return {perplexity, perplexity * std::sqrt(variance / n),  // d exp(m) = exp(m) dm
          sum / std::numbers::ln2 / static_cast<double>(text.bytes), non_finite_logits};
}

}  // namespace example
