// SPDX-License-Identifier: Apache-2.0
// Input embeddings that are rows of the model's own table give the bits of their tokens, in every architecture, alone
// and mixed with tokens in one sequence and in one batch.
#include <algorithm>
#include <bit>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <trine/generate/engine.hpp>
#include <trine/model/transformer.hpp>
#include <trine/routing/router.hpp>

#include "support/embedding_rows.hpp"
#include "support/expect_error.hpp"
#include "support/golden.hpp"

namespace trine::test {
namespace {

namespace fs = std::filesystem;

std::vector<std::string> models_with_embeddings() {
  std::vector<std::string> names;
  for (const fs::path& directory : golden_directories()) names.push_back(directory.filename().string());
  for (const fs::path& directory : golden_directories(fs::path(TRINE_TEST_DATA) / "families"))
    names.push_back("families/" + directory.filename().string());
  return names;
}

class InputEmbeddingsPerIsa : public testing::TestWithParam<std::string> {
 protected:
  const fs::path directory_ = fs::path(TRINE_TEST_DATA) / GetParam();
  const Golden golden_ = read_golden(directory_);
  const Model model_ = Model::load(directory_);

  [[nodiscard]] bool chooses_by_ids() const {
    return std::ranges::any_of(model_.transformer().blocks(), [](const Block& block) {
      return block.feed_forward->router() != nullptr && block.feed_forward->router()->needs_token_ids();
    });
  }
};

std::vector<std::uint32_t> bits_of_outputs(const SequenceOutput& output) {
  std::vector<std::uint32_t> bits;
  for (const float value : output.outputs.span()) bits.push_back(std::bit_cast<std::uint32_t>(value));
  return bits;
}

TEST_P(InputEmbeddingsPerIsa, GiveTheBitsOfTheirTokens) {
  Engine engine(model_, {.num_threads = 3, .reproducible = true});
  Sequence sequence(model_);
  if (golden_.tokens.empty()) {
    const Tensor<float, 2> rows({model_.info().frame_size, model_.info().hidden_size});
    EXPECT_ERROR(engine.forward(std::vector<SequenceInput>{{.sequence = &sequence, .embeddings = rows.view()}}),
                 InputError, "this model takes features, not embeddings");
    return;
  }
  const std::size_t most = model_.info().max_position_embeddings;
  const std::span<const TokenId> tokens = std::span(golden_.tokens).first(std::min(golden_.tokens.size(), most));
  const Tensor<float, 2> rows = embedding_rows(model_, tokens);
  const View<const float, 2> embeddings = rows.view();
  if (chooses_by_ids()) {
    EXPECT_ERROR(engine.forward(std::vector<SequenceInput>{{.sequence = &sequence, .embeddings = embeddings}}),
                 InputError, "embeddings: expected tokens, by whose ids the router of layer");
    return;
  }
  const std::vector<std::uint32_t> expected = bits_of_outputs(
      engine.forward(std::vector<SequenceInput>{{.sequence = &sequence, .tokens = tokens, .rows = OutputRows::all}})
          .front());
  const std::size_t unit = model_.info().whole_frames ? model_.info().frame_size : 1;
  const std::size_t half = std::max<std::size_t>(tokens.size() / unit / 2, 1) * unit;
  const auto expect_rows = [&](const SequenceOutput& output, std::size_t first_token) {
    const std::vector<std::uint32_t> found = bits_of_outputs(output);
    const std::size_t skipped = expected.size() * first_token / tokens.size();  // outputs may belong to frames
    EXPECT_TRUE(std::ranges::equal(found, std::span(expected).subspan(skipped))) << GetParam() << ", " << first_token;
  };
  for (const std::size_t prefill_chunk : {std::size_t{512}, std::size_t{24}}) {
    Engine mixed(model_, {.num_threads = 3, .prefill_chunk = prefill_chunk, .reproducible = true});
    Sequence by_ids(model_);
    Sequence by_embeddings(model_);
    Sequence embeddings_then_ids(model_);
    Sequence ids_then_embeddings(model_);
    const bool has_second_half = half < tokens.size();
    if (has_second_half) {
      mixed.forward(
          std::vector<SequenceInput>{{.sequence = &embeddings_then_ids, .embeddings = embeddings.slice(0, half)}});
      // Ids that wait are computed in the same pass, before the embeddings.
      if (unit == 1) {
        ids_then_embeddings.append(tokens.first(half));
      } else {
        mixed.forward(std::vector<SequenceInput>{{.sequence = &ids_then_embeddings, .tokens = tokens.first(half)}});
      }
    }
    std::vector<SequenceInput> inputs{{.sequence = &by_ids, .tokens = tokens, .rows = OutputRows::all},
                                      {.sequence = &by_embeddings, .embeddings = embeddings, .rows = OutputRows::all}};
    if (has_second_half) {
      inputs.push_back({.sequence = &embeddings_then_ids, .tokens = tokens.subspan(half), .rows = OutputRows::all});
      inputs.push_back({.sequence = &ids_then_embeddings,
                        .embeddings = embeddings.slice(half, tokens.size() - half),
                        .rows = OutputRows::all});
    }
    const std::span<const SequenceOutput> outputs = mixed.forward(inputs);
    expect_rows(outputs[0], 0);
    expect_rows(outputs[1], 0);
    for (std::size_t i = 2; i < outputs.size(); ++i) expect_rows(outputs[i], half);
    EXPECT_TRUE(std::ranges::all_of(by_embeddings.tokens(), [](TokenId id) { return id == kNoTokenId; }));
    EXPECT_EQ(by_embeddings.tokens().size(), by_embeddings.position());
  }
}

INSTANTIATE_TEST_SUITE_P(All, InputEmbeddingsPerIsa, testing::ValuesIn(models_with_embeddings()),
                         [](const auto& parameter) {
                           std::string name = parameter.param;
                           std::ranges::replace(name, '/', '_');
                           return name;
                         });

}  // namespace
}  // namespace trine::test
