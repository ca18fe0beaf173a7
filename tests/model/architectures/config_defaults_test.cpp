// SPDX-License-Identifier: Apache-2.0
// An absent key of config.json means what the configuration class of its family in transformers says
// (tests/oracle/make_config_defaults.py), a null one nothing where the reference fails with it. What the defaults
// compute is in the "..._defaults" goldens of tests/models/family_golden_test.cpp.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>

#include <trine/generate/session.hpp>
#include <trine/model/architectures/afmoe.hpp>
#include <trine/model/architectures/cohere.hpp>
#include <trine/model/architectures/deepseek.hpp>
#include <trine/model/architectures/deepseek_v32.hpp>
#include <trine/model/architectures/dots.hpp>
#include <trine/model/architectures/ernie.hpp>
#include <trine/model/architectures/exaone.hpp>
#include <trine/model/architectures/gemma4.hpp>
#include <trine/model/architectures/glm.hpp>
#include <trine/model/architectures/gpt_oss.hpp>
#include <trine/model/architectures/granite_moe.hpp>
#include <trine/model/architectures/hunyuan.hpp>
#include <trine/model/architectures/kimi_linear.hpp>
#include <trine/model/architectures/laguna.hpp>
#include <trine/model/architectures/lfm2_moe.hpp>
#include <trine/model/architectures/llama.hpp>
#include <trine/model/architectures/llama4.hpp>
#include <trine/model/architectures/mellum.hpp>
#include <trine/model/architectures/mimo.hpp>
#include <trine/model/architectures/minimax.hpp>
#include <trine/model/architectures/mistral4.hpp>
#include <trine/model/architectures/mixtral.hpp>
#include <trine/model/architectures/olmoe.hpp>
#include <trine/model/architectures/phimoe.hpp>
#include <trine/model/architectures/qwen_moe.hpp>
#include <trine/model/architectures/qwen_next.hpp>
#include <trine/model/architectures/sarvam.hpp>
#include <trine/model/architectures/solar_open.hpp>
#include <trine/model/architectures/step.hpp>

#include "model/architectures/published_config.hpp"
#include "support/expect_error.hpp"
#include "support/families.hpp"

namespace trine {
namespace {

using test::has_latent_attention;
using test::published_config;
using test::read_published_config;

const std::map<std::string, std::string_view> kDefaults = {
    {"afmoe", kAfmoeDefaults},
    {"cohere2_moe", kCohere2MoeDefaults},
    {"deepseek_v2", kDeepseekV2Defaults},
    {"deepseek_v3", kDeepseekV3Defaults},
    {"deepseek_v32", kDeepseekV32Defaults},
    {"dots1", kDots1Defaults},
    {"ernie4_5_moe", kErnie45MoeDefaults},
    {"exaone_moe", kExaoneMoeDefaults},
    {"flex_olmo", kFlexOlmoDefaults},
    {"gemma4_text", kGemma4Defaults},
    {"glm4_moe", kGlm4MoeDefaults},
    {"glm4_moe_lite", kGlm4MoeLiteDefaults},
    {"glm_moe_dsa", kGlmMoeDsaDefaults},
    {"gpt_oss", kGptOssDefaults},
    {"granitemoe", kGraniteMoeDefaults},
    {"hunyuan_v1_moe", kHunyuanV1MoeDefaults},
    {"hy_v3", kHyV3Defaults},
    {"kimi_k2", kDeepseekV3Defaults},
    {"kimi_linear", kKimiLinearDefaults},
    {"laguna", kLagunaDefaults},
    {"lfm2_moe", kLfm2MoeDefaults},
    {"llama", kLlamaDefaults},
    {"llama4_text", kLlama4Defaults},
    {"mellum", kMellumDefaults},
    {"mimo_v2_flash", kMimoV2FlashDefaults},
    {"minimax_m2", kMiniMaxM2Defaults},
    {"mistral", kMistralDefaults},
    {"mistral4", kMistral4Defaults},
    {"mixtral", kMixtralDefaults},
    {"olmoe", kOlmoeDefaults},
    {"phimoe", kPhimoeDefaults},
    {"qwen2", kQwen2Defaults},
    {"qwen2_moe", kQwen2MoeDefaults},
    {"qwen3", kQwen3Defaults},
    {"qwen3_5_moe_text", kQwen35MoeDefaults},
    {"qwen3_moe", kQwen3MoeDefaults},
    {"qwen3_next", kQwen3NextDefaults},
    {"sarvam_moe", kSarvamMoeDefaults},
    {"solar_open", kSolarOpenDefaults},
    {"step3p5", kStep35Defaults},
};

// Their text_config is a configuration of another of these.
const std::set<std::string> kMultimodal = {"gemma4", "llama4", "mistral3", "qwen3_5_moe", "step3p7"};

// Of training and generation: no logit depends on them.
const std::set<std::string> kComputeNothing = {"attention_dropout",    "bos_token_id",         "eos_token_id",
                                               "initializer_range",    "output_router_logits", "eod_token_id",
                                               "sep_token_id",         "pad_token_id",         "pretraining_tp",
                                               "router_aux_loss_coef", "router_jitter_noise",  "use_cache"};
// The class overwrites the first, and its graph uses the second for nothing but a ratio that has to be 1.
const std::set<std::string> kOfLatentAttention = {"head_dim", "num_key_value_heads"};

Json golden_families() {
  return read_json_file(std::filesystem::path(TRINE_TEST_DATA) / "config_defaults.json").at("families");
}

bool computes_nothing(const std::string& family, const std::string& key) {
  if (family == "phimoe" && key == "router_jitter_noise") return false;  // the tolerance of its routers
  return kComputeNothing.contains(key) || (has_latent_attention(family) && kOfLatentAttention.contains(key));
}

TEST(ConfigDefaults, AreThoseOfEveryConfigurationClass) {
  const Json families = golden_families();
  ASSERT_EQ(families.size() + 1 + kMultimodal.size(), all_architectures().size()) << "all but trine's own";
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

// Each tensor in the shape in which it is requested, with random numbers that follow from its name. Parts of MXFP4,
// which gpt-oss asks for, are bytes from 120 on: scales of 2^-7 to 1.
class DrawnWeights : public WeightSource {
 public:
  [[nodiscard]] const StoredTensor* request(std::string_view name, std::span<const std::size_t> shape,
                                            std::optional<DType> wanted) const override {
    if (const StoredTensor* known = find(name)) return known;
    std::size_t size = 1;
    for (const std::size_t extent : shape) size *= extent;
    const DType dtype = wanted.value_or(DType::f32);
    std::vector<std::byte>& bytes = bytes_.emplace_back(size * size_bytes(dtype));
    std::uint64_t state = std::hash<std::string_view>{}(name);
    for (std::size_t i = 0; i < size; ++i) {
      state = state * 6364136223846793005U + 1442695040888963407U;
      const float value = static_cast<float>(state >> 40U) * 0x1p-24F - 0.5F;
      if (dtype == DType::u8) bytes[i] = static_cast<std::byte>(120U + (state >> 61U));
      if (dtype == DType::f32) std::memcpy(bytes.data() + i * sizeof value, &value, sizeof value);
    }
    const StoredTensor tensor{dtype, {shape.begin(), shape.end()}, bytes};
    return &tensors_.emplace(name, tensor).first->second;
  }
  [[nodiscard]] const StoredTensor* find(std::string_view name) const override {
    const auto known = tensors_.find(name);
    return known == tensors_.end() ? nullptr : &known->second;
  }
  [[nodiscard]] std::vector<std::string_view> names() const override {
    std::vector<std::string_view> result;
    for (const auto& [name, tensor] : tensors_) result.emplace_back(name);
    return result;
  }
  [[nodiscard]] std::string source_name() const override { return "drawn"; }

 private:
  mutable std::list<std::vector<std::byte>> bytes_;
  mutable std::map<std::string, StoredTensor, std::less<>> tensors_;
};

// What a model of this configuration computes, so that every value that has a consequence is seen.
struct Consequence {
  std::string objection;  // empty when it is read
  std::size_t max_position_embeddings = 0;
  std::size_t parameters = 0;
  std::vector<float> logits;  // of the last token
};

Consequence consequence_of(const Json& config) {
  Consequence result;
  try {
    const Model model = Model::build(config, "config.json", std::make_unique<DrawnWeights>());
    result.max_position_embeddings = model.info().max_position_embeddings;
    result.parameters = model.transformer().parameters();
    std::vector<TokenId> tokens(std::min<std::size_t>(result.max_position_embeddings, 144));  // beyond a window of 128
    for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<TokenId>(i * 7 % 64);
    Session session(model, {.num_threads = 1});
    const View<const float, 2> logits = session.forward(tokens, OutputRows::last);
    result.logits.assign(logits.span().begin(), logits.span().end());
  } catch (const ConfigError& error) {
    const std::string text = error.what();
    result.objection = text.substr(0, text.find(", found"));
  }
  return result;
}

class ConfigDefaultsOf : public testing::TestWithParam<std::string> {};

TEST_P(ConfigDefaultsOf, AreTakenByEveryKeyThatIsAbsent) {
  const std::string& family = GetParam();
  const Json golden = golden_families().at(family);
  const Json& aliases = golden.at("aliases");
  for (const auto& [key, value] : golden.at("defaults").items()) {
    if (computes_nothing(family, key)) continue;
    SCOPED_TRACE(key);
    Json absent = published_config(family);
    absent["max_position_embeddings"] = 256U;
    if (absent.contains("intermediate_size")) absent["intermediate_size"] = 64U;  // MXFP4 has groups of 32
    absent.erase(key);
    if (aliases.contains(key)) absent.erase(aliases.at(key).get<std::string>());
    if (key == "rope_parameters") absent.erase("rope_scaling");  // the other spelling
    Json explicitly = absent;
    explicitly[key] = value;
    const Consequence implied = consequence_of(absent);
    const Consequence expected = consequence_of(explicitly);
    EXPECT_EQ(implied.objection, expected.objection);
    EXPECT_EQ(implied.max_position_embeddings, expected.max_position_embeddings);
    EXPECT_EQ(implied.parameters, expected.parameters);
    EXPECT_EQ(implied.logits, expected.logits);
  }
}

std::vector<std::string> families() {
  std::vector<std::string> names;
  for (const auto& [family, defaults] : kDefaults) names.push_back(family);
  return names;
}
INSTANTIATE_TEST_SUITE_P(All, ConfigDefaultsOf, testing::ValuesIn(families()),
                         [](const auto& test) { return test.param; });

TEST(ConfigDefaults, DoNotStandForNullWhereTheReferenceFails) {
  // The first two can only mean one thing; null for none is read by the published code of DeepSeek; the last is not
  // read.
  const std::set<std::string> lenient = {"head_dim", "num_key_value_heads", "n_shared_experts", "num_mtp_layers",
                                         "max_window_layers"};
  const Json families = golden_families();
  for (const auto& [family, golden] : families.items()) {
    for (const Json& key : golden.at("null_fails")) {
      if (computes_nothing(family, key) || lenient.contains(key)) continue;
      if (family == "mimo_v2_flash" && key == "sliding_window") continue;  // sliding_window_size counts beside it
      if (family == "cohere2_moe" && key == "rope_parameters") continue;   // rope_theta counts beside it
      if (family == "kimi_linear" && (key.get<std::string>().starts_with("linear_") || key == "num_local_experts"))
        continue;  // null means the default
      SCOPED_TRACE(family + ": " + key.get<std::string>());
      Json config = published_config(family);
      if (golden.at("aliases").contains(key)) config.erase(golden.at("aliases").at(key).get<std::string>());
      config[key.get<std::string>()] = nullptr;
      EXPECT_THROW(static_cast<void>(read_published_config(config)), ConfigError);
    }
  }
}

}  // namespace
}  // namespace trine
