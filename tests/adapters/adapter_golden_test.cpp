// SPDX-License-Identifier: Apache-2.0
// Adapters that PEFT saved against transformers with PEFT (tests/oracle/make_adapter_goldens.py).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <trine/adapters/adapter.hpp>
#include <trine/adapters/merge.hpp>
#include <trine/generate/engine.hpp>
#include <trine/generate/session.hpp>
#include <trine/model/transformer.hpp>
#include <trine/text/tokenizer/pcre2_regex.hpp>

#include "models/choice_recorder.hpp"
#include "support/golden.hpp"
#include "support/temporary_directory.hpp"

namespace trine::test {
namespace {

namespace fs = std::filesystem;

const fs::path kAdapters = fs::path(TRINE_TEST_DATA) / "adapters";

std::vector<std::string> cases() {
  std::vector<std::string> names;
  for (const fs::path& directory : golden_directories(kAdapters)) names.push_back(directory.filename().string());
  return names;
}

struct Answer {
  std::vector<float> logits;  // [tokens, vocab]
  std::map<std::size_t, std::vector<std::vector<std::uint32_t>>> experts;
};

class AdapterPerIsa : public testing::TestWithParam<std::string> {
 protected:
  [[nodiscard]] Adapter load() const { return Adapter::load(model_, golden_.directory, {.regex = pcre2_regex}); }

  [[nodiscard]] Answer answer(const std::vector<AdapterUse>& adapters, std::size_t chunk,
                              MlaForm form = MlaForm::automatic) const {
    return answer(model_, adapters, chunk, form);
  }
  [[nodiscard]] Answer answer(const Model& model, const std::vector<AdapterUse>& adapters, std::size_t chunk,
                              MlaForm form = MlaForm::automatic) const {
    ChoiceRecorder recorder;
    Session session(model, {.activations = ActivationPrecision::f32,
                            .mla_form = form,
                            .observer = borrow(recorder),
                            .adapters = adapters});
    Answer result;
    for (std::size_t first = 0; first < golden_.tokens.size(); first += chunk) {
      const std::size_t count = std::min(chunk, golden_.tokens.size() - first);
      const auto rows = session.forward(std::span(golden_.tokens).subspan(first, count), OutputRows::all);
      result.logits.insert(result.logits.end(), rows.span().begin(), rows.span().end());
    }
    result.experts = recorder.chosen;
    return result;
  }

  [[nodiscard]] float error_of(const Answer& found) const {
    float largest = 0.0F;
    float worst = 0.0F;
    for (std::size_t i = 0; i < golden_.logits.size(); ++i) {
      largest = std::max(largest, std::abs(golden_.logits.data()[i]));
      const float error = std::abs(golden_.logits.data()[i] - found.logits[i]);
      if (!(error <= worst)) worst = error;  // a NaN stays
    }
    return worst / largest;
  }

  const Golden golden_ = read_golden(kAdapters / GetParam());
  const fs::path family_ = fs::path(TRINE_TEST_DATA) / "families" /
                           read_json_file(kAdapters / GetParam() / "golden.json").at("family").get<std::string>();
  const Model model_ = Model::load(family_);
};

TEST_P(AdapterPerIsa, HasTheLogitsAndTheExpertsOfPeft) {
  const Adapter adapter = load();
  for (const MlaForm form : {MlaForm::naive, MlaForm::absorbed}) {
    const Answer found = answer({{adapter}}, golden_.tokens.size(), form);
    ASSERT_EQ(found.logits.size(), golden_.logits.size());
    EXPECT_LE(error_of(found), 1e-4F) << static_cast<int>(form);
    EXPECT_EQ(found.experts, golden_.experts) << static_cast<int>(form);
  }
}

TEST_P(AdapterPerIsa, AnswersAlikeHoweverThePromptIsCut) {
  const Adapter adapter = load();
  const Answer whole = answer({{adapter}}, golden_.tokens.size(), MlaForm::absorbed);
  for (const std::size_t chunk : {1U, 5U})
    EXPECT_EQ(answer({{adapter}}, chunk, MlaForm::absorbed).logits, whole.logits) << "chunks of " << chunk;
}

TEST_P(AdapterPerIsa, LeavesNothingBehind) {
  const Answer before = answer({}, golden_.tokens.size());
  const Adapter adapter = load();
  EXPECT_EQ(answer({{adapter, 0.0F}}, golden_.tokens.size()).logits, before.logits) << "scale 0";
  Session session(model_, {.activations = ActivationPrecision::f32, .adapters = {{adapter}}});
  session.forward(golden_.tokens);
  session.reset();
  session.set_adapters({});
  const auto rows = session.forward(golden_.tokens, OutputRows::all);
  EXPECT_EQ(std::vector<float>(rows.span().begin(), rows.span().end()), before.logits) << "detached";
  EXPECT_NE(answer({{adapter}}, golden_.tokens.size()).logits, before.logits);
}

TEST_P(AdapterPerIsa, GivesTheSameLogitsMerged) {
  const TemporaryDirectory directory;
  const AdapterMerger merger(family_);
  const Adapter adapter = Adapter::load(merger.model(), golden_.directory, {.regex = pcre2_regex});
  const MergeInfo info =
      merger.write(std::vector<AdapterUse>{{adapter}}, directory.path() / "merged", {.dtype = DType::f32});
  EXPECT_GT(info.linear_maps, 0U);
  const Answer found = answer(Model::load(directory.path() / "merged"), {}, golden_.tokens.size());
  EXPECT_LE(error_of(found), 1e-4F);
  EXPECT_EQ(found.experts, golden_.experts);
}

// Prefill beside decode, with the adapter, with it at another scale, twice, and without one.
TEST_P(AdapterPerIsa, HasTheSameBitsAmongSequencesWithOthers) {
  const Adapter adapter = load();
  std::vector<std::vector<AdapterUse>> uses = {{{adapter}}, {}, {{adapter, 0.5F}}, {{adapter}}};
  if (adapter.info().saved_modules == 0) uses.push_back({{adapter}, {adapter, -0.25F}});
  const EngineOptions options{.num_threads = 2, .activations = ActivationPrecision::f32, .mla_form = MlaForm::absorbed};
  const std::span<const TokenId> tokens(golden_.tokens);
  const std::size_t half = tokens.size() / 2;
  const auto run = [&](std::span<Sequence> sequences) {
    Engine engine(model_, options);
    std::vector<std::vector<float>> results(sequences.size());
    for (const auto& [first, count] : {std::pair{std::size_t{0}, half}, std::pair{half, tokens.size() - half}}) {
      std::vector<SequenceInput> inputs;
      for (Sequence& sequence : sequences)
        inputs.push_back({.sequence = &sequence, .tokens = tokens.subspan(first, count), .rows = OutputRows::all});
      const auto outputs = engine.forward(inputs);
      for (std::size_t i = 0; i < outputs.size(); ++i)
        results[i].insert(results[i].end(), outputs[i].outputs.span().begin(), outputs[i].outputs.span().end());
    }
    return results;
  };
  std::vector<Sequence> together;
  std::vector<std::vector<float>> alone;
  for (const std::vector<AdapterUse>& use : uses) {
    together.emplace_back(model_, SequenceOptions{.adapters = use});
    Sequence one(model_, {.adapters = use});
    alone.push_back(run({&one, 1}).front());
  }
  EXPECT_EQ(run(together), alone);
  EXPECT_NE(alone[0], alone[2]);
  EXPECT_EQ(alone[0], alone[3]);
}

INSTANTIATE_TEST_SUITE_P(All, AdapterPerIsa, testing::ValuesIn(cases()),
                         [](const auto& parameter) { return parameter.param; });

}  // namespace
}  // namespace trine::test
