// SPDX-License-Identifier: Apache-2.0
// A conversation with a model: the messages so far, and a session that has read them.
//
// Each turn renders the whole conversation by the chat template and reads only what the session does not hold yet: the
// longest common prefix of its tokens and those of the conversation stays.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <trine/generate/chat_options.hpp>
#include <trine/generate/generate.hpp>
#include <trine/text/chat/chat_template.hpp>

namespace trine::inline TRINE_ABI {

/// Movable; one thread at a time.
class ChatSession {
 public:
  ChatSession(Session session, Tokenizer tokenizer, ChatTemplate chat_template, ChatOptions options = {})
      : session_(std::move(session)),
        tokenizer_(std::move(tokenizer)),
        template_(std::move(chat_template)),
        options_(std::move(options)) {
    reset();
  }

  /// The answer to what the user says, which `on_text` gets as it is made.
  ///   cancelled        by GenerateOptions::cancel or by `on_text`: what was said of the answer stays in the history.
  ///                    If that is nothing, the user's message is taken back
  ///   context is full  the oldest turns are dropped first (ChatOptions::drop_old_turns), never the system message: see
  ///                    ChatResult::dropped_messages
  /// eos_token_ids are those of `options` and of the tokenizer: a model's own list is often that of its base, which
  /// ends texts and not turns. A thought that the template has opened for the model (opened_thought) is shown to begin
  /// there, and is no part of the answer. Throws TemplateError, CapacityError when the message alone has no room, and
  /// what generate throws; nothing was said then.
  ChatResult send(std::string_view user, const GenerateOptions& options = {}, const TextCallback& on_text = {});

  /// The same for messages that were added: results of tools, say.
  ChatResult reply(const GenerateOptions& options = {}, const TextCallback& on_text = {});

  /// Appends a message, {"role": ..., "content": ...} and what else the template knows. Computes nothing.
  void add(nlohmann::ordered_json message) { messages_.push_back(std::move(message)); }

  /// Begins a new conversation, with the system message.
  void reset() {
    forget();
    messages_ = nlohmann::ordered_json::array();
    if (!options_.system.empty()) add({{"role", "system"}, {"content", options_.system}});
  }

  /// The conversation as the model knows it: without dropped turns.
  [[nodiscard]] const nlohmann::ordered_json& messages() const noexcept { return messages_; }
  [[nodiscard]] const ChatStatistics& statistics() const noexcept { return statistics_; }
  [[nodiscard]] const Session& session() const noexcept { return session_; }
  [[nodiscard]] const Tokenizer& tokenizer() const noexcept { return tokenizer_; }

  /// Templates of models that always think end with "<think>\n"; the model then writes the thought and "</think>".
  [[nodiscard]] static std::string_view opened_thought(std::string_view prompt) {
    constexpr std::string_view kBegin = "<think>";
    const std::size_t end = prompt.find_last_not_of(" \n\r\t");
    return end != std::string_view::npos && prompt.substr(0, end + 1).ends_with(kBegin) ? "<think>\n" : "";
  }

 private:
  friend class ChatStream;

  // A conversation as the model reads it.
  struct Prompt {
    nlohmann::ordered_json messages;
    std::string text;
    std::vector<TokenId> tokens;
  };
  // A turn that either happens or leaves the history as it was.
  struct OpenTurn {
    nlohmann::ordered_json before;  // messages
    Prompt prompt;
    TextStream text;
  };

  // user: what the user says, if it is the user's turn
  [[nodiscard]] OpenTurn begin_turn(std::optional<std::string_view> user, const GenerateOptions& options) {
    if (is_answering_)
      throw InputError("chat: expected the answer before to have ended, found a ChatStream of it",
                       {ErrorKind::wrong_state});
    nlohmann::ordered_json before = messages_;
    try {
      if (user) add({{"role", "user"}, {"content", to_valid_utf8(std::string(*user))}});
      Prompt prompt = fitting_prompt(options);
      // One token at least is left to be read, for its logits.
      const auto same = std::ranges::mismatch(session_.tokens(), prompt.tokens).in2 - prompt.tokens.begin();
      const std::size_t held = std::min(static_cast<std::size_t>(same), prompt.tokens.size() - 1);
      truncate_or_postpone(session_, held);
      GenerateOptions for_turns = options;
      const std::span<const TokenId> known = tokenizer_.eos_token_ids();
      if (!for_turns.eos_token_ids.empty())
        for_turns.eos_token_ids.insert(for_turns.eos_token_ids.end(), known.begin(), known.end());
      std::vector<TokenId> rest(prompt.tokens.begin() + static_cast<std::ptrdiff_t>(held), prompt.tokens.end());
      TextStream text(session_, tokenizer_, std::move(rest), std::move(for_turns));
      is_answering_ = true;
      return {std::move(before), std::move(prompt), std::move(text)};
    } catch (...) {
      take_back(before);
      throw;
    }
  }

  [[nodiscard]] ChatResult end_turn(OpenTurn& turn) {
    ChatResult result{turn.text.take_result(), messages_.size() - turn.prompt.messages.size()};
    is_answering_ = false;
    remember(turn.prompt.text, result);
    result.prompt_tokens = std::move(turn.prompt.tokens);
    count(result);
    if (result.tokens.empty() && result.reason == FinishReason::cancelled) {
      messages_ = std::move(turn.before);
      result.dropped_messages = 0;
    } else {
      messages_ = std::move(turn.prompt.messages);
      add({{"role", "assistant"}, {"content", result.text}});
    }
    return result;
  }

  void take_back(const nlohmann::ordered_json& before) {
    is_answering_ = false;
    messages_ = before;
    forget();
  }

  /// The conversation, or its newest turns. When it leaves too little of the context for an answer, half the context is
  /// made free at once: what follows a dropped turn has to be read again, which should not happen at every turn.
  [[nodiscard]] Prompt fitting_prompt(const GenerateOptions& options) const {
    Prompt prompt = prompt_without(0);
    if (!options_.drop_old_turns) return prompt;
    const std::size_t context = session_.context_length();
    if (prompt.tokens.size() + std::min(options.max_new_tokens, context / 4) <= context) return prompt;
    // The fewest that suffice, found by halving; the newest turn stays whatever its length.
    std::size_t few = 0;
    std::size_t many = turns().size() - std::min<std::size_t>(turns().size(), 1);
    while (few < many) {
      const std::size_t middle = few + (many - few) / 2;
      if (prompt_without(middle).tokens.size() <= context / 2) {
        many = middle;
      } else {
        few = middle + 1;
      }
    }
    return prompt_without(few);
  }

  [[nodiscard]] Prompt prompt_without(std::size_t dropped_turns) const {
    Prompt prompt{messages_, {}, {}};
    if (dropped_turns > 0) {
      const auto message = [&](std::size_t i) { return prompt.messages.begin() + static_cast<std::ptrdiff_t>(i); };
      prompt.messages.erase(message(system_messages()), message(turns()[dropped_turns]));
    }
    ChatInput input;
    input.messages = prompt.messages;
    input.tools = options_.tools;
    input.variables = options_.variables;
    const RenderedChat chat = template_.render(input);
    prompt.tokens = tokens_of(chat);
    prompt.text = chat.text;
    return prompt;
  }

  [[nodiscard]] bool has_role(std::size_t message, std::string_view role) const {
    const auto& one = messages_[message];
    return one.is_object() && one.contains("role") && one["role"] == role;
  }
  // How many messages the conversation begins with that are not dropped.
  [[nodiscard]] std::size_t system_messages() const {
    std::size_t count = 0;
    while (count < messages_.size() && (has_role(count, "system") || has_role(count, "developer"))) ++count;
    return count;
  }
  // The first message of each turn: those of the user, but one that follows another.
  [[nodiscard]] std::vector<std::size_t> turns() const {
    std::vector<std::size_t> result;
    for (std::size_t i = 0; i < messages_.size(); ++i)
      if (has_role(i, "user") && (i == 0 || !has_role(i - 1, "user"))) result.push_back(i);
    return result;
  }

  /// The tokens of a conversation. An answer may have been made of other tokens than its text is encoded to. If a
  /// control token follows, that does not matter: what comes after it is encoded the same.
  [[nodiscard]] std::vector<TokenId> tokens_of(const RenderedChat& chat) const {
    if (!known_text_.empty() && chat.text.size() > known_text_.size() && chat.text.starts_with(known_text_)) {
      std::vector<TokenId> rest = encode(chat, known_text_.size());
      if (tokenizer_.is_special(rest.front())) {
        const std::span<const TokenId> known = session_.tokens().first(known_tokens_);
        rest.insert(rest.begin(), known.begin(), known.end());
        return rest;
      }
    }
    return encode(chat, 0);
  }

  /// The tokens of the text from byte `begin` on. Control tokens come from the template alone: in what people and the
  /// model said, their names are text.
  [[nodiscard]] std::vector<TokenId> encode(const RenderedChat& chat, std::size_t begin) const {
    const std::vector<ByteRange> foreign = within({begin, chat.text.size()}, chat.foreign);
    EncodeOptions options;
    options.add_special_tokens = false;  // the template writes them
    options.parse_special = true;
    options.foreign = foreign;
    return tokenizer_.encode(std::string_view(chat.text).substr(begin), options);
  }

  /// The session's tokens are those of the text if none was left out of it, but EOS, which the template writes again.
  void remember(const std::string& prompt, const GenerateResult& result) {
    const std::size_t eos = result.reason == FinishReason::eos ? 1 : 0;
    const auto shown = std::span(result.tokens).first(result.tokens.size() - eos);
    const bool all_shown = result.reason != FinishReason::stop_string && !result.tokens.empty() &&
                           std::ranges::none_of(shown, [&](TokenId id) { return tokenizer_.is_special(id); });
    known_text_ = all_shown ? prompt + result.text : "";
    known_tokens_ = session_.tokens().size() - eos;
  }

  void forget() {
    session_.reset();
    known_text_.clear();
  }

  void count(const GenerateResult& result) {
    ++statistics_.turns;
    statistics_.prefill_tokens += result.prefill_tokens;
    statistics_.cached_tokens += result.cached_tokens;
    statistics_.generated_tokens += result.tokens.size();
    statistics_.prefill_seconds += result.prefill_seconds;
    statistics_.decode_seconds += result.decode_seconds;
  }

  Session session_;
  Tokenizer tokenizer_;
  ChatTemplate template_;
  ChatOptions options_;
  nlohmann::ordered_json messages_;
  ChatStatistics statistics_;
  std::string known_text_;  // what the first known_tokens_ of the session are tokens of; empty: not known
  std::size_t known_tokens_ = 0;
  bool is_answering_ = false;  // a ChatStream has not ended
};

/// One answer of a chat, of which the program takes the next piece of text when it likes, as from a TextStream:
///   ChatStream stream(chat, "Who is there?");
///   while (const auto piece = stream.next()) std::cout << *piece;
///
/// The turn is part of the history as soon as next() has returned nullopt. A stream that is destroyed before is
/// cancelled: what was said of the answer stays in the history, as ChatSession::send says. After an exception nothing
/// was said.
///
/// Borrows the chat, which the program leaves alone, and where it is, until the end.
class ChatStream {
 public:
  /// The answer to what the user says. Computes nothing yet. Throws what ChatSession::send throws before the model
  /// reads; InputError while another stream of the chat has not ended.
  ChatStream(ChatSession& chat, std::string_view user, const GenerateOptions& options = {})
      : chat_(&chat), turn_(chat.begin_turn(user, options)) {}
  /// The same for messages that were added, as ChatSession::reply.
  explicit ChatStream(ChatSession& chat, const GenerateOptions& options = {})
      : chat_(&chat), turn_(chat.begin_turn(std::nullopt, options)) {}

  ChatStream(ChatStream&& other) noexcept
      : chat_(std::exchange(other.chat_, nullptr)),
        turn_(std::move(other.turn_)),
        opened_(std::move(other.opened_)),
        result_(std::move(other.result_)) {}
  ChatStream(const ChatStream&) = delete;
  ChatStream& operator=(const ChatStream&) = delete;
  ~ChatStream() {
    try {
      end();
    } catch (...) {  // out of memory: end() has taken the turn back
    }
  }

  /// The next piece of text, as TextStream::next, and its exceptions; nullopt at the end.
  [[nodiscard]] std::optional<std::string> next() {
    if (chat_ == nullptr) return std::nullopt;
    try {
      std::optional<std::string> piece = turn_.text.next();
      if (piece) return opened_.empty() ? piece : std::exchange(opened_, "") + *piece;
    } catch (...) {
      take_back();
      throw;
    }
    end();
    return std::nullopt;
  }

  /// So far; complete, with the tokens of the whole conversation as its prompt, when next() has returned nullopt.
  [[nodiscard]] const GenerateResult& result() const noexcept {
    return chat_ != nullptr ? turn_.text.result() : result_;
  }

  /// Ends the answer, if it has not ended (reason `cancelled`). What next() had not returned is in the text.
  [[nodiscard]] ChatResult take_result() {
    end();
    return std::move(result_);
  }

 private:
  friend class ChatSession;

  void end() {
    if (chat_ == nullptr) return;
    try {
      result_ = chat_->end_turn(turn_);
      chat_ = nullptr;
    } catch (...) {
      take_back();
      throw;
    }
  }
  // As if nothing had been said.
  void take_back() { std::exchange(chat_, nullptr)->take_back(turn_.before); }

  // All of it, to a callback.
  ChatResult show(const TextCallback& on_text) {
    try {
      while (const std::optional<std::string> piece = next())
        if (on_text && !on_text(*piece)) break;
    } catch (...) {  // of the callback
      if (chat_ != nullptr) take_back();
      throw;
    }
    return take_result();
  }

  ChatSession* chat_;  // null when the turn has ended
  ChatSession::OpenTurn turn_;
  std::string opened_{ChatSession::opened_thought(turn_.prompt.text)};  // until it is shown
  ChatResult result_;
};

inline ChatResult ChatSession::send(std::string_view user, const GenerateOptions& options,
                                    const TextCallback& on_text) {
  return ChatStream(*this, user, options).show(on_text);
}
inline ChatResult ChatSession::reply(const GenerateOptions& options, const TextCallback& on_text) {
  return ChatStream(*this, options).show(on_text);
}

}  // namespace trine::inline TRINE_ABI
