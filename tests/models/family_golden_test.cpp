// SPDX-License-Identifier: Apache-2.0
// Tiny random models of the published families against Hugging Face transformers (tests/oracle/make_family_goldens.py):
// every file as a hub repository has it, config.json and safetensors.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include <trine/generate/session.hpp>
#include <trine/quantize/quantize_model.hpp>

#include "models/choice_recorder.hpp"
#include "support/expect_error.hpp"
#include "support/families.hpp"
#include "support/golden.hpp"
#include "support/temporary_directory.hpp"

namespace trine::test {
namespace {

namespace fs = std::filesystem;

const fs::path kFamilies = fs::path(TRINE_TEST_DATA) / "families";

std::vector<std::string> families() {
  std::vector<std::string> names;
  for (const fs::path& directory : golden_directories(kFamilies)) names.push_back(directory.filename().string());
  return names;
}

bool is_beyond_its_positions(const Golden& golden) {
  return golden.tokens.size() > Model::load(golden.directory).info().max_position_embeddings;
}

struct Answer {
  Tensor<float, 2> logits;
  std::map<std::size_t, std::vector<std::vector<std::uint32_t>>> experts;
};

// All tokens in chunks of `chunk` rows.
Answer answer(const Golden& golden, std::size_t chunk, SessionOptions options = {}) {
  ChoiceRecorder recorder;
  options.activations = ActivationPrecision::f32;
  options.observer = borrow(recorder);
  Session session(Model::load(golden.directory), options);
  Answer result{Tensor<float, 2>(golden.logits.shape()), {}};
  for (std::size_t first = 0; first < golden.tokens.size(); first += chunk) {
    const std::size_t count = std::min(chunk, golden.tokens.size() - first);
    const View<const float, 2> rows = session.forward(std::span(golden.tokens).subspan(first, count), OutputRows::all);
    std::ranges::copy(rows.span(), result.logits.view().slice(first, count).data());
  }
  result.experts = recorder.chosen;
  return result;
}

float largest(const Tensor<float, 2>& logits) {
  float value = 0.0F;
  for (const float logit : logits.view().span()) value = std::max(value, std::abs(logit));
  return value;
}

float distance(const Tensor<float, 2>& a, const Tensor<float, 2>& b) {
  float worst = 0.0F;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const float error = std::abs(a.data()[i] - b.data()[i]);
    if (!(error <= worst)) worst = error;  // a NaN stays
  }
  return worst;
}

class FamilyPerIsa : public testing::TestWithParam<std::string> {
 protected:
  const Golden golden_ = read_golden(kFamilies / GetParam());
};

// f32 arithmetic on both sides, and the same numbers: BF16, F16, FP8 and MXFP4 weights mean what they decode to.
TEST_P(FamilyPerIsa, HasTheLogitsAndTheExpertsOfTransformers) {
  if (is_beyond_its_positions(golden_)) {
    // With "dynamic" rope the frequencies of transformers follow the length of a call, so that the cache of a longer
    // sequence would not fit them. Up to max_position_embeddings nothing is scaled, and further ours do not go.
    EXPECT_ERROR(answer(golden_, golden_.tokens.size()), CapacityError, "expected at most 16");
    return;
  }
  const Answer found = answer(golden_, golden_.tokens.size());
  ASSERT_EQ(found.logits.shape(), golden_.logits.shape());
  const float error = distance(found.logits, golden_.logits) / largest(golden_.logits);
  RecordProperty("relative_error", Json(error).dump());
  EXPECT_LE(error, 1e-4F);
  EXPECT_EQ(found.experts, golden_.experts);
}

// bf16 numbers are the same in panels, those of experts that had to be turned for that among them.
TEST_P(FamilyPerIsa, HasThemStillWhereBf16IsPacked) {
  const ModelQuantizer quantizer(golden_.directory);
  const auto plan = quantizer.plan(DType::bf16);
  const bool rounds = std::ranges::any_of(
      plan, [](const PlannedTensor& tensor) { return tensor.to != tensor.from && tensor.from != DType::bf16; });
  if (rounds || is_beyond_its_positions(golden_)) return;
  const TemporaryDirectory place;
  quantizer.write(plan, place.path() / "packed", {.num_threads = 1});
  Golden packed = golden_;
  packed.directory = place.path() / "packed";
  const Answer found = answer(packed, golden_.tokens.size());
  EXPECT_LE(distance(found.logits, golden_.logits), 1e-4F * largest(golden_.logits));
  EXPECT_EQ(found.experts, golden_.experts);
}

TEST_P(FamilyPerIsa, AnswersAlikeHoweverThePromptIsCut) {
  if (is_beyond_its_positions(golden_)) return;
  std::vector<SessionOptions> fixed = {
      {.mla_form = MlaForm::naive}, {.mla_form = MlaForm::absorbed}, {.reproducible = true}};
  if (!has_latent_attention(GetParam())) fixed = {{}};  // no form to choose
  for (const SessionOptions& options : fixed) {
    const Answer whole = answer(golden_, golden_.tokens.size(), options);
    for (const std::size_t chunk : {1U, 5U}) {
      const Answer cut = answer(golden_, chunk, options);
      EXPECT_EQ(distance(whole.logits, cut.logits), 0.0F) << "chunks of " << chunk;
      EXPECT_EQ(whole.experts, cut.experts) << "chunks of " << chunk;
    }
  }
}

// The exception: latent attention in the form that costs less for a pass. Its forms are equal but for rounding.
TEST_P(FamilyPerIsa, AnswersWithinRoundOffWhereTheFormFollowsTheRows) {
  if (is_beyond_its_positions(golden_) || !has_latent_attention(GetParam())) return;
  const std::size_t all = golden_.tokens.size();
  const Answer naive = answer(golden_, all, {.mla_form = MlaForm::naive});
  for (const std::size_t chunk : {std::size_t{1}, std::size_t{5}, all}) {
    const Answer found = answer(golden_, chunk);
    EXPECT_LE(distance(naive.logits, found.logits), 1e-5F * largest(golden_.logits)) << "chunks of " << chunk;
    EXPECT_EQ(naive.experts, found.experts) << "chunks of " << chunk;
  }
  const Answer one_by_one = answer(golden_, 1);
  EXPECT_NE(distance(naive.logits, one_by_one.logits), 0.0F) << "the promise holds then, and the pages are wrong";
  EXPECT_EQ(distance(answer(golden_, all, {.reproducible = true}).logits, one_by_one.logits), 0.0F);
}

// The keys by which positions are selected follow a sequence that goes back, and its forks.
TEST(FamilyWithAnIndexer, SelectsTheSameAfterATruncationAndInAFork) {
  for (const char* name : {"deepseek_v32", "glm_moe_dsa_frequency"}) {
    const Golden golden = read_golden(kFamilies / name);
    const Answer whole = answer(golden, golden.tokens.size(), {.reproducible = true});
    Session session(Model::load(golden.directory), {.activations = ActivationPrecision::f32, .reproducible = true});
    const std::span<const TokenId> tokens(golden.tokens);
    static_cast<void>(session.forward(tokens.first(12), OutputRows::last));
    Session fork = session.fork();
    static_cast<void>(session.forward(tokens.last(9), OutputRows::last));
    session.truncate(12);
    for (Session* one : {&session, &fork}) {
      const View<const float, 2> rest = one->forward(tokens.subspan(12), OutputRows::all);
      EXPECT_TRUE(std::ranges::equal(rest.span(), whole.logits.view().slice(12, tokens.size() - 12).span())) << name;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, FamilyPerIsa, testing::ValuesIn(families()),
                         [](const auto& parameter) { return parameter.param; });

}  // namespace
}  // namespace trine::test
