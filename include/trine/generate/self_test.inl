// SPDX-License-Identifier: Apache-2.0
// The definitions of generate/self_test.hpp.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <map>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <trine/core/error.hpp>
#include <trine/core/source_name.hpp>
#include <trine/core/tensor.hpp>
#include <trine/generate/self_test.hpp>
#include <trine/generate/session.hpp>
#include <trine/json/object_reader.hpp>
#include <trine/routing/routing_observer.hpp>
#include <trine/routing/routing_plan.hpp>

namespace trine::inline TRINE_ABI {

namespace detail {

// A list of integers in [0, most], exact: nlohmann's own conversion would wrap and round.
[[nodiscard]] inline std::vector<std::uint32_t> read_integers(const Json& list, const SourceName& source,
                                                              std::uint64_t most) {
  if (!list.is_array())
    throw ConfigError(source.text + ": expected a list of integers, found " + ObjectReader::describe(list),
                      source.details(""));
  std::vector<std::uint32_t> result;
  result.reserve(list.size());
  for (const Json& value : list) {
    if (!value.is_number_unsigned() || value.get<std::uint64_t>() > most)
      throw ConfigError(source.text + ": expected integers from 0 to " + std::to_string(most) + ", found " +
                            ObjectReader::describe(value),
                        source.details("", value.is_number() ? ErrorKind::out_of_range : ErrorKind::damaged));
    result.push_back(value.get<std::uint32_t>());
  }
  return result;
}

// [frames, sites, features] of three nested lists, each as long as its siblings.
[[nodiscard]] inline Tensor<float, 3> read_frames(const Json& list, const SourceName& source) {
  const auto fail = [&](const char* expected, const Json& found) {
    throw ConfigError(source.text + ": expected " + expected + ", found " + ObjectReader::describe(found),
                      source.details(""));
  };
  const auto require_list = [&](const Json& value, const char* expected) {
    if (!value.is_array() || value.empty()) fail(expected, value);
  };
  require_list(list, "a list of frames");
  require_list(list[0], "a list of sites");
  require_list(list[0][0], "a list of numbers");
  Tensor<float, 3> frames({list.size(), list[0].size(), list[0][0].size()});
  float* next = frames.data();
  for (const Json& frame : list) {
    if (!frame.is_array() || frame.size() != list[0].size()) fail("as many sites in every frame", frame);
    for (const Json& site : frame) {
      if (!site.is_array() || site.size() != list[0][0].size()) fail("as many numbers for every site", site);
      for (const Json& value : site) {
        if (!value.is_number() || !(std::abs(value.get<double>()) <= 1e30)) fail("numbers up to 1e30", value);
        *next++ = static_cast<float>(value.get<double>());
      }
    }
  }
  return frames;
}

[[nodiscard]] inline SelfTest::Case read_self_test_case(ObjectReader entry, const SourceName& source) {
  const auto part = [&](const char* key) {
    const std::string field = source.field + key;
    return SourceName(source.path, field, field);
  };
  constexpr std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
  SelfTest::Case result;
  const bool has_features = entry.has("features");
  if (has_features)
    result.features = read_frames(entry.at("features"), part(".features"));
  else
    result.tokens = read_integers(entry.at("tokens"), part(".tokens"), most);
  const std::size_t rows =
      has_features ? result.features.view().extent(0) * result.features.view().extent(1) : result.tokens.size();
  const Json& layers = entry.at("experts");
  if (!layers.is_object()) entry.fail("experts", "an object", layers);
  for (const auto& [key, tokens] : layers.items()) {
    std::size_t layer = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), layer);
    if (error != std::errc() || end != key.data() + key.size())
      entry.fail("experts", "expected layer numbers as keys, found " + in_quotes(key));
    if (!tokens.is_array() || tokens.size() != rows)
      entry.fail("experts",
                 has_features ? "a list of experts for each site of each frame" : "a list of experts for each token",
                 tokens);
    for (const Json& chosen : tokens) result.experts[layer].push_back(read_integers(chosen, part(".experts"), most));
  }
  const Json& list = entry.at("top_logits");
  if (!list.is_array()) entry.fail("top_logits", "a list", list);
  for (std::size_t j = 0; j < list.size(); ++j) {
    ObjectReader reader = entry.element("top_logits", j);
    SelfTest::TopLogits top;
    top.position = reader.integer("position", 0, most);
    top.ids = read_integers(reader.at("ids"), part(".top_logits.ids"), most);
    const Json& logits = reader.at("logits");
    if (!logits.is_array() || logits.size() != top.ids.size()) reader.fail("logits", "as many numbers as ids", logits);
    for (const Json& logit : logits) {
      if (!logit.is_number()) reader.fail("logits", "numbers", logit);
      top.logits.push_back(static_cast<float>(std::clamp(logit.get<double>(), -1e30, 1e30)));
    }
    reader.reject_unknown_keys();
    result.top_logits.push_back(std::move(top));
  }
  entry.reject_unknown_keys();
  return result;
}

}  // namespace detail

TRINE_DECL SelfTest read_self_test(const std::filesystem::path& path) {
  const std::string source_name = path.string();
  const Json document = read_json_file(path);
  ObjectReader root(document, source_name);
  static_cast<void>(root.choice<bool>("format", {{"trine-self-test", true}}));
  static_cast<void>(root.integer("version", 1, 1));
  static_cast<void>(root.has("made_by"));
  const Json& cases = root.at("cases");
  if (!cases.is_array() || cases.empty()) root.fail("cases", "a list of at least one case", cases);
  SelfTest result;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    result.cases.push_back(detail::read_self_test_case(root.element("cases", i),
                                                       {source_name, "cases", "cases[" + std::to_string(i) + "]"}));
  }
  root.reject_unknown_keys();
  return result;
}

TRINE_DECL SelfTestReport run_self_test(const Model& model, const SelfTest& test, const SessionOptions& options,
                                        double tolerance) {
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
    const std::string source_name = "case " + std::to_string(c) + ": ";
    Recorder recorder;
    SessionOptions watched = options;
    watched.activations = ActivationPrecision::f32;  // the arithmetic of the reference
    watched.observer = borrow(recorder);
    Session session(model, watched);
    View<const float, 2> logits;
    try {
      logits = expected.tokens.empty() ? session.forward_features(expected.features.view(), OutputRows::all)
                                       : session.forward(expected.tokens, OutputRows::all);
    } catch (const NumericError& error) {
      differ(source_name + error.what());
      continue;
    }
    report.tokens += session.position();
    report.non_finite_logits += session.non_finite_outputs();

    for (const auto& [layer, tokens] : expected.experts) {
      const auto& found = recorder.chosen[layer];
      for (std::size_t t = 0; t < tokens.size(); ++t) {
        ++report.expert_choices;
        if (t < found.size() && found[t] == tokens[t]) continue;
        ++report.wrong_expert_choices;
        differ(source_name + "layer " + std::to_string(layer) + ", token " + std::to_string(t) +
               ": another choice of experts");
      }
    }
    float largest = 0.0F;
    for (const auto& top : expected.top_logits)
      for (const float value : top.logits) largest = std::max(largest, std::abs(value));
    for (const auto& top : expected.top_logits) {
      if (top.position >= logits.extent(0) || top.ids.size() != top.logits.size()) {
        throw ConfigError(source_name + "top_logits: expected positions below " + std::to_string(logits.extent(0)) +
                              " and as many logits as ids, found position " + std::to_string(top.position),
                          {.kind = ErrorKind::mismatch, .field = "top_logits"});
      }
      for (std::size_t i = 0; i < top.ids.size(); ++i) {
        if (top.ids[i] >= logits.extent(1)) {
          throw ConfigError(source_name + "top_logits: expected ids below " + std::to_string(logits.extent(1)) +
                                ", found " + std::to_string(top.ids[i]),
                            {.kind = ErrorKind::mismatch, .field = "top_logits"});
        }
        ++report.logits;
        const double error =
            std::abs(static_cast<double>(logits(top.position, top.ids[i])) - static_cast<double>(top.logits[i])) /
            static_cast<double>(largest);
        report.worst_logit_error = std::max(report.worst_logit_error, error);
        if (!(error <= tolerance)) {
          differ(source_name + "position " + std::to_string(top.position) + ", token id " + std::to_string(top.ids[i]) +
                 ": expected logit " + std::to_string(top.logits[i]) + ", found " +
                 std::to_string(logits(top.position, top.ids[i])));
        }
      }
    }
  }
  return report;
}

}  // namespace trine::inline TRINE_ABI
