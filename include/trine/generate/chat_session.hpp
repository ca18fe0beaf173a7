// SPDX-License-Identifier: Apache-2.0
// A conversation with a model: the messages so far, and a session that has read them.
//
// Each turn renders the whole conversation by the chat template and reads only what the session does not hold yet: the
// longest common prefix of its tokens and those of the conversation stays.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <trine/generate/generate.hpp>
#include <trine/text/chat/chat_template.hpp>

namespace trine::inline TRINE_ABI {

/// How a conversation begins, and what happens when it becomes too long.
struct ChatOptions {
  std::string system = {};                                              ///< a system message to begin with; empty: none
  nlohmann::ordered_json tools = nullptr;                               ///< for the template: see ChatInput
  nlohmann::ordered_json variables = nlohmann::ordered_json::object();  ///< for the template: see ChatInput
  bool drop_old_turns = true;  ///< when the context has no room for all; otherwise that is a CapacityError
};

/// What one turn made: `prompt_tokens` are those of the whole conversation, of which `cached_tokens` had been computed
/// before.
struct ChatResult : GenerateResult {
  std::size_t dropped_messages = 0;  ///< the oldest ones, which had no room: the model has forgotten them
};

/// Sums over the turns of a conversation, also over those before a reset.
struct ChatStatistics {
  std::size_t turns = 0;             ///< calls of send() and reply() that ended without an exception
  std::size_t prefill_tokens = 0;    ///< computed to read what people said
  std::size_t cached_tokens = 0;     ///< that did not have to be computed again
  std::size_t generated_tokens = 0;  ///< of answers
  double prefill_seconds = 0.0;      ///< wall-clock time of reading
  double decode_seconds = 0.0;       ///< wall-clock time of generating

  /// Computed tokens per second of reading; without those that were cached.
  [[nodiscard]] double prefill_tokens_per_second() const { return per_second(prefill_tokens, prefill_seconds); }
  /// Generated tokens per second.
  [[nodiscard]] double decode_tokens_per_second() const { return per_second(generated_tokens, decode_seconds); }

 private:
  [[nodiscard]] static double per_second(std::size_t tokens, double seconds) {
    return static_cast<double>(tokens) / std::max(seconds, 1e-9);
  }
};

/// A conversation: sends what the user says, gives what the model answers. Movable; one thread at a time.
class ChatSession {
 public:
  /// Begins a conversation, with the system message of `options`. What `session` holds already is discarded when the
  /// first turn reads something else. Computes nothing.
  ChatSession(Session session, Tokenizer tokenizer, ChatTemplate chat_template, ChatOptions options = {})
      : session_(std::move(session)),
        tokenizer_(std::move(tokenizer)),
        template_(std::move(chat_template)),
        options_(std::move(options)) {
    reset();
  }

  /// The answer to what the user says, which `on_text` gets as it is made.
  ///   cancelled        by GenerateOptions::cancel or by `on_text`: what was said of the answer stays in the history;
  ///   if
  ///                    that is nothing, the user's message is taken back
  ///   context is full  the oldest turns are dropped first (ChatOptions::drop_old_turns), never the system message: see
  ///                    ChatResult::dropped_messages
  /// eos_token_ids are those of `options` and of the tokenizer: a model's own list is often that of its base, which
  /// ends texts and not turns. A thought that the template has opened for the model (opened_thought) is shown to begin
  /// there, and is no part of the answer. Throws TemplateError, CapacityError when the message alone has no room, and
  /// what generate throws; nothing was said then.
  ChatResult send(std::string_view user, const GenerateOptions& options = {}, const TextCallback& on_text = {}) {
    return transact(options, on_text, [&] { add({{"role", "user"}, {"content", to_valid_utf8(std::string(user))}}); });
  }

  /// The same for messages that were added: results of tools, say.
  ChatResult reply(const GenerateOptions& options = {}, const TextCallback& on_text = {}) {
    return transact(options, on_text, [] {});
  }

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
  /// Sums over all turns so far.
  [[nodiscard]] const ChatStatistics& statistics() const noexcept { return statistics_; }
  /// What was read and answered so far.
  [[nodiscard]] const Session& session() const noexcept { return session_; }
  /// Encodes the conversation and decodes the answers.
  [[nodiscard]] const Tokenizer& tokenizer() const noexcept { return tokenizer_; }

  /// Templates of models that always think end with "<think>\n"; the model then writes the thought and "</think>".
  [[nodiscard]] static std::string_view opened_thought(std::string_view prompt) {
    constexpr std::string_view kBegin = "<think>";
    const std::size_t end = prompt.find_last_not_of(" \n\r\t");
    return end != std::string_view::npos && prompt.substr(0, end + 1).ends_with(kBegin) ? "<think>\n" : "";
  }

 private:
  // A conversation as the model reads it.
  struct Prompt {
    nlohmann::ordered_json messages;
    std::string text;
    std::vector<TokenId> tokens;
  };

  // A turn that either happens or leaves the history as it was.
  template <class Begin>
  ChatResult transact(const GenerateOptions& options, const TextCallback& on_text, const Begin& begin) {
    const nlohmann::ordered_json before = messages_;
    try {
      begin();
      ChatResult result = answer(options, on_text);
      if (result.tokens.empty() && result.reason == FinishReason::cancelled) {
        messages_ = before;
        result.dropped_messages = 0;
      }
      return result;
    } catch (...) {
      messages_ = before;
      forget();
      throw;
    }
  }

  ChatResult answer(const GenerateOptions& options, const TextCallback& on_text) {
    Prompt prompt = fitting_prompt(options);
    // One token at least is left to be read, for its logits.
    const auto same = std::ranges::mismatch(session_.tokens(), prompt.tokens).in2 - prompt.tokens.begin();
    const std::size_t held = std::min(static_cast<std::size_t>(same), prompt.tokens.size() - 1);
    truncate_or_postpone(session_, held);

    std::string opened(opened_thought(prompt.text));
    const auto show = [&](std::string_view piece) {
      if (!on_text) return true;
      if (opened.empty()) return on_text(piece);
      return on_text(std::exchange(opened, "") + std::string(piece));
    };
    GenerateOptions for_turns = options;
    const std::span<const TokenId> known = tokenizer_.eos_token_ids();
    if (!for_turns.eos_token_ids.empty())
      for_turns.eos_token_ids.insert(for_turns.eos_token_ids.end(), known.begin(), known.end());
    ChatResult result{
        generate_from_tokens(session_, tokenizer_,
                             {prompt.tokens.begin() + static_cast<std::ptrdiff_t>(held), prompt.tokens.end()},
                             for_turns, show),
        messages_.size() - prompt.messages.size()};
    remember(prompt.text, result);
    result.prompt_tokens = std::move(prompt.tokens);
    messages_ = std::move(prompt.messages);
    add({{"role", "assistant"}, {"content", result.text}});
    count(result);
    return result;
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
};

}  // namespace trine::inline TRINE_ABI
