// SPDX-License-Identifier: Apache-2.0
// The definitions of generate/model_comparison.hpp.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <trine/generate/log_sum_exp.hpp>
#include <trine/generate/model_comparison.hpp>
#include <trine/routing/routing_observer.hpp>
#include <trine/routing/routing_plan.hpp>

namespace trine::inline TRINE_ABI {

namespace detail {

// A model that reads window after window.
class ComparedModel {
 public:
  ComparedModel(const Model& model, SessionOptions options, std::size_t window)
      : session_(model, prepared(std::move(options), window)) {}

  [[nodiscard]] View<const float, 2> read(std::span<const TokenId> tokens, const std::stop_token& stop) {
    session_.reset();
    experts_.chosen.clear();
    const View<const float, 2> logits = session_.forward(tokens, OutputRows::all, stop);
    non_finite_ += session_.non_finite_outputs();
    return logits;
  }
  // Sets of experts of the last window: [layer][token], ascending.
  [[nodiscard]] const auto& experts() const noexcept { return experts_.chosen; }
  [[nodiscard]] std::size_t non_finite_logits() const noexcept { return non_finite_; }

 private:
  struct Recorder : RoutingObserver {
    void on_routing(const RoutingEvent& event) override {
      for (std::size_t t = 0; t < event.plan.tokens; ++t) {
        const auto experts = event.plan.experts_of(t);
        auto& sorted = chosen[event.layer].emplace_back(experts.begin(), experts.end());
        std::ranges::sort(sorted);
      }
    }
    std::map<std::size_t, std::vector<std::vector<std::uint32_t>>> chosen;
  };

  [[nodiscard]] SessionOptions prepared(SessionOptions options, std::size_t window) {
    options.context_length = window;
    options.observer = borrow(experts_);
    return options;
  }

  Recorder experts_;
  Session session_;
  std::size_t non_finite_ = 0;
};

// Sums of a quantity of each token.
struct MeanOfTokens {
  double sum = 0.0;
  double squares = 0.0;
  void add(double value) noexcept {
    sum += value;
    squares += value * value;
  }
  [[nodiscard]] double mean(double n) const noexcept { return sum / n; }
  [[nodiscard]] double error(double n) const noexcept {
    const double variance = std::max(0.0, squares / n - mean(n) * mean(n)) * n / std::max(n - 1.0, 1.0);
    return std::sqrt(variance / n);
  }
};

}  // namespace detail

TRINE_DECL ModelComparison compare_models(const Model& reference, const SessionOptions& reference_options,
                                          const Model& model, const SessionOptions& options,
                                          std::span<const TokenId> tokens, std::size_t window,
                                          const std::function<void(std::size_t, std::size_t)>& on_window,
                                          const std::stop_token& stop) {
  if (tokens.size() < 2)
    throw InputError("tokens: expected at least 2, found " + std::to_string(tokens.size()), {.field = "tokens"});
  if (window == 0) throw InputError("window: expected at least 1 token, found 0", {.field = "window"});
  detail::ComparedModel q_model(reference, reference_options, window);
  detail::ComparedModel p_model(model, options, window);
  const std::size_t scored = tokens.size() - 1;
  ModelComparison result;
  detail::MeanOfTokens loss;
  detail::MeanOfTokens reference_loss;
  detail::MeanOfTokens difference;
  detail::MeanOfTokens divergence;
  std::vector<double> divergences;
  divergences.reserve(scored);
  for (std::size_t begin = 0; begin < scored; begin += window) {
    const std::size_t count = std::min(window, scored - begin);
    const View<const float, 2> q_logits = q_model.read(tokens.subspan(begin, count), stop);
    const View<const float, 2> p_logits = p_model.read(tokens.subspan(begin, count), stop);
    if (q_logits.extent(1) != p_logits.extent(1))
      throw InputError("logits: expected " + std::to_string(q_logits.extent(1)) +
                           " columns, the vocabulary of the reference, found " + std::to_string(p_logits.extent(1)),
                       {.kind = ErrorKind::mismatch, .field = "vocab_size"});
    for (std::size_t t = 0; t < count; ++t) {
      const std::span<const float> q = q_logits.row(t);
      const std::span<const float> p = p_logits.row(t);
      const double log_q = detail::log_sum_exp(q);
      const double log_p = detail::log_sum_exp(p);
      const auto next = static_cast<std::size_t>(tokens[begin + t + 1]);
      const double q_loss = log_q - static_cast<double>(q[next]);
      const double p_loss = log_p - static_cast<double>(p[next]);
      if (!std::isfinite(q_loss) || !std::isfinite(p_loss))
        throw NumericError("token " + std::to_string(begin + t + 1) +
                           ": expected finite logits to score it by, found others");
      reference_loss.add(q_loss);
      loss.add(p_loss);
      difference.add(p_loss - q_loss);
      divergence.add(divergences.emplace_back(detail::kl_divergence(q, log_q, p, log_p)));
      if (std::ranges::max_element(q) - q.begin() == std::ranges::max_element(p) - p.begin()) ++result.same_best_token;
    }
    for (const auto& [layer, chosen] : q_model.experts()) {
      const auto other = p_model.experts().find(layer);
      if (other == p_model.experts().end()) continue;
      ModelComparison::Layer& counts = result.layers[layer];
      for (std::size_t t = 0; t < std::min(chosen.size(), other->second.size()); ++t) {
        ++counts.tokens;
        if (chosen[t] != other->second[t]) ++counts.changed;
      }
    }
    if (on_window) on_window(begin + count, scored);
  }
  const auto n = static_cast<double>(scored);
  result.tokens = scored;
  result.reference_perplexity = std::exp(reference_loss.mean(n));
  result.perplexity = std::exp(loss.mean(n));
  result.change = std::exp(difference.mean(n)) - 1.0;
  result.change_error = (1.0 + result.change) * difference.error(n);  // d exp(m) = exp(m) dm
  result.kl_divergence = divergence.mean(n);
  result.kl_divergence_error = divergence.error(n);
  const auto rank = static_cast<std::ptrdiff_t>((scored - 1) * 99 / 100);
  std::ranges::nth_element(divergences, divergences.begin() + rank);
  result.kl_divergence_99 = divergences[static_cast<std::size_t>(rank)];
  result.non_finite_logits = q_model.non_finite_logits() + p_model.non_finite_logits();
  return result;
}

}  // namespace trine::inline TRINE_ABI
