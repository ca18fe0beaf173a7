// SPDX-License-Identifier: Apache-2.0
// A conversation with a model: the messages so far, and a session that has read them.
//
// Each turn renders the whole conversation by the chat template and reads only what the session does not hold yet: the
// longest common prefix of its tokens and those of the conversation stays.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <trine/generate/chat_options.hpp>
#include <trine/generate/generate.hpp>
#include <trine/generate/text_stream.hpp>
#include <trine/text/chat/chat_template.hpp>

namespace trine::inline TRINE_ABI {

/// A conversation: sends what the user says, gives what the model answers. Movable; one thread at a time.
class ChatSession {
 public:
  /// Begins a conversation, with the system message of `options`. What `session` holds already is discarded when the
  /// first turn reads something else. Computes nothing.
  ChatSession(Session session, Tokenizer tokenizer, ChatTemplate chat_template, ChatOptions options = {});

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
  void reset();

  /// The conversation as the model knows it: without dropped turns.
  [[nodiscard]] const nlohmann::ordered_json& messages() const noexcept { return messages_; }
  /// Sums over all turns so far.
  [[nodiscard]] const ChatStatistics& statistics() const noexcept { return statistics_; }
  /// What was read and answered so far.
  [[nodiscard]] const Session& session() const noexcept { return session_; }
  /// Encodes the conversation and decodes the answers.
  [[nodiscard]] const Tokenizer& tokenizer() const noexcept { return tokenizer_; }

  /// Templates of models that always think end with "<think>\n"; the model then writes the thought and "</think>".
  [[nodiscard]] static std::string_view opened_thought(std::string_view prompt);

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
  [[nodiscard]] OpenTurn begin_turn(std::optional<std::string_view> user, const GenerateOptions& options);
  [[nodiscard]] ChatResult end_turn(OpenTurn& turn);
  void take_back(const nlohmann::ordered_json& before);

  /// The conversation, or its newest turns. When it leaves too little of the context for an answer, half the context is
  /// made free at once: what follows a dropped turn has to be read again, which should not happen at every turn.
  [[nodiscard]] Prompt fitting_prompt(const GenerateOptions& options) const;

  [[nodiscard]] Prompt prompt_without(std::size_t dropped_turns) const;

  [[nodiscard]] bool has_role(std::size_t message, std::string_view role) const;
  // How many messages the conversation begins with that are not dropped.
  [[nodiscard]] std::size_t system_messages() const;
  // The first message of each turn: those of the user, but one that follows another.
  [[nodiscard]] std::vector<std::size_t> turns() const;

  /// The tokens of a conversation. An answer may have been made of other tokens than its text is encoded to. If a
  /// control token follows, that does not matter: what comes after it is encoded the same.
  [[nodiscard]] std::vector<TokenId> tokens_of(const RenderedChat& chat) const;

  /// The tokens of the text from byte `begin` on. Control tokens come from the template alone: in what people and the
  /// model said, their names are text.
  [[nodiscard]] std::vector<TokenId> encode(const RenderedChat& chat, std::size_t begin) const;

  /// The session's tokens are those of the text if none was left out of it, but EOS, which the template writes again.
  void remember(const std::string& prompt, const GenerateResult& result);

  void forget();

  void count(const GenerateResult& result);

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
  ChatStream(ChatSession& chat, std::string_view user, const GenerateOptions& options = {});
  /// The same for messages that were added, as ChatSession::reply.
  explicit ChatStream(ChatSession& chat, const GenerateOptions& options = {});

  /// Continues the answer of the other one, which has then ended.
  ChatStream(ChatStream&& other) noexcept;
  ChatStream(const ChatStream&) = delete;
  ChatStream& operator=(const ChatStream&) = delete;
  ~ChatStream();

  /// The next piece of text, as TextStream::next, and its exceptions; nullopt at the end.
  [[nodiscard]] std::optional<std::string> next();

  /// So far; complete, with the tokens of the whole conversation as its prompt, when next() has returned nullopt.
  [[nodiscard]] const GenerateResult& result() const noexcept;

  /// Ends the answer, if it has not ended (reason `cancelled`). What next() had not returned is in the text.
  [[nodiscard]] ChatResult take_result();

 private:
  friend class ChatSession;

  void end();
  // As if nothing had been said.
  void take_back();

  // All of it, to a callback.
  ChatResult show(const TextCallback& on_text);

  ChatSession* chat_;  // null when the turn has ended
  ChatSession::OpenTurn turn_;
  std::string opened_{ChatSession::opened_thought(turn_.prompt.text)};  // until it is shown
  ChatResult result_;
};

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/generate/chat_session.inl>
#endif
