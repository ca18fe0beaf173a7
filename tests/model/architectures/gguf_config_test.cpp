// SPDX-License-Identifier: Apache-2.0
// The configuration of GGUF files: equal to the config.json that the file was made from, and what is refused.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <trine/core/notes.hpp>
#include <trine/json/parse.hpp>
#include <trine/model/architectures/gguf/config.hpp>
#include <trine/weights/gguf.hpp>

#include "support/expect_error.hpp"
#include "support/gguf_writer.hpp"
#include "support/temporary_directory.hpp"

namespace trine::test {
namespace {

namespace fs = std::filesystem;

Json config_of(const GgufFile& file, Notes& notes) { return gguf_config(file.metadata(), file, notes); }

Json config_of(const GgufWriter& writer, Notes notes = {}) {
  const TemporaryDirectory place;
  return config_of(GgufFile(place.write("model.gguf", writer.file())), notes);
}

std::uint32_t u32(std::uint32_t value) { return value; }

/// A file of two layers whose embedding has 8 rows of 4.
GgufWriter small(const std::string& architecture, std::uint32_t context = 64) {
  GgufWriter writer;
  writer.set("general.architecture", architecture);
  for (const auto& [key, value] : std::vector<std::pair<const char*, std::uint32_t>>{{"block_count", 2},
                                                                                     {"context_length", context},
                                                                                     {"embedding_length", 4},
                                                                                     {"feed_forward_length", 6},
                                                                                     {"attention.head_count", 2}})
    writer.set(architecture + "." + key, value);
  writer.set(architecture + ".attention.layer_norm_rms_epsilon", 1e-6F);
  writer.add("token_embd.weight", 0, {8, 4}, std::string(128, '\0'));
  return writer;
}

// ---- against the originals

class GgufConfigOf : public testing::TestWithParam<const char*> {};

// Every key of the conversion is one that the original has, with the same value, or one that it leaves to its default.
TEST_P(GgufConfigOf, IsThatOfTheOriginal) {
  Notes notes;
  const std::string name = GetParam();
  const Json found = config_of(GgufFile(fs::path(TRINE_TEST_DATA) / "gguf_models" / (name + ".gguf")), notes);
  const Json original = read_json_file(fs::path(TRINE_TEST_DATA) / "families" / name / "config.json");
  std::size_t compared = 0;
  for (const auto& [key, value] : found.items()) {
    if (!original.contains(key) || original[key].is_null() || key == "rope_parameters" || key == "topk_method")
      continue;
    if (name == "glm4_moe_lite" && key == "model_type") continue;  // deepseek_v3 computes the same
    EXPECT_EQ(value, original[key]) << key;
    ++compared;
  }
  EXPECT_GT(compared, 9U);
  const Json rope = original.contains("rope_parameters") && !original["rope_parameters"].is_null()
                        ? original["rope_parameters"]
                    : original.value("rope_scaling", Json()).is_null() ? Json::object()
                                                                       : original["rope_scaling"];
  for (const char* key : {"factor", "original_max_position_embeddings", "beta_fast", "beta_slow", "mscale_all_dim",
                          "mscale", "rope_theta", "truncate", "llama_4_scaling_beta"})
    if (rope.contains(key) && found["rope_parameters"]["rope_type"] != "longrope") {
      EXPECT_EQ(found["rope_parameters"].value(key, Json()), rope[key]) << key;
    }
}

INSTANTIATE_TEST_SUITE_P(All, GgufConfigOf,
                         testing::Values("llama_biases", "llama_linear_rope", "llama_llama3_rope",
                                         "mistral_sliding_window", "mixtral", "qwen2", "qwen3_bias", "qwen2_moe",
                                         "qwen3_moe", "olmoe_clip_qkv", "deepseek_v2_lite", "deepseek_v2_group_limited",
                                         "deepseek_v3_yarn_groups", "gpt_oss_bf16", "glm4_moe", "glm4_moe_qk_norm",
                                         "glm4_moe_lite", "minimax_m2", "ernie4_5_moe", "dots1", "hy_v3", "qwen3_next",
                                         "lfm2_moe", "deepseek_v32", "glm_moe_dsa", "glm_moe_dsa_frequency",
                                         "afmoe_trinity", "granitemoe", "llama4_text_scout", "mimo_v2_flash",
                                         "sarvam_moe", "exaone_moe", "mistral4", "cohere2_moe", "laguna", "mellum"),
                         [](const auto& one) { return std::string(one.param); });

// ---- by hand

TEST(GgufConfig, HasTheDefaultsOfTheFormat) {
  const Json config = config_of(small("llama"));
  EXPECT_EQ(config, parse_json(R"({"model_type": "llama", "vocab_size": 8, "tie_word_embeddings": true,
      "num_hidden_layers": 2, "max_position_embeddings": 64, "hidden_size": 4, "intermediate_size": 6,
      "num_attention_heads": 2, "num_key_value_heads": 2, "head_dim": null, "rms_norm_eps": 1e-6,
      "rope_interleave": true, "attention_bias": false, "mlp_bias": false,
      "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0}})",
                               "expected"));
}

TEST(GgufConfig, ReadsAListOfEqualNumbersAsOne) {
  GgufWriter writer = small("qwen3");
  writer.set_array<std::uint32_t>("qwen3.attention.head_count_kv", {1, 1});
  EXPECT_EQ(config_of(writer)["num_key_value_heads"], 1);
  writer = small("qwen3");
  writer.set_array<std::uint32_t>("qwen3.attention.head_count_kv", {1, 2});
  EXPECT_ERROR(config_of(writer), ConfigError,
               "qwen3.attention.head_count_kv: expected the same number for every layer");
}

TEST(GgufConfig, DoesNotCountDraftLayers) {
  GgufWriter writer = small("qwen2");
  writer.set("qwen2.nextn_predict_layers", u32(1));
  EXPECT_EQ(config_of(writer)["num_hidden_layers"], 1);
}

GgufWriter glm_dsa(std::uint32_t context = 64) {
  GgufWriter writer = small("glm-dsa", context);
  for (const auto& [key, value] :
       std::vector<std::pair<const char*, std::uint32_t>>{{"attention.q_lora_rank", 4},
                                                          {"attention.kv_lora_rank", 4},
                                                          {"attention.key_length_mla", 6},
                                                          {"attention.value_length_mla", 2},
                                                          {"rope.dimension_count", 2},
                                                          {"expert_feed_forward_length", 4},
                                                          {"expert_count", 4},
                                                          {"expert_used_count", 2},
                                                          {"attention.indexer.head_count", 3},
                                                          {"attention.indexer.key_length", 8},
                                                          {"attention.indexer.top_k", 16}})
    writer.set(std::string("glm-dsa.") + key, value);
  return writer;
}

TEST(GgufConfig, KnowsWhichLayersShareASelection) {
  const Json all = config_of(glm_dsa());
  EXPECT_EQ(all["index_n_heads"], 3);
  EXPECT_EQ(all["index_head_dim"], 8);
  EXPECT_EQ(all["index_topk"], 16);
  EXPECT_FALSE(all.contains("indexer_types") || all.contains("index_topk_freq"));
  const Json longer = config_of(glm_dsa(1048576));  // GLM-5.2
  EXPECT_EQ(longer["index_topk_freq"], 4);
  EXPECT_EQ(longer["index_skip_topk_offset"], 3);
  const std::string types = "glm-dsa.attention.indexer.types";
  const Json numbers = config_of(glm_dsa(1048576).set_array<std::uint32_t>(types, {1, 0}));
  EXPECT_EQ(numbers["indexer_types"], parse_json(R"(["full", "shared"])", "expected"));
  EXPECT_FALSE(numbers.contains("index_topk_freq"));
  const Json flags = config_of(glm_dsa().set_array<bool>(types, {true, true, false}));  // the last one drafts
  EXPECT_EQ(flags["indexer_types"], parse_json(R"(["full", "full"])", "expected"));
  EXPECT_ERROR(config_of(glm_dsa().set_array<std::uint32_t>(types, {1, 2})), ConfigError, types + ": expected");
  EXPECT_ERROR(config_of(glm_dsa().set_array<bool>(types, {true})), ConfigError,
               types + ": expected a list of 2 booleans");
}

TEST(GgufConfig, ReadsTheOldSpellingOfALinearFactor) {
  GgufWriter writer = small("llama");
  writer.set("llama.rope.scale_linear", 4.0F);
  EXPECT_EQ(config_of(writer)["rope_parameters"]["factor"], 4.0);
  EXPECT_EQ(config_of(writer)["rope_parameters"]["rope_type"], "linear");
}

TEST(GgufConfig, RefusesByName) {
  const auto refuses = [](const std::string& architecture, const auto& change, std::string_view text) {
    GgufWriter writer = small(architecture);
    change(writer);
    EXPECT_ERROR(config_of(writer), ConfigError, std::string(text));
  };
  using W = GgufWriter;
  std::string known;
  for (const std::string_view one : gguf_architectures()) known += (known.empty() ? "" : ", ") + std::string(one);
  refuses(
      "gpt2", [](W&) {}, "general.architecture: expected one of " + known + ", found string 'gpt2'");
  refuses(
      "llama", [](W& w) { w.set("general.type", std::string("adapter")); }, "general.type: expected 'model'");
  refuses(
      "llama", [](W& w) { w.set("llama.attention.causal", false); }, "llama.attention.causal: expected true");
  refuses(
      "llama", [](W& w) { w.set("llama.atention.scale", 1.0F); }, "unknown key 'llama.atention.scale'");
  refuses(
      "llama", [](W& w) { w.set("llama.rope.scaling.type", std::string("longrope")); },
      "llama.rope.scaling.type: expected none, linear or yarn");
  refuses(
      "llama", [](W& w) { w.set("llama.rope.dimension_count", u32(4)); }, "llama.rope.dimension_count: expected 2");
  refuses(
      "llama", [](W& w) { w.set("llama.attention.value_length", u32(4)); }, "llama.attention.value_length: expected");
  refuses(
      "llama", [](W& w) { w.set("llama.rope.scaling.attn_factor", 2.0F); }, "llama.rope.scaling.attn_factor");
  refuses(
      "qwen3moe", [](W&) {}, "qwen3moe.expert_count: expected");
  refuses(
      "deepseek2", [](W&) {}, "deepseek2.expert_feed_forward_length: expected");
  refuses(
      "qwen35moe", [](W&) {}, "qwen35moe.expert_count: expected");
  refuses(
      "lfm2moe", [](W&) {}, "lfm2moe.expert_feed_forward_length: expected");
  refuses(
      "glm4moe", [](W&) {}, "glm4moe.expert_feed_forward_length: expected");
  refuses(
      "gpt-oss", [](W&) {}, "gpt-oss.expert_feed_forward_length: expected");

  GgufWriter empty;
  EXPECT_ERROR(config_of(empty), ConfigError, "general.architecture: expected");
}

TEST(GgufConfig, IgnoresAnUnknownKeyIfTheCallerAllowsIt) {
  GgufWriter writer = small("llama");
  writer.set("llama.new_key", u32(1));
  EXPECT_EQ(config_of(writer, Notes({"llama.new_*"})), config_of(small("llama")));
}

// The keys of a mixture with a sigmoid router, in a file of `architecture`.
GgufWriter mixture(const std::string& architecture) {
  GgufWriter writer = small(architecture);
  for (const auto& [key, value] : std::vector<std::pair<const char*, std::uint32_t>>{
           {"expert_feed_forward_length", 6}, {"expert_count", 4}, {"expert_used_count", 2}})
    writer.set(architecture + "." + key, value);
  return writer;
}

TEST(GgufConfig, RotatesAsManyElementsAsTheFileSays) {
  EXPECT_EQ(config_of(mixture("glm4moe"))["partial_rotary_factor"], 1.0);
  for (const std::uint32_t head : {12U, 98U, 128U}) {
    for (std::uint32_t part = 2; part <= head; part += 2) {
      GgufWriter writer = mixture("glm4moe");
      writer.set("glm4moe.attention.key_length", head);
      writer.set("glm4moe.attention.value_length", head);
      writer.set("glm4moe.rope.dimension_count", part);
      const double factor = config_of(writer)["partial_rotary_factor"];
      ASSERT_EQ(static_cast<std::uint32_t>(head * factor), part) << part << " of " << head;
    }
  }
}

TEST(GgufConfig, KnowsTheRouterOfAFamily) {
  GgufWriter writer = mixture("glm4moe");
  const Json config = config_of(writer);
  EXPECT_EQ(config["routed_scaling_factor"], 1.0);
  EXPECT_EQ(config["norm_topk_prob"], false);
  EXPECT_EQ(config["n_group"], 1U);
  EXPECT_EQ(config["attention_bias"], false);
  EXPECT_EQ(config["use_qk_norm"], false);
  EXPECT_EQ(config["first_k_dense_replace"], 0U);
  writer.set("glm4moe.expert_gating_func", u32(1));
  EXPECT_ERROR(config_of(writer), ConfigError, "glm4moe.expert_gating_func: expected 2, a sigmoid");

  for (const char* family : {"minimax-m2", "hy_v3", "dots1"}) {
    writer = mixture(family);
    EXPECT_NO_THROW(static_cast<void>(config_of(writer))) << family;
    writer.set(std::string(family) + ".expert_gating_func", u32(1));
    EXPECT_ERROR(config_of(writer), ConfigError, "expert_gating_func: expected 2, a sigmoid");
  }
  writer = mixture("hy_v3");
  writer.set("hy_v3.expert_weights_norm", false);
  EXPECT_ERROR(config_of(writer), ConfigError, "hy_v3.expert_weights_norm: expected true");
  writer = mixture("ernie4_5-moe");
  EXPECT_EQ(config_of(writer)["moe_num_shared_experts"], 0U);
  writer.set("ernie4_5-moe.expert_gating_func", u32(2));
  EXPECT_ERROR(config_of(writer), ConfigError, "ernie4_5-moe.expert_gating_func: expected 1, a softmax");
}

// The least file of a family of the latest ones, without the key `omitted`.
GgufWriter latest(const std::string& architecture, std::string_view omitted = {}) {
  GgufWriter writer = small(architecture);
  const auto put = [&](std::string_view key, const auto& value) {
    if (key != omitted) writer.set(architecture + "." + std::string(key), value);
  };
  const auto is_one_of = [&](std::initializer_list<std::string_view> families) {
    return std::ranges::find(families, architecture) != families.end();
  };
  for (const auto& [key, value] : std::vector<std::pair<const char*, std::uint32_t>>{
           {"expert_feed_forward_length", 6}, {"expert_count", 4}, {"expert_used_count", 2}})
    if (architecture != "granitemoe" || key != std::string_view("expert_feed_forward_length")) put(key, value);
  if (is_one_of({"afmoe", "exaone-moe"})) put("expert_shared_count", u32(1));
  if (is_one_of({"granitemoe"})) put("logit_scale", 8.0F);
  if (is_one_of({"cohere2moe"})) put("logit_scale", 0.5F);
  if (is_one_of({"llama4"})) put("interleave_moe_layer_step", u32(1));
  if (is_one_of({"laguna"})) put("expert_shared_feed_forward_length", u32(10));
  if (is_one_of({"afmoe", "mimo2", "exaone-moe", "cohere2moe", "laguna", "mellum"}))
    put("attention.sliding_window", u32(16));
  if (is_one_of({"mimo2", "exaone-moe", "cohere2moe", "mellum"}) && omitted != "attention.sliding_window_pattern")
    writer.set_array<bool>(architecture + ".attention.sliding_window_pattern", {true, false});
  if (is_one_of({"mimo2"})) {
    if (omitted != "attention.head_count_kv") writer.set_array<std::uint32_t>("mimo2.attention.head_count_kv", {2, 1});
    put("attention.key_length", u32(12));
    put("attention.value_length", u32(8));
  }
  if (is_one_of({"mistral4"})) {
    for (const auto& [key, value] :
         std::vector<std::pair<const char*, std::uint32_t>>{{"attention.kv_lora_rank", 4},
                                                            {"attention.key_length_mla", 6},
                                                            {"attention.value_length_mla", 2},
                                                            {"rope.dimension_count", 2},
                                                            {"rope.scaling.original_context_length", 16}})
      put(key, value);
    put("rope.scaling.type", std::string("yarn"));
    put("rope.scaling.factor", 4.0F);
  }
  return writer;
}

TEST(GgufConfig, FillsInWhatLlamaCppTakesForGranted) {
  const Json afmoe = config_of(latest("afmoe"));
  EXPECT_EQ(afmoe["mup_enabled"], true);
  EXPECT_EQ(afmoe["global_attn_every_n_layers"], 4U);
  EXPECT_EQ(afmoe["head_dim"], 2U);
  EXPECT_EQ(afmoe["num_dense_layers"], 0U);
  EXPECT_FALSE(afmoe.contains("layer_types"));
  EXPECT_EQ(config_of(latest("granitemoe"))["attention_multiplier"], 1.0 / std::sqrt(2.0));
  const Json llama4 = config_of(latest("llama4"));
  EXPECT_EQ(llama4["attention_chunk_size"], 8192U);
  EXPECT_EQ(llama4["no_rope_layer_interval"], 4U);
  EXPECT_EQ(llama4["floor_scale"], 8192U);
  EXPECT_EQ(llama4["attn_scale"], 0.1);
  EXPECT_EQ(llama4["attn_temperature_tuning"], true);
  EXPECT_EQ(llama4["use_qk_norm"], true);
  EXPECT_EQ(config_of(latest("mimo2"))["attention_value_scale"], 0.707);
  const Json cohere = config_of(latest("cohere2moe"));
  EXPECT_EQ(cohere["expert_selection_fn"], "sigmoid");
  EXPECT_EQ(cohere["norm_topk_prob"], false);
  EXPECT_EQ(cohere["num_shared_experts"], 0U);
  EXPECT_EQ(cohere["prefix_dense_sliding_window_pattern"], 1U);
  EXPECT_EQ(config_of(latest("mistral4"))["rope_parameters"]["llama_4_scaling_beta"], 0.1);
  EXPECT_EQ(config_of(latest("bailingmoe2"))["partial_rotary_factor"], 1.0);
}

TEST(GgufConfig, KnowsWhichLayersSlide) {
  const Json expected = parse_json(R"(["sliding_attention", "full_attention"])", "expected");
  for (const char* family : {"afmoe", "mimo2", "exaone-moe", "cohere2moe", "laguna", "mellum"}) {
    constexpr std::string_view kPattern = "attention.sliding_window_pattern";
    const std::string key = std::string(family) + "." + std::string(kPattern);
    const GgufWriter none = latest(family, kPattern);
    EXPECT_EQ(config_of(GgufWriter(none).set_array<std::uint32_t>(key, {1, 0}))["layer_types"], expected) << family;
    if (family == std::string_view("laguna")) continue;  // counts from the other end
    EXPECT_EQ(config_of(GgufWriter(none).set(key, u32(2)))["layer_types"], expected) << family;
  }
  EXPECT_EQ(config_of(latest("mimo2"))["num_key_value_heads"], 1U);
  Notes notes;
  const TemporaryDirectory place;
  const std::string file =
      latest("mimo2", "attention.sliding_window").set("mimo2.attention.sliding_window", u32(128)).file();
  EXPECT_EQ(config_of(GgufFile(place.write("model.gguf", file)), notes)["sliding_window"], 129U);
  ASSERT_EQ(notes.all().size(), 1U);
  EXPECT_EQ(notes.all()[0].subject, "attention.sliding_window");
}

TEST(GgufConfig, CountsThePeriodOfLagunaFromTheFirstLayer) {
  const Json expected = parse_json(R"(["full_attention", "sliding_attention"])", "expected");
  EXPECT_EQ(config_of(latest("laguna"))["layer_types"], expected);
  EXPECT_EQ(config_of(latest("laguna").set("laguna.attention.sliding_window_pattern", u32(2)))["layer_types"],
            expected);
  EXPECT_EQ(config_of(latest("laguna").set("laguna.attention.sliding_window_pattern", u32(1)))["layer_types"],
            parse_json(R"(["full_attention", "full_attention"])", "expected"));
}

TEST(GgufConfig, HasOnlyFullLayersWithoutAWindow) {
  const Json expected = parse_json(R"(["full_attention", "full_attention"])", "expected");
  for (const std::string family : {"laguna", "mellum"}) {
    constexpr std::string_view kWindow = "attention.sliding_window";
    const auto none = [&] { return family == "laguna" ? latest(family, kWindow) : mixture(family); };
    const Json absent = config_of(none());
    EXPECT_EQ(absent["layer_types"], expected);
    EXPECT_TRUE(absent["sliding_window"].is_null());
    EXPECT_EQ(config_of(none().set(family + ".attention.sliding_window", u32(0))), absent);
  }
}

TEST(GgufConfig, ReadsHeadsAndRopeOfEachKindOfLayer) {
  GgufWriter writer = latest("laguna");
  writer.set("laguna.attention.key_length", u32(8)).set("laguna.attention.value_length", u32(8));
  writer.set("laguna.rope.dimension_count", u32(4)).set("laguna.rope.freq_base_swa", 5.0F);
  writer.add("blk.0.attn_gate.weight", 0, {2, 4}, std::string(32, '\0'));
  const Json config = config_of(writer);
  EXPECT_EQ(config["num_attention_heads_per_layer"], parse_json("[2, 2]", "expected"));
  EXPECT_EQ(config["gating"], "per-head");
  EXPECT_EQ(config["rope_parameters"], parse_json(R"({
      "full_attention": {"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": 0.5},
      "sliding_attention": {"rope_type": "default", "rope_theta": 5.0, "partial_rotary_factor": 1.0}})",
                                                  "expected"));
  EXPECT_EQ(config_of(latest("laguna"))["gating"], "per-element");
}

TEST(GgufConfig, KnowsBothModelsOfLlama4AndOneWithoutWindows) {
  EXPECT_EQ(config_of(latest("llama4", "expert_count").set("llama4.expert_count", u32(128)))["use_qk_norm"], false);
  const Json full = config_of(latest("llama4").set("llama4.attention.sliding_window", u32(0)));
  EXPECT_EQ(full["no_rope_layers"], parse_json("[1, 1]", "expected"));
  EXPECT_TRUE(full["attention_chunk_size"].is_null());
}

TEST(GgufConfig, ReadsTheEpsilonOfEitherNorm) {
  GgufWriter writer = latest("cohere2moe");
  EXPECT_FALSE(config_of(writer).contains("layer_norm_eps"));
  EXPECT_EQ(config_of(writer)["rms_norm_eps"], 1e-6);
  writer.set("cohere2moe.attention.layer_norm_epsilon", 1e-5F);
  EXPECT_EQ(config_of(writer)["layer_norm_eps"], 1e-5);
}

TEST(GgufConfig, ReadsTheRouterOfCohere) {
  const std::string gating = "cohere2moe.expert_gating_func";
  const std::string norm = "cohere2moe.expert_weights_norm";
  EXPECT_EQ(config_of(latest("cohere2moe").set(gating, u32(1)).set(norm, true))["expert_selection_fn"], "softmax");
  EXPECT_EQ(config_of(latest("cohere2moe").set(gating, u32(2)).set(norm, true))["norm_topk_prob"], true);
}

TEST(GgufConfig, RefusesWhatAFamilyDoesNotHave) {
  const auto refuses = [](const std::string& architecture, const std::string& key, const auto& value,
                          std::string_view expectation) {
    EXPECT_ERROR(config_of(latest(architecture, key).set(architecture + "." + key, value)), ConfigError,
                 architecture + "." + key + ": expected " + std::string(expectation));
  };
  for (const char* family : {"afmoe", "llama4", "mimo2", "bailingmoe2", "exaone-moe", "laguna"})
    refuses(family, "expert_gating_func", u32(1), "2, a sigmoid");
  for (const char* family : {"hunyuan-moe", "mistral4", "mellum"})
    refuses(family, "expert_gating_func", u32(2), "1, a softmax");
  for (const char* family : {"afmoe", "mimo2", "hunyuan-moe", "laguna", "mellum"})
    refuses(family, "expert_weights_norm", false, "true");
  for (const char* family : {"afmoe", "mimo2", "cohere2moe", "laguna"})
    refuses(family, "expert_group_count", u32(2), "1");
  for (const char* family : {"granitemoe", "llama4", "hunyuan-moe", "cohere2moe", "mellum"})
    refuses(family, "expert_weights_scale", 2.0F, "1");
  refuses("granitemoe", "rope.scaling.finetuned", false, "true");
  refuses("granitemoe", "expert_shared_feed_forward_length", u32(6), "none");
  refuses("llama4", "attention.sliding_window", u32(4096), "0 or 8192");
  refuses("llama4", "attention.sliding_window_pattern", u32(2), "4");
  EXPECT_ERROR(config_of(latest("mimo2").set("mimo2.rope.scaling.factor", 2.0F)), ConfigError,
               "mimo2.rope.scaling.type: expected none");
  EXPECT_ERROR(config_of(latest("cohere2moe").set("cohere2moe.rope.scaling.factor", 2.0F)), ConfigError,
               "cohere2moe.rope.scaling.type: expected none");
  refuses("mimo2", "attention.head_count_kv", u32(2), "twice as many");
  refuses("hunyuan-moe", "expert_feed_forward_length", u32(5), "6");
  refuses("hunyuan-moe", "expert_shared_feed_forward_length", u32(5), "6");
  refuses("hunyuan-moe", "expert_shared_count", u32(2), "1");
  refuses("cohere2moe", "expert_gating_func", u32(3), "1 or 2");
  refuses("cohere2moe", "rope.freq_base_swa", 5.0F, "that of rope.freq_base");
  EXPECT_ERROR(config_of(latest("cohere2moe").set("cohere2moe.expert_gating_func", u32(1))), ConfigError,
               "cohere2moe.expert_weights_norm: expected true with a softmax");
  refuses("laguna", "expert_shared_count", u32(2), "1");
  refuses("mistral4", "rope.scaling.type", std::string("linear"), "yarn");
  refuses("mistral4", "attention.temperature_length", u32(17), "16");
}

TEST(GgufConfig, ReadsAStoredTemperature) {
  const Json config = config_of(latest("mistral4")
                                    .set("mistral4.attention.temperature_scale", 0.25F)
                                    .set("mistral4.attention.temperature_length", u32(16)));
  EXPECT_EQ(config["rope_parameters"]["llama_4_scaling_beta"], 0.25);
}

TEST(GgufConfig, NeedsAnEmbedding) {
  GgufWriter writer;
  writer.set("general.architecture", std::string("llama"));
  writer.set("llama.block_count", u32(1));
  EXPECT_ERROR(config_of(writer), WeightError, "no matrix named 'token_embd.weight'");
}

TEST(GgufConfig, NotesThatGroupsOfExpertsAreMissing) {
  GgufWriter writer = small("deepseek2");
  for (const auto& [key, value] : std::vector<std::pair<const char*, std::uint32_t>>{{"expert_feed_forward_length", 6},
                                                                                     {"expert_count", 4},
                                                                                     {"expert_used_count", 2},
                                                                                     {"attention.kv_lora_rank", 4},
                                                                                     {"attention.key_length", 6},
                                                                                     {"attention.value_length", 3},
                                                                                     {"rope.dimension_count", 2}})
    writer.set(std::string("deepseek2.") + key, value);
  const TemporaryDirectory place;
  Notes notes;
  const Json config = config_of(GgufFile(place.write("model.gguf", writer.file())), notes);
  EXPECT_EQ(config["model_type"], "deepseek_v2");
  EXPECT_EQ(config["n_group"], 1U);
  EXPECT_EQ(config["qk_nope_head_dim"], 4U);
  EXPECT_EQ(config["v_head_dim"], 3U);
  EXPECT_TRUE(config["first_k_dense_replace"].is_number_unsigned());
  ASSERT_EQ(notes.all().size(), 1U);
  EXPECT_EQ(notes.all()[0].subject, "expert_group_count");

  writer.set("deepseek2.expert_gating_func", u32(2));
  writer.set("deepseek2.expert_weights_norm", true);
  EXPECT_EQ(config_of(writer)["model_type"], "deepseek_v3");
  EXPECT_EQ(config_of(writer)["norm_topk_prob"], true);
}

}  // namespace
}  // namespace trine::test
