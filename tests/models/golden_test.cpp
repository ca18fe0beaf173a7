// SPDX-License-Identifier: Apache-2.0
// Tiny random models of every kind against the PyTorch reference (tests/oracle/make_native_goldens.py).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include <trine/generate/session.hpp>

#include "models/choice_recorder.hpp"
#include "support/golden.hpp"

namespace trine::test {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> golden_models() {
  std::vector<std::string> names;
  for (const fs::path& directory : golden_directories()) names.push_back(directory.filename().string());
  return names;
}

class GoldenModelPerIsa : public testing::TestWithParam<std::string> {};

TEST_P(GoldenModelPerIsa, HasTheLogitsAndTheExpertsOfTheReference) {
  const Golden golden = read_golden(fs::path(TRINE_TEST_DATA) / GetParam());
  ChoiceRecorder recorder;
  SessionOptions options;
  options.activations = ActivationPrecision::f32;
  options.observer = borrow(recorder);
  Session session(Model::load(golden.directory), options);
  const View<const float, 2> logits = golden.tokens.empty()
                                          ? session.forward_features(golden.features.view(), OutputRows::all)
                                          : session.forward(golden.tokens, OutputRows::all);

  ASSERT_EQ(logits.shape(), golden.logits.shape());
  const std::span<const float> expected = golden.logits.view().span();
  float largest = 0.0F;
  float worst = 0.0F;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, std::abs(expected[i]));
    worst = std::max(worst, std::abs(expected[i] - logits.span()[i]));
  }
  EXPECT_LE(worst, 1e-4F * largest) << "largest logit " << largest << ", " << to_string(session.isa());
  EXPECT_EQ(recorder.chosen, golden.experts);
  // Spatial heads come first and choose nothing.
  const Json config = read_json_file(golden.directory / "config.json");
  std::size_t observed = 0;
  for (const auto& [place, rows] : recorder.frames) {
    const auto& of_layer = golden.frames.at(place.first);
    const std::size_t first = config.at("attention").at("spatial").at("num_kv_heads").get<std::size_t>();
    EXPECT_EQ(rows, of_layer.at(place.second - first)) << "layer " << place.first << ", head " << place.second;
    ++observed;
  }
  std::size_t expected_places = 0;
  for (const auto& of_layer : golden.frames) expected_places += of_layer.size();
  EXPECT_EQ(observed, expected_places);
}

INSTANTIATE_TEST_SUITE_P(All, GoldenModelPerIsa, testing::ValuesIn(golden_models()),
                         [](const auto& parameter) { return parameter.param; });

}  // namespace
}  // namespace trine::test
