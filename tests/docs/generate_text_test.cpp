// SPDX-License-Identifier: Apache-2.0
// The C++ of docs/how-to/generate-text.md, compiled and run. tests/docs/check_pages.sh sees to it that the page shows
// it.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <limits>
#include <optional>
#include <span>
#include <sstream>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>

#include <trine/generate/chat_session.hpp>
#include <trine/text/tokenizer/pcre2_regex.hpp>
#include <trine/trine.hpp>

#include "support/temporary_directory.hpp"

namespace {

namespace fs = std::filesystem;

class GenerateText : public testing::Test {
 protected:
  const fs::path directory = fs::path(TRINE_MODELS_DIR) / "shakespeare";
  const trine::Model model = trine::Model::load(directory);
  const trine::Tokenizer tokenizer = trine::Tokenizer::load(directory, {.regex = trine::pcre2_regex});
};

TEST(GenerateTextFirst, Completes) {
  const fs::path directory = fs::path(TRINE_MODELS_DIR) / "shakespeare";

  const trine::Model model = trine::Model::load(directory);
  const trine::Tokenizer tokenizer = trine::Tokenizer::load(directory, {.regex = trine::pcre2_regex});
  trine::GenerateOptions options =
      trine::GenerateOptions::load(directory);  // generation_config.json, where there is one
  options.max_new_tokens = 40;

  trine::Session session(model);
  const trine::GenerateResult result = trine::generate(session, tokenizer, "ROMEO:", options);

  EXPECT_EQ(result.tokens.size(), 40U);
}

TEST_F(GenerateText, Streams) {
  trine::GenerateOptions options;
  options.max_new_tokens = 20;
  std::ostringstream out;
  trine::Session session(model);

  trine::generate(session, tokenizer, "ROMEO:", options, [&](std::string_view piece) {
    return bool(out << piece << std::flush);  // false ends the generation
  });

  const std::string pushed = out.str();
  out.str("");
  session.reset();

  trine::TextStream stream(session, tokenizer, "ROMEO:", options);
  while (const std::optional<std::string> piece = stream.next()) out << *piece << std::flush;

  EXPECT_EQ(out.str(), pushed);
}

TEST_F(GenerateText, Stops) {
  trine::GenerateOptions options;
  options.sampling.temperature = 0.0F;
  trine::Session session(model);

  options.max_new_tokens = 100;               // FinishReason::length
  options.stop_strings = {"\n\n", "JULIET"};  // FinishReason::stop_string: the text ends before the first of them
  options.eos_token_ids = {0};                // FinishReason::eos; without any, those that the tokenizer knows
  const trine::GenerateResult result = trine::generate(session, tokenizer, "ROMEO:", options);
  if (result.reason == trine::FinishReason::context_full) {
    // The session has no room for another token.
  }

  EXPECT_NE(result.reason, trine::FinishReason::cancelled);
  EXPECT_EQ(result.text.find("\n\n"), std::string::npos);
}

TEST_F(GenerateText, IsCancelled) {
  trine::GenerateOptions options;
  options.max_new_tokens = 20;
  trine::Session session(model);
  session.forward(tokenizer.encode("JULIET:\n"));
  std::stop_source stop;
  const auto show = [&](std::string_view) { return stop.request_stop() || true; };

  options.cancel = stop.get_token();  // stop.request_stop() from any thread
  const std::size_t before = session.tokens().size();
  trine::GenerateResult result = trine::generate(session, tokenizer, "ROMEO:", options, show);
  if (result.reason == trine::FinishReason::cancelled) {
    options.cancel = {};
    result = trine::generate_from_tokens(session, tokenizer, {}, options);  // continues where it was cancelled, or
    session.truncate(before);                                               // as if nothing had been generated
  }

  EXPECT_EQ(result.reason, trine::FinishReason::length);
  EXPECT_EQ(session.position(), before);
}

// ---- Chat

void chat(const fs::path& directory, std::istream& in, std::ostream& out) {
  trine::ChatSession chat(trine::Session(trine::Model::load(directory)),
                          trine::Tokenizer::load(directory, {.regex = trine::pcre2_regex}),
                          trine::ChatTemplate::load(directory), {.system = "You are terse."});
  const trine::GenerateOptions options = trine::GenerateOptions::load(directory);
  const auto show = [&](std::string_view piece) { return bool(out << piece << std::flush); };

  for (std::string line; out << "> " && std::getline(in, line);) {
    const trine::ChatResult result = chat.send(line, options, show);
    out << '\n';
    if (result.dropped_messages > 0) out << "(the oldest messages had no room)\n";
    if (result.reason == trine::FinishReason::length) out << "(not at its end)\n";
  }
  out << chat.statistics().decode_tokens_per_second() << " tokens/s\n";
}

TEST_F(GenerateText, Chats) {
  const trine::test::TemporaryDirectory files;
  for (const fs::directory_entry& file : fs::directory_iterator(directory))
    fs::copy_file(file.path(), files.path() / file.path().filename());
  files.write("chat_template.jinja",
              "{% for m in messages %}{{ m.role }}:{{ m.content }}<|endoftext|>{% endfor %}assistant:");
  files.write("generation_config.json", R"({"max_new_tokens": 8})");
  std::istringstream in("Who is there?\nSpeak again.\n");
  std::ostringstream out;
  chat(files.path(), in, out);
  EXPECT_THAT(out.str(), testing::StartsWith("> "));
  EXPECT_THAT(out.str(), testing::HasSubstr("(not at its end)\n> "));
  EXPECT_THAT(out.str(), testing::EndsWith(" tokens/s\n"));
}

TEST_F(GenerateText, CancelsAnAnswer) {
  trine::GenerateOptions options;
  options.max_new_tokens = 500;
  std::stop_source stop;
  trine::ChatSession chat(trine::Session(model), tokenizer,
                          trine::ChatTemplate("{% for m in messages %}{{ m.content }}\n{% endfor %}", "letters"));
  const auto show = [&](std::string_view) { return stop.request_stop() || true; };

  options.cancel = stop.get_token();
  const trine::ChatResult result = chat.send("Tell me everything.", options, show);
  if (result.reason == trine::FinishReason::cancelled) {
    // What was said so far is in chat.messages(), and the next turn continues from it.
  }

  EXPECT_EQ(result.reason, trine::FinishReason::cancelled);
  EXPECT_EQ(chat.messages().back()["content"], result.text);
}

TEST_F(GenerateText, PullsAnAnswer) {
  trine::GenerateOptions options;
  options.max_new_tokens = 20;
  std::ostringstream out;
  trine::ChatSession chat(trine::Session(model), tokenizer,
                          trine::ChatTemplate("{% for m in messages %}{{ m.content }}\n{% endfor %}", "letters"));

  trine::ChatStream stream(chat, "Tell me everything.", options);
  while (const std::optional<std::string> piece = stream.next()) out << *piece << std::flush;
  const trine::ChatResult result = stream.take_result();

  EXPECT_EQ(out.str(), result.text);
  EXPECT_EQ(chat.messages().back()["content"], result.text);
}

TEST_F(GenerateText, ReadsInputEmbeddings) {
  trine::GenerateOptions options;
  options.max_new_tokens = 5;
  const std::size_t picture = 3;
  const auto encode = [&](std::size_t tokens) { return trine::Tensor<float, 2>({tokens, model.info().hidden_size}); };
  trine::Session session(model);

  const trine::Tensor<float, 2> image = encode(picture);  // [tokens, hidden], of an encoder of images
  session.forward(tokenizer.encode("Look at this:\n"));
  session.forward_embeddings(image.view());
  const trine::GenerateResult result = trine::generate(session, tokenizer, "\nIt is", options);

  EXPECT_EQ(result.tokens.size(), 5U);
  EXPECT_EQ(std::ranges::count(session.tokens(), trine::kNoTokenId), 3);
}

TEST_F(GenerateText, SamplesSeveralContinuations) {
  trine::GenerateOptions options;
  options.max_new_tokens = 10;
  std::vector<std::string> texts;

  const std::vector<trine::TokenId> prompt = tokenizer.encode("ROMEO:");
  trine::Session session(model);
  session.forward(std::span(prompt).first(prompt.size() - 1));  // read once
  session.append(std::span(prompt).last(1));                    // computed by each fork, which samples from its logits
  for (options.sampling.seed = 0; options.sampling.seed < 3; ++options.sampling.seed) {
    trine::Session fork = session.fork();  // shares the pages of the caches
    texts.push_back(trine::generate_from_tokens(fork, tokenizer, {}, options).text);
  }

  trine::Session alone(model);
  options.sampling.seed = 2;
  EXPECT_EQ(trine::generate(alone, tokenizer, "ROMEO:", options).text, texts.back());
  EXPECT_NE(texts[0], texts[1]);
}

TEST_F(GenerateText, SavesAndContinues) {
  const trine::test::TemporaryDirectory files;
  const fs::path file = files.path() / "romeo.session";
  trine::GenerateOptions options;
  options.max_new_tokens = 10;
  trine::Session session(model);

  trine::generate(session, tokenizer, "ROMEO:", options);
  session.save(file);

  trine::Session later(model);  // in another process, another day
  later.restore(file);
  const trine::GenerateResult result = trine::generate(later, tokenizer, "\nJULIET:", options);

  EXPECT_EQ(trine::generate(session, tokenizer, "\nJULIET:", options).text, result.text);
}

TEST_F(GenerateText, Scores) {
  const std::string text = "But soft, what light through yonder window breaks?";
  trine::Session session(model);

  const std::vector<trine::TokenId> tokens = tokenizer.encode(text);
  const trine::View<const float, 2> logits = session.forward(tokens, trine::OutputRows::all);  // [tokens, vocab]
  double logprob = 0.0;  // of all tokens after the first
  for (std::size_t i = 0; i + 1 < tokens.size(); ++i)
    logprob += trine::token_logprobs(logits.row(i), tokens[i + 1]).logprob;
  const double perplexity = std::exp(-logprob / static_cast<double>(tokens.size() - 1));

  EXPECT_GT(perplexity, 1.0);
  EXPECT_LT(perplexity, 1024.0) << "better than chance";
}

TEST_F(GenerateText, ReturnsLogprobs) {
  trine::GenerateOptions options;
  options.max_new_tokens = 5;
  std::ostringstream out;
  trine::Session session(model);

  options.logprobs = true;   // of each sampled token
  options.top_logprobs = 3;  // and of the three most probable ones in its place
  const trine::GenerateResult result = trine::generate(session, tokenizer, "ROMEO:", options);
  for (const trine::TokenLogprobs& token : result.logprobs)
    out << tokenizer.token_bytes(token.id) << ' ' << token.logprob << '\n';

  EXPECT_EQ(result.logprobs.size(), 5U);
  EXPECT_EQ(result.logprobs[0].top_logprobs.size(), 3U);
}

TEST_F(GenerateText, Steers) {
  trine::GenerateOptions options;
  options.max_new_tokens = 20;
  trine::Session session(model);
  const trine::TokenId comma = tokenizer.encode(",").front();

  options.logit_bias = {{comma, -std::numeric_limits<float>::infinity()}};  // never
  options.logits_processors = {[](std::span<float> logits, std::span<const trine::TokenId> history) {
    logits[history.back()] -= 5.0F;  // hardly ever twice in a row
  }};
  const trine::GenerateResult result = trine::generate(session, tokenizer, "ROMEO:", options);

  EXPECT_EQ(std::ranges::count(result.tokens, comma), 0);
}

TEST_F(GenerateText, IsObserved) {
  trine::GenerateOptions options;
  options.max_new_tokens = 20;
  std::ostringstream out;

  trine::RoutingStats routing;  // sees which expert serves which token
  trine::Session session(model, {.observer = trine::borrow(routing)});
  const trine::GenerateResult result = trine::generate(session, tokenizer, "ROMEO:", options);
  out << result.cached_tokens << " tokens reused, " << result.prefill_tokens << " read, " << result.tokens.size()
      << " generated, first after " << result.time_to_first_token_seconds << " s\n"
      << routing.overall().utilization << " expert utilization\n";

  EXPECT_THAT(out.str(), testing::HasSubstr("0 tokens reused"));
}

}  // namespace
