// SPDX-License-Identifier: Apache-2.0
// config.json files as people published them: each is read, and has as many parameters as its publisher says. Where
// each was seen, and its parameters, says tests/golden/published_configs/index.json.
#include <trine/core/error.hpp>
#include <trine/json/parse.hpp>
#include <trine/model/model.hpp>
#include <trine/model/transformer.hpp>
#include <trine/weights/shape_only_weights.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <string>

#include <gmock/gmock.h>

#include "support/expect_error.hpp"

namespace trine {
namespace {

// What a number that was published leaves open: 1 %, or half a unit of its last digit.
double tolerance(double published, double rounded_to) { return std::max(0.01 * published, 0.5 * rounded_to); }

class ConfigCollection : public testing::Test {
 protected:
  [[nodiscard]] static Model build(const Json& entry) {
    const std::string file = entry.at("file");
    return Model::build(read_json_file(directory() / file), file, std::make_unique<ShapeOnlyWeights>());
  }
  [[nodiscard]] static std::filesystem::path directory() {
    return std::filesystem::path(TRINE_TEST_DATA) / "published_configs";
  }
  const Json index_ = read_json_file(directory() / "index.json");
};

void expect_parameters(const Json& entry, const Transformer& transformer) {
  if (!entry.contains("parameters")) return;
  const double published = entry.at("parameters");
  EXPECT_NEAR(static_cast<double>(transformer.parameters()), published,
              tolerance(published, entry.value("rounded_to", 1.0)))
      << entry.at("parameters_seen_at");
}

// Publishers differ in whether looking up an embedding makes it active; ours does not, unless it is the head as well.
// And they cut figures off as often as they round them: a whole unit of the last digit is open.
void expect_active_parameters(const Json& entry, const Transformer& transformer, const ModelInfo& info) {
  if (!entry.contains("active_parameters")) return;
  const double published = entry.at("active_parameters");
  const double unsure = tolerance(published, 2 * entry.value("active_rounded_to", 1.0));
  const auto least = static_cast<double>(transformer.active_parameters());
  EXPECT_GE(published, least - unsure) << entry.at("active_parameters_seen_at");
  EXPECT_LE(published, least + static_cast<double>(info.vocab_size * info.hidden_size) + unsure)
      << entry.at("active_parameters_seen_at");
}

TEST_F(ConfigCollection, HaveTheParametersThatTheirPublishersSay) {
  for (const Json& entry : index_) {
    SCOPED_TRACE(entry.at("file").get<std::string>() + ", seen at " + entry.at("seen_at").get<std::string>());
    if (entry.contains("refused")) continue;
    try {
      const Model model = build(entry);
      expect_parameters(entry, model.transformer());
      expect_active_parameters(entry, model.transformer(), model.info());
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
  }
}

TEST_F(ConfigCollection, AreRefusedWhereTheyAskForSomethingElse) {
  for (const Json& entry : index_) {
    if (!entry.contains("refused")) continue;
    SCOPED_TRACE(entry.at("file").get<std::string>());
    EXPECT_ERROR(build(entry), ConfigError, entry.at("refused").get<std::string>());
  }
}

TEST_F(ConfigCollection, KeepKeysOfForksApartFromThoseOfTokenizers) {
  Json config = read_json_file(directory() / "meta-llama__Llama-2-7b-hf.json");
  config["bos_token"] = "<s>";
  config["num_experts_per_token"] = 2;
  EXPECT_ERROR(Model::build(config, "config.json", std::make_unique<ShapeOnlyWeights>()), ConfigError,
               "unknown key 'num_experts_per_token'");
}

TEST_F(ConfigCollection, AreOfAllFamiliesAndSayWhereTheyWereSeen) {
  std::set<std::string> listed = {"README.md", "index.json"};
  std::map<std::string, int> families;
  for (const Json& entry : index_) {
    EXPECT_TRUE(listed.insert(entry.at("file")).second) << entry.at("file");
    EXPECT_FALSE(entry.at("seen_at").get<std::string>().empty());
    EXPECT_EQ(entry.contains("parameters"), entry.contains("parameters_seen_at")) << entry.at("file");
    EXPECT_EQ(entry.contains("active_parameters"), entry.contains("active_parameters_seen_at")) << entry.at("file");
    ++families[read_json_file(directory() / entry.at("file").get<std::string>()).at("model_type")];
  }
  for (const auto& file : std::filesystem::directory_iterator(directory()))
    EXPECT_TRUE(listed.contains(file.path().filename().string())) << file.path();
  EXPECT_GE(index_.size(), 100U);
  EXPECT_EQ(families.size(), 12U);
}

}  // namespace
}  // namespace trine
