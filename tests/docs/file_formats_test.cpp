// SPDX-License-Identifier: Apache-2.0
// The samples in docs/reference/file-formats.md are what the library reads and writes.
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include <trine/generate/self_test.hpp>
#include <trine/model/architectures/trine_config.hpp>
#include <trine/stats/routing_stats.hpp>
#include <trine/weights/native_weights.hpp>
#include <trine/weights/open_weights.hpp>
#include <trine/weights/safetensors.hpp>

#include "support/safetensors_file_writer.hpp"
#include "support/temporary_directory.hpp"

namespace trine {
namespace {

class FileFormats : public testing::Test {
 protected:
  // The block of `language` that comes after `heading` first.
  [[nodiscard]] std::string block(const std::string& heading, const std::string& language) const {
    const std::string fence = "\n```" + language + "\n";
    const std::size_t section = page_.find("\n" + heading + "\n");
    const std::size_t begin = section == std::string::npos ? section : page_.find(fence, section);
    if (begin == std::string::npos) throw std::runtime_error("no " + language + " below " + heading);
    const std::size_t first = begin + fence.size();
    return page_.substr(first, page_.find("\n```", first) - first);
  }

 private:
  static std::string read() {
    std::ifstream file(TRINE_TEST_DATA "/../../docs/reference/file-formats.md");
    return {std::istreambuf_iterator<char>(file), {}};
  }
  const std::string page_ = read();
};

TEST_F(FileFormats, TheConfigurationIsRead) {
  const Json document = parse_json(block("## config.json", "json"), "file-formats.md");
  const TrineConfig config = parse_trine_config(document, "file-formats.md", {});
  EXPECT_EQ(config.moe.num_experts, 8U);
}

TEST_F(FileFormats, TheRulesReadAsTheSqlBelowThem) {
  const Json document = parse_json(block("### rules", "json"), "file-formats.md");
  ObjectReader options(document, "file-formats.md");
  static_cast<void>(options.string("kind"));
  const RuleSet rules = parse_rules(options, {.hidden_size = 1, .num_experts = 4, .num_features = 3});
  options.reject_unknown_keys();
  EXPECT_EQ(rules.to_sql(), block("### rules", "sql"));
}

TEST_F(FileFormats, TheManifestFitsItsBlob) {
  const test::TemporaryDirectory directory;
  directory.write("weights.json", block("## weights.bin and weights.json", "json"));
  directory.write("weights.bin", std::string(1088, '\0'));
  const NativeWeights blob(directory.path());
  EXPECT_THAT(blob.names(), testing::ElementsAre("lm_head.weight", "norm.weight"));
}

TEST_F(FileFormats, TheSafetensorsHeaderFitsItsData) {
  const test::TemporaryDirectory directory;
  const std::string header = block("## model.safetensors", "json");
  const Safetensors file(directory.write("model.safetensors", test::safetensors_file(header, std::string(1088, '\0'))));
  EXPECT_THAT(file.names(), testing::ElementsAre("lm_head.weight", "model.norm.weight"));
}

TEST_F(FileFormats, TheIndexFitsItsFiles) {
  const test::TemporaryDirectory directory;
  test::SafetensorsFileWriter one;
  one.add("model.norm.weight", "F32", {16}, std::string(64, '\0'));
  directory.write("model-00001-of-00002.safetensors", one.file());
  test::SafetensorsFileWriter two;
  two.add("lm_head.weight", "BF16", {32, 16}, std::string(1024, '\0'));
  directory.write("model-00002-of-00002.safetensors", two.file());
  directory.write("model.safetensors.index.json", block("### model.safetensors.index.json", "json"));
  EXPECT_EQ(open_weights(directory.path())->names().size(), 2U);
}

TEST_F(FileFormats, TheSelfTestIsRead) {
  const test::TemporaryDirectory directory;
  const SelfTest test = read_self_test(directory.write("self_test.json", block("## self_test.json", "json")));
  ASSERT_EQ(test.cases.size(), 1U);
  EXPECT_THAT(test.cases[0].experts.at(1)[0], testing::ElementsAre(3, 6));
}

TEST_F(FileFormats, TheStatisticsHaveTheKeysAndFiguresOfTheSample) {
  const Json sample = parse_json(block("## Output of the library", "json"), "file-formats.md");
  RoutingPlan plan;
  plan.start(4);
  const auto load = sample.at("layers")[0].at("load").get<std::vector<std::size_t>>();
  for (std::size_t e = 0; e < load.size(); ++e) {
    for (std::size_t i = 0; i < load[e]; ++i) {
      plan.add(e, 1.0F);
      plan.end_token();
    }
  }
  RoutingStats stats;
  const RouterInput input;
  stats.on_routing({0, input, plan});
  Json found = stats.to_json();
  EXPECT_TRUE(stats.to_csv().starts_with(block("## Output of the library", "text") + "\n")) << stats.to_csv();
  for (Json* figures : {&found["overall"], &found["layers"][0]}) {
    EXPECT_NEAR((*figures)["utilization"].get<double>(), 0.99, 0.005);
    EXPECT_NEAR((*figures)["max_violation"].get<double>(), 0.2, 1e-12);
    (*figures)["utilization"] = 0.99;
    (*figures)["max_violation"] = 0.2;
  }
  EXPECT_EQ(found, sample);
}

}  // namespace
}  // namespace trine
