// SPDX-License-Identifier: Apache-2.0
// The models that come with the examples: complete, small, and computed as the reference that trained them computes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <trine/generate/self_test.hpp>
#include <trine/stats/routing_stats.hpp>
#include <trine/text/tokenizer/tokenizer.hpp>

namespace trine::test {
namespace {

namespace fs = std::filesystem;

fs::path directory_of(const std::string& name) { return fs::path(TRINE_MODELS_DIR) / name; }

std::vector<std::string> bundled_models() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(TRINE_MODELS_DIR))
    if (fs::exists(entry.path() / "config.json")) names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  return names;
}

class BundledModel : public testing::TestWithParam<std::string> {};
class BundledModelPerIsa : public testing::TestWithParam<std::string> {};

TEST_P(BundledModelPerIsa, PassesItsSelfTest) {
  const SelfTestReport report =
      run_self_test(Model::load(directory_of(GetParam())), read_self_test(directory_of(GetParam()) / "self_test.json"));
  EXPECT_TRUE(report.passed()) << report.first_difference << ", " << to_string(default_isa());
  EXPECT_GT(report.expert_choices, 0U);
  EXPECT_GT(report.logits, 0U);
}

TEST_P(BundledModel, IsSmallAndHasItsTokenizerIfItTakesTokens) {
  std::uintmax_t bytes = 0;
  for (const auto& entry : fs::directory_iterator(directory_of(GetParam()))) bytes += entry.file_size();
  EXPECT_LE(bytes, 8'000'000U);
  const Model model = Model::load(directory_of(GetParam()));
  if (model.info().num_features > 0) return;
  EXPECT_LE(Tokenizer::load(directory_of(GetParam())).vocab_size(), model.info().vocab_size);
}

// Names of tests have no dashes.
std::string test_name(const testing::TestParamInfo<std::string>& parameter) {
  std::string name = parameter.param;
  std::ranges::replace(name, '-', '_');
  return name;
}
INSTANTIATE_TEST_SUITE_P(All, BundledModel, testing::ValuesIn(bundled_models()), test_name);
INSTANTIATE_TEST_SUITE_P(All, BundledModelPerIsa, testing::ValuesIn(bundled_models()), test_name);

// 0.89 is what the architecture promises of its router; a whole corpus makes the load more even than one passage.
TEST(BundledShakespeare, KeepsItsExpertsBusy) {
  const SelfTest test = read_self_test(directory_of("shakespeare") / "self_test.json");
  const auto longest = std::ranges::max_element(test.cases, {}, [](const auto& one) { return one.tokens.size(); });
  RoutingStats stats;
  Session session(Model::load(directory_of("shakespeare")), {.observer = borrow(stats)});
  session.forward(longest->tokens);
  EXPECT_GE(stats.tokens(), 200U);
  EXPECT_GE(stats.overall().utilization, 0.89);
  EXPECT_EQ(stats.overall().experts_used, 1.0);
}

}  // namespace
}  // namespace trine::test
