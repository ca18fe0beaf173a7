// SPDX-License-Identifier: Apache-2.0
// tests/models/input_embeddings_test.cpp compares the bits of all architectures; here is what sequences with input
// embeddings can do, and what they refuse.
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include <trine/generate/chat_session.hpp>
#include <trine/routing/router_decorators.hpp>

#include "generate/bundled_models.hpp"
#include "support/embedding_rows.hpp"
#include "support/expect_error.hpp"
#include "support/temporary_directory.hpp"

namespace trine::test {
namespace {

class InputEmbeddings : public testing::Test {
 protected:
  // A session that has read the embeddings of the first `count` tokens.
  [[nodiscard]] Session embedded(const Model& model, std::size_t count) const {
    Session session(model);
    static_cast<void>(session.forward_embeddings(embedding_rows(model, std::span(tokens_).first(count)).view()));
    return session;
  }
  [[nodiscard]] static Bits logits_of(Session& session, std::span<const TokenId> tokens) {
    return bits_of(session.forward(tokens, OutputRows::all).span());
  }

  const Model model_ = Model::load(golden_path("full_attention"));
  const std::vector<TokenId> tokens_ = read_golden(golden_path("full_attention")).tokens;
};

TEST_F(InputEmbeddings, MustBeFiniteRowsOfTheHiddenSize) {
  Session session(model_);
  Tensor<float, 2> rows = embedding_rows(model_, std::span(tokens_).first(4));
  rows.view()(2, 5) = std::numeric_limits<float>::quiet_NaN();
  rows.view()(2, 7) = std::numeric_limits<float>::infinity();
  EXPECT_ERROR(session.forward_embeddings(rows.view()), InputError,
               "embeddings: row 2: expected finite values, found 2 that are not");
  const Tensor<float, 2> narrow({4, 31});
  EXPECT_ERROR(session.forward_embeddings(narrow.view()), ShapeError,
               "embeddings: expected shape [4, 32], found [4, 31]");
  EXPECT_ERROR(session.forward_embeddings({}), InputError, "expected at least one token");
  Sequence sequence(model_);
  EXPECT_ERROR(
      Engine(model_).forward(std::vector<SequenceInput>{
          {.sequence = &sequence, .tokens = tokens_, .embeddings = View<const float, 2>(rows.view()).slice(0, 1)}}),
      InputError, "expected tokens or embeddings, found both");
  EXPECT_EQ(session.position(), 0U);
  EXPECT_ERROR(session.append(std::vector{kNoTokenId}), InputError, "expected an id below");
  EXPECT_EQ(bits_of(session.forward(tokens_).span()), bits_of(Session(model_).forward(tokens_).span())) << "as it was";
}

TEST_F(InputEmbeddings, TruncateForkAndSave) {
  const TemporaryDirectory files;
  const std::span<const TokenId> tokens(tokens_);
  Session reference(model_);
  reference.forward(tokens.first(8));
  const Bits expected = logits_of(reference, tokens.subspan(8));
  Session session = embedded(model_, 12);
  session.truncate(8);
  EXPECT_EQ(logits_of(session, tokens.subspan(8)), expected);
  session.truncate(8);
  Session fork = session.fork();
  EXPECT_EQ(logits_of(fork, tokens.subspan(8)), expected);
  session.append(tokens.subspan(8, 1));
  session.save(files.path() / "session");
  Session restored(model_);
  restored.restore(files.path() / "session");
  EXPECT_EQ(restored.tokens()[7], kNoTokenId);
  EXPECT_EQ(restored.tokens()[8], tokens_[8]);
  restored.truncate(8);
  EXPECT_EQ(logits_of(restored, tokens.subspan(8)), expected);
}

// Nobody can tell whether embeddings are those of given tokens, or of the same picture.
TEST_F(InputEmbeddings, AreNoPrefixOfAPrompt) {
  const TemporaryDirectory files;
  Session session(model_);
  session.forward(std::span(tokens_).first(3));
  session.forward_embeddings(embedding_rows(model_, std::span(tokens_).subspan(3, 5)).view());
  session.save(files.path() / "session");
  Session other(model_);
  EXPECT_EQ(other.restore_prefix(files.path() / "session", tokens_), 3U);
  EXPECT_EQ(other.restore_prefix(files.path() / "session", session.tokens()), 3U)
      << "also where the same stand-ins are";
}

TEST_F(InputEmbeddings, AreNotComputedAgain) {
  const Model windows = Model::load(golden_path("families/mistral_sliding_window"));
  std::vector<TokenId> many;
  for (std::size_t i = 0; i < 200; ++i) many.push_back(tokens_[i % tokens_.size()]);
  Session session(windows);
  session.forward_embeddings(embedding_rows(windows, std::span(many).first(8)).view());
  session.forward(many);
  EXPECT_ERROR(session.truncate(10), InputError,
               "10 positions would have to be computed again from input embeddings, which are not kept");
  EXPECT_EQ(session.position(), 208U) << "nothing was done";
  session.reset();
  session.forward(many);
  EXPECT_NO_THROW(session.truncate(10));
}

// The generation cannot go back to the last whole pass then.
TEST_F(InputEmbeddings, AreLostWhereAPassOverWindowsIsCancelled) {
  const Model windows = Model::load(golden_path("families/mixtral_sliding_window"));
  const BundledModel bundled("shakespeare");  // for its tokenizer
  const std::vector<TokenId> many(240, 7);
  StopAtRouting stop(3);  // in the second pass
  Session session(windows, {.observer = borrow(stop)});
  session.forward_embeddings(embedding_rows(windows, std::span(tokens_).first(8)).view());
  GenerateOptions options;
  options.cancel = stop.token();
  EXPECT_ERROR(generate_from_tokens(session, bundled.tokenizer, many, options), InputError,
               "would have to be computed again from input embeddings");
  EXPECT_ERROR(session.forward(many), InputError, "interrupted");
  session.reset();
  EXPECT_NO_THROW(session.forward(many));
}

TEST_F(InputEmbeddings, MeetNoRouterThatChoosesByIds) {
  const Model hash = Model::load(golden_path("hash"));
  const std::span<const TokenId> tokens = std::span(tokens_).first(4);
  const Tensor<float, 2> rows = embedding_rows(hash, tokens);
  Session session(hash);
  EXPECT_ERROR(session.forward_embeddings(rows.view()), InputError,
               "embeddings: expected tokens, by whose ids the router of layer 1 chooses, found input embeddings");
  const auto masked = [](std::size_t, std::unique_ptr<Router> router) {
    return std::make_unique<MaskedExperts>(std::move(router), std::vector<std::uint32_t>{1});
  };
  EXPECT_ERROR(Session(hash, {.router_decorator = masked}).forward_embeddings(rows.view()), InputError,
               "of layer 1 chooses");
  const auto forced = [](std::size_t, std::unique_ptr<Router> router) {
    return std::make_unique<ForcedExperts>(std::move(router), std::vector<std::uint32_t>{1});
  };
  Session by_ids(hash, {.router_decorator = forced});
  Session by_embeddings(hash, {.router_decorator = forced});
  EXPECT_EQ(bits_of(by_embeddings.forward_embeddings(rows.view()).span()), bits_of(by_ids.forward(tokens).span()));
}

TEST_F(InputEmbeddings, BeginATextThatIsGenerated) {
  const BundledModel bundled("shakespeare");
  const std::vector<TokenId> picture = bundled.tokenizer.encode("A room in the castle.");
  const std::vector<TokenId> prompt = bundled.tokenizer.encode("ROMEO:");
  GenerateOptions options;
  options.max_new_tokens = 20;
  Session by_ids = bundled.session();
  by_ids.forward(picture);
  Session by_embeddings = bundled.session();
  by_embeddings.forward_embeddings(embedding_rows(bundled.model, picture).view());
  EXPECT_EQ(generate_from_tokens(by_embeddings, bundled.tokenizer, prompt, options).text,
            generate_from_tokens(by_ids, bundled.tokenizer, prompt, options).text);
  options.sampling.repeat_penalty = 1.5F;  // the history has no ids of the picture, and nothing else goes wrong
  EXPECT_EQ(generate_from_tokens(by_embeddings, bundled.tokenizer, {}, options).tokens.size(), 20U);

  // A chat has no message for them: it begins before them.
  Session session = bundled.session();
  session.forward_embeddings(embedding_rows(bundled.model, picture).view());
  ChatSession chat(std::move(session), bundled.tokenizer,
                   ChatTemplate("{% for m in messages %}{{ m.content }}<|endoftext|>{% endfor %}", "test"));
  EXPECT_EQ(chat.send("Who is there?", options).cached_tokens, 0U);
}

}  // namespace
}  // namespace trine::test
