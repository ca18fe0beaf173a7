// SPDX-License-Identifier: Apache-2.0
// The C++ of docs/how-to/lora.md, compiled and run. tests/docs/check_pages.sh sees to it that the page shows it.
#include <filesystem>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include <trine/adapters/adapter.hpp>
#include <trine/adapters/merge.hpp>
#include <trine/generate/engine.hpp>
#include <trine/text/tokenizer/pcre2_regex.hpp>
#include <trine/trine.hpp>

#include "support/temporary_directory.hpp"

namespace {

namespace fs = std::filesystem;

const fs::path kBundled = TRINE_MODELS_DIR;

class LoraHowTo : public testing::Test {
 protected:
  const trine::Model model = trine::Model::load(kBundled / "deepseek-v3-shakespeare");
  const trine::Tokenizer tokenizer = trine::Tokenizer::load(kBundled / "deepseek-v3-shakespeare");
  const std::vector<trine::TokenId> prompt = tokenizer.encode("Elizabeth");
  std::vector<std::vector<float>> seen;

  [[nodiscard]] trine::Adapter load() const {
    return trine::Adapter::load(model, kBundled / "deepseek-v3-shakespeare-lora-austen", {.regex = trine::pcre2_regex});
  }
  [[nodiscard]] std::vector<float> logits(trine::Session& session) const {
    const std::span<const float> row = session.forward(prompt).row(0);
    return {row.begin(), row.end()};
  }
  void use(trine::View<const float, 2> logits) { seen.emplace_back(logits.row(0).begin(), logits.row(0).end()); }
};

TEST(LoraHowToFirst, LoadsAnAdapter) {
  const fs::path directory = kBundled / "deepseek-v3-shakespeare";
  const fs::path adapter_directory = kBundled / "deepseek-v3-shakespeare-lora-austen";
  std::ostringstream out;

  const trine::Model model = trine::Model::load(directory);
  const trine::Tokenizer tokenizer = trine::Tokenizer::load(directory, {.regex = trine::pcre2_regex});
  const trine::Adapter austen = trine::Adapter::load(model, adapter_directory, {.regex = trine::pcre2_regex});

  trine::Session session(model, {.adapters = {{austen}}});
  const trine::GenerateResult result = trine::generate(session, tokenizer, "Elizabeth", {.max_new_tokens = 40});

  EXPECT_EQ(result.tokens.size(), 40U);

  const trine::AdapterInfo& info = austen.info();
  out << info.parameters << " parameters update " << info.linear_maps << " linear layers\n";
  for (const trine::Note& note : info.notes) out << note.subject << ": " << note.text << '\n';

  EXPECT_THAT(out.str(), testing::StartsWith("435072 parameters update "));
  EXPECT_THAT(out.str(), testing::HasSubstr("target_modules: the tensors say"));
}

TEST_F(LoraHowTo, AddsScalesAndSwitches) {
  const trine::Adapter austen = load();
  const trine::Adapter other = austen;

  trine::Session session(model, {.adapters = {{austen, 0.75F}, {other, 0.25F}}});  // their updates add up

  const std::vector<float> both = logits(session);

  session.reset();                   // the caches hold what the old adapters made
  session.set_adapters({{austen}});  // {}: none

  EXPECT_THAT(both, testing::Pointwise(testing::FloatNear(1e-3F), logits(session)));
  session.reset();
  session.set_adapters({});
  EXPECT_THAT(both, testing::Not(testing::Pointwise(testing::FloatNear(1e-1F), logits(session))));
}

TEST_F(LoraHowTo, MixesAdaptersInOneBatch) {
  const trine::Adapter austen = load();

  trine::Engine engine(model);
  trine::Sequence plain(model);
  trine::Sequence novel(model, {.adapters = {{austen}}});
  trine::Sequence half(model, {.adapters = {{austen, 0.5F}}});
  const std::vector<trine::SequenceInput> inputs = {{.sequence = &plain, .tokens = prompt},
                                                    {.sequence = &novel, .tokens = prompt},
                                                    {.sequence = &half, .tokens = prompt}};
  for (const trine::SequenceOutput& output : engine.forward(inputs)) use(output.outputs);  // logits [1, vocab]

  EXPECT_EQ(seen.size(), 3U);
  EXPECT_NE(seen[0], seen[1]);
  EXPECT_NE(seen[1], seen[2]);
}

TEST(LoraHowToLast, Merges) {
  const fs::path directory = kBundled / "deepseek-v3-shakespeare";
  const fs::path adapter_directory = kBundled / "deepseek-v3-shakespeare-lora-austen";
  const trine::test::TemporaryDirectory temporary;
  const fs::path merged = temporary.path() / "merged";

  const trine::AdapterMerger merger(directory);
  const trine::Adapter adapter = trine::Adapter::load(merger.model(), adapter_directory, {.regex = trine::pcre2_regex});
  merger.write(std::vector<trine::AdapterUse>{{adapter, 0.5F}}, merged, {.dtype = trine::DType::bf16});

  EXPECT_EQ(trine::Model::load(merged).info().vocab_size, merger.model().info().vocab_size);
}

}  // namespace
