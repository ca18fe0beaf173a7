// SPDX-License-Identifier: Apache-2.0
// What builders declare their tensors to be for, in every published family and in the native architecture.
#include <algorithm>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include <trine/json/parse.hpp>
#include <trine/model/model.hpp>
#include <trine/weights/open_weights.hpp>
#include <trine/weights/tensor_record.hpp>

namespace trine {
namespace {

namespace fs = std::filesystem;

// What the names of these families say, from the innermost module outwards. Nothing in the library looks at names.
TensorRole role_by_name(const std::string& name, std::size_t rank) {
  const std::string between = "." + name + ".";
  const auto has = [&between](std::initializer_list<std::string_view> parts) {
    return std::ranges::any_of(parts, [&between](std::string_view part) {
      return between.find("." + std::string(part) + ".") != std::string::npos;
    });
  };
  if (rank >= 2 && name.find("mtp") != std::string::npos) return TensorRole::other;
  if (rank < 2 || name.ends_with("bias") || has({"conv1d", "q_conv1d", "k_conv1d", "v_conv1d", "A_log"}) ||
      name.ends_with("conv.conv.weight"))
    return TensorRole::vector;
  if (has({"vision_tower", "visual", "audio_tower", "embed_vision", "embed_audio", "vision_model",
           "vit_large_projector"}))
    return TensorRole::other;
  if (has({"router", "gate", "shared_expert_gate", "in_proj_a", "in_proj_b", "in_proj_ba", "weights_proj", "f_a_proj",
           "f_b_proj", "b_proj"}))
    return TensorRole::router;
  if (has({"shared_experts", "shared_expert", "shared_mlp", "share_expert"})) return TensorRole::shared_experts;
  if (has({"experts", "input_linear", "output_linear"})) return TensorRole::experts;
  if (has({"self_attn", "linear_attn", "conv", "attention", "expert_attention"})) return TensorRole::attention;
  if (has({"moe"})) return TensorRole::experts;  // of Step, whose stacks lie there
  if (has({"mlp", "feed_forward"})) return TensorRole::mlp;
  if (has({"embed_tokens", "word_embeddings"})) return TensorRole::embedding;
  if (has({"lm_head"})) return TensorRole::head;
  return TensorRole::other;
}

TEST(TensorRoles, AreThoseOfTheNamesInTheGoldenModels) {
  std::set<TensorRole> seen;
  std::size_t models = 0;
  for (const auto& entry : fs::recursive_directory_iterator(TRINE_TEST_DATA)) {
    if (entry.path().filename() != "config.json" || !has_weights(entry.path().parent_path())) continue;
    const std::string config = entry.path().string();
    const Model model = Model::load(entry.path().parent_path());  // whose source is that of quantised layers
    const WeightSource* source = &model.weights();
    const TensorRecord record = Model::tensor_record(model.config(), config, *source);
    ++models;
    for (const std::string_view name : source->names()) {
      if (source->find(name)->bytes.empty() || source->find(name)->shape.empty()) continue;
      const std::size_t rank = source->find(name)->shape.size();
      const TensorRole role = rank < 2 ? TensorRole::vector : record.find(name).role;
      EXPECT_EQ(role, role_by_name(std::string(name), rank)) << config << ": " << name << " is for " << to_string(role);
      seen.insert(role);
    }
  }
  EXPECT_GT(models, 40U);
  EXPECT_EQ(seen.size(), 9U) << "every role";
}

// The tensors of a tied model, and the head that it does not use.
class WithUnusedHead : public WeightSource {
 public:
  explicit WithUnusedHead(std::unique_ptr<const WeightSource> files)
      : files_(std::move(files)), head_(*files_->find("model.embed_tokens.weight")) {}
  [[nodiscard]] const StoredTensor* find(std::string_view name) const override {
    return name == "lm_head.weight" ? &head_ : files_->find(name);
  }
  [[nodiscard]] std::vector<std::string_view> names() const override {
    std::vector<std::string_view> result = files_->names();
    result.emplace_back("lm_head.weight");
    return result;
  }
  [[nodiscard]] std::string source_name() const override { return files_->source_name(); }

 private:
  std::unique_ptr<const WeightSource> files_;
  StoredTensor head_;
};

TEST(TensorRoles, AreDeclaredForWhatIsIgnored) {
  const fs::path directory = fs::path(TRINE_TEST_DATA) / "families" / "mixtral_fused_tied";
  const std::string config = (directory / "config.json").string();
  const TensorRecord record =
      Model::tensor_record(read_json_file(config), config, WithUnusedHead(open_weights(directory)));
  EXPECT_EQ(record.find("lm_head.weight").role, TensorRole::head);
}

TEST(TensorRoles, SayWhatALayerCannotReadInBlocks) {
  const fs::path directory = fs::path(TRINE_TEST_DATA) / "families" / "deepseek_v3_plain";
  const auto source = open_weights(directory);
  const std::string config = (directory / "config.json").string();
  const TensorRecord record = Model::tensor_record(read_json_file(config), config, *source);
  EXPECT_EQ(record.find("model.layers.0.self_attn.kv_b_proj.weight").unpacked, "read by head and transposed");
  EXPECT_EQ(record.find("model.layers.0.self_attn.o_proj.weight").unpacked, "");
}

}  // namespace
}  // namespace trine
