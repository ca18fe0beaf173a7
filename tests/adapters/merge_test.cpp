// SPDX-License-Identifier: Apache-2.0
// Merged adapters: models of every format, several files, and what is refused. The logits of merged models stand beside
// those of PEFT in adapter_golden_test.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <memory>
#include <numeric>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include <trine/adapters/adapter.hpp>
#include <trine/adapters/merge.hpp>
#include <trine/generate/session.hpp>
#include <trine/json/parse.hpp>
#include <trine/quantize/quantize_model.hpp>
#include <trine/weights/open_weights.hpp>

#include "support/expect_error.hpp"
#include "support/random_adapter.hpp"
#include "support/safetensors_file_writer.hpp"
#include "support/temporary_directory.hpp"

namespace trine::test {
namespace {

namespace fs = std::filesystem;

const fs::path kFamilies = fs::path(TRINE_TEST_DATA) / "families";
const fs::path kBundled = fs::path(TRINE_MODELS_DIR) / "deepseek-v3-shakespeare";

std::vector<float> logits_of(const Model& model, const std::vector<AdapterUse>& adapters = {}) {
  std::vector<TokenId> tokens(12);
  std::iota(tokens.begin(), tokens.end(), 3);
  Session session(model, {.activations = ActivationPrecision::f32, .adapters = adapters});
  const auto rows = session.forward(tokens, OutputRows::all);
  return {rows.span().begin(), rows.span().end()};
}
float difference(const std::vector<float>& a, const std::vector<float>& b) {
  float largest = 0.0F;
  float worst = 0.0F;
  for (std::size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::abs(a[i]));
    if (!(std::abs(a[i] - b[i]) <= worst)) worst = std::abs(a[i] - b[i]);
  }
  return worst / largest;
}

struct Merged {
  std::unique_ptr<const TemporaryDirectory> directory;
  Model model;      // as it is stored, and
  Adapter adapter;  // beside it
  Model merged;     // in f32
};
// All linear maps but the router, so that a rounding does not choose other experts.
Merged merge(const fs::path& source, const MergeOptions& options = {.dtype = DType::f32}) {
  const TemporaryDirectory adapter_directory;
  auto directory = std::make_unique<const TemporaryDirectory>();
  const AdapterMerger merger(source);
  const Model model = merger.model();
  write_random_adapter(model, 4, 7, 0.05F, adapter_directory, [](std::string_view module) {
    return !module.ends_with(".gate") && !module.ends_with("router");
  });
  const Adapter adapter = Adapter::load(model, adapter_directory.path());
  merger.write(std::vector<AdapterUse>{{adapter, 0.5F}}, directory->path() / "merged", options);
  const Model merged = Model::load(directory->path() / "merged");
  return {std::move(directory), model, adapter, merged};
}

class MergedFormats : public testing::TestWithParam<const char*> {};

// Beside weights of any format an adapter does what it does merged into their decoded values.
TEST_P(MergedFormats, ComputeWhatTheAdapterDoesBeside) {
  const std::string format = GetParam();
  const TemporaryDirectory quantized;
  fs::path source = kFamilies / format;
  if (const auto type = parse_dtype(format)) {
    const ModelQuantizer quantizer(kBundled);
    source = quantized.path() / "quantized";
    quantizer.write(quantizer.plan(*type), source);
  }
  const Merged result = merge(source);
  const std::vector<float> beside = logits_of(result.model, {{result.adapter, 0.5F}});
  EXPECT_LE(difference(beside, logits_of(result.merged)), 1e-4F);
  EXPECT_GT(difference(beside, logits_of(result.model)), 1e-2F) << "the adapter does something";
  const Json config = read_json_file(result.directory->path() / "merged" / "config.json");
  EXPECT_FALSE(config.contains("quantization_config"));
}
INSTANTIATE_TEST_SUITE_P(All, MergedFormats,
                         testing::Values("q8", "q4", "bf16", "f16", "f32", "deepseek_v3_fp8", "qwen3_moe_fp8",
                                         "gpt_oss_mxfp4", "gpt_oss_bf16", "mixtral_fused_tied", "llama_biases",
                                         "qwen3_moe_gptq", "mixtral_awq", "qwen3_moe_int4", "qwen3_moe_nvfp4",
                                         "qwen3_moe_fp8_channel"),
                         [](const auto& parameter) { return std::string(parameter.param); });

TEST(MergedModels, KeepTheirTypesAndAreSharded) {
  const fs::path source = kFamilies / "olmoe";
  const Merged result = merge(source, {.max_shard_bytes = 20'000});
  const fs::path merged = result.directory->path() / "merged";
  const Json index = read_json_file(merged / "model.safetensors.index.json");
  const auto before = open_weights(source);
  const auto after = open_weights(merged);
  EXPECT_EQ(before->names(), after->names());
  std::size_t bytes = 0;
  for (const std::string_view name : after->names()) {
    EXPECT_EQ(before->find(name)->dtype, after->find(name)->dtype) << name;
    EXPECT_EQ(before->find(name)->shape, after->find(name)->shape) << name;
    bytes += after->find(name)->bytes.size();
  }
  EXPECT_EQ(index.at("metadata").at("total_size"), bytes);
  std::size_t shards = 0;
  for (const auto& entry : fs::directory_iterator(merged)) {
    if (entry.path().extension() != ".safetensors") continue;
    EXPECT_LE(fs::file_size(entry.path()), 30'000U) << entry.path();
    ++shards;
  }
  EXPECT_GT(shards, 2U);
  EXPECT_TRUE(fs::exists(merged / ("model-00001-of-0000" + std::to_string(shards) + ".safetensors")));
}

TEST(MergedModels, CopyWhatGoesWithThem) {
  const Merged result = merge(kBundled, {});
  for (const char* file : {"tokenizer.json", "tokenizer_config.json", "generation_config.json"})
    EXPECT_EQ(fs::exists(kBundled / file), fs::exists(result.directory->path() / "merged" / file)) << file;
  EXPECT_TRUE(fs::exists(result.directory->path() / "merged" / "tokenizer.json"));
  ASSERT_TRUE(fs::exists(kBundled / "self_test.json"));
  EXPECT_FALSE(fs::exists(result.directory->path() / "merged" / "self_test.json")) << "of the model without adapter";
}

TEST(MergedModels, AreUntiedWhenOnlyTheHeadChanges) {
  const TemporaryDirectory adapter_directory;
  const TemporaryDirectory directory;
  const AdapterMerger merger(kFamilies / "mixtral_fused_tied");
  write_random_adapter(merger.model(), 2, 1, 0.3F, adapter_directory,
                       [](std::string_view module) { return module == "lm_head"; });
  const Adapter adapter = Adapter::load(merger.model(), adapter_directory.path());
  const MergeInfo info =
      merger.write(std::vector<AdapterUse>{{adapter}}, directory.path() / "merged", {.dtype = DType::f32});
  EXPECT_TRUE(info.untied);
  EXPECT_EQ(info.linear_maps, 1U);
  EXPECT_FALSE(read_json_file(directory.path() / "merged" / "config.json").at("tie_word_embeddings").get<bool>());
  EXPECT_LE(difference(logits_of(merger.model(), {{adapter}}), logits_of(Model::load(directory.path() / "merged"))),
            1e-4F);
}

TEST(MergedModels, HaveNoPlaceForABiasOfATiedHead) {
  const AdapterMerger merger(kFamilies / "mixtral_fused_tied");
  const TemporaryDirectory adapter_directory;
  const std::size_t vocab = merger.model().info().vocab_size;
  const std::size_t hidden = merger.model().info().hidden_size;
  const std::vector<float> numbers(2 * std::max(vocab, hidden), 0.1F);
  const auto bytes = [&](std::size_t count) {
    return std::string_view(reinterpret_cast<const char*>(numbers.data()), count * sizeof(float));
  };
  test::SafetensorsFileWriter file;
  file.add("lm_head.lora_A.weight", "F32", {1, hidden}, bytes(hidden));
  file.add("lm_head.lora_B.weight", "F32", {vocab, 1}, bytes(vocab));
  file.add("lm_head.lora_B.bias", "F32", {vocab}, bytes(vocab));
  adapter_directory.write("adapter_model.safetensors", file.file());
  adapter_directory.write("adapter_config.json",
                          Json({{"peft_type", "LORA"}, {"r", 1}, {"lora_alpha", 1}, {"lora_bias", true}}).dump());
  const Adapter adapter = Adapter::load(merger.model(), adapter_directory.path());
  const TemporaryDirectory directory;
  EXPECT_ERROR(merger.write(std::vector<AdapterUse>{{adapter}}, directory.path() / "merged"), InputError,
               "lm_head.bias: expected a bias that the adapter's own could be added to, found none");
}

class MergeErrors : public testing::Test {
 protected:
  MergeErrors() { write_random_adapter(merger_.model(), 2, 3, 0.1F, adapter_directory_); }
  void write(const MergeOptions& options, const fs::path& target, float scale = 1.0F) {
    const Adapter adapter = Adapter::load(merger_.model(), adapter_directory_.path());
    merger_.write(std::vector<AdapterUse>{{adapter, scale}}, target, options);
  }

  const TemporaryDirectory adapter_directory_;
  const TemporaryDirectory directory_;
  const AdapterMerger merger_{kFamilies / "olmoe"};
  const fs::path target_ = directory_.path() / "merged";
};

TEST_F(MergeErrors, LeaveNothing) {
  EXPECT_ERROR(write({.dtype = DType::i8}, target_), InputError, "dtype: expected f32, bf16 or f16, found i8");
  EXPECT_ERROR(write({}, kFamilies / "olmoe" / "merged"), InputError, "lies in the model that is read");
  EXPECT_ERROR(write({.dtype = DType::f16}, target_, 1e9F), WeightError,
               "expected finite merged weights that f16 can hold");
  std::stop_source source;
  const auto stop = [&](std::uint64_t, std::uint64_t) { source.request_stop(); };
  EXPECT_ERROR(write({.cancel = source.get_token(), .progress = stop}, target_), CancelledError, "cancelled");
  EXPECT_TRUE(fs::is_empty(directory_.path()));
  std::ofstream(target_) << "mine";
  EXPECT_ERROR(write({}, target_), FileError, "expected a name that is free, found something there");
}

TEST_F(MergeErrors, NameAdaptersOfOtherModels) {
  const Model other = Model::load(kFamilies / "olmoe");
  const Adapter adapter = Adapter::load(other, adapter_directory_.path());
  EXPECT_ERROR(merger_.write(std::vector<AdapterUse>{{adapter}}, target_), InputError,
               "expected an adapter that was loaded for this model");
}

}  // namespace
}  // namespace trine::test
