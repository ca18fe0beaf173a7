// SPDX-License-Identifier: Apache-2.0
// Which experts served which token, as a table for people.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <trine/stats/routing_trace.hpp>
#include <trine/text/tokenizer/tokenizer.hpp>

#include "common/terminal.hpp"

namespace example {

/// One colour an expert, evenly around the wheel; they repeat after 12.
[[nodiscard]] inline std::string in_color_of(std::uint32_t expert, const std::string& text, bool colored) {
  constexpr std::array<int, 12> kWheel = {39, 208, 78, 170, 220, 203, 51, 141, 148, 214, 117, 205};
  if (!colored) return text;
  return "\033[38;5;" + std::to_string(kWheel[expert % kWheel.size()]) + "m" + text + "\033[0m";
}

/// A line for each token that the model read, a column for each layer with a router: experts, best first, each with its
/// combine weight. Below, the load of each layer: assignments of each expert, and the utilization.
[[nodiscard]] inline std::string routing_table(const trine::RoutingTrace& trace, std::span<const trine::TokenId> tokens,
                                               const trine::Tokenizer& tokenizer, bool colored) {
  std::vector<std::size_t> layers;
  for (std::size_t layer = 0; layer < trace.layers(); ++layer)
    if (trace.routed(layer)) layers.push_back(layer);
  const std::size_t count = std::min(trace.tokens(), tokens.size());

  std::vector<std::string> pieces;
  std::size_t piece_width = 5;
  for (std::size_t t = 0; t < count; ++t) {
    const bool known = tokenizer.has_token(tokens[t]);
    pieces.push_back("'" + (known ? escaped(tokenizer.token_bytes(tokens[t])) : "?") + "'");
    piece_width = std::max(piece_width, width(pieces.back()));
  }
  std::size_t most = 1;  // experts of a token
  std::size_t digits = 1;
  for (const std::size_t layer : layers) {
    digits = std::max(digits, std::to_string(trace.stats().load(layer).size() - 1).size());
    for (std::size_t t = 0; t < count; ++t) most = std::max(most, trace.experts_of(layer, t).size());
  }
  const std::size_t cell = most * (digits + 7);  // "17 0.52  " each

  std::string table = "\n" + padded("", 6) + padded("token", piece_width + 3);
  for (const std::size_t layer : layers) table += padded("layer " + std::to_string(layer), cell);
  table.erase(table.find_last_not_of(' ') + 1);
  table += "\n";
  for (std::size_t t = 0; t < count; ++t) {
    table += right_aligned(std::to_string(t), 5) + " " + padded(pieces[t], piece_width + 3);
    for (const std::size_t layer : layers) {
      const auto experts = trace.experts_of(layer, t);
      const auto weights = trace.weights_of(layer, t);
      for (std::size_t i = 0; i < experts.size(); ++i) {
        const std::string text =
            right_aligned(std::to_string(experts[i]), digits) + " " + fixed(static_cast<double>(weights[i]), 2) + "  ";
        table += in_color_of(experts[i], text, colored);
      }
      table += std::string(cell - experts.size() * (digits + 7), ' ');
    }
    table.erase(table.find_last_not_of(' ') + 1);
    table += "\n";
  }

  table += "\nlayer  utilization  assignments of expert 0, 1, 2, ...\n";
  for (const std::size_t layer : layers) {
    const auto load = trace.stats().load(layer);
    table += right_aligned(std::to_string(layer), 5) +
             right_aligned(fixed(trine::load_balance(load).utilization, 3), 13) + " ";
    const std::size_t load_width = std::to_string(*std::ranges::max_element(load)).size() + 1;
    for (std::size_t e = 0; e < load.size(); ++e)
      table += in_color_of(static_cast<std::uint32_t>(e), right_aligned(std::to_string(load[e]), load_width), colored);
    table += "\n";
  }
  const trine::LoadBalance overall = trace.stats().overall();
  table += "  all" + right_aligned(fixed(overall.utilization, 3), 13) + "  (1 = even), " +
           percent(overall.experts_used, 0) + " of the experts used\n";
  return table;
}

}  // namespace example
