// SPDX-License-Identifier: Apache-2.0
// The definitions of generate/chat_session.hpp.
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

#include <trine/core/error.hpp>
#include <trine/generate/chat_session.hpp>
#include <trine/generate/generate.hpp>
#include <trine/generate/text_stream.hpp>
#include <trine/text/chat/chat_template.hpp>
#include <trine/text/unicode/utf8.hpp>

namespace trine::inline TRINE_ABI {

TRINE_DECL ChatSession::ChatSession(Session session, Tokenizer tokenizer, ChatTemplate chat_template,
                                    ChatOptions options)
    : session_(std::move(session)),
      tokenizer_(std::move(tokenizer)),
      template_(std::move(chat_template)),
      options_(std::move(options)) {
  reset();
}

TRINE_DECL ChatResult ChatSession::send(std::string_view user, const GenerateOptions& options,
                                        const TextCallback& on_text) {
  return ChatStream(*this, user, options).show(on_text);
}

TRINE_DECL ChatResult ChatSession::reply(const GenerateOptions& options, const TextCallback& on_text) {
  return ChatStream(*this, options).show(on_text);
}

TRINE_DECL void ChatSession::reset() {
  forget();
  messages_ = nlohmann::ordered_json::array();
  if (!options_.system.empty()) add({{"role", "system"}, {"content", options_.system}});
}

TRINE_DECL std::string_view ChatSession::opened_thought(std::string_view prompt) {
  constexpr std::string_view kBegin = "<think>";
  const std::size_t end = prompt.find_last_not_of(" \n\r\t");
  return end != std::string_view::npos && prompt.substr(0, end + 1).ends_with(kBegin) ? "<think>\n" : "";
}

TRINE_DECL ChatSession::OpenTurn ChatSession::begin_turn(std::optional<std::string_view> user,
                                                         const GenerateOptions& options) {
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

TRINE_DECL ChatResult ChatSession::end_turn(OpenTurn& turn) {
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

TRINE_DECL void ChatSession::take_back(const nlohmann::ordered_json& before) {
  is_answering_ = false;
  messages_ = before;
  forget();
}

TRINE_DECL ChatSession::Prompt ChatSession::fitting_prompt(const GenerateOptions& options) const {
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

TRINE_DECL ChatSession::Prompt ChatSession::prompt_without(std::size_t dropped_turns) const {
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

TRINE_DECL bool ChatSession::has_role(std::size_t message, std::string_view role) const {
  const auto& one = messages_[message];
  return one.is_object() && one.contains("role") && one["role"] == role;
}

TRINE_DECL std::size_t ChatSession::system_messages() const {
  std::size_t count = 0;
  while (count < messages_.size() && (has_role(count, "system") || has_role(count, "developer"))) ++count;
  return count;
}

TRINE_DECL std::vector<std::size_t> ChatSession::turns() const {
  std::vector<std::size_t> result;
  for (std::size_t i = 0; i < messages_.size(); ++i)
    if (has_role(i, "user") && (i == 0 || !has_role(i - 1, "user"))) result.push_back(i);
  return result;
}

TRINE_DECL std::vector<TokenId> ChatSession::tokens_of(const RenderedChat& chat) const {
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

TRINE_DECL std::vector<TokenId> ChatSession::encode(const RenderedChat& chat, std::size_t begin) const {
  const std::vector<ByteRange> untrusted = within({begin, chat.text.size()}, chat.untrusted);
  EncodeOptions options;
  options.add_special_tokens = false;  // the template writes them
  options.parse_special = true;
  options.untrusted = untrusted;
  return tokenizer_.encode(std::string_view(chat.text).substr(begin), options);
}

TRINE_DECL void ChatSession::remember(const std::string& prompt, const GenerateResult& result) {
  const std::size_t eos = result.reason == FinishReason::eos ? 1 : 0;
  const auto shown = std::span(result.tokens).first(result.tokens.size() - eos);
  const bool all_shown = result.reason != FinishReason::stop_string && !result.tokens.empty() &&
                         std::ranges::none_of(shown, [&](TokenId id) { return tokenizer_.is_special(id); });
  known_text_ = all_shown ? prompt + result.text : "";
  known_tokens_ = session_.tokens().size() - eos;
}

TRINE_DECL void ChatSession::forget() {
  session_.reset();
  known_text_.clear();
}

TRINE_DECL void ChatSession::count(const GenerateResult& result) {
  ++statistics_.turns;
  statistics_.prefill_tokens += result.prefill_tokens;
  statistics_.cached_tokens += result.cached_tokens;
  statistics_.generated_tokens += result.tokens.size();
  statistics_.prefill_seconds += result.prefill_seconds;
  statistics_.decode_seconds += result.decode_seconds;
}

TRINE_DECL ChatStream::ChatStream(ChatSession& chat, std::string_view user, const GenerateOptions& options)
    : chat_(&chat), turn_(chat.begin_turn(user, options)) {}

TRINE_DECL ChatStream::ChatStream(ChatSession& chat, const GenerateOptions& options)
    : chat_(&chat), turn_(chat.begin_turn(std::nullopt, options)) {}

TRINE_DECL ChatStream::ChatStream(ChatStream&& other) noexcept
    : chat_(std::exchange(other.chat_, nullptr)),
      turn_(std::move(other.turn_)),
      opened_(std::move(other.opened_)),
      result_(std::move(other.result_)) {}

TRINE_DECL ChatStream::~ChatStream() {
  try {
    end();
  } catch (...) {  // out of memory: end() has taken the turn back
  }
}

TRINE_DECL std::optional<std::string> ChatStream::next() {
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

TRINE_DECL const GenerateResult& ChatStream::result() const noexcept {
  return chat_ != nullptr ? turn_.text.result() : result_;
}

TRINE_DECL ChatResult ChatStream::take_result() {
  end();
  return std::move(result_);
}

TRINE_DECL void ChatStream::end() {
  if (chat_ == nullptr) return;
  try {
    result_ = chat_->end_turn(turn_);
    chat_ = nullptr;
  } catch (...) {
    take_back();
    throw;
  }
}

TRINE_DECL void ChatStream::take_back() { std::exchange(chat_, nullptr)->take_back(turn_.before); }

TRINE_DECL ChatResult ChatStream::show(const TextCallback& on_text) {
  try {
    while (const std::optional<std::string> piece = next())
      if (on_text && !on_text(*piece)) break;
  } catch (...) {  // of the callback
    if (chat_ != nullptr) take_back();
    throw;
  }
  return take_result();
}

}  // namespace trine::inline TRINE_ABI
