// SPDX-License-Identifier: Apache-2.0
// A conversation with a model: the messages so far, and a session that has read them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <trine/generate/generate.hpp>
#include <trine/text/chat_template.hpp>

namespace example {

class Conversation {
 public:
  /// `system` is a system message to begin with; empty: none. `variables` are for the template.
  Conversation(trine::Session session, trine::Tokenizer tokenizer, trine::ChatTemplate chat_template,
               std::string system, nlohmann::ordered_json variables)
      : session_(std::move(session)),
        tokenizer_(std::move(tokenizer)),
        template_(std::move(chat_template)),
        system_(std::move(system)),
        variables_(std::move(variables)) {
    reset();
  }

  /// Begins anew.
  void reset() {
    forget();
    messages_ = nlohmann::ordered_json::array();
    if (!system_.empty()) messages_.push_back({{"role", "system"}, {"content", system_}});
  }

  /// The answer to what the user says, which `on_text` gets as it is made. When this throws, nothing was said. A
  /// thought that the template has opened for the model (opened_thought) is shown to begin there, and is no part of the
  /// answer.
  trine::GenerateResult answer(const std::string& user, const trine::GenerateOptions& options,
                               const trine::TextCallback& on_text) {
    messages_.push_back({{"role", "user"}, {"content", trine::to_valid_utf8(user)}});
    try {
      const trine::RenderedChat chat = rendered();
      std::vector<trine::TokenId> unread = unread_tokens(chat);
      const std::vector<trine::TokenId> before = read_;
      std::string opened(opened_thought(chat.text));
      const auto show = [&](std::string_view piece) {
        if (opened.empty()) return on_text(piece);
        const std::string both = std::exchange(opened, "") + std::string(piece);
        return on_text(both);
      };
      trine::GenerateResult result =
          trine::generate_from_tokens(session_, tokenizer_, std::move(unread), options, show, before);
      remember(chat.text, result);
      messages_.push_back({{"role", "assistant"}, {"content", result.text}});
      return result;
    } catch (...) {
      messages_.erase(messages_.size() - 1);
      forget();
      throw;
    }
  }

  [[nodiscard]] const trine::Session& session() const { return session_; }
  [[nodiscard]] const trine::Tokenizer& tokenizer() const { return tokenizer_; }

  /// Templates of models that always think end with "<think>\n"; the model then writes the thought and "</think>".
  [[nodiscard]] static std::string_view opened_thought(std::string_view prompt) {
    constexpr std::string_view kBegin = "<think>";
    const std::size_t end = prompt.find_last_not_of(" \n\r\t");
    return end != std::string_view::npos && prompt.substr(0, end + 1).ends_with(kBegin) ? "<think>\n" : "";
  }

 private:
  [[nodiscard]] trine::RenderedChat rendered() const {
    trine::ChatInput input;
    input.messages = messages_;
    input.variables = variables_;
    return template_.render(input);
  }

  /// The tokens of the text from byte `begin` on. Control tokens come from the template alone: in what people and the
  /// model said, their names are text.
  [[nodiscard]] std::vector<trine::TokenId> encode(const trine::RenderedChat& chat, std::size_t begin) const {
    const std::vector<trine::ByteRange> foreign = trine::within({begin, chat.text.size()}, chat.foreign);
    trine::EncodeOptions options;
    options.add_special_tokens = false;  // the template writes them
    options.parse_special = true;
    options.foreign = foreign;
    return tokenizer_.encode(std::string_view(chat.text).substr(begin), options);
  }

  /// What the session has not read of a conversation. When it no longer begins with what the session has read, for
  /// instance because the template drops thoughts of earlier answers, that is all.
  [[nodiscard]] std::vector<trine::TokenId> unread_tokens(const trine::RenderedChat& chat) {
    // An answer may have been made of other tokens than its text is encoded to. If a control token follows, that does
    // not matter: what is behind it is encoded the same.
    if (!known_text_.empty() && chat.text.size() > known_text_.size() && chat.text.starts_with(known_text_)) {
      std::vector<trine::TokenId> tokens = encode(chat, known_text_.size());
      if (tokenizer_.is_special(tokens.front())) {
        tokens.insert(tokens.begin(), made_.begin(), made_.end());
        return tokens;
      }
    }
    std::vector<trine::TokenId> tokens = encode(chat, 0);
    if (read_.size() < tokens.size() && std::equal(read_.begin(), read_.end(), tokens.begin())) {
      tokens.erase(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(read_.size()));
    } else {
      forget();
    }
    return tokens;
  }

  /// What the session knows now: not the last token of the answer.
  void remember(const std::string& prompt, const trine::GenerateResult& result) {
    read_.insert(read_.end(), result.prompt_tokens.begin(), result.prompt_tokens.end());
    read_.insert(read_.end(), result.tokens.begin(), result.tokens.end());
    made_.assign(read_.begin() + static_cast<std::ptrdiff_t>(session_.position()), read_.end());
    read_.resize(session_.position());
    // The tokens are those of the text if none was left out of it, but an end token, which the template writes again.
    const auto is_special = [&](trine::TokenId id) { return tokenizer_.is_special(id); };
    if (result.reason == trine::FinishReason::eos) made_.clear();
    const std::size_t shown = result.tokens.size() - (result.reason == trine::FinishReason::eos ? 1 : 0);
    const bool all_shown =
        result.reason != trine::FinishReason::stop_string &&
        std::none_of(result.tokens.begin(), result.tokens.begin() + static_cast<std::ptrdiff_t>(shown), is_special);
    known_text_ = all_shown ? prompt + result.text : "";
  }

  void forget() {
    session_.reset();
    read_.clear();
    made_.clear();
    known_text_.clear();
  }

  trine::Session session_;
  trine::Tokenizer tokenizer_;
  trine::ChatTemplate template_;
  std::string system_;
  nlohmann::ordered_json variables_;
  nlohmann::ordered_json messages_;
  std::vector<trine::TokenId> read_;  // by the session
  std::vector<trine::TokenId> made_;  // the end of the last answer, which the session has not read
  std::string known_text_;            // what read_ and made_ are tokens of; empty when that cannot be said
};

}  // namespace example
