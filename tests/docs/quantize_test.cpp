// SPDX-License-Identifier: Apache-2.0
// The example of docs/how-to/quantize-a-model.md.
#include <algorithm>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <trine/quantize/quantize_model.hpp>

#include "support/temporary_directory.hpp"

namespace {

double quantize(const std::string& in, const std::string& out) {
  const trine::ModelQuantizer quantizer(in);
  const std::vector<trine::QuantizeRule> rules = {trine::parse_quantize_rule("experts.*=f16")};
  std::vector<trine::PlannedTensor> plan = quantizer.plan(trine::DType::bf16, rules);
  for (trine::PlannedTensor& tensor : plan)
    if (tensor.role == trine::TensorRole::embedding) tensor.to = tensor.from;

  const std::vector<trine::QuantizationError> errors = quantizer.write(plan, out, {.num_threads = 2});
  double worst = 0.0;
  for (const trine::QuantizationError& error : errors) worst = std::max(worst, error.relative_rms());
  return worst;
}

TEST(QuantizeHowTo, WritesAModel) {
  const trine::test::TemporaryDirectory place;
  const std::string out = (place.path() / "out").string();
  const double worst = quantize(TRINE_TEST_DATA "/full_attention", out);
  EXPECT_GT(worst, 0.0);
  EXPECT_LT(worst, 0.004);
  const trine::Model model = trine::Model::load(out);
  EXPECT_EQ(model.weights().find("layers.0.moe.experts.1.up_proj.weight")->dtype, trine::DType::f16);
  EXPECT_EQ(model.weights().find("embed_tokens.weight")->dtype, trine::DType::f32);
  EXPECT_EQ(model.weights().find("layers.0.attention.q_proj.weight")->dtype, trine::kBf16Panels);
}

}  // namespace
