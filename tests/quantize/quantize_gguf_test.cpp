// SPDX-License-Identifier: Apache-2.0
// A GGUF file becomes a model directory: weights in the types that were asked for, and its metadata as the files that
// belong there.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include <trine/core/error.hpp>
#include <trine/generate/generation_config.hpp>
#include <trine/generate/session.hpp>
#include <trine/json/parse.hpp>
#include <trine/quantize/quantize_model.hpp>
#include <trine/weights/gguf.hpp>

#include "support/expect_error.hpp"
#include "support/gguf_writer.hpp"
#include "support/golden.hpp"
#include "support/temporary_directory.hpp"

namespace trine::test {
namespace {

namespace fs = std::filesystem;

const fs::path kFiles = fs::path(TRINE_TEST_DATA) / "gguf_models";

std::vector<float> logits_of(const Model& model) {
  Session session(model, {.activations = ActivationPrecision::f32});
  const std::vector<TokenId> tokens = {1, 5, 2, 7, 3};
  const auto logits = session.forward(tokens, OutputRows::all).span();
  return {logits.begin(), logits.end()};
}

class QuantizeGguf : public testing::TestWithParam<std::string> {
 protected:
  TemporaryDirectory directory_;
};
class QuantizeGgufFile : public testing::Test {
 protected:
  TemporaryDirectory directory_;
};

TEST_P(QuantizeGguf, WritesADirectoryWithTheSameBits) {
  const fs::path target = directory_.path() / "out";
  const ModelQuantizer quantizer(kFiles / (GetParam() + ".gguf"));
  for (const bool keeps : {true, false}) {
    const QuantizeRule keep{"*", std::nullopt};
    const auto plan = keeps ? quantizer.plan(DType::f32, {&keep, 1}) : quantizer.plan(DType::f32);
    const fs::path out = target.string() + (keeps ? "kept" : "f32");
    for (const QuantizationError& error : quantizer.write(plan, out)) EXPECT_EQ(error.squared_error, 0.0);
    if (keeps) {
      for (const PlannedTensor& tensor : plan) EXPECT_EQ(tensor.to, tensor.from) << tensor.name;
    }
    EXPECT_EQ(logits_of(Model::load(out)), logits_of(quantizer.model())) << out;
  }
}

INSTANTIATE_TEST_SUITE_P(Files, QuantizeGguf,
                         testing::Values("llama_biases", "llama_llama3_rope", "mixtral", "qwen2_moe",
                                         "deepseek_v3_plain", "deepseek_v2_lite_unsplit", "gpt_oss_mxfp4", "granitemoe",
                                         "laguna", "llama4_text_scout", "mimo_v2_flash", "sarvam_moe"),
                         [](const auto& test) { return test.param; });

TEST_F(QuantizeGgufFile, MultipliesByTheScaleOfNvfp4) {
  const ModelQuantizer quantizer(kFiles / "qwen3_moe_nvfp4_modelopt.gguf");
  const fs::path out = directory_.path() / "out";
  for (const QuantizationError& error : quantizer.write(quantizer.plan(DType::f32), out))
    EXPECT_EQ(error.squared_error, 0.0);
  EXPECT_EQ(logits_of(Model::load(out)), logits_of(quantizer.model()));
}

TEST_F(QuantizeGgufFile, WritesTheMetadataAsFiles) {
  const std::string file = directory_
                               .write("model.gguf",
                                      [] {
                                        GgufWriter writer;
                                        writer.set<std::string>("tokenizer.ggml.model", "gpt2")
                                            .set<std::string>("tokenizer.ggml.pre", "gpt-2")
                                            .set_array<std::string>("tokenizer.ggml.tokens", {"a", "b", "ab", "<end>"})
                                            .set_array<std::string>("tokenizer.ggml.merges", {"a b"})
                                            .set_array<std::int32_t>("tokenizer.ggml.token_type", {1, 1, 1, 3})
                                            .set("tokenizer.ggml.eos_token_id", std::uint32_t{3})
                                            .set<std::string>("tokenizer.chat_template", "{{ messages }}")
                                            .set("general.sampling.temp", 0.5F)
                                            .set("general.sampling.top_k", std::int32_t{7});
                                        return writer.file();
                                      }())
                               .string();
  OutputDirectory output(directory_.path() / "out");
  const GgufFile source(file);
  write_metadata_files(source.metadata(), output);
  const auto read = [&](const char* name) { return read_json_file(output.path() / name); };
  EXPECT_EQ(read("tokenizer.json").at("model").at("vocab").at("ab"), 2);
  EXPECT_EQ(read("tokenizer_config.json").at("eos_token"), "<end>");
  EXPECT_EQ(read("tokenizer_config.json").at("chat_template"), "{{ messages }}");
  const GenerationConfig config = parse_generation_config(read("generation_config.json"), "generation_config.json");
  EXPECT_THAT(config.eos_token_ids, testing::ElementsAre(3));
  EXPECT_EQ(config.temperature, 0.5F);
  EXPECT_EQ(config.top_k, 7U);
}

TEST_F(QuantizeGgufFile, IsLeftAlone) {
  const fs::path file = directory_.path() / "qwen3_moe.gguf";
  fs::copy_file(kFiles / "qwen3_moe.gguf", file);
  const ModelQuantizer quantizer(file);
  EXPECT_ERROR(quantizer.write(quantizer.plan(DType::f32), file), FileError, "expected a name that is free");
  fs::last_write_time(file, fs::last_write_time(file) + std::chrono::hours(1));
  EXPECT_ERROR(quantizer.write(quantizer.plan(DType::f32), directory_.path() / "out"), FileError,
               "qwen3_moe.gguf: changed while it was read");
  EXPECT_FALSE(fs::exists(directory_.path() / "out"));
}

}  // namespace
}  // namespace trine::test
