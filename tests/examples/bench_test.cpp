// SPDX-License-Identifier: Apache-2.0
// trine-bench, for a moment: that it measures, not how fast.
#ifdef TRINE_HAS_BENCH
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include <trine/core/abi.hpp>

#include "examples/tiny_model.hpp"

namespace trine::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

const std::vector<std::string> kTiny = {"trine-bench", "--tiny", "--layers", "2", "--synthetic"};

std::vector<std::string> tiny(const std::string& shape, const std::vector<std::string>& more) {
  std::vector<std::string> command = kTiny;
  command.push_back(shape);
  command.insert(command.end(), more.begin(), more.end());
  return command;
}

void expect_measured(const nlohmann::json& result) {
  SCOPED_TRACE(result.dump());
  for (const char* key : {"mean", "median", "min", "max"}) EXPECT_GT(result.at("tokens_per_second").at(key), 0.0);
  EXPECT_GE(result.at("tokens_per_second").at("stddev"), 0.0);
  EXPECT_GT(result.at("share"), 0.0);
  EXPECT_GT(result.at("touched_bytes_per_token"), 0.0);
  EXPECT_GT(result.at("peak_memory_bytes"), 0.0);
  for (const char* when : {"before", "after"}) {
    EXPECT_GT(result.at("limit").at(when).at("read_gb_per_second"), 0.0);
    EXPECT_GT(result.at("limit").at(when).at("giga_operations_per_second"), 0.0);
  }
}

TEST(TrineBench, TakesFullAttentionInChunks) {
  const std::vector<std::string> little{"-p", "0", "-n", "2", "-d", "64", "-t", "1", "-r", "1", "--attention"};
  const auto run = [&](const std::string& shape, const std::string& attention) {
    std::vector<std::string> options = little;
    options.push_back(attention);
    return run_program(tiny(shape, options));
  };
  EXPECT_EQ(run("trine-full", "chunked:16:4").exit_code, 0);
  EXPECT_THAT(run("trine-3d", "chunked:16").err, HasSubstr("that of trine-3d is none"));
  // Before weights of a size are filled that would take a while.
  const Finished wrong = run_program({"trine-bench", "--synthetic", "mixtral-8x7b", "--attention", "chunky"});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("attention: expected full, chunked:SIZE"));
}

TEST(TrineBench, MeasuresRandomWeightsOfEveryShapeAndType) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"deepseek-v2-lite", "bf16"}, {"qwen3-30b-a3b", "q8"},     {"mixtral-8x7b", "q4"}, {"qwen3-30b-a3b", "f32"},
      {"qwen3-next-80b-a3b", "q4"}, {"qwen3.5-35b-a3b", "bf16"}, {"trine-3d", "bf16"}};
  for (const auto& [shape, type] : cases) {
    SCOPED_TRACE(shape + " " + type);
    const Finished finished = run_program(
        tiny(shape, {"--type", type, "-p", "16", "-n", "4", "-b", "2,4", "-t", "1", "-r", "2", "-o", "json"}));
    ASSERT_EQ(finished.exit_code, 0) << finished.err;
    EXPECT_THAT(finished.err, IsEmpty());
    const auto document = nlohmann::json::parse(finished.out);
    EXPECT_EQ(document.at("model").at("name"), shape + " (tiny)");
    EXPECT_EQ(document.at("model").at("type"), type);
    EXPECT_EQ(document.at("model").at("layers"), 2);
    std::vector<std::string> names;
    for (const auto& result : document.at("results")) {
      expect_measured(result);
      EXPECT_EQ(result.at("threads"), 1);
      EXPECT_EQ(result.at("tokens_per_second").at("samples").size(), 2U);
      names.push_back(result.at("test"));
    }
    EXPECT_THAT(names, ElementsAre("pp16", "tg4", "b2", "b4"));
  }
}

#if TRINE_HAS_OPENMP
TEST(TrineBench, TakesItsThreadsFromOpenMp) {
  const Finished finished = run_program(
      tiny("mixtral-8x7b", {"-p", "8", "-n", "2", "-t", "2", "-r", "1", "--no-limits", "--executor", "openmp"}));
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_THAT(finished.out, HasSubstr("| pp8 | 2 | "));
  EXPECT_THAT(finished.out, HasSubstr("| tg2 | 2 | "));
}
#endif

TEST(TrineBench, MeasuresAModelDirectoryAndPrintsATable) {
  const TinyModel model;
  const Finished finished =
      run_program({"trine-bench", "-m", model.name(), "-p", "8", "-n", "0", "-r", "1", "-t", "1,2"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  std::istringstream lines(finished.out);
  std::vector<std::string> rows;
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with("| pp8 | ")) rows.push_back(line);
  ASSERT_EQ(rows.size(), 2U) << finished.out;
  EXPECT_THAT(rows[0], StartsWith("| pp8 | 1 | "));
  EXPECT_THAT(rows[1], StartsWith("| pp8 | 2 | "));
  EXPECT_THAT(rows[0], HasSubstr(" % | "));
}

TEST(TrineBench, AnswersRequestsAndOutlivesBadOnes) {
  const Finished finished = run_program(tiny("deepseek-v2-lite", {"--serve", "-r", "1"}),
                                        "{\"test\": \"pp\", \"tokens\": 8, \"threads\": 1}\n"
                                        "{\"test\": \"pp\"\n"
                                        "{\"test\": \"batsh\", \"rows\": 2}\n"
                                        "{\"test\": \"tg\", \"tokens\": 0}\n"
                                        "{\"test\": \"tg\", \"tokens\": 4, \"treads\": 1}\n"
                                        "{\"test\": \"tg\", \"tokens\": 1000000}\n"
                                        "\n"
                                        "{\"test\": \"batch\", \"rows\": 4, \"tokens\": 8, \"depth\": 3}\n"
                                        "{\"test\": \"tg\", \"tokens\": 2}");
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  std::istringstream lines(finished.out);
  std::vector<nlohmann::json> answers;
  for (std::string line; std::getline(lines, line);) answers.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(answers.size(), 8U);
  expect_measured(answers[0]);
  EXPECT_EQ(answers[0].at("test"), "pp8");
  const char* problems[] = {"request: not valid JSON", "test: expected one of", "tokens: expected", "treads",
                            "max_position_embeddings"};
  for (std::size_t i = 0; i < 5; ++i) {
    EXPECT_THAT(answers[i + 1].at("error").get<std::string>(), HasSubstr(problems[i]));
    EXPECT_EQ(answers[i + 1].size(), 1U);
  }
  expect_measured(answers[6]);
  EXPECT_EQ(answers[6].at("test"), "b4");
  EXPECT_EQ(answers[6].at("tokens"), 8);
  EXPECT_EQ(answers[6].at("depth"), 3);
  expect_measured(answers[7]);
}

TEST(TrineBench, MeasuresTheMachineAlone) {
  const Finished finished = run_program({"trine-bench", "--limits", "-t", "1", "-o", "json"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const auto document = nlohmann::json::parse(finished.out);
  ASSERT_EQ(document.at("limits").size(), 1U);
  const auto& limits = document.at("limits")[0];
  for (const char* key : {"read_gb_per_second", "f32_gflop_per_second", "bf16_gflop_per_second", "int8_gop_per_second"})
    EXPECT_GT(limits.at(key), 0.0) << key;
  EXPECT_EQ(limits.at("read_gb_per_second_by_streams").size(), 5U);
  EXPECT_EQ(limits.at("threads"), 1);
}

TEST(TrineBench, RefusesWhatItCannotDo) {
  struct Case {
    std::vector<std::string> command;
    int exit_code;
    std::string text;
  };
  const TinyModel model;
  const std::vector<Case> cases = {
      {{"trine-bench"}, 2, "a model is missing: -m DIR or --synthetic SHAPE"},
      {{"trine-bench", "--synthetic", "deepseek-v2-light"}, 2, "did you mean deepseek-v2-lite?"},
      {{"trine-bench", "--synthetic", "mixtral-8x7b", "--type", "q5"}, 2, "did you mean q8?"},
      {{"trine-bench", "--synthetik", "mixtral-8x7b"}, 2, "did you mean --synthetic?"},
      {{"trine-bench", "-m", model.name(), "--layers", "2"}, 2, "--layers requires --synthetic"},
      {{"trine-bench", "-m", model.name(), "--synthetic", "mixtral-8x7b"}, 2, "--model excludes --synthetic"},
      {{"trine-bench", "-m", model.name(), "-p", "8,x"}, 2, "expected a whole number from 0 to 1048576, found 'x'"},
      {{"trine-bench", "-m", model.name(), "-r", "0"}, 2, "-r"},
      {{"trine-bench", "-m", model.name(), "-o", "jsn"}, 2, "did you mean json?"},
      {{"trine-bench", "-m", "/no/such/model"}, 3, "/no/such/model/config.json"},
      {tiny("mixtral-8x7b", {"-p", "5000"}), 4, "max_position_embeddings"},
      {{"trine-bench", "--synthetic", "mixtral-8x7b", "--layers", "1000", "--type", "f32"},
       4,
       "expected fewer --layers"},
      {{"trine-bench", "-m", std::string(TRINE_TEST_DATA) + "/grid_classification"}, 2, "takes features"}};
  for (const Case& one : cases) {
    const Finished finished = run_program(one.command);
    EXPECT_EQ(finished.exit_code, one.exit_code) << finished.err;
    EXPECT_THAT(finished.err, StartsWith("trine-bench: error: "));
    EXPECT_THAT(finished.err, HasSubstr(one.text));
    EXPECT_THAT(finished.out, IsEmpty());
  }
}

}  // namespace
}  // namespace trine::test
#endif
