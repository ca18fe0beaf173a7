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

// The answer of a turn, pulled, after at most so many pieces; without its result if it is dropped.
ChatResult pull(ChatStream& stream, std::string& shown, std::size_t pieces) {
  for (; pieces > 0; --pieces) {
    const std::optional<std::string> piece = stream.next();
    if (!piece) break;
    shown += *piece;
    const std::size_t opened = piece->starts_with("<think>\n") ? 8 : 0;  // is shown, and is no part of the answer
    EXPECT_THAT(stream.result().text, testing::EndsWith(piece->substr(opened)));
  }
  return stream.take_result();
}

constexpr std::size_t kAllPieces = 1000;

void expect_same_turn(const ChatSession& pulled, const ChatSession& called) {
  EXPECT_EQ(pulled.messages(), called.messages());
  EXPECT_TRUE(std::ranges::equal(pulled.session().tokens(), called.session().tokens()));
  EXPECT_EQ(pulled.session().position(), called.session().position());
  EXPECT_EQ(pulled.statistics().turns, called.statistics().turns);
  EXPECT_EQ(pulled.statistics().prefill_tokens, called.statistics().prefill_tokens);
  EXPECT_EQ(pulled.statistics().cached_tokens, called.statistics().cached_tokens);
  EXPECT_EQ(pulled.statistics().generated_tokens, called.statistics().generated_tokens);
}

void expect_same_result(const ChatResult& pulled, const ChatResult& called) {
  EXPECT_EQ(pulled.text, called.text);
  EXPECT_EQ(pulled.tokens, called.tokens);
  EXPECT_EQ(pulled.prompt_tokens, called.prompt_tokens);
  EXPECT_EQ(pulled.reason, called.reason);
  EXPECT_EQ(pulled.cached_tokens, called.cached_tokens);
  EXPECT_EQ(pulled.prefill_tokens, called.prefill_tokens);
  EXPECT_EQ(pulled.dropped_messages, called.dropped_messages);
}

TEST_P(ChatSessionOf, IsPulledAsItIsCalledBack) {
  const char* thinking = "{% for m in messages %}{{ m.content }}<|endoftext|>{% endfor %}<think>\n";
  for (const char* chat_template : {kControl, kPlain, thinking}) {
    ChatSession pulled = this->chat(chat_template, {.system = "Speak in verse."}, {.context_length = 160});
    ChatSession called = this->chat(chat_template, {.system = "Speak in verse."}, {.context_length = 160});
    for (int turn = 0; turn < 8; ++turn) {  // the last ones drop old turns
      const std::string line = "This is question number " + std::to_string(turn) + ".";
      std::string shown_called;
      const ChatResult expected = called.send(line, options(16), [&](std::string_view piece) {
        shown_called += piece;
        return true;
      });
      std::string shown_pulled;
      ChatStream stream(pulled, line, options(16));
      expect_same_result(pull(stream, shown_pulled, kAllPieces), expected);
      EXPECT_EQ(shown_pulled, shown_called);
      expect_same_turn(pulled, called);
    }
    pulled.add({{"role", "tool"}, {"content", "12:30"}});
    called.add({{"role", "tool"}, {"content", "12:30"}});
    std::string shown;
    ChatStream stream(pulled, options());
    expect_same_result(pull(stream, shown, kAllPieces), called.reply(options()));
    expect_same_turn(pulled, called);
  }
}

TEST_P(ChatSessionOf, HasTheTurnInItsHistoryAtTheEndOfTheStream) {
  ChatSession chat = this->chat();
  ChatStream stream(chat, "Who is there?", options());
  EXPECT_EQ(chat.session().position(), 0U) << "nothing is computed yet";
  EXPECT_EQ(stream.result().reason, FinishReason::cancelled);
  std::string shown;
  while (const std::optional<std::string> piece = stream.next()) shown += *piece;
  EXPECT_EQ(stream.next(), std::nullopt);
  EXPECT_EQ(last_content(chat), shown);
  EXPECT_EQ(chat.statistics().turns, 1U);
  const std::vector<TokenId> prompt = stream.result().prompt_tokens;
  const ChatResult result = stream.take_result();
  EXPECT_EQ(result.text, shown);
  EXPECT_EQ(result.prompt_tokens, prompt) << "of the whole conversation";
  EXPECT_EQ(chat.statistics().turns, 1U) << "counted once";
  EXPECT_EQ(chat.messages().size(), 2U);
}

// However a pulled answer is broken off, the history is that of the callback that is broken off there.
TEST_P(ChatSessionOf, KeepsWhatWasSaidWhenAStreamIsDroppedOrCancelled) {
  enum class End { dropped, moved_and_dropped, taken, cancelled };
  for (const std::size_t pieces : {0U, 1U, 4U}) {
    for (const End end : {End::dropped, End::moved_and_dropped, End::taken, End::cancelled}) {
      ChatSession pulled = this->chat();
      ChatSession called = this->chat();
      pulled.send("Who is there?", options());
      called.send("Who is there?", options());
      std::stop_source stop;
      GenerateOptions how = options(500);
      how.cancel = stop.get_token();
      std::size_t left = pieces;
      std::stop_source called_stop;
      GenerateOptions called_how = options(500);
      called_how.cancel = called_stop.get_token();
      if (pieces == 0) called_stop.request_stop();
      const ChatResult expected = called.send("Speak.", called_how, [&](std::string_view) { return --left > 0; });
      {
        ChatStream stream(pulled, "Speak.", how);
        for (std::size_t i = 0; i < pieces; ++i) ASSERT_TRUE(stream.next().has_value());
        if (end == End::taken) {
          const ChatResult found = stream.take_result();
          EXPECT_EQ(found.reason, FinishReason::cancelled);
          if (pieces > 0) expect_same_result(found, expected);
        } else if (end == End::cancelled) {
          stop.request_stop();
          while (stream.next()) {
          }
          EXPECT_EQ(stream.result().reason, FinishReason::cancelled);
        } else if (end == End::moved_and_dropped) {
          const ChatStream other(std::move(stream));
          EXPECT_EQ(pulled.statistics().turns, 1U) << "not ended by the move";
        }
      }
      EXPECT_EQ(pulled.messages(), called.messages()) << pieces;
      EXPECT_EQ(pulled.messages().size(), pieces == 0 ? 2U : 4U);
      EXPECT_EQ(pulled.statistics().turns, 2U);
      EXPECT_EQ(pulled.statistics().generated_tokens, called.statistics().generated_tokens);
      const ChatResult next = pulled.send("Go on.", options());
      EXPECT_EQ(next.tokens, called.send("Go on.", options()).tokens);
      EXPECT_EQ(next.tokens, fresh(next, options()).tokens);
    }
  }
}

TEST_P(ChatSessionOf, LeavesTheHistoryWhenAStreamFails) {
  ChatSession chat = this->chat();
  chat.send("Who is there?", options());
  const OrderedJson before = chat.messages();
  GenerateOptions failing = options();
  std::size_t calls = 0;
  failing.logits_processors = {[&](std::span<float>, std::span<const TokenId>) {
    if (++calls == 3) throw std::runtime_error("mine");
  }};
  {
    ChatStream stream(chat, "So?", failing);
    const auto pull_all = [&] {
      while (stream.next()) {
      }
    };
    EXPECT_ERROR(pull_all(), std::runtime_error, "mine");
    EXPECT_EQ(stream.next(), std::nullopt);
  }
  EXPECT_EQ(chat.messages(), before);
  GenerateOptions wrong = options();
  wrong.sampling.temperature = -1.0F;
  EXPECT_ERROR(ChatStream(chat, "So?", wrong), InputError, "temperature");
  EXPECT_EQ(chat.messages(), before);
  const ChatResult next = chat.send("So?", options());
  EXPECT_EQ(next.tokens, fresh(next, options()).tokens);
}

TEST_P(ChatSessionOf, HasOneStreamAtATime) {
  ChatSession chat = this->chat();
  {
    ChatStream stream(chat, "Who is there?", options());
    ASSERT_TRUE(stream.next().has_value());
    EXPECT_ERROR(ChatStream(chat, "So?", options()), InputError, "expected the answer before to have ended");
    EXPECT_ERROR(chat.send("So?", options()), InputError, "expected the answer before to have ended");
    EXPECT_TRUE(stream.next().has_value()) << "it goes on";
  }
  EXPECT_NO_THROW(chat.send("So?", options()));
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
