// SPDX-License-Identifier: Apache-2.0
#include <trine/model/architectures/trine_config.hpp>

#include <ostream>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "support/expect_error.hpp"

namespace trine {
namespace {

// The example of docs/architecture.md.
Json text_config() {
  return Json::parse(R"({ "model_type": "trine", "vocab_size": 1024, "hidden_size": 256, "num_hidden_layers": 6,
    "max_position_embeddings": 32768, "rms_norm_eps": 1e-6, "rope_theta": 10000.0, "tie_word_embeddings": true,
    "attention": { "kind": "3d", "head_dim": 32, "frame_size": 64,
      "spatial":  { "num_heads": 4, "num_kv_heads": 2, "lookback": 1, "causal": true },
      "temporal": { "num_heads": 4, "num_kv_heads": 2, "pattern": "summary" } },
    "moe": { "num_experts": 16, "intermediate_size": 256, "num_shared_experts": 0, "first_dense_layers": 0,
      "router": { "kind": "attention", "key_dim": 64, "score": "sigmoid", "normalize": true, "routed_scale": 1.0,
                  "choice": { "kind": "top_k", "k": 2 } },
      "expert_attention": { "num_heads": 2, "head_dim": 16 } },
    "input": { "kind": "tokens" }, "output": { "kind": "language_model" } })");
}

Json grid_config() {
  Json config = text_config();
  config.erase("vocab_size");
  config.erase("tie_word_embeddings");
  config["attention"]["spatial"]["causal"] = false;
  config["input"] = {{"kind", "features"}, {"num_features", 5U}};
  config["output"] = {{"kind", "classification"}, {"num_outputs", 3U}, {"pool", "last_frame_mean"}};
  return config;
}

Json full_config() {
  Json config = text_config();
  config["attention"] = {{"kind", "full"}, {"head_dim", 32U}, {"num_heads", 8U}, {"num_kv_heads", 4U}};
  return config;
}

TrineConfig parse(const Json& document) { return parse_trine_config(document, "config.json", RouterRegistry()); }

TEST(TrineConfig, IsReadWhole) {
  const TrineConfig config = parse(text_config());
  EXPECT_EQ(config.vocab_size, 1024U);
  EXPECT_EQ(config.hidden_size, 256U);
  EXPECT_EQ(config.num_hidden_layers, 6U);
  EXPECT_EQ(config.max_position_embeddings, 32768U);
  EXPECT_TRUE(config.tie_word_embeddings);
  EXPECT_EQ(config.attention.kind, AttentionKind::three_axis);
  EXPECT_EQ(config.attention.frame_size, 64U);
  EXPECT_EQ(config.attention.spatial.num_heads, 4U);
  EXPECT_EQ(config.attention.temporal.num_kv_heads, 2U);
  EXPECT_EQ(config.attention.lookback, 1U);
  EXPECT_TRUE(config.attention.causal);
  EXPECT_EQ(config.attention.pattern, TemporalPattern::summary);
  EXPECT_EQ(config.moe.num_experts, 16U);
  EXPECT_EQ(config.moe.router_kind, "attention");
  ASSERT_TRUE(config.moe.expert_attention.has_value());
  EXPECT_EQ(config.moe.expert_attention->head_dim, 16U);
  EXPECT_EQ(config.output, OutputKind::language_model);
}

TEST(TrineConfig, HasTheDefaultsOfItsDescription) {
  Json document = text_config();
  for (const char* key : {"rms_norm_eps", "rope_theta", "tie_word_embeddings"}) document.erase(key);
  document["attention"]["spatial"].erase("causal");
  for (const char* key : {"num_shared_experts", "first_dense_layers"}) document["moe"].erase(key);
  document["moe"]["expert_attention"] = nullptr;
  const TrineConfig config = parse(document);
  EXPECT_EQ(config.rms_norm_eps, 1e-6F);
  EXPECT_EQ(config.rope_theta, 10000.0);
  EXPECT_FALSE(config.tie_word_embeddings);
  EXPECT_TRUE(config.attention.causal);
  EXPECT_EQ(config.moe.num_shared_experts, 0U);
  EXPECT_EQ(config.moe.first_dense_layers, 0U);
  EXPECT_FALSE(config.moe.expert_attention.has_value());
}

TEST(TrineConfig, TakesGridsAndFullAndChunkedAttention) {
  EXPECT_EQ(parse(grid_config()).num_features, 5U);
  EXPECT_EQ(parse(grid_config()).num_outputs, 3U);
  EXPECT_EQ(parse(full_config()).attention.frame_size, 1U);
  Json grid = grid_config();
  grid["attention"] = full_config()["attention"];
  grid["input"]["num_sites"] = 7U;
  EXPECT_EQ(parse(grid).attention.frame_size, 7U);
  Json chunked = full_config();
  chunked["attention"]["kind"] = "chunked";
  chunked["attention"]["frame_size"] = 16U;
  EXPECT_EQ(parse(chunked).attention.frame_size, 16U);
}

struct Damage {
  const char* where;     // JSON pointer into the configuration
  const char* value;     // what is put there; "" takes the key away
  const char* expected;  // what the message says after "config.json: "
};
void PrintTo(const Damage& damage, std::ostream* out) { *out << damage.where << " = " << damage.value; }

void expect_refused(Json document, const Damage& damage) {
  const Json::json_pointer where(damage.where);
  if (*damage.value == '\0') {
    document[where.parent_pointer()].erase(where.back());
  } else {
    document[where] = Json::parse(damage.value);
  }
  EXPECT_ERROR(parse(document), ConfigError, std::string("config.json: ") + damage.expected);
}

class DamagedText : public testing::TestWithParam<Damage> {};
TEST_P(DamagedText, IsRefusedByTheNameOfTheField) { expect_refused(text_config(), GetParam()); }

INSTANTIATE_TEST_SUITE_P(
    Missing, DamagedText,
    testing::Values(Damage{"/model_type", "", "model_type: expected a value, found none"},
                    Damage{"/vocab_size", "", "vocab_size: expected a value, found none"},
                    Damage{"/hidden_size", "", "hidden_size: expected a value, found none"},
                    Damage{"/num_hidden_layers", "", "num_hidden_layers: expected a value, found none"},
                    Damage{"/max_position_embeddings", "", "max_position_embeddings: expected a value, found none"},
                    Damage{"/attention", "", "attention: expected a value, found none"},
                    Damage{"/attention/kind", "", "attention.kind: expected a value, found none"},
                    Damage{"/attention/head_dim", "", "attention.head_dim: expected a value, found none"},
                    Damage{"/attention/frame_size", "", "attention.frame_size: expected a value, found none"},
                    Damage{"/attention/spatial", "", "attention.spatial: expected a value, found none"},
                    Damage{"/attention/spatial/lookback", "", "attention.spatial.lookback: expected a value"},
                    Damage{"/attention/spatial/num_heads", "", "attention.spatial.num_heads: expected a value"},
                    Damage{"/attention/temporal/pattern", "", "attention.temporal.pattern: expected a value"},
                    Damage{"/moe", "", "moe: expected a value, found none"},
                    Damage{"/moe/num_experts", "", "moe.num_experts: expected a value, found none"},
                    Damage{"/moe/router", "", "moe.router: expected a value, found none"},
                    Damage{"/moe/router/choice/k", "", "moe.router.choice.k: expected a value, found none"},
                    Damage{"/moe/expert_attention/head_dim", "", "moe.expert_attention.head_dim: expected a value"},
                    Damage{"/input", "", "input: expected a value, found none"},
                    Damage{"/output", "", "output: expected a value, found none"},
                    Damage{"/output/kind", "null", "output.kind: expected a value, found none"}));

INSTANTIATE_TEST_SUITE_P(
    Unknown, DamagedText,
    testing::Values(
        Damage{"/vocabsize", "7", "unknown key 'vocabsize'; the nearest known key is 'vocab_size'"},
        Damage{"/attention/headdim", "8", "attention: unknown key 'headdim'; the nearest known key is 'head_dim'"},
        Damage{"/attention/num_heads", "8", "attention: unknown key 'num_heads'"},
        Damage{"/attention/spatial/casual", "true",
               "attention.spatial: unknown key 'casual'; the nearest known key is 'causal'"},
        Damage{"/attention/temporal/patern", "1",
               "attention.temporal: unknown key 'patern'; the nearest known key is 'pattern'"},
        Damage{"/moe/num_expert", "4", "moe: unknown key 'num_expert'; the nearest known key is 'num_experts'"},
        Damage{"/moe/dense_intermediate_size", "4", "moe: unknown key 'dense_intermediate_size'"},
        Damage{"/moe/router/normalise", "true",
               "moe.router: unknown key 'normalise'; the nearest known key is 'normalize'"},
        Damage{"/moe/expert_attention/heads", "2", "moe.expert_attention: unknown key 'heads'"},
        Damage{"/input/num_features", "2", "input: unknown key 'num_features'"},
        Damage{"/output/num_outputs", "2", "output: unknown key 'num_outputs'"}));

INSTANTIATE_TEST_SUITE_P(
    OutOfRange, DamagedText,
    testing::Values(
        Damage{"/model_type", R"("trine2")", R"(model_type: expected one of "trine", found 'trine2')"},
        Damage{"/vocab_size", "0", "vocab_size: expected an integer from 1 to 4194304, found 0"},
        Damage{"/vocab_size", "-1", "vocab_size: expected an integer from 1 to 4194304, found -1"},
        Damage{"/hidden_size", "0", "hidden_size: expected an integer from 1 to 65536, found 0"},
        Damage{"/hidden_size", "1.5", "hidden_size: expected an integer from 1 to 65536, found 1.5"},
        Damage{"/hidden_size", "256.0", "hidden_size: expected an integer from 1 to 65536, found 256.0"},
        Damage{"/hidden_size", R"("256")", "hidden_size: expected an integer from 1 to 65536, found '256'"},
        Damage{"/hidden_size", "9223372036854775808", "hidden_size: expected an integer from 1 to 65536, found 9223"},
        Damage{"/hidden_size", "18446744073709551616", "hidden_size: expected an integer from 1 to 65536, found 1.8"},
        Damage{"/num_hidden_layers", "1000000000", "num_hidden_layers: expected an integer from 1 to 4096"},
        Damage{"/num_hidden_layers", "true", "num_hidden_layers: expected an integer from 1 to 4096, found true"},
        Damage{"/num_hidden_layers", "[6]", "num_hidden_layers: expected an integer from 1 to 4096, found a list"},
        Damage{"/max_position_embeddings", "0", "max_position_embeddings: expected an integer from 1"},
        Damage{"/rms_norm_eps", "0", "rms_norm_eps: expected a number from 1e-12 to 1.0, found 0"},
        Damage{"/rms_norm_eps", "-1e-6", "rms_norm_eps: expected a number from 1e-12 to 1.0"},
        Damage{"/rope_theta", "0.5", "rope_theta: expected a number from 1.0"},
        Damage{"/rope_theta", "1e300", "rope_theta: expected a number from 1.0"},
        Damage{"/rope_theta", R"("1e4")", "rope_theta: expected a number from 1.0"},
        Damage{"/tie_word_embeddings", "1", "tie_word_embeddings: expected true or false, found 1"},
        Damage{"/attention", "[]", "attention: expected a JSON object, found a list"},
        Damage{"/attention/kind", R"("2d")", R"(attention.kind: expected one of "full", "chunked", "3d", found '2d')"},
        Damage{"/attention/head_dim", "33", "attention.head_dim: expected an even number, found 33"},
        Damage{"/attention/head_dim", "0", "attention.head_dim: expected an integer from 2 to 512, found 0"},
        Damage{"/attention/frame_size", "0", "attention.frame_size: expected an integer from 1 to 32768, found 0"},
        Damage{"/attention/frame_size", "32769", "attention.frame_size: expected an integer from 1 to 32768"},
        Damage{"/attention/spatial/num_heads", "0", "attention.spatial.num_heads: expected an integer from 1"},
        Damage{"/attention/spatial/num_kv_heads", "3",
               "attention.spatial.num_kv_heads: expected a divisor of num_heads = 4, found 3"},
        Damage{"/attention/spatial/num_kv_heads", "8",
               "attention.spatial.num_kv_heads: expected an integer from 1 to 4, found 8"},
        Damage{"/attention/spatial/lookback", "-1", "attention.spatial.lookback: expected an integer from 0 to 512"},
        Damage{"/attention/spatial/lookback", "513",
               "attention.spatial.lookback: expected an integer from 0 to 512, found 513"},
        Damage{"/attention/spatial/causal", "0", "attention.spatial.causal: expected true or false, found 0"},
        Damage{"/attention/temporal/pattern", R"("full")",
               R"(attention.temporal.pattern: expected one of "summary", "strided", "routed", found 'full')"},
        Damage{"/attention/temporal/pattern", R"("routed")", "attention.temporal.top_k: expected a value, found none"},
        Damage{"/attention/temporal", R"({"num_heads": 4, "num_kv_heads": 2, "pattern": "routed", "top_k": 0})",
               "attention.temporal.top_k: expected an integer from 1 to 512, found 0"},
        Damage{"/attention/temporal", R"({"num_heads": 4, "num_kv_heads": 2, "pattern": "routed", "top_k": 513})",
               "attention.temporal.top_k: expected an integer from 1 to 512, found 513"},
        Damage{"/attention/temporal/top_k", "4", "attention.temporal: unknown key 'top_k'"},
        Damage{"/moe/num_experts", "0", "moe.num_experts: expected an integer from 1 to 65536, found 0"},
        Damage{"/moe/num_experts", "1", "moe.router.choice.k: expected an integer from 1 to 1, found 2"},
        Damage{"/moe/intermediate_size", "0", "moe.intermediate_size: expected an integer from 1"},
        Damage{"/moe/first_dense_layers", "7", "moe.first_dense_layers: expected an integer from 0 to 6, found 7"},
        Damage{"/moe/first_dense_layers", "1", "moe.dense_intermediate_size: expected a value, found none"},
        Damage{"/moe/router", R"({"kind": "atention"})",
               "moe.router.kind: no router named 'atention'; the nearest one is 'attention'"},
        Damage{"/moe/router/choice/k", "17", "moe.router.choice.k: expected an integer from 1 to 16, found 17"},
        Damage{
            "/moe/router",
            R"({"kind": "sigmoid_group_limited", "n_group": 4, "topk_group": 5, "choice": {"kind": "top_k", "k": 2}})",
            "moe.router.topk_group: expected an integer from 1 to 4, found 5"},
        Damage{"/moe/expert_attention", "true", "moe.expert_attention: expected a JSON object, found true"},
        Damage{"/input/kind", R"("text")", R"(input.kind: expected one of "tokens", "features", found 'text')"},
        Damage{"/output", R"({"kind": "classification", "num_outputs": 2, "pool": "mean"})",
               R"(output.pool: expected one of "last_frame_mean", found 'mean')"},
        Damage{"/output", R"({"kind": "classification", "num_outputs": 2, "pool": "last_frame_mean"})",
               "tie_word_embeddings: expected false for a model without a language model head, found true"}));

class DamagedGrid : public testing::TestWithParam<Damage> {};
TEST_P(DamagedGrid, IsRefusedByTheNameOfTheField) { expect_refused(grid_config(), GetParam()); }

INSTANTIATE_TEST_SUITE_P(
    All, DamagedGrid,
    testing::Values(
        Damage{"/vocab_size", "1024", "unknown key 'vocab_size'"},
        Damage{"/tie_word_embeddings", "false", "unknown key 'tie_word_embeddings'"},
        Damage{"/input/num_features", "", "input.num_features: expected a value, found none"},
        Damage{"/input/num_features", "0", "input.num_features: expected an integer from 1 to 65536, found 0"},
        Damage{"/input/num_sites", "3", "input: unknown key 'num_sites'"},
        Damage{"/output", R"({"kind": "language_model"})", "output.kind: expected classification or regression"},
        Damage{"/output/num_outputs", "0", "output.num_outputs: expected an integer from 1 to 4194304, found 0"},
        Damage{"/output/pool", "", "output.pool: expected a value, found none"},
        Damage{"/moe/router", R"({"kind": "hash"})", "moe.router.kind: hash routing needs token input"},
        Damage{"/moe/router", R"({"kind": "rules", "features": ["a"], "rules": [], "otherwise": 0})",
               "moe.router.features: expected a list of 5 names"}));

TEST(TrineConfig, MustBeAnObject) {
  for (const char* text : {"[]", "7", "null", "\"trine\""})
    EXPECT_ERROR(parse(Json::parse(text)), ConfigError, "config.json: expected a JSON object");
}

// Any value in place of any other: an answer or one ConfigError, never anything else.
TEST(TrineConfig, AnswersOrRefusesWhateverIsPutAnywhere) {
  const std::vector<const char*> values{
      "null", "true",   "0",  "-1",   "1",  "1.5",           "1e308", "9223372036854775807", "18446744073709551615",
      "\"\"", "\"3d\"", "[]", "[{}]", "{}", R"({"kind": 1})"};
  std::size_t refused = 0;
  for (const Json& good : {text_config(), grid_config(), full_config()}) {
    const Json flat = good.flatten();
    for (const auto& item : flat.items()) {
      for (Json::json_pointer where(item.key()); !where.empty(); where = where.parent_pointer()) {
        for (const char* value : values) {
          Json document = good;
          document[where] = Json::parse(value);
          try {
            static_cast<void>(parse(document));
          } catch (const ConfigError& error) {
            ++refused;
            EXPECT_TRUE(std::string(error.what()).starts_with("config.json: ")) << error.what();
          }
        }
      }
    }
  }
  EXPECT_GT(refused, 500U);
}

}  // namespace
}  // namespace trine
