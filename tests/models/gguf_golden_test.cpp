// SPDX-License-Identifier: Apache-2.0
// GGUF files of the tiny models of golden/families (tests/oracle/make_gguf_model_goldens.py): the same numbers, under
// other names and in other layouts, give the logits that transformers gave the originals.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include <trine/generate/session.hpp>
#include <trine/model/model.hpp>

#include "models/choice_recorder.hpp"
#include "support/families.hpp"
#include "support/golden.hpp"

namespace trine::test {
namespace {

namespace fs = std::filesystem;

const fs::path kFiles = fs::path(TRINE_TEST_DATA) / "gguf_models";

std::vector<std::string> files() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kFiles))
    if (entry.path().extension() == ".gguf") names.push_back(entry.path().stem().string());
  std::ranges::sort(names);
  return names;
}

// The golden of the model that a file was made from: "deepseek_v2_lite" of "deepseek_v2_lite_unsplit".
Golden original_of(const std::string& name) {
  constexpr std::string_view kUnsplit = "_unsplit";
  const std::string model = name.ends_with(kUnsplit) ? name.substr(0, name.size() - kUnsplit.size()) : name;
  return read_golden(fs::path(TRINE_TEST_DATA) / "families" / model);
}

class GgufPerIsa : public testing::TestWithParam<std::string> {};

TEST_P(GgufPerIsa, HasTheLogitsAndTheExpertsOfTheOriginal) {
  const Golden golden = original_of(GetParam());
  const Model model = Model::load(kFiles / (GetParam() + ".gguf"));
  std::vector<SessionOptions> forms = {{.mla_form = MlaForm::naive}, {.mla_form = MlaForm::absorbed}};
  if (!has_latent_attention(GetParam())) forms = {{}};
  for (SessionOptions options : forms) {
    ChoiceRecorder recorder;
    options.activations = ActivationPrecision::f32;
    options.observer = borrow(recorder);
    Session session(model, options);
    const View<const float, 2> logits = session.forward(golden.tokens, OutputRows::all);
    ASSERT_EQ(logits.shape(), golden.logits.shape());
    float largest = 0.0F;
    float error = 0.0F;
    for (std::size_t i = 0; i < golden.logits.size(); ++i) {
      largest = std::max(largest, std::abs(golden.logits.data()[i]));
      const float difference = std::abs(logits.data()[i] - golden.logits.data()[i]);
      if (!(difference <= error)) error = difference;  // a NaN stays
    }
    EXPECT_LE(error, 1e-4F * largest);
    EXPECT_EQ(recorder.chosen, golden.experts);
  }
}

INSTANTIATE_TEST_SUITE_P(All, GgufPerIsa, testing::ValuesIn(files()),
                         [](const auto& parameter) { return parameter.param; });

}  // namespace
}  // namespace trine::test
