// SPDX-License-Identifier: Apache-2.0
// self_test.json is a file like any other: it may be damaged, and it must not pass without having checked anything.
#include <trine/generate/self_test.hpp>

#include <array>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include <gmock/gmock.h>

#include "support/expect_error.hpp"
#include "support/golden.hpp"
#include "support/temporary_directory.hpp"

namespace trine::test {
namespace {

namespace fs = std::filesystem;

SelfTest read(const std::string& cases) {
  const TemporaryDirectory directory;
  const fs::path path = directory.path() / "self_test.json";
  std::ofstream(path) << R"({"format": "trine-self-test", "version": 1, "cases": )" << cases << "}";
  return read_self_test(path);
}

TEST(SelfTest, RefusesAFileThatChecksNothing) { EXPECT_ERROR(read("[]"), ConfigError, "at least one case"); }

TEST(SelfTest, TakesIntegersOnlyAndNeverRoundsThem) {
  const std::map<std::string, std::string> tokens{{"4294967297", "4294967297"},
                                                  {"true", "true"},
                                                  {"-1", "-1"},
                                                  {"2.9", "2.9"},
                                                  {"1e30", "1e+30"},
                                                  {"\"1\"", "'1'"}};
  for (const auto& [token, found] : tokens) {
    EXPECT_ERROR(read(R"([{"tokens": [)" + token + R"(], "experts": {}, "top_logits": []}])"), ConfigError,
                 "cases[0].tokens: expected integers from 0 to 4294967295, found " + found);
  }
  EXPECT_ERROR(read(R"([{"tokens": 7, "experts": {}, "top_logits": []}])"), ConfigError,
               "cases[0].tokens: expected a list of integers, found 7");
}

TEST(SelfTest, WantsLayerNumbersAndExpertsForEveryToken) {
  for (const char* key : {"-1", " 3", "3abc", ""}) {
    EXPECT_ERROR(read(std::string(R"([{"tokens": [1], "experts": {")") + key + R"(": [[0]]}, "top_logits": []}])"),
                 ConfigError, "expected layer numbers as keys");
  }
  EXPECT_ERROR(read(R"([{"tokens": [1, 2], "experts": {"0": [[0]]}, "top_logits": []}])"), ConfigError,
               "a list of experts for each token");
}

TEST(SelfTest, RefusesAPositionThatHasNoOutput) {
  // Eight tokens are one frame of this model, so there is one row of outputs.
  const Model model = Model::load(fs::path(TRINE_TEST_DATA) / "tokens_classification");
  SelfTest test;
  test.cases.push_back({std::vector<TokenId>(model.info().frame_size, 1), {}, {{1, {0}, {1.0F}}}});
  EXPECT_ERROR(run_self_test(model, test), ConfigError, "expected positions below 1");
}

TEST(SelfTest, PassesOnlyWhenSomethingWasComparedAndAgrees) {
  const Golden golden = read_golden(fs::path(TRINE_TEST_DATA) / "summary");
  const Model model = Model::load(golden.directory);
  SelfTest test;
  test.cases.push_back({golden.tokens, {}, {}});
  EXPECT_FALSE(run_self_test(model, test).passed()) << "nothing was compared";

  test.cases[0].experts = golden.experts;
  test.cases[0].top_logits.push_back({0, {3}, {golden.logits.view()(0, 3)}});
  EXPECT_TRUE(run_self_test(model, test).passed());

  test.cases[0].top_logits[0].logits[0] += 1.0F;
  EXPECT_THAT(run_self_test(model, test).first_difference,
              testing::HasSubstr("position 0, token id 3: expected logit"));
}

// A frame of one site with the features 1 and 2, and one with 3 and 4.
constexpr const char* kTwoFrames = R"([[[1, 2]], [[3, 4.5]]])";

TEST(SelfTest, ReadsFramesOfFeaturesInPlaceOfTokens) {
  const SelfTest test =
      read(std::string(R"([{"features": )") + kTwoFrames + R"(, "experts": {"0": [[1], [0]]}, "top_logits": []}])");
  const auto features = test.cases[0].features.view();
  EXPECT_EQ(features.shape(), (std::array<std::size_t, 3>{2, 1, 2}));
  EXPECT_EQ(test.cases[0].features.data()[3], 4.5F);
  EXPECT_TRUE(test.cases[0].tokens.empty());
}

TEST(SelfTest, RefusesFramesThatAreNoGridOfNumbers) {
  const std::map<std::string, std::string> frames{
      {"7", "expected a list of frames, found 7"},
      {"[]", "expected a list of frames, found a list of 0"},
      {"[7]", "expected a list of sites, found 7"},
      {"[[7]]", "expected a list of numbers, found 7"},
      {"[[[1]], [[1], [2]]]", "expected as many sites in every frame, found a list of 2"},
      {"[[[1], [2, 3]]]", "expected as many numbers for every site, found a list of 2"},
      {"[[[1], [true]]]", "expected numbers up to 1e30, found true"},
      {"[[[1e31]]]", "expected numbers up to 1e30, found 1e+31"}};
  for (const auto& [text, found] : frames) {
    EXPECT_ERROR(read(R"([{"features": )" + text + R"(, "experts": {}, "top_logits": []}])"), ConfigError,
                 "cases[0].features: " + found);
  }
  EXPECT_ERROR(read(std::string(R"([{"features": )") + kTwoFrames + R"(, "experts": {"0": [[0]]}, "top_logits": []}])"),
               ConfigError, "a list of experts for each site of each frame");
  EXPECT_ERROR(
      read(std::string(R"([{"features": )") + kTwoFrames + R"(, "tokens": [1], "experts": {}, "top_logits": []}])"),
      ConfigError, "tokens");
}

TEST(SelfTest, ReplaysFramesOfFeatures) {
  const Golden golden = read_golden(fs::path(TRINE_TEST_DATA) / "grid_classification");
  const Model model = Model::load(golden.directory);
  SelfTest test;
  test.cases.push_back({{}, golden.experts, {}, golden.features});
  const auto logits = golden.logits.view();
  const std::size_t last = logits.extent(0) - 1;
  test.cases[0].top_logits.push_back({last, {1}, {logits(last, 1)}});
  const SelfTestReport report = run_self_test(model, test);
  EXPECT_TRUE(report.passed()) << report.first_difference;
  EXPECT_EQ(report.tokens, golden.features.view().extent(0) * golden.features.view().extent(1));
  EXPECT_EQ(report.logits, 1U);

  test.cases[0].features.data()[0] += 1.0F;
  EXPECT_FALSE(run_self_test(model, test).passed());
}

}  // namespace
}  // namespace trine::test
