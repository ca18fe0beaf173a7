// SPDX-License-Identifier: Apache-2.0
// Tensors beside those of a published model: what other software leaves is noted and changes nothing, the rest is
// refused unless the caller allows it.
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include <trine/core/error.hpp>
#include <trine/generate/session.hpp>
#include <trine/json/parse.hpp>
#include <trine/quantize/quantize_model.hpp>
#include <trine/weights/weight_source.hpp>

#include "support/expect_error.hpp"
#include "support/golden.hpp"
#include "support/safetensors_file_writer.hpp"
#include "support/temporary_directory.hpp"

namespace trine::test {
namespace {

const std::filesystem::path kFamilies = std::filesystem::path(TRINE_TEST_DATA) / "families";

// Those of a file, and some more of one element.
class WithTensors : public WeightSource {
 public:
  WithTensors(std::unique_ptr<const WeightSource> files, const std::vector<std::string>& names)
      : files_(std::move(files)) {
    for (const std::string& name : names)
      more_.emplace(name, StoredTensor{DType::f32, {1}, std::as_bytes(std::span(&one_, 1))});
  }
  [[nodiscard]] const StoredTensor* find(std::string_view name) const override {
    const auto found = more_.find(name);
    return found != more_.end() ? &found->second : files_->find(name);
  }
  [[nodiscard]] std::vector<std::string_view> names() const override {
    std::vector<std::string_view> result = files_->names();
    for (const auto& [name, tensor] : more_) result.emplace_back(name);
    return result;
  }
  [[nodiscard]] std::string source_name() const override { return files_->source_name(); }

 private:
  std::unique_ptr<const WeightSource> files_;
  const float one_ = 1.0F;
  std::map<std::string, StoredTensor, std::less<>> more_;
};

Model load_with(const std::string& family, const std::vector<std::string>& names,
                std::vector<std::string> allow_unknown = {}) {
  LoadOptions options;
  options.hooks.wrap_weights = [&](std::unique_ptr<const WeightSource> files) {
    return std::make_unique<WithTensors>(std::move(files), names);
  };
  options.allow_unknown = std::move(allow_unknown);
  return Model::load(kFamilies / family, options);
}

std::vector<std::string> subjects_of(const Model& model) {
  std::vector<std::string> subjects;
  for (const Note& note : model.info().notes) subjects.push_back(note.subject);
  return subjects;
}

TEST(UnusedTensors, ThatOtherSoftwareLeavesAreNoted) {
  const Model model = load_with("llama_defaults", {"model.rotary_emb.inv_freq", "model.layers.0.self_attn.masked_bias",
                                                   "model.layers.0.self_attn.k_proj.k_scale",
                                                   "model.layers.1.self_attn.v_scale", "v_head.summary.weight"});
  EXPECT_THAT(subjects_of(model), testing::UnorderedElementsAre("*rotary_emb.inv_freq", "*masked_bias", "*.k_scale",
                                                                "*.v_scale", "v_head.*"));
}

TEST(UnusedTensors, OfLayersThatDraftNeedNoKey) {
  Model model = load_with("deepseek_v3_plain", {});
  EXPECT_THAT(model.info().notes, testing::IsEmpty());
  // One where the key is absent, and as many more as have the projection of one.
  model = load_with("deepseek_v3_plain",
                    {"model.layers.2.enorm.weight", "model.layers.3.eh_proj.weight", "model.layers.3.hnorm.weight"});
  EXPECT_THAT(subjects_of(model), testing::ElementsAre("model.layers.2.*", "model.layers.3.*"));
  EXPECT_ERROR(load_with("deepseek_v3_plain", {"model.layers.3.enorm.weight"}), WeightError,
               "unexpected tensor 'model.layers.3.enorm.weight'");
}

// A third file, for which the index lists a norm that the first file holds, too, holds a tensor that is not listed; and
// one that the model needs is not listed, either.
TEST(UnusedTensors, ThatTheIndexDoesNotListAreNoted) {
  const std::filesystem::path golden = kFamilies / "mixtral_sliding_window";
  const TemporaryDirectory directory;
  for (const auto& file : std::filesystem::directory_iterator(golden))
    std::filesystem::copy(file.path(), directory.path() / file.path().filename());
  const Model before = Model::load(golden);
  const StoredTensor& norm = *before.weights().find("model.norm.weight");
  SafetensorsFileWriter writer;
  writer.add("model.norm.weight", "BF16", norm.shape,
             {reinterpret_cast<const char*>(norm.bytes.data()), norm.bytes.size()});
  writer.add("left.over", "F32", {1}, "0123");
  directory.write("extra.safetensors", writer.file());
  Json index = read_json_file(golden / "model.safetensors.index.json");
  index["weight_map"]["model.norm.weight"] = "extra.safetensors";
  index["weight_map"].erase("lm_head.weight");
  directory.write("model.safetensors.index.json", index.dump());
  const Model model = Model::load(directory.path());
  EXPECT_THAT(subjects_of(model), testing::UnorderedElementsAre("model.norm.weight", "left.over"));
  EXPECT_THAT(model.info().unknown_tensors, testing::ElementsAre("left.over"));
  const std::vector<TokenId> tokens = {1, 2, 3};
  const auto logits = [&](const Model& one) {
    Session session(one);
    const auto rows = session.forward(tokens, OutputRows::all).span();
    return std::vector<float>(rows.begin(), rows.end());
  };
  EXPECT_EQ(logits(model), logits(before));

  const TemporaryDirectory output;
  const ModelQuantizer quantizer(directory.path());
  quantizer.write(quantizer.plan(DType::bf16), output.path() / "written", {.num_threads = 1});
  EXPECT_EQ(Model::load(output.path() / "written").weights().find("left.over"), nullptr);
}

TEST(UnusedTensors, AreRefusedUnlessTheCallerAllowsThem) {
  const std::vector<std::string> fork = {"model.layers.0.self_attn.indexer.wk.weight"};
  EXPECT_ERROR(load_with("llama_defaults", fork), WeightError,
               "unexpected tensor 'model.layers.0.self_attn.indexer.wk.weight': the configuration has no place for it");
  const Model model = load_with("llama_defaults", fork, {"*.indexer.*"});
  EXPECT_THAT(model.info().notes,
              testing::ElementsAre(Note{"*.indexer.*", "unknown, and ignored because the caller allows it"}));
}

}  // namespace
}  // namespace trine::test
