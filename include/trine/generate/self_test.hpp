// SPDX-License-Identifier: Apache-2.0
// self_test.json: what the reference implementation computed with these weights, replayed
// (docs/reference/file-formats.md).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include <trine/generate/session.hpp>

namespace trine::inline TRINE_ABI {

struct SelfTest {
  struct TopLogits {
    std::size_t position = 0;
    std::vector<TokenId> ids;
    std::vector<float> logits;
  };
  struct Case {
    std::vector<TokenId> tokens;
    std::map<std::size_t, std::vector<std::vector<std::uint32_t>>> experts;  // [layer][token] best first
    std::vector<TopLogits> top_logits;
  };
  std::vector<Case> cases;
};

/// Reads self_test.json. Throws FileError, ConfigError.
[[nodiscard]] inline SelfTest read_self_test(const std::filesystem::path& path) {
  const std::string place = path.string();
  const Json document = read_json_file(path);
  ObjectReader root(document, place);
  static_cast<void>(root.choice<bool>("format", {{"trine-self-test", true}}));
  static_cast<void>(root.integer("version", 1, 1));
  static_cast<void>(root.has("made_by"));
  SelfTest result;
  try {
    for (std::size_t i = 0; i < root.at("cases").size(); ++i) {
      ObjectReader entry = root.element("cases", i);
      SelfTest::Case one;
      one.tokens = entry.at("tokens").get<std::vector<TokenId>>();
      for (const auto& [layer, tokens] : entry.at("experts").items())
        one.experts[std::stoul(layer)] = tokens.get<std::vector<std::vector<std::uint32_t>>>();
      for (std::size_t j = 0; j < entry.at("top_logits").size(); ++j) {
        ObjectReader top = entry.element("top_logits", j);
        one.top_logits.push_back({top.integer("position", 0, std::numeric_limits<std::uint32_t>::max()),
                                  top.at("ids").get<std::vector<TokenId>>(),
                                  top.at("logits").get<std::vector<float>>()});
        if (one.top_logits.back().position >= one.tokens.size() ||
            one.top_logits.back().ids.size() != one.top_logits.back().logits.size())
          top.fail("position", "expected a position of the case, and as many ids as logits");
        top.finish();
      }
      entry.finish();
      result.cases.push_back(std::move(one));
    }
  } catch (const nlohmann::json::exception& error) {
    throw ConfigError(place + ": cases: " + error.what());
  } catch (const std::logic_error&) {  // std::stoul
    throw ConfigError(place + ": cases: experts: expected layer numbers as keys");
  }
  root.finish();
  return result;
}

struct SelfTestReport {
  std::size_t tokens = 0;
  std::size_t expert_choices = 0;        // compared
  std::size_t wrong_expert_choices = 0;  // another expert, or another order
  double worst_logit_error = 0.0;        // relative to the largest logit of the case
  std::string first_difference;          // empty when all is well

  [[nodiscard]] bool passed() const noexcept { return first_difference.empty(); }
};

/// Runs every case in a fresh session and compares. `tolerance` is relative to the largest expected logit of a case.
[[nodiscard]] inline SelfTestReport run_self_test(const Model& model, const SelfTest& test,
                                                  const SessionOptions& options = {}, double tolerance = 1e-4) {
  struct Recorder : RoutingObserver {
    void on_routing(const RoutingEvent& event) override {
      for (std::size_t t = 0; t < event.plan.tokens; ++t) {
        const auto experts = event.plan.experts_of(t);
        chosen[event.layer].emplace_back(experts.begin(), experts.end());
      }
    }
    std::map<std::size_t, std::vector<std::vector<std::uint32_t>>> chosen;
  };

  SelfTestReport report;
  const auto differ = [&report](const std::string& what) {
    if (report.first_difference.empty()) report.first_difference = what;
  };
  for (std::size_t c = 0; c < test.cases.size(); ++c) {
    const SelfTest::Case& expected = test.cases[c];
    const std::string place = "case " + std::to_string(c) + ": ";
    Recorder recorder;
    SessionOptions watched = options;
    watched.observer = &recorder;
    Session session(model, watched);
    const View<const float, 2> logits = session.forward(expected.tokens, OutputRows::all);
    report.tokens += expected.tokens.size();

    for (const auto& [layer, tokens] : expected.experts) {
      const auto& found = recorder.chosen[layer];
      for (std::size_t t = 0; t < tokens.size(); ++t) {
        ++report.expert_choices;
        if (t < found.size() && found[t] == tokens[t]) continue;
        ++report.wrong_expert_choices;
        differ(place + "layer " + std::to_string(layer) + ", token " + std::to_string(t) +
               ": another choice of experts");
      }
    }
    float largest = 0.0F;
    for (const auto& top : expected.top_logits)
      for (const float value : top.logits) largest = std::max(largest, std::abs(value));
    for (const auto& top : expected.top_logits) {
      for (std::size_t i = 0; i < top.ids.size(); ++i) {
        if (top.ids[i] >= logits.extent(1))
          throw ConfigError(place + "top_logits: expected ids below " + std::to_string(logits.extent(1)) + ", found " +
                            std::to_string(top.ids[i]));
        const double error =
            std::abs(static_cast<double>(logits(top.position, top.ids[i])) - static_cast<double>(top.logits[i])) /
            static_cast<double>(largest);
        report.worst_logit_error = std::max(report.worst_logit_error, error);
        if (!(error <= tolerance)) {
          differ(place + "position " + std::to_string(top.position) + ", token id " + std::to_string(top.ids[i]) +
                 ": expected logit " + std::to_string(top.logits[i]) + ", found " +
                 std::to_string(logits(top.position, top.ids[i])));
        }
      }
    }
  }
  return report;
}

}  // namespace trine::inline TRINE_ABI
