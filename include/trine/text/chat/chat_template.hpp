// SPDX-License-Identifier: Apache-2.0
// Chat templates: how a model wants a conversation written down.
//
// A template comes with the model, from a stranger, and so does what people say in it, from other strangers. Both are
// handled: the template runs with limits (template_budget.hpp), and the text of the conversation is marked, so that no
// control token is found in it (template_text.hpp, EncodeOptions::foreign).
#pragma once

#include <cstddef>
#include <ctime>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <trine/core/source_name.hpp>
#include <trine/json/object_reader.hpp>
#include <trine/platform/mapped_file.hpp>
#include <trine/text/jinja/engine.hpp>
#include <trine/text/tokenizer/tokenizer_config.hpp>

namespace trine::inline TRINE_ABI {

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
  std::string text;                ///< to be encoded with EncodeOptions::parse_special and `foreign`
  std::vector<ByteRange> foreign;  ///< what came from messages, tools and documents; sorted, without overlap
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
  /// Throws TemplateError when there is none or it is damaged; FileError, ConfigError.
  [[nodiscard]] static ChatTemplate load(const std::filesystem::path& model_directory,
                                         const TemplateLimits& limits = {}) {
    ChatTemplate result(read_special_tokens(model_directory));
    if (result.add_files(model_directory, limits)) return result;
    for (const char* name : {"tokenizer_config.json", "chat_template.json"}) {
      const std::filesystem::path path = model_directory / name;
      if (!exists(path)) continue;
      const Json document = read_json_file(path);
      ObjectReader reader(document, path.string());
      if (!reader.has("chat_template")) continue;
      result.add_from(reader, path.string(), limits);
      return result;
    }
    throw TemplateError(model_directory.string() +
                            ": the model has no chat template: expected chat_template.jinja, or chat_template in "
                            "tokenizer_config.json or chat_template.json",
                        {.kind = ErrorKind::not_found, .path = model_directory.string()});
  }

  /// The special tokens that the files of a model directory name. Throws FileError, ConfigError.
  [[nodiscard]] static SpecialTokens read_special_tokens(const std::filesystem::path& model_directory) {
    return trine::read_special_tokens(model_directory);
  }

  /// Reads a file that holds a template. Throws FileError, TemplateError.
  [[nodiscard]] static ChatTemplate from_file(const std::filesystem::path& path, SpecialTokens tokens = {},
                                              const TemplateLimits& limits = {}) {
    return {read_text_file(path, limits.source_bytes), path.string(), std::move(tokens), limits};
  }

  /// `name` is the place in errors. Throws TemplateError.
  ChatTemplate(std::string_view source, SourceName name, SpecialTokens tokens = {}, const TemplateLimits& limits = {})
      : ChatTemplate(std::move(tokens)) {
    templates_.emplace("default", templates::Template(source, std::move(name), limits));
  }

  /// Throws TemplateError: what the template says with raise_exception, an operation that does not fit its values,
  /// something that is not supported, or more work than the limits allow.
  [[nodiscard]] RenderedChat render(const ChatInput& input) const {
    const templates::Template& chosen = choose(!input.tools.is_null());
    templates::Template::Context context;
    try {
      if (!input.messages.is_array() || input.messages.empty())
        throw TemplateError("messages: expected a list of at least one message", {ErrorKind::out_of_range});
      if (!input.variables.is_object()) throw TemplateError("variables: expected an object", {ErrorKind::out_of_range});
      for (const auto& [name, text] : tokens_) context.emplace_back(name, templates::Value::text(text));
      context.emplace_back("messages", value_of(prepared(input.messages), templates::Origin::foreign_but_roles));
      context.emplace_back("tools", value_of(input.tools, templates::Origin::foreign));
      context.emplace_back("documents", value_of(input.documents, templates::Origin::foreign));
      context.emplace_back("add_generation_prompt", input.add_generation_prompt);
      for (const auto& [name, value] : input.variables.items())
        context.emplace_back(name, value_of(value, templates::Origin::trusted));
    } catch (const TemplateError& error) {
      throw TemplateError(chosen.name().text + ": " + error.what(), chosen.name().details("", error.kind()));
    }
    templates::Text text = chosen.render(context, input.now ? *input.now : local_time());
    return {text.bytes(), text.foreign()};
  }

 private:
  explicit ChatTemplate(SpecialTokens tokens) : tokens_(std::move(tokens)) {}

  [[nodiscard]] static bool exists(const std::filesystem::path& path) {
    std::error_code ignored;
    return std::filesystem::exists(path, ignored);
  }

  /// Files of templates; false if there are none. Of the additional ones, only those are read that `choose` takes.
  [[nodiscard]] bool add_files(const std::filesystem::path& model_directory, const TemplateLimits& limits) {
    const auto add = [&](const std::string& name, const std::filesystem::path& path) {
      if (!exists(path)) return;
      templates_.insert_or_assign(
          name, templates::Template(read_text_file(path, limits.source_bytes), path.string(), limits));
    };
    add("default", model_directory / "chat_template.jinja");
    const std::filesystem::path additional = model_directory / "additional_chat_templates";
    for (const std::string name : {"default", "tool_use"}) add(name, additional / (name + ".jinja"));
    if (!templates_.empty()) return true;
    std::error_code ignored;
    for (std::filesystem::directory_iterator file(additional, ignored), end; !ignored && file != end;
         file.increment(ignored)) {
      if (file->path().extension() == ".jinja") require_usable(additional.string());
    }
    return false;
  }

  /// One template; a list of {"name", "template"}, of which the last counts among equal names; or {name: template}.
  void add_from(ObjectReader& reader, const std::string& file, const TemplateLimits& limits) {
    const Json& value = reader.at("chat_template");
    const SourceName all_of_them(file, "chat_template", "chat_template");
    const auto add = [&](const std::string& name, const std::string& source) {
      const SourceName source_name(file, "chat_template " + in_quotes(name), "chat_template");
      templates_.insert_or_assign(name, templates::Template(source, source_name, limits));
    };
    if (value.is_array()) {
      for (std::size_t i = 0; i < value.size(); ++i) {
        ObjectReader one = reader.element("chat_template", i);
        add(one.string("name"), one.string("template"));
      }
    } else if (value.is_object()) {
      ObjectReader all = reader.object("chat_template");
      for (const auto& item : value.items()) add(item.key(), all.string(item.key()));
    } else {
      templates_.emplace("default", templates::Template(reader.string("chat_template"), all_of_them, limits));
    }
    require_usable(all_of_them);
  }

  /// There is a template that `choose` can take, if not for every conversation.
  void require_usable(const SourceName& source) const {
    if (!templates_.contains("default") && !templates_.contains("tool_use"))
      throw TemplateError(source.text + ": expected one with the name 'default', found none",
                          source.details("", ErrorKind::not_found));
  }

  [[nodiscard]] const templates::Template& choose(bool with_tools) const {
    const auto tool_use = templates_.find("tool_use");
    if (with_tools && tool_use != templates_.end()) return tool_use->second;
    const auto plain = templates_.find("default");
    if (plain == templates_.end())
      throw TemplateError("the model has a chat template for conversations with tools, expected one named 'default'",
                          {ErrorKind::not_found});
    return plain->second;
  }

  /// As transformers prepares messages: without null values, and with the reasoning of an answer under all names in
  /// use.
  [[nodiscard]] static nlohmann::ordered_json prepared(const nlohmann::ordered_json& messages) {
    auto result = nlohmann::ordered_json::array();
    for (const auto& message : messages) {
      if (!message.is_object()) throw TemplateError("messages: expected objects", {ErrorKind::out_of_range});
      auto kept = nlohmann::ordered_json::object();
      nlohmann::ordered_json reasoning = nullptr;
      for (const char* name : {"reasoning", "thinking", "reasoning_content"})  // the last one that is there counts
        if (message.contains(name) && !message[name].is_null()) reasoning = message[name];
      if (!reasoning.is_null()) kept["thinking"] = reasoning;
      for (const auto& [key, value] : message.items())
        if (!value.is_null()) kept[key] = value;
      if (!reasoning.is_null()) kept["reasoning_content"] = reasoning;
      result.push_back(std::move(kept));
    }
    return result;
  }

  [[nodiscard]] static std::tm local_time() {
    const std::time_t now = std::time(nullptr);
    std::tm result{};
    ::localtime_r(&now, &result);
    return result;
  }

  SpecialTokens tokens_;
  std::map<std::string, templates::Template, std::less<>> templates_;
};

}  // namespace trine::inline TRINE_ABI
