// SPDX-License-Identifier: Apache-2.0
// Which experts serve which token, with what weight: the result that every router produces and every executor consumes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <trine/core/error.hpp>

namespace trine::inline TRINE_ABI {

/// Experts and weights of some tokens. Assignments are stored in two orders: by token, as the router chose them, and by
/// expert, as the executor computes them. Plain data; reused from batch to batch, so that nothing is allocated once the
/// vectors have grown.
struct RoutingPlan {
  std::size_t experts = 0;  ///< of the layer; ids are below it
  std::size_t tokens = 0;   ///< completed tokens

  // By token.
  std::vector<std::uint32_t>
      token_begin;                    ///< [tokens + 1] token t has [token_begin[t], token_begin[t + 1]), best first
  std::vector<std::uint32_t> expert;  ///< [assignments]
  std::vector<float> weight;          ///< [assignments] gate weight; no unit, need not sum to 1

  // By expert, after sort_by_expert().
  std::vector<std::uint32_t> expert_begin;  ///< [experts + 1] expert e has slots [expert_begin[e], expert_begin[e + 1])
  std::vector<std::uint32_t> slot_token;    ///< [assignments] token of each slot, ascending within an expert
  std::vector<std::uint32_t> slot;          ///< [assignments] slot of each assignment
  std::vector<float> slot_weight;           ///< [assignments] gate weight of each slot

  bool keep_scores = false;   ///< requests `scores` from the router, for an observer
  std::vector<float> scores;  ///< [tokens, experts] before the choice, or empty

  /// Pairs of a token and an expert that serves it.
  [[nodiscard]] std::size_t assignments() const noexcept { return expert.size(); }
  /// The experts of a token, best first. Borrowed.
  [[nodiscard]] std::span<const std::uint32_t> experts_of(std::size_t token) const noexcept {
    return std::span(expert).subspan(token_begin[token], token_begin[token + 1] - token_begin[token]);
  }
  /// Their gate weights, in the same order. Borrowed.
  [[nodiscard]] std::span<const float> weights_of(std::size_t token) const noexcept {
    return std::span(weight).subspan(token_begin[token], token_begin[token + 1] - token_begin[token]);
  }

  /// Tokens [first, first + count) as a separate plan, by token only.
  [[nodiscard]] RoutingPlan tokens_of(std::size_t first, std::size_t count) const {
    RoutingPlan part;
    part.keep_scores = keep_scores;
    part.start(experts);
    for (std::size_t t = first; t < first + count; ++t) {
      const auto chosen = experts_of(t);
      const auto weights = weights_of(t);
      for (std::size_t i = 0; i < chosen.size(); ++i) part.add(chosen[i], weights[i]);
      part.end_token();
    }
    if (!scores.empty()) {
      const auto begin = scores.begin() + static_cast<std::ptrdiff_t>(first * experts);
      part.scores.assign(begin, begin + static_cast<std::ptrdiff_t>(count * experts));
    }
    return part;
  }

  /// Clears the plan, which then accepts assignments to `num_experts` experts.
  void start(std::size_t num_experts) {
    experts = num_experts;
    tokens = 0;
    token_begin.assign(1, 0);
    expert.clear();
    weight.clear();
    scores.clear();
  }

  /// Adds an expert to the current token. Throws InputError if the expert does not exist.
  void add(std::size_t expert_index, float gate_weight) {
    if (expert_index >= experts) {
      throw InputError(
          "router: expected an expert below " + std::to_string(experts) + ", found " + std::to_string(expert_index),
          {.field = "router"});
    }
    expert.push_back(static_cast<std::uint32_t>(expert_index));
    weight.push_back(gate_weight);
  }

  /// Completes the current token, which may have no experts; the next `add` is for the next token.
  void end_token() {
    token_begin.push_back(static_cast<std::uint32_t>(expert.size()));
    ++tokens;
  }

  /// Sorts the assignments by expert, tokens ascending within an expert: a counting sort.
  void sort_by_expert() {
    expert_begin.assign(experts + 1, 0);
    for (const std::uint32_t e : expert) ++expert_begin[e + 1];
    for (std::size_t e = 0; e < experts; ++e) expert_begin[e + 1] += expert_begin[e];
    slot.resize(expert.size());
    slot_token.resize(expert.size());
    slot_weight.resize(expert.size());
    for (std::uint32_t t = 0; t < tokens; ++t) {
      for (std::uint32_t a = token_begin[t]; a < token_begin[t + 1]; ++a) {
        const std::uint32_t place = expert_begin[expert[a]]++;  // moves each begin to its end; reverted below
        slot[a] = place;
        slot_token[place] = t;
        slot_weight[place] = weight[a];
      }
    }
    for (std::size_t e = experts; e > 0; --e) expert_begin[e] = expert_begin[e - 1];
    expert_begin[0] = 0;
  }
};

}  // namespace trine::inline TRINE_ABI
