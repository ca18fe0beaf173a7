// SPDX-License-Identifier: Apache-2.0
// Chat templates: how a model wants a conversation written down.
//
// Templates and conversations are untrusted: a template runs with limits (jinja/budget.hpp), and the text of the
// conversation is marked, so that no control token is found in it (jinja/text.hpp, EncodeOptions::untrusted).
#pragma once

#include <ctime>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include <trine/core/source_name.hpp>
#include <trine/text/jinja/limits.hpp>
#include <trine/text/tokenizer/byte_range.hpp>
#include <trine/text/tokenizer/tokenizer_config.hpp>

namespace trine::inline TRINE_ABI {

class ObjectReader;  // json/object_reader.hpp

namespace templates {
class Template;  // text/jinja/engine.hpp
}

/// What a chat template is given: the arguments of `apply_chat_template` of Hugging Face transformers.
struct ChatInput {
  /// [{"role": "user", "content": "..."}, ...]; values of null are left out.
  nlohmann::ordered_json messages = nlohmann::ordered_json::array();
  /// JSON schemas of functions, in a list; null: none.
  nlohmann::ordered_json tools = nullptr;
  /// Texts for answers with sources, [{"title": ..., "text": ...}, ...]; null: none.
  nlohmann::ordered_json documents = nullptr;
  /// End with what begins an answer.
  bool add_generation_prompt = true;
  /// Further variables that a template may know, such as {"enable_thinking": false}; trusted.
  nlohmann::ordered_json variables = nlohmann::ordered_json::object();
  /// What strftime_now shows; none: the local time.
  std::optional<std::tm> now = {};
};

/// A conversation as a model reads it.
struct RenderedChat {
  std::string text;                  ///< to be encoded with EncodeOptions::parse_special and `untrusted`
  std::vector<ByteRange> untrusted;  ///< what came from messages, tools and documents; sorted, without overlap
};

/// How one model wants conversations written down. A value: copies share the parsed templates. Const and thread-safe.
class ChatTemplate {
 public:
  /// Special tokens of a tokenizer by the names that templates use: {"bos_token", "<s>"}.
  using SpecialTokens = trine::SpecialTokens;

  /// Reads the templates of a model directory, where transformers looks for them, from the first of these that has any:
  ///   chat_template.jinja (`default`) and additional_chat_templates/NAME.jinja
  ///   "chat_template" in tokenizer_config.json: one, or several by name
  ///   "chat_template" in chat_template.json, the file of older processors
  /// or those in the metadata of a GGUF file, "tokenizer.chat_template" and "tokenizer.chat_template.NAME".
  /// Throws TemplateError when there is none or it is damaged; FileError, ConfigError.
  [[nodiscard]] static ChatTemplate load(const std::filesystem::path& model_directory,
                                         const TemplateLimits& limits = {});

  /// The special tokens that the files of a model directory, or a GGUF file, name. Throws FileError, ConfigError.
  [[nodiscard]] static SpecialTokens read_special_tokens(const std::filesystem::path& model_directory);

  /// Reads a file that holds a template. Throws FileError, TemplateError.
  [[nodiscard]] static ChatTemplate from_file(const std::filesystem::path& path, SpecialTokens tokens = {},
                                              const TemplateLimits& limits = {});

  /// `name` is the place in errors. Throws TemplateError.
  ChatTemplate(std::string_view source, SourceName name, SpecialTokens tokens = {}, const TemplateLimits& limits = {});

  /// Throws TemplateError: what the template says with raise_exception, an operation that does not fit its values,
  /// something that is not supported, or more work than the limits allow.
  [[nodiscard]] RenderedChat render(const ChatInput& input) const;

 private:
  struct Templates;

  explicit ChatTemplate(SpecialTokens tokens);

  [[nodiscard]] static bool exists(const std::filesystem::path& path);

  /// Files of templates; false if there are none. Of the additional ones, only those are read that `choose` takes.
  [[nodiscard]] bool add_files(const std::filesystem::path& model_directory, const TemplateLimits& limits);

  /// One template; a list of {"name", "template"}, of which the last counts among equal names; or {name: template}.
  void add_from(ObjectReader& reader, const std::string& file, const TemplateLimits& limits);

  /// There is a template that `choose` can take, if not for every conversation.
  void require_usable(const SourceName& source) const;

  [[nodiscard]] const templates::Template& choose(bool with_tools) const;

  /// As transformers prepares messages: without null values, and with the reasoning of an answer under all names in
  /// use.
  [[nodiscard]] static nlohmann::ordered_json prepared(const nlohmann::ordered_json& messages);

  [[nodiscard]] static std::tm local_time();

  SpecialTokens tokens_;
  std::shared_ptr<Templates> templates_;  // by name; not changed after construction
};

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/text/chat/chat_template.inl>
#endif
