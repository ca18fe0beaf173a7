// SPDX-License-Identifier: Apache-2.0
// Squares of inputs beside those that transformers sees (tests/oracle/make_input_statistics_goldens.py), and what
// becomes of them.
#include <trine/quantize/input_collector.hpp>
#include <trine/quantize/input_statistics.hpp>

#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include <trine/generate/session.hpp>
#include <trine/json/parse.hpp>
#include <trine/platform/output_directory.hpp>

#include "support/expect_error.hpp"
#include "support/safetensors_file_writer.hpp"
#include "support/temporary_directory.hpp"

namespace trine {
namespace {

namespace fs = std::filesystem;
const fs::path kGoldens = TRINE_TEST_DATA;

InputStatistics collect(const std::string& name, std::size_t cut) {
  const Model model = Model::load(kGoldens / "families" / name);
  const auto tokens =
      read_json_file(kGoldens / "families" / name / "golden.json").at("tokens").get<std::vector<TokenId>>();
  const auto collector = std::make_shared<InputCollector>(model);
  Session session(model, {.num_threads = 2, .activations = ActivationPrecision::f32, .input_observer = collector});
  static_cast<void>(session.forward(std::span(tokens).first(cut), OutputRows::all));
  if (cut < tokens.size()) static_cast<void>(session.forward(std::span(tokens).subspan(cut), OutputRows::all));
  return collector->statistics();
}

class InputStatisticsOfModel : public testing::TestWithParam<std::string> {};

TEST_P(InputStatisticsOfModel, AreThoseOfTransformers) {
  const auto golden = read_json_file(kGoldens / "input_statistics" / (GetParam() + ".json"));
  for (const std::size_t cut : {24UL, 7UL}) {  // in one pass, and in two
    const InputStatistics found = collect(GetParam(), cut);
    EXPECT_EQ(found.tensors().size(), golden.size());
    for (const auto& [name, expected] : golden.items()) {
      ASSERT_TRUE(found.tensors().contains(name)) << name;
      const TensorInputs& inputs = found.tensors().at(name);
      EXPECT_EQ(inputs.rows, expected.at("rows").get<std::vector<std::uint64_t>>()) << name;
      for (std::size_t e = 0; e < inputs.experts(); ++e)
        for (std::size_t j = 0; j < inputs.columns; ++j) {
          const double exact = expected.at("squares").at(e).at(j).get<double>();
          ASSERT_NEAR(inputs.squares[e * inputs.columns + j], exact, 1e-5 * exact + 1e-9)
              << name << ", " << e << ", " << j;
        }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(, InputStatisticsOfModel, testing::Values("mixtral", "mixtral_fused_tied"),
                         [](const auto& param) { return param.param; });

TEST(InputStatistics, CountAFewTokensAsTheLayerDoes) {
  InputStatistics statistics;
  TensorInputs& inputs = statistics.of("experts", 2, 2);
  inputs.rows = {984, 0};
  inputs.squares = {984.0 * 3.0, 984.0, 0.0, 0.0};  // means 3 and 1
  const std::vector<float> found = statistics.importance("experts", 2, 2);
  ASSERT_EQ(found.size(), 4U);
  EXPECT_FLOAT_EQ(found[0], 1.5F);  // in units of their mean
  EXPECT_FLOAT_EQ(found[1], 0.5F);
  EXPECT_FLOAT_EQ(found[2], 1.5F) << "an expert that was never chosen";
  EXPECT_FLOAT_EQ(found[3], 0.5F);
  statistics.of("b", 2, 2).rows = {16, 48};
  statistics.of("b", 2, 2).squares = {16.0 * 8.0, 0.0, 0.0, 48.0 * 8.0};
  // Expert 0: (16 * 8 + 16 * 2) / 32 = 5 and 16 * 6 / 32 = 3.
  EXPECT_FLOAT_EQ(statistics.importance("b", 2, 2)[0], 1.25F);
  EXPECT_FLOAT_EQ(statistics.importance("b", 2, 2)[1], 0.75F);
}

TEST(InputStatistics, HaveMeansOverAllTokensOfTheText) {
  InputStatistics statistics;
  statistics.of("dense", 1, 1) = {1, {20}, {5.0}};
  statistics.of("experts", 2, 2) = {2, {5, 0}, {10.0, 40.0, 0.0, 0.0}};
  EXPECT_EQ(statistics.tokens(), 20U);
  EXPECT_THAT(statistics.mean_squares("experts", 2, 2), testing::ElementsAre(0.5F, 2.0F, 0.0F, 0.0F));
  EXPECT_TRUE(statistics.mean_squares("experts", 1, 2).empty());
  EXPECT_TRUE(statistics.mean_squares("other", 1, 2).empty());
}

TEST(InputStatistics, LeaveNoColumnWithoutWeight) {
  InputStatistics statistics;
  statistics.of("a", 2, 1) = {2, {10}, {10.0, 0.0}};
  EXPECT_FLOAT_EQ(statistics.importance("a", 1, 2)[1], 0.01F);
  statistics.of("zeros", 2, 1) = {2, {10}, {0.0, 0.0}};
  EXPECT_THAT(statistics.importance("zeros", 1, 2), testing::ElementsAre(1.0F, 1.0F));
  EXPECT_TRUE(statistics.importance("b", 1, 2).empty());
  EXPECT_TRUE(statistics.importance("a", 2, 2).empty());
  EXPECT_TRUE(statistics.importance("a", 1, 3).empty());
}

TEST(InputStatistics, AreStoredAndAddedUp) {
  const InputStatistics found = collect("mixtral", 24);
  const test::TemporaryDirectory place;
  OutputDirectory directory(place.path() / "out");
  found.save(directory);
  directory.commit();
  InputStatistics twice = InputStatistics::load(place.path() / "out" / "calibration.safetensors");
  twice.add(found);
  EXPECT_EQ(twice.tensors().size(), found.tensors().size());
  for (const auto& [name, inputs] : found.tensors()) {
    EXPECT_EQ(twice.tensors().at(name).rows[0], 2 * inputs.rows[0]);
    EXPECT_NEAR(twice.tensors().at(name).squares[0], 2.0 * inputs.squares[0], 1e-6 * inputs.squares[0]);
  }
  InputStatistics other;
  static_cast<void>(other.of("lm_head.weight", 31, 1));
  EXPECT_ERROR(other.add(found), InputError, "lm_head.weight: expected statistics of 1 x 31 inputs, found 1 x 32");
}

TEST(InputStatistics, RefuseFilesThatAreNone) {
  const test::TemporaryDirectory place;
  const fs::path file = place.path() / "calibration.safetensors";
  const auto write = [&](const std::string& name, const std::string& counts, float sum, std::size_t experts = 1) {
    const auto bytes = [](const std::vector<float>& values) {
      return std::string_view(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
    };
    test::SafetensorsFileWriter writer;
    const std::vector<float> sums{1.0F, sum};
    writer.add(name, "F32", {1, 2}, bytes(sums));
    const std::vector<float> threes(experts, 3.0F);
    if (!counts.empty()) writer.add(counts, "F32", {experts, 1}, bytes(threes));
    std::ofstream(file, std::ios::binary) << writer.file();
  };
  write("a.weight.in_sum2", "a.weight.counts", 2.0F);
  EXPECT_EQ(InputStatistics::load(file).tensors().at("a.weight").rows[0], 3U);
  write("a.weight", "", 2.0F);
  EXPECT_ERROR(InputStatistics::load(file), WeightError, "a.weight: expected the statistics of a tensor, NAME.in_sum2");
  write("a.weight.in_sum2", "", 2.0F);
  EXPECT_ERROR(InputStatistics::load(file), WeightError, "expected a.weight.counts beside it, found none");
  write("a.weight.in_sum2", "a.weight.counts", -2.0F);
  EXPECT_ERROR(InputStatistics::load(file), WeightError, "expected sums and counts of at least 0, found -2");
  write("a.weight.in_sum2", "a.weight.counts", std::numeric_limits<float>::quiet_NaN());
  EXPECT_ERROR(InputStatistics::load(file), WeightError, "expected sums and counts of at least 0, found nan");
  write("a.weight.in_sum2", "a.weight.counts", 2.0F, 2);
  EXPECT_ERROR(InputStatistics::load(file), WeightError, "expected f32 [experts, columns] and counts [experts, 1]");
}

}  // namespace
}  // namespace trine
