// SPDX-License-Identifier: Apache-2.0
#include <trine/generate/chat_session.hpp>

#include <algorithm>
#include <limits>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "generate/bundled_models.hpp"
#include "support/expect_error.hpp"

namespace trine::test {
namespace {

using testing::HasSubstr;
using OrderedJson = nlohmann::ordered_json;

// Turns end with a control token, as those of most published models.
constexpr const char* kControl =
    "{% for m in messages %}{{ m.role }}:{{ m.content }}<|endoftext|>{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}";
// A dialogue in plain letters.
constexpr const char* kPlain =
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant:{% "
    "endif %}";

class ChatSessionOf : public testing::TestWithParam<std::string> {
 protected:
  ChatSession chat(const char* chat_template = kControl, ChatOptions options = {}, SessionOptions session = {}) const {
    return {bundled_.session(session), bundled_.tokenizer, ChatTemplate(chat_template, "test"), std::move(options)};
  }
  static GenerateOptions options(std::size_t max_new_tokens = 12) {
    GenerateOptions result;
    result.max_new_tokens = max_new_tokens;
    result.sampling.seed = 5;
    return result;
  }
  // What a new session that has read `result.prompt_tokens` answers.
  GenerateResult fresh(const GenerateResult& result, const GenerateOptions& how) const {
    Session session = bundled_.session();
    return generate_from_tokens(session, bundled_.tokenizer, result.prompt_tokens, how);
  }
  static std::string last_content(const ChatSession& chat) { return chat.messages().back()["content"]; }

  const BundledModel bundled_{GetParam()};
};
INSTANTIATE_TEST_SUITE_P(All, ChatSessionOf, testing::ValuesIn(bundled_models()), [](const auto& parameter) {
  return parameter.param == "shakespeare" ? "Trine" : "DeepseekV3";
});

TEST_P(ChatSessionOf, ReadsOnlyWhatIsNew) {
  for (const char* chat_template : {kControl, kPlain}) {
    ChatSession chat = this->chat(chat_template, {.system = "Speak in verse."});
    std::size_t held = 0;
    for (const char* line : {"Who is there?", "Speak again.", "And a third time."}) {
      const ChatResult result = chat.send(line, options());
      EXPECT_EQ(result.prefill_tokens + result.cached_tokens, result.prompt_tokens.size()) << line;
      if (chat_template == kControl) {
        EXPECT_EQ(result.cached_tokens, held) << "all that was computed";
      }
      const GenerateResult expected = fresh(result, options());
      EXPECT_EQ(result.tokens, expected.tokens) << "the bits of a session that reads all at once";
      EXPECT_EQ(result.text, expected.text);
      held = chat.session().position();
      ASSERT_TRUE(std::ranges::equal(std::span(chat.session().tokens()).first(result.prompt_tokens.size()),
                                     result.prompt_tokens));
      EXPECT_EQ(bits_of(chat.session().fork().forward({}).span()), bundled_.next_logits(chat.session().tokens()));
    }
    EXPECT_GT(chat.statistics().cached_tokens, 0U);
  }
}

// A model may spell a word by other tokens than its text is encoded to. They are not read again.
TEST_P(ChatSessionOf, KeepsTheTokensOfAnAnswerAsTheyWereSampled) {
  std::vector<TokenId> letters;
  for (const char* letter : {"t", "h", "e"}) letters.push_back(bundled_.tokenizer.encode(letter).front());
  ASSERT_LT(bundled_.tokenizer.encode("the").size(), 3U);
  for (const bool with_eos : {false, true}) {
    std::vector<TokenId> spelled = letters;
    if (with_eos) spelled.push_back(0);
    std::size_t next = 0;
    GenerateOptions forced = options(spelled.size());
    forced.logits_processors = {[&](std::span<float> logits, std::span<const TokenId>) {
      std::ranges::fill(logits, -std::numeric_limits<float>::infinity());
      logits[spelled.at(next++)] = 0.0F;
    }};
    ChatSession chat = this->chat();
    const ChatResult first = chat.send("Which word?", forced);
    EXPECT_EQ(first.reason, with_eos ? FinishReason::eos : FinishReason::length);
    EXPECT_EQ(first.text, "the");
    const std::size_t held = chat.session().position();
    const ChatResult second = chat.send("So?", options());
    EXPECT_EQ(second.cached_tokens, held);
    EXPECT_FALSE(std::ranges::search(second.prompt_tokens, letters).empty());
    EXPECT_EQ(std::ranges::count(second.prompt_tokens, 0U), 3) << "each turn ends once";
    EXPECT_EQ(second.tokens, fresh(second, options()).tokens);
  }
}

TEST_P(ChatSessionOf, SumsItsStatistics) {
  ChatSession chat = this->chat();
  ChatStatistics expected;
  for (const char* line : {"Who is there?", "Speak again."}) {
    const ChatResult result = chat.send(line, options());
    ++expected.turns;
    expected.prefill_tokens += result.prefill_tokens;
    expected.cached_tokens += result.cached_tokens;
    expected.generated_tokens += result.tokens.size();
    EXPECT_GT(result.time_to_first_token_seconds, 0.0);
  }
  const ChatStatistics& found = chat.statistics();
  EXPECT_EQ(found.turns, expected.turns);
  EXPECT_EQ(found.prefill_tokens, expected.prefill_tokens);
  EXPECT_EQ(found.cached_tokens, expected.cached_tokens);
  EXPECT_EQ(found.generated_tokens, expected.generated_tokens);
  EXPECT_GT(found.decode_tokens_per_second(), 0.0);
  EXPECT_NEAR(found.prefill_tokens_per_second() * found.prefill_seconds, static_cast<double>(found.prefill_tokens),
              1e-6);
  chat.reset();
  EXPECT_EQ(chat.statistics().turns, 2U) << "sums go on";
}

TEST_P(ChatSessionOf, StreamsTheAnswer) {
  ChatSession chat = this->chat();
  std::string shown;
  const ChatResult result = chat.send("Who is there?", options(), [&](std::string_view piece) {
    shown += piece;
    return true;
  });
  EXPECT_EQ(shown, result.text);
  EXPECT_EQ(last_content(chat), result.text);
}

TEST_P(ChatSessionOf, KeepsWhatWasSaidWhenCancelled) {
  ChatSession chat = this->chat();
  chat.send("Who is there?", options());
  for (const bool by_callback : {true, false}) {
    std::stop_source stop;
    GenerateOptions cancelled = options(500);
    cancelled.cancel = stop.get_token();
    std::size_t pieces = 0;
    const ChatResult result = chat.send("Speak.", cancelled, [&](std::string_view) {
      if (++pieces < 4) return true;
      if (!by_callback) stop.request_stop();
      return !by_callback;
    });
    EXPECT_EQ(result.reason, FinishReason::cancelled);
    EXPECT_FALSE(result.text.empty());
    EXPECT_EQ(last_content(chat), result.text);
    const ChatResult next = chat.send("Go on.", options());
    EXPECT_EQ(next.tokens, fresh(next, options()).tokens);
    EXPECT_GE(next.cached_tokens, result.prompt_tokens.size());
    EXPECT_THAT(bundled_.tokenizer.decode(next.prompt_tokens), HasSubstr(result.text));
  }
}

// While the model reads: nothing was said, and what it has read is not read again.
TEST_P(ChatSessionOf, TakesTheMessageBackWhenCancelledBeforeTheAnswer) {
  for (const std::size_t at : {1U, 6U, 11U}) {
    StopAtRouting stop(at);
    ChatSession chat = this->chat(kControl, {.system = "Speak in verse, and tell me of kings and of their sons."},
                                  {.prefill_chunk = 8, .observer = borrow(stop)});
    GenerateOptions cancelled = options();
    cancelled.cancel = stop.token();
    const ChatResult result = chat.send("Who is there? A man of words, or one of deeds?", cancelled);
    EXPECT_EQ(result.reason, FinishReason::cancelled);
    EXPECT_TRUE(result.tokens.empty());
    EXPECT_EQ(chat.messages().size(), 1U) << "only the system message";
    const std::size_t held = chat.session().position();
    const ChatResult next = chat.send("Who is there?", options());
    EXPECT_EQ(next.tokens, fresh(next, options()).tokens);
    EXPECT_GE(next.cached_tokens, std::min<std::size_t>(held, 8));
  }
}

TEST_P(ChatSessionOf, DropsTheOldestTurnsWhenTheContextIsFull) {
  constexpr std::size_t kContext = 160;
  ChatSession chat = this->chat(kControl, {.system = "Speak in verse."}, {.context_length = kContext});
  std::size_t dropped = 0;
  std::size_t turns_with_a_drop = 0;
  for (int turn = 0; turn < 20; ++turn) {
    const std::size_t before = chat.messages().size();
    const ChatResult result = chat.send("This is question number " + std::to_string(turn) + ".", options(16));
    EXPECT_NE(result.reason, FinishReason::context_full) << turn;
    EXPECT_LE(result.prompt_tokens.size() + 16, kContext) << turn;
    EXPECT_EQ(chat.messages().size(), before + 2 - result.dropped_messages) << turn;
    EXPECT_EQ(chat.messages()[0]["role"], "system");
    EXPECT_EQ(chat.messages()[1]["role"], "user") << "turns are dropped as a whole";
    EXPECT_EQ(chat.messages()[chat.messages().size() - 2]["content"],
              "This is question number " + std::to_string(turn) + ".");
    EXPECT_EQ(result.tokens, fresh(result, options(16)).tokens) << turn;
    if (result.dropped_messages == 0) continue;
    EXPECT_LE(result.prompt_tokens.size(), kContext / 2) << turn;
    if (GetParam() == "deepseek-v3-shakespeare") {  // caches of frames may not be able to go back so far
      EXPECT_GT(result.cached_tokens, 0U) << "the system message stays";
    }
    dropped += result.dropped_messages;
    ++turns_with_a_drop;
  }
  EXPECT_EQ(chat.messages().size() + dropped, 41U);
  EXPECT_GT(turns_with_a_drop, 1U);
  EXPECT_LT(turns_with_a_drop, 12U) << "not at every turn";
}

TEST_P(ChatSessionOf, SaysThatAConversationHasNoRoomAndKeepsIt) {
  ChatSession strict = chat(kControl, {.drop_old_turns = false}, {.context_length = 64});
  ChatSession dropping = chat(kControl, {}, {.context_length = 64});
  std::string long_message;
  while (bundled_.tokenizer.encode(long_message).size() < 70) long_message += "words, ";
  for (ChatSession* one : {&strict, &dropping}) {
    const ChatResult first = one->send("Who is there?", options(5));
    const OrderedJson before = one->messages();
    EXPECT_ERROR(one->send(long_message, options(5)), CapacityError, "too long");
    EXPECT_EQ(one->messages(), before);
    const ChatResult next = one->send("So?", options(5));
    EXPECT_EQ(next.tokens, fresh(next, options(5)).tokens);
    EXPECT_THAT(bundled_.tokenizer.decode(next.prompt_tokens), HasSubstr(first.text));
  }
  const auto until_full = [&](ChatSession& one) {
    for (int turn = 0; turn < 20; ++turn) one.send("And then?", options(8));
  };
  EXPECT_ERROR(until_full(strict), CapacityError, "too long");
  EXPECT_NO_THROW(until_full(dropping));
}

TEST_P(ChatSessionOf, KeepsThePrefixThatATemplateLeaves) {
  // Answers are shortened once the conversation goes on, as thoughts are.
  ChatSession chat = this->chat(
      "{% for m in messages %}{{ m.role }}: {{ m.content if loop.last or m.role != 'assistant' else 'No.' }}"
      "<|endoftext|>{% endfor %}assistant:",
      {.system = "Speak in verse."});
  const ChatResult first = chat.send("Who is there?", options());
  const ChatResult second = chat.send("So?", options());
  EXPECT_GE(second.cached_tokens, first.prompt_tokens.size());
  EXPECT_LT(second.cached_tokens, second.prompt_tokens.size());
  EXPECT_EQ(second.tokens, fresh(second, options()).tokens);
}

TEST_P(ChatSessionOf, TakesNoControlTokensFromTheUser) {
  ChatSession chat = this->chat();
  const ChatResult result = chat.send("<|endoftext|>", options(3));
  EXPECT_EQ(std::ranges::count(result.prompt_tokens, 0U), 1) << "that of the template";
}

TEST_P(ChatSessionOf, PassesToolsVariablesAndMessagesToTheTemplate) {
  ChatSession chat =
      this->chat("{{ style }} {{ tools[0].name }} {% for m in messages %}{{ m.role }}={{ m.content }};{% endfor %}",
                 {.tools = OrderedJson::parse(R"([{"name": "clock"}])"), .variables = {{"style", "brief"}}});
  const auto read = [&](const ChatResult& result) { return bundled_.tokenizer.decode(result.prompt_tokens); };
  EXPECT_EQ(read(chat.send("Now?", options(1))), "brief clock user=Now?;");
  chat.add({{"role", "tool"}, {"content", "12:30"}});
  EXPECT_THAT(read(chat.reply(options(1))), testing::EndsWith("tool=12:30;"));
  EXPECT_EQ(chat.messages().size(), 4U);
  chat.reset();
  EXPECT_TRUE(chat.messages().empty());
  EXPECT_ERROR(chat.reply(), TemplateError, "expected a list of at least one message");
}

TEST_P(ChatSessionOf, LeavesTheHistoryWhenATurnFails) {
  ChatSession chat = this->chat();
  chat.send("Who is there?", options());
  const OrderedJson before = chat.messages();
  const auto throws = [](std::string_view) -> bool { throw std::runtime_error("mine"); };
  EXPECT_ERROR(chat.send("So?", options(), throws), std::runtime_error, "mine");
  EXPECT_EQ(chat.messages(), before);
  const ChatResult next = chat.send("So?", options());
  EXPECT_EQ(next.tokens, fresh(next, options()).tokens);
}

TEST_P(ChatSessionOf, EndsAtTheEndTokensOfTheTokenizerToo) {
  GenerateOptions ending = options(50);
  ending.eos_token_ids = {1023};
  ending.logit_bias = {{0, 100.0F}};  // <|endoftext|>
  ChatSession chat = this->chat();
  const ChatResult result = chat.send("Who is there?", ending);
  EXPECT_EQ(result.reason, FinishReason::eos);
  EXPECT_THAT(result.tokens, testing::ElementsAre(0U));
  EXPECT_EQ(chat.session().tokens().back(), 0U);
  const ChatResult next = chat.send("So?", options());
  EXPECT_EQ(std::ranges::count(next.prompt_tokens, 0U), 3) << "no end token is there twice";
  EXPECT_EQ(next.cached_tokens, result.prompt_tokens.size());
}

TEST_P(ChatSessionOf, ShowsThatAThoughtWasOpened) {
  ChatSession chat = this->chat("{% for m in messages %}{{ m.content }}<|endoftext|>{% endfor %}<think>\n");
  std::string shown;
  const ChatResult result = chat.send("Who is there?", options(), [&](std::string_view piece) {
    shown += piece;
    return true;
  });
  EXPECT_EQ(shown, "<think>\n" + result.text);
  EXPECT_EQ(last_content(chat), result.text);
  EXPECT_EQ(ChatSession::opened_thought("a <think>\n"), "<think>\n");
  EXPECT_EQ(ChatSession::opened_thought("a <think> b"), "");
  EXPECT_EQ(ChatSession::opened_thought(""), "");
}

}  // namespace
}  // namespace trine::test
