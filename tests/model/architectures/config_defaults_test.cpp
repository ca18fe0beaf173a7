// SPDX-License-Identifier: Apache-2.0
// An absent key of config.json means what the configuration class of its family in transformers says
// (tests/oracle/make_config_defaults.py), a null one nothing where the reference fails with it. What the defaults
// compute is in the "..._defaults" goldens of tests/models/family_golden_test.cpp.
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include <gmock/gmock.h>

#include <trine/model/architectures/deepseek.hpp>
#include <trine/model/architectures/gpt_oss.hpp>
#include <trine/model/architectures/llama.hpp>
#include <trine/model/architectures/mixtral.hpp>
#include <trine/model/architectures/olmoe.hpp>
#include <trine/model/architectures/qwen_moe.hpp>

#include "model/architectures/published_config.hpp"
#include "support/expect_error.hpp"

namespace trine {
namespace {

using test::published_config;
using test::read_published_config;

const std::map<std::string, std::string_view> kDefaults = {
    {"deepseek_v2", kDeepseekV2Defaults},
    {"deepseek_v3", kDeepseekV3Defaults},
    {"gpt_oss", kGptOssDefaults},
    {"kimi_k2", kDeepseekV3Defaults},
    {"llama", kLlamaDefaults},
    {"mistral", kMistralDefaults},
    {"mixtral", kMixtralDefaults},
    {"olmoe", kOlmoeDefaults},
    {"qwen2", kQwen2Defaults},
    {"qwen2_moe", kQwen2MoeDefaults},
    {"qwen3", kQwen3Defaults},
    {"qwen3_moe", kQwen3MoeDefaults},
};

// Of training and generation: no logit depends on them.
const std::set<std::string> kComputeNothing = {
    "attention_dropout", "bos_token_id",   "eos_token_id",         "initializer_range",   "output_router_logits",
    "pad_token_id",      "pretraining_tp", "router_aux_loss_coef", "router_jitter_noise", "use_cache"};
// The class overwrites the first, and its graph uses the second for nothing but a ratio that has to be 1.
const std::set<std::string> kOfLatentAttention = {"head_dim", "num_key_value_heads"};

Json golden_families() {
  return read_json_file(std::filesystem::path(TRINE_TEST_DATA) / "config_defaults.json").at("families");
}

bool has_latent_attention(const std::string& family) { return family.starts_with("deepseek") || family == "kimi_k2"; }

bool computes_nothing(const std::string& family, const std::string& key) {
  return kComputeNothing.contains(key) || (has_latent_attention(family) && kOfLatentAttention.contains(key));
}

TEST(ConfigDefaults, AreThoseOfEveryConfigurationClass) {
  const Json families = golden_families();
  ASSERT_EQ(families.size() + 1, all_architectures().size()) << "all but trine's own";
  for (const auto& [family, golden] : families.items()) {
    Json ours = parse_json(kDefaults.at(family), family);
    for (const auto& [alias, key] : golden.at("aliases").items())  // classes declare either
      if (ours.contains(key.get<std::string>()) && golden.at("defaults").contains(alias))
        ours[alias] = ours.at(key.get<std::string>()), ours.erase(key.get<std::string>());
    for (const auto& [key, value] : golden.at("defaults").items()) {
      SCOPED_TRACE(family + ": " + key);
      if (computes_nothing(family, key)) continue;
      if (ours.contains(key) || !value.is_null()) {
        ASSERT_TRUE(ours.contains(key));
        EXPECT_EQ(ours.at(key), value);
      }
      ours.erase(key);
    }
    EXPECT_TRUE(ours.empty()) << family << " has defaults that its class does not: " << ours;
  }
}

TEST(ConfigDefaults, AreTakenByEveryKeyThatIsAbsent) {
  const Json families = golden_families();
  for (const auto& [family, golden] : families.items()) {
    for (const auto& [key, value] : golden.at("defaults").items()) {
      if (computes_nothing(family, key)) continue;
      SCOPED_TRACE(family + ": " + key);
      Json absent = published_config(family);
      absent.erase(key);
      if (key == "rope_parameters") absent.erase("rope_scaling");  // the other spelling
      Json explicitly = absent;
      explicitly[key] = value;
      // The same answer, or the same objection.
      const auto answer_to = [](const Json& config) -> std::string {
        try {
          static_cast<void>(read_published_config(config));
        } catch (const ConfigError& error) {
          const std::string text = error.what();
          return text.substr(0, text.find(", found"));
        }
        return "read";
      };
      EXPECT_EQ(answer_to(absent), answer_to(explicitly));
    }
  }
}

TEST(ConfigDefaults, DoNotStandForNullWhereTheReferenceFails) {
  // The first two can only mean one thing; null for none is read by the published code of DeepSeek; the last is not
  // read.
  const std::set<std::string> lenient = {"head_dim", "num_key_value_heads", "n_shared_experts", "num_mtp_layers",
                                         "max_window_layers"};
  const Json families = golden_families();
  for (const auto& [family, golden] : families.items()) {
    for (const Json& key : golden.at("null_fails")) {
      if (computes_nothing(family, key) || lenient.contains(key)) continue;
      SCOPED_TRACE(family + ": " + key.get<std::string>());
      Json config = published_config(family);
      config[key.get<std::string>()] = nullptr;
      EXPECT_THROW(static_cast<void>(read_published_config(config)), ConfigError);
    }
  }
}

}  // namespace
}  // namespace trine
