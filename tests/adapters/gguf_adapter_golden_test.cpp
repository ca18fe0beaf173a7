// SPDX-License-Identifier: Apache-2.0
// Adapters of a published checkpoint on files that were converted from it: what PEFT answers for the checkpoint.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <ostream>
#include <string>
#include <vector>

#include <trine/adapters/adapter.hpp>
#include <trine/generate/session.hpp>
#include <trine/json/parse.hpp>
#include <trine/text/tokenizer/pcre2_regex.hpp>

#include "models/choice_recorder.hpp"
#include "support/expect_error.hpp"
#include "support/golden.hpp"
#include "support/temporary_directory.hpp"

namespace trine::test {
namespace {

namespace fs = std::filesystem;

const fs::path kGoldenAdapters = fs::path(TRINE_TEST_DATA) / "adapters";
const fs::path kFiles = fs::path(TRINE_TEST_DATA) / "gguf_models";

struct Case {
  std::string adapter;
  std::string file;  // without its extension

  friend std::ostream& operator<<(std::ostream& out, const Case& c) { return out << c.adapter << " on " << c.file; }
};

// Each adapter with each file of its family.
std::vector<Case> files_with_adapters() {
  std::vector<Case> result;
  for (const fs::path& adapter : golden_directories(kGoldenAdapters)) {
    const auto family = read_json_file(adapter / "golden.json").at("family").get<std::string>();
    for (const std::string& file : {family, family + "_unsplit"})
      if (fs::exists(kFiles / (file + ".gguf"))) result.push_back({adapter.filename().string(), file});
  }
  return result;
}

// Expects the logits and experts of the golden, in both forms of latent attention.
void expect_answer(const Golden& golden, const Model& model, const Adapter& adapter) {
  for (const MlaForm form : {MlaForm::naive, MlaForm::absorbed}) {
    ChoiceRecorder recorder;
    Session session(model, {.activations = ActivationPrecision::f32,
                            .mla_form = form,
                            .observer = borrow(recorder),
                            .adapters = {{adapter}}});
    const auto rows = session.forward(golden.tokens, OutputRows::all);
    ASSERT_EQ(rows.size(), golden.logits.size());
    float largest = 0.0F;
    float worst = 0.0F;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const float expected = golden.logits.data()[i];
      largest = std::max(largest, std::abs(expected));
      if (!(std::abs(rows.data()[i] - expected) <= worst)) worst = std::abs(rows.data()[i] - expected);  // a NaN stays
    }
    EXPECT_LE(worst / largest, 1e-4F) << static_cast<int>(form);
    EXPECT_EQ(recorder.chosen, golden.experts) << static_cast<int>(form);
  }
}

class GgufAdapters : public testing::TestWithParam<Case> {};

TEST_P(GgufAdapters, AnswerAsOnTheCheckpoint) {
  const Golden golden = read_golden(kGoldenAdapters / GetParam().adapter);
  const Model model = Model::load(kFiles / (GetParam().file + ".gguf"));
  if (GetParam().adapter == "deepseek_v2_lite_dora" && GetParam().file == "deepseek_v2_lite") {
    EXPECT_ERROR(Adapter::load(model, golden.directory, {.regex = pcre2_regex}), WeightError,
                 "DoRA needs the rows of a matrix that this file has in two");
    return;
  }
  if (GetParam().adapter == "qwen3_next_whole" && GetParam().file == "qwen3_next") {
    EXPECT_ERROR(Adapter::load(model, golden.directory, {.regex = pcre2_regex}), WeightError,
                 "found none for 'model.layers.0.linear_attn.in_proj_qkvz.lora_A.weight'");
    return;
  }
  expect_answer(golden, model, Adapter::load(model, golden.directory, {.regex = pcre2_regex}));
}

// Gate and up of gpt-oss together are square here. PEFT 0.18 was right about [experts, in, out], and only about that.
TEST(GgufExperts, KnowThatExpertsOfGptOssAreTransposedInTransformers) {
  const Golden golden = read_golden(kGoldenAdapters / "gpt_oss_experts");
  const TemporaryDirectory older;
  fs::copy_file(golden.directory / "adapter_model.safetensors", older.path() / "adapter_model.safetensors");
  Json config = read_json_file(golden.directory / "adapter_config.json");
  config["peft_version"] = "0.18.1";
  older.write("adapter_config.json", config.dump());
  const Model model = Model::load(kFiles / "gpt_oss_bf16.gguf");
  expect_answer(golden, model, Adapter::load(model, older.path()));
}

INSTANTIATE_TEST_SUITE_P(All, GgufAdapters, testing::ValuesIn(files_with_adapters()),
                         [](const auto& parameter) { return parameter.param.adapter + "_on_" + parameter.param.file; });

}  // namespace
}  // namespace trine::test
