// SPDX-License-Identifier: Apache-2.0
// Files of adapters that are wrong, and what is done about them; sequences and session files that know their adapters.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <trine/adapters/adapter.hpp>
#include <trine/generate/engine.hpp>
#include <trine/generate/session.hpp>
#include <trine/json/parse.hpp>
#include <trine/model/transformer.hpp>
#include <trine/text/tokenizer/pcre2_regex.hpp>
#include <trine/weights/safetensors.hpp>

#include "support/expect_error.hpp"
#include "support/golden.hpp"
#include "support/safetensors_file_writer.hpp"
#include "support/temporary_directory.hpp"

namespace trine::test {
namespace {

namespace fs = std::filesystem;

const fs::path kGolden = TRINE_TEST_DATA;
const std::string kLayer0 = "base_model.model.model.layers.0.self_attn.";

// The tensors of an adapter, to be changed and written again.
struct Files {
  struct Values {
    std::vector<std::size_t> shape;
    std::vector<float> values;
  };
  Json config;
  std::map<std::string, Values> tensors;

  explicit Files(const std::string& name)
      : config(read_json_file(kGolden / "adapters" / name / "adapter_config.json")) {
    const Safetensors source(kGolden / "adapters" / name / "adapter_model.safetensors");
    for (const std::string_view tensor : source.names()) {
      const StoredTensor& stored = *source.find(tensor);
      Values& values = tensors[std::string(tensor)];
      values.shape = stored.shape;
      values.values.resize(stored.bytes.size() / sizeof(float));
      std::memcpy(values.values.data(), stored.bytes.data(), stored.bytes.size());
    }
  }

  void write(const TemporaryDirectory& folder) const {
    SafetensorsFileWriter writer;
    for (const auto& [name, tensor] : tensors)
      writer.add(name, "F32", tensor.shape,
                 {reinterpret_cast<const char*>(tensor.values.data()), tensor.values.size() * sizeof(float)});
    folder.write("adapter_model.safetensors", writer.file());
    folder.write("adapter_config.json", config.dump());
  }
};

class AdapterFiles : public testing::Test {
 protected:
  [[nodiscard]] Adapter load(const std::function<void(Files&)>& change, const std::string& name = "olmoe_article",
                             const AdapterOptions& options = {.regex = pcre2_regex}) const {
    Files files(name);
    change(files);
    const TemporaryDirectory directory;
    files.write(directory);
    return Adapter::load(model_, directory.path(), options);
  }

  const Model model_ = Model::load(kGolden / "families" / "olmoe");
};

TEST_F(AdapterFiles, SayWhatTheyHold) {
  const Adapter adapter = load([](Files&) {});
  const AdapterInfo& info = adapter.info();
  EXPECT_EQ(info.linear_maps, 2 * model_.info().num_hidden_layers);
  EXPECT_EQ(info.min_rank, 4U);
  EXPECT_EQ(info.max_rank, 4U);
  EXPECT_EQ(info.saved_modules, 0U);
  EXPECT_FALSE(info.uses_dora);
  EXPECT_GT(info.parameters, 0U);
}

TEST_F(AdapterFiles, AreRefusedWhenTensorsAreWrong) {
  const std::string a = kLayer0 + "q_proj.lora_A.weight";
  const std::string b = kLayer0 + "q_proj.lora_B.weight";
  EXPECT_ERROR(load([&](Files& f) { f.tensors[a].values[3] = std::numeric_limits<float>::quiet_NaN(); }), WeightError,
               "expected finite numbers, found one that is not at 3");
  EXPECT_ERROR(load([&](Files& f) { f.tensors.erase(b); }), WeightError, "expected lora_A and lora_B, found no lora_B");
  EXPECT_ERROR(load([&](Files& f) { f.tensors.erase(a); }), WeightError, "expected lora_A and lora_B, found no lora_A");
  EXPECT_ERROR(load([&](Files& f) {
                 f.tensors[b].shape[1] -= 1;
                 f.tensors[b].values.resize(f.tensors[b].shape[0] * f.tensors[b].shape[1]);
               }),
               WeightError, "q_proj.lora_B.weight': expected shape [32, 4], found [32, 3]");
  EXPECT_ERROR(load([&](Files& f) {
                 f.tensors[a].shape[1] += 1;
                 f.tensors[a].values.resize(f.tensors[a].shape[0] * f.tensors[a].shape[1]);
               }),
               WeightError, "q_proj.lora_A.weight': expected shape [4, 32], found [4, 33]");
  EXPECT_ERROR(load([&](Files& f) { f.config["r"] = 5; }), WeightError,
               "expected rank 5 by adapter_config.json, found 4");
  EXPECT_ERROR(load([&](Files& f) {
                 f.tensors["base_model.model.model.layers.9.self_attn.q_proj.lora_A.weight"] = f.tensors[a];
                 f.tensors["base_model.model.model.layers.9.self_attn.q_proj.lora_B.weight"] = f.tensors[b];
               }),
               WeightError,
               "expected a linear map or the embedding of the model for each tensor, found none for "
               "'model.layers.9.self_attn.q_proj.lora_A.weight', 'model.layers.9.self_attn.q_proj.lora_B.weight'");
  EXPECT_ERROR(load([&](Files& f) {
                 f.config["modules_to_save"] = {"norm"};
                 f.tensors["base_model.model.model.norm.weight"] = {{32}, std::vector<float>(32, 1.0F)};
               }),
               WeightError, "found none for 'model.norm.weight'");
  EXPECT_ERROR(
      load([&](Files& f) { f.tensors["model.layers.0.self_attn.q_proj.lora_A.default.weight"] = f.tensors[a]; }),
      WeightError, "expected one tensor of this use for the module, found another before");
  EXPECT_ERROR(
      load([&](Files& f) { f.tensors["base_model.model.model.embed_tokens.lora_embedding_A"] = f.tensors[a]; }),
      WeightError, "updates of an embedding are not supported; modules_to_save is");
  EXPECT_ERROR(load([&](Files& f) { f.tensors.clear(); }), WeightError, "expected tensors of an adapter, found none");
}

TEST_F(AdapterFiles, AreRefusedWhenTheRankExceedsTheLayer) {
  EXPECT_ERROR(load([&](Files& f) {
                 f.config["r"] = 40;
                 for (auto& [name, tensor] : f.tensors) {
                   tensor.shape = name.find("lora_A") != std::string::npos ? std::vector<std::size_t>{40, 32}
                                                                           : std::vector<std::size_t>{32, 40};
                   tensor.values.assign(40 * 32, 0.5F);
                 }
               }),
               WeightError, "expected a rank of at most 32, the larger width of the map, found 40");
}

TEST_F(AdapterFiles, AreRefusedWhenTheConfigurationChangesWhatIsNotSupported) {
  const auto with = [&](const char* key, const Json& value) { return load([&](Files& f) { f.config[key] = value; }); };
  EXPECT_ERROR(load([](Files& f) { f.config = Json::array(); }), ConfigError, "a JSON object");
  EXPECT_ERROR(with("peft_type", "IA3"), ConfigError, "peft_type: expected one of \"LORA\", found 'IA3'");
  EXPECT_ERROR(with("lora_alpha", 0), ConfigError, "lora_alpha: expected another number than 0");
  EXPECT_ERROR(with("alpha_pattern", Json{{"q_proj", 0}}), WeightError, "expected another lora_alpha than 0");
  EXPECT_ERROR(with("r", 0), ConfigError, "r: expected an integer from 1");
  EXPECT_ERROR(with("bias", "all"), ConfigError, "bias: expected one of \"none\"");
  EXPECT_ERROR(with("init_lora_weights", "pissa"), ConfigError, "'pissa' changes the weights of the model");
  EXPECT_ERROR(with("use_dora", true), WeightError, "expected lora_magnitude_vector, since use_dora is true");
  EXPECT_ERROR(with("lora_bias", true), WeightError, "expected a bias of lora_B, since lora_bias is true, found none");
  EXPECT_ERROR(with("rank_pattern", Json{{"q_proj", 4.5}}), ConfigError,
               "rank_pattern.q_proj: expected an integer from 1 to 1048576, found 4.5");
  EXPECT_ERROR(with("modules_to_save", 3), ConfigError, "modules_to_save: expected a list of names");
  for (const auto& [key, value] :
       {std::pair<const char*, Json>{"layer_replication", Json::array({Json::array({0, 1})})},
        {"trainable_token_indices", Json::array({1})},
        {"alora_invocation_tokens", Json::array({1})},
        {"use_qalora", true},
        {"use_bdlora", Json{{"nblocks", 2}}},
        {"arrow_config", Json{{"top_k", 1}}},
        {"kasa_config", Json{{"beta", 1}}},
        {"monteclora_config", Json{{"num_samples", 1}}}})
    EXPECT_ERROR(with(key, value), ConfigError, std::string(key) + ": is not supported");
  EXPECT_ERROR(with("a_new_key", 7), ConfigError, "a_new_key");
  EXPECT_NO_THROW(load([](Files& f) { f.config["a_new_key"] = 7; }, "olmoe_article",
                       {.regex = pcre2_regex, .allow_unknown = {"a_new_key"}}));
  for (const char* init : {"gaussian", "eva", "orthogonal", "mica"}) EXPECT_NO_THROW(with("init_lora_weights", init));
  EXPECT_NO_THROW(with("a_new_key", nullptr));
}

TEST_F(AdapterFiles, NeedAnEngineForRegularExpressionsOnly) {
  const auto with = [&](const char* key) {
    return load([&](Files& f) { f.config["alpha_pattern"] = Json{{key, 16}}; }, "olmoe_article", {});
  };
  EXPECT_ERROR(with("layers\\.0\\..*q_proj"), ConfigError, "is a regular expression, for which no engine was given");
  EXPECT_NO_THROW(with("self_attn.q_proj"));
  EXPECT_NO_THROW(with("^model.layers.0.self_attn.q_proj"));
  EXPECT_ERROR(load([](Files& f) {
                 f.config["alpha_pattern"] = Json{{"q_proj(", 16}};
               }),
               ConfigError, "adapter_config.json: alpha_pattern: 'q_proj('");
}

TEST_F(AdapterFiles, HaveTheScaleOfTheFirstPatternThatMatches) {
  // At 32 in place of 8 the update of q_proj in layer 0 is four times as large.
  const auto scale = [&](const char* key) {
    const Adapter adapter = load([&](Files& f) { f.config["alpha_pattern"] = Json{{key, 32}}; }, "olmoe_article", {});
    std::map<std::string, float> scales;
    for (std::size_t i = 0; i < adapter.maps().size(); ++i)
      if (adapter.maps()[i] != nullptr) scales[model_.linear_maps()[i].module] = adapter.maps()[i]->scale;
    return std::pair(scales.at("model.layers.0.self_attn.q_proj"), scales.at("model.layers.1.self_attn.q_proj"));
  };
  EXPECT_EQ(scale("q_proj"), std::pair(8.0F, 8.0F));
  EXPECT_EQ(scale("layers.0.self_attn.q_proj"), std::pair(8.0F, 2.0F));
  EXPECT_EQ(scale("^model.layers.0.self_attn.q_proj"), std::pair(8.0F, 2.0F));
  EXPECT_EQ(scale("^layers.0.self_attn.q_proj"), std::pair(2.0F, 2.0F));
  EXPECT_EQ(scale(".*\\.q_proj"), std::pair(8.0F, 8.0F));
  EXPECT_EQ(scale(".*\\.layers\\.0.self_attn.q_proj"), std::pair(8.0F, 2.0F));
  EXPECT_EQ(scale("layers\\.0.self_attn\\.q.proj"), std::pair(8.0F, 2.0F));
  EXPECT_EQ(scale(".*\\.model.layers.0.self_attn.q_proj"), std::pair(2.0F, 2.0F));
  EXPECT_EQ(scale("self\\.attn.q_proj"), std::pair(2.0F, 2.0F));
  EXPECT_EQ(scale("proj"), std::pair(2.0F, 2.0F));
  EXPECT_EQ(scale("v_proj"), std::pair(2.0F, 2.0F));
}

TEST_F(AdapterFiles, AreRefusedWhenTensorsAskForMoreThanTheConfiguration) {
  const std::string q = kLayer0 + "q_proj.";
  EXPECT_ERROR(load([&](Files& f) {
                 f.tensors[q + "lora_magnitude_vector"] = {{32}, std::vector<float>(32, 1.0F)};
               }),
               WeightError, "q_proj.lora_magnitude_vector': expected use_dora in adapter_config.json, found none");
  EXPECT_ERROR(load([&](Files& f) {
                 f.tensors[q + "lora_B.bias"] = {{32}, std::vector<float>(32, 1.0F)};
               }),
               WeightError, "q_proj.lora_B.bias': expected lora_bias in adapter_config.json, found none");
  EXPECT_ERROR(load([&](Files& f) {
                 f.tensors[q + "base_layer.weight"] = {{32, 32}, std::vector<float>(1024, 1.0F)};
               }),
               WeightError, "q_proj.base_layer.weight': expected its module in modules_to_save");
}

TEST_F(AdapterFiles, AreRefusedWhenStacksAreWrong) {
  const std::string a = "base_model.model.model.layers.0.mlp.experts.lora_A.weight";
  const std::string b = "base_model.model.model.layers.0.mlp.experts.lora_B.weight";
  const auto with = [&](std::vector<std::size_t> a_shape, std::vector<std::size_t> b_shape) {
    return load([&](Files& f) {
      f.config["r"] = 2;
      f.tensors.clear();
      for (auto& [name, shape] : {std::pair{a, a_shape}, {b, b_shape}}) {
        std::size_t count = 1;
        for (const std::size_t extent : shape) count *= extent;
        f.tensors[name] = {shape, std::vector<float>(count, 0.5F)};
      }
    });
  };
  EXPECT_EQ(with({16, 8}, {32, 16}).info().linear_maps, 8U);
  EXPECT_EQ(with({8, 2, 8}, {8, 32, 2}).info().linear_maps, 8U);
  EXPECT_EQ(with({0, 8}, {32, 0}).info().max_rank, 0U);
  EXPECT_ERROR(with({15, 8}, {32, 15}), WeightError, "expected [a multiple of 8 experts, width], found [15, 8]");
  EXPECT_ERROR(with({16, 8}, {32, 8}), WeightError, "experts.lora_B.weight': expected shape [32, 16], found [32, 8]");
  EXPECT_ERROR(with({16, 8}, {}), WeightError, "experts.lora_B.weight': expected shape [32, 16], found []");
  EXPECT_ERROR(with({16, 8}, {31, 16}), WeightError, "lora_A and lora_B of 8 and 32, found 8 and 31");
  EXPECT_ERROR(with({7, 2, 8}, {8, 32, 2}), WeightError, "experts.lora_A.weight': expected 8 experts, found [7, 2, 8]");
  EXPECT_ERROR(with({8, 2, 8}, {32, 16}), WeightError, "expected shape [8, 32, 2], found [32, 16]");
  EXPECT_ERROR(with({8, 3, 8}, {8, 32, 3}), WeightError, "expected rank 2 by adapter_config.json, found 3");
}

// An update of a map whose weights the adapter brings is one of these weights: PEFT saves a head so.
TEST_F(AdapterFiles, UpdateTheWeightsThatTheyBring) {
  const auto head = [&](bool update, bool weight) {
    const Adapter adapter = load([&](Files& f) {
      f.tensors.clear();
      if (weight) f.tensors["base_model.model.lm_head.base_layer.weight"] = {{64, 32}, std::vector<float>(2048, 0.25F)};
      if (!update) return;
      f.tensors["base_model.model.lm_head.lora_A.weight"] = {{4, 32}, std::vector<float>(128, 0.5F)};
      f.tensors["base_model.model.lm_head.lora_B.weight"] = {{64, 4}, std::vector<float>(256, 0.125F)};
    });
    Session session(model_, {.adapters = {{adapter}}});
    return session.forward(std::vector<TokenId>{1}).span()[0];
  };
  Session plain(model_);
  const float base = plain.forward(std::vector<TokenId>{1}).span()[0];
  const float change = head(true, false) - base;
  EXPECT_NE(change, 0.0F);
  EXPECT_NEAR(head(true, true), head(false, true) + change, 1e-4F);
}

TEST_F(AdapterFiles, AreRefusedAsPickles) {
  const TemporaryDirectory directory;
  Files("olmoe_article").write(directory);
  fs::rename(directory.path() / "adapter_model.safetensors", directory.path() / "adapter_model.bin");
  EXPECT_ERROR(Adapter::load(model_, directory.path()), FileError, "adapter_model.bin: is a pickle");
}

// The model olmoe with experts of as many inputs as outputs.
Model square_experts() {
  const fs::path golden = kGolden / "families" / "olmoe";
  const Safetensors source(golden / "model.safetensors");
  SafetensorsFileWriter writer;
  for (const std::string_view name : source.names()) {
    const StoredTensor& tensor = *source.find(name);
    std::string bytes(reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size());
    const bool is_expert = name.find(".experts.") != std::string_view::npos;
    if (is_expert) bytes = bytes + bytes + bytes + bytes;
    writer.add(std::string(name), "F16", is_expert ? std::vector<std::size_t>{32, 32} : tensor.shape, bytes);
  }
  Json config = read_json_file(golden / "config.json");
  config["intermediate_size"] = 32;
  const TemporaryDirectory directory;
  directory.write("config.json", config.dump());
  directory.write("model.safetensors", writer.file());
  return Model::load(directory.path());
}

TEST(SquareExperts, TakeUpdatesAsTheVersionOfPeftWroteThem) {
  constexpr std::size_t kExperts = 8;
  constexpr std::size_t kWidth = 32;
  const Model model = square_experts();
  std::vector<float> a(kExperts * kWidth);
  std::vector<float> b(kExperts * kWidth);
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i] = std::sin(static_cast<float>(i));
    b[i] = std::cos(static_cast<float>(3 * i));
  }
  const auto load = [&](const Json& version, bool transposed) {
    Files files("qwen3_moe_down");
    files.config["peft_version"] = version;
    files.config["r"] = 1;
    std::vector<float> inputs = a;
    std::vector<float> outputs = b;
    for (std::size_t e = 0; e < kExperts && transposed; ++e)
      for (std::size_t i = 0; i < kWidth; ++i) {
        inputs[e * kWidth + i] = b[i * kExperts + e];
        outputs[i * kExperts + e] = a[e * kWidth + i];
      }
    files.tensors = {{"base_model.model.model.layers.0.mlp.experts.lora_A.weight", {{kExperts, kWidth}, inputs}},
                     {"base_model.model.model.layers.0.mlp.experts.lora_B.weight", {{kWidth, kExperts}, outputs}}};
    const TemporaryDirectory directory;
    files.write(directory);
    Session session(model, {.adapters = {{Adapter::load(model, directory.path())}}});
    const auto logits = session.forward(std::vector<TokenId>{1, 2, 3});
    return std::vector<float>(logits.span().begin(), logits.span().end());
  };
  const std::vector<float> expected = load("0.19.1", false);
  EXPECT_EQ(load("0.21.2", false), expected);
  for (const char* version : {"0.18.1", "0.19.0", "0.18.2.dev0"}) {
    EXPECT_EQ(load(version, true), expected) << version;
    EXPECT_NE(load(version, false), expected) << version;
  }
  EXPECT_ERROR(load(nullptr, false), WeightError,
               "the experts are square, and whether the update is transposed depends on the version of PEFT: expected "
               "peft_version in adapter_config.json, found none");
}

TEST_F(AdapterFiles, BelongToTheirModel) {
  const Adapter adapter = load([](Files&) {});
  const Model other = Model::load(kGolden / "families" / "olmoe");
  EXPECT_ERROR(Session(other, {.adapters = {{adapter}}}), InputError, "an adapter that was loaded for this model");
  EXPECT_ERROR(Session(model_, {.adapters = {{adapter, std::numeric_limits<float>::infinity()}}}), InputError,
               "expected a finite scale");
}

// A model that goes may leave its place in memory to the next one.
TEST_F(AdapterFiles, BelongToTheirModelAlsoAfterItsEnd) {
  const TemporaryDirectory directory;
  Files("olmoe_article").write(directory);
  const auto short_lived = [&] { return Adapter::load(Model::load(kGolden / "families" / "olmoe"), directory.path()); };
  const Adapter adapter = short_lived();
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(adapter.is_for(Model::load(kGolden / "families" / "olmoe")));
}

// What an adapter brings whole leaves nothing of what came before it, and would drop it silently.
TEST_F(AdapterFiles, BringWeightsOnlyWhereNoneChangedThemBefore) {
  const auto with_head = [](Files& f) {
    f.tensors["base_model.model.lm_head.weight"] = {{64, 32}, std::vector<float>(2048, 0.25F)};
  };
  const Adapter head = load(with_head);
  const Adapter all = load([](Files&) {}, "olmoe_all_linear");
  EXPECT_NO_THROW(Session(model_, {.adapters = {{head}, {all}}}));
  EXPECT_ERROR(Session(model_, {.adapters = {{all}, {head}, {head}}}), InputError,
               "expected no adapter before it that changes 'lm_head', whose weights it brings, found ");
  EXPECT_NO_THROW(Session(model_, {.adapters = {{head, 0.0F}, {head}}}));
}

// Ranks 4, 3 and 2, on attention, on every map and on experts; prompts of several lengths, then a token each.
TEST_F(AdapterFiles, OfDifferentRanksShareABatch) {
  std::vector<std::vector<AdapterUse>> uses{{}};
  for (const char* name : {"olmoe_article", "olmoe_all_linear", "olmoe_experts"})
    uses.push_back({{Adapter::load(model_, kGolden / "adapters" / name)}});
  uses.push_back({uses[1].front(), uses[3].front()});
  const std::vector<TokenId> tokens{5, 6, 7, 8, 9, 10, 11};
  const auto run = [&](std::span<const std::size_t> which) {
    Engine engine(model_, {.num_threads = 2});
    std::vector<Sequence> sequences;
    for (const std::size_t i : which) sequences.emplace_back(model_, SequenceOptions{.adapters = uses[i]});
    std::vector<std::vector<float>> results(which.size());
    for (const bool prefill : {true, false}) {
      std::vector<SequenceInput> inputs;
      for (std::size_t i = 0; i < which.size(); ++i)
        inputs.push_back({.sequence = &sequences[i],
                          .tokens = std::span(tokens).first(prefill ? 2 + which[i] : 1),
                          .rows = OutputRows::all});
      const auto outputs = engine.forward(inputs);
      for (std::size_t i = 0; i < outputs.size(); ++i)
        results[i].insert(results[i].end(), outputs[i].outputs.span().begin(), outputs[i].outputs.span().end());
    }
    return results;
  };
  const std::vector<std::size_t> all{4, 0, 3, 1, 2, 3};
  const auto together = run(all);
  for (std::size_t i = 0; i < all.size(); ++i)
    EXPECT_EQ(together[i], run(std::span(all).subspan(i, 1)).front()) << "adapters " << all[i];
}

TEST_F(AdapterFiles, LiveAsLongAsASequenceUsesThem) {
  const auto load_head = [&] {
    return load([](Files& f) {
      f.tensors["base_model.model.lm_head.weight"] = {{64, 32}, std::vector<float>(2048, 0.25F)};
    });
  };
  const auto logits = [](Session& session) {
    const auto rows = session.forward(std::vector<TokenId>{1, 2, 3});
    return std::vector<float>(rows.span().begin(), rows.span().end());
  };
  const Adapter kept = load_head();
  Session expected(model_, {.adapters = {{kept}}});
  auto session = std::make_unique<Session>(model_, SessionOptions{.adapters = {{load_head()}}});
  Session fork = session->fork();
  EXPECT_EQ(logits(*session), logits(expected));
  session.reset();
  expected.reset();
  EXPECT_EQ(logits(fork), logits(expected));
}

TEST_F(AdapterFiles, AreKnownToSequencesAndTheirFiles) {
  const std::vector<TokenId> tokens{1, 2, 3};
  const Adapter adapter = load([](Files&) {});
  Session with(model_, {.adapters = {{adapter}}});
  with.forward(tokens);
  EXPECT_ERROR(with.set_adapters({}), InputError, "expected a sequence without positions, found one of 3");
  const TemporaryDirectory directory;
  const fs::path file = directory.path() / "session";
  with.save(file);
  Session without(model_);
  EXPECT_ERROR(without.restore(file), FileError, "it was saved with another model or other adapters");
  Session weaker(model_, {.adapters = {{adapter, 0.5F}}});
  EXPECT_ERROR(weaker.restore(file), FileError, "it was saved with another model or other adapters");
  Session again(model_, {.adapters = {{adapter}}});
  again.restore(file);
  const std::vector<TokenId> next{4};
  const auto expected = with.forward(next);
  const std::vector<float> logits(expected.span().begin(), expected.span().end());
  const auto found = again.forward(next);
  EXPECT_EQ(std::vector<float>(found.span().begin(), found.span().end()), logits);
  Session fork = again.fork();
  EXPECT_EQ(fork.adapters().size(), 1U);
}

}  // namespace
}  // namespace trine::test
