// SPDX-License-Identifier: Apache-2.0
// The definitions of text/chat/chat_template.hpp.
#pragma once

#include <cstddef>
#include <ctime>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <nlohmann/json.hpp>

#include <trine/core/error.hpp>
#include <trine/core/source_name.hpp>
#include <trine/json/object_reader.hpp>
#include <trine/platform/mapped_file.hpp>
#include <trine/text/chat/chat_template.hpp>
#include <trine/text/jinja/engine.hpp>
#include <trine/text/tokenizer/gguf_tokenizer.hpp>
#include <trine/text/tokenizer/tokenizer_config.hpp>
#include <trine/weights/gguf.hpp>

namespace trine::inline TRINE_ABI {

struct ChatTemplate::Templates {
  std::map<std::string, templates::Template, std::less<>> by_name;
};

TRINE_DECL ChatTemplate ChatTemplate::load(const std::filesystem::path& model_directory, const TemplateLimits& limits) {
  if (is_gguf(model_directory)) {
    const GgufFile file(model_directory);
    ChatTemplate result(gguf_special_tokens(file.metadata()));
    const Json document = {{"chat_template", gguf_chat_template(file.metadata())}};
    ObjectReader reader(document, SourceName(model_directory.string(), "tokenizer"));
    if (!reader.has("chat_template"))
      throw TemplateError(model_directory.string() + ": expected tokenizer.chat_template, found none",
                          {.kind = ErrorKind::not_found, .path = model_directory.string()});
    result.add_from(reader, model_directory.string(), limits);
    return result;
  }
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

TRINE_DECL ChatTemplate::SpecialTokens ChatTemplate::read_special_tokens(const std::filesystem::path& model_directory) {
  if (is_gguf(model_directory)) return gguf_special_tokens(GgufFile(model_directory).metadata());
  return trine::read_special_tokens(model_directory);
}

TRINE_DECL ChatTemplate ChatTemplate::from_file(const std::filesystem::path& path, SpecialTokens tokens,
                                                const TemplateLimits& limits) {
  return {read_text_file(path, limits.source_bytes), path.string(), std::move(tokens), limits};
}

TRINE_DECL ChatTemplate::ChatTemplate(SpecialTokens tokens)
    : tokens_(std::move(tokens)), templates_(std::make_shared<Templates>()) {}

TRINE_DECL ChatTemplate::ChatTemplate(std::string_view source, SourceName name, SpecialTokens tokens,
                                      const TemplateLimits& limits)
    : ChatTemplate(std::move(tokens)) {
  templates_->by_name.emplace("default", templates::Template(source, std::move(name), limits));
}

TRINE_DECL RenderedChat ChatTemplate::render(const ChatInput& input) const {
  const templates::Template& chosen = choose(!input.tools.is_null());
  templates::Template::Context context;
  try {
    if (!input.messages.is_array() || input.messages.empty())
      throw TemplateError("messages: expected a list of at least one message", {ErrorKind::out_of_range});
    if (!input.variables.is_object()) throw TemplateError("variables: expected an object", {ErrorKind::out_of_range});
    for (const auto& [name, text] : tokens_) context.emplace_back(name, templates::Value::text(text));
    context.emplace_back("messages", value_of(prepared(input.messages), templates::Origin::untrusted_but_roles));
    context.emplace_back("tools", value_of(input.tools, templates::Origin::untrusted));
    context.emplace_back("documents", value_of(input.documents, templates::Origin::untrusted));
    context.emplace_back("add_generation_prompt", input.add_generation_prompt);
    for (const auto& [name, value] : input.variables.items())
      context.emplace_back(name, value_of(value, templates::Origin::trusted));
  } catch (const TemplateError& error) {
    throw TemplateError(chosen.name().text + ": " + error.what(), chosen.name().details("", error.kind()));
  }
  templates::Text text = chosen.render(context, input.now ? *input.now : local_time());
  return {text.bytes(), text.untrusted()};
}

TRINE_DECL bool ChatTemplate::exists(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::exists(path, ignored);
}

TRINE_DECL bool ChatTemplate::add_files(const std::filesystem::path& model_directory, const TemplateLimits& limits) {
  const auto add = [&](const std::string& name, const std::filesystem::path& path) {
    if (!exists(path)) return;
    templates_->by_name.insert_or_assign(
        name, templates::Template(read_text_file(path, limits.source_bytes), path.string(), limits));
  };
  add("default", model_directory / "chat_template.jinja");
  const std::filesystem::path additional = model_directory / "additional_chat_templates";
  for (const std::string name : {"default", "tool_use"}) add(name, additional / (name + ".jinja"));
  if (!templates_->by_name.empty()) return true;
  std::error_code ignored;
  for (std::filesystem::directory_iterator file(additional, ignored), end; !ignored && file != end;
       file.increment(ignored)) {
    if (file->path().extension() == ".jinja") require_usable(additional.string());
  }
  return false;
}

TRINE_DECL void ChatTemplate::add_from(ObjectReader& reader, const std::string& file, const TemplateLimits& limits) {
  const Json& value = reader.at("chat_template");
  const SourceName all_of_them(file, "chat_template", "chat_template");
  const auto add = [&](const std::string& name, const std::string& source) {
    const SourceName source_name(file, "chat_template " + in_quotes(name), "chat_template");
    templates_->by_name.insert_or_assign(name, templates::Template(source, source_name, limits));
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
    templates_->by_name.emplace("default", templates::Template(reader.string("chat_template"), all_of_them, limits));
  }
  require_usable(all_of_them);
}

TRINE_DECL void ChatTemplate::require_usable(const SourceName& source) const {
  if (!templates_->by_name.contains("default") && !templates_->by_name.contains("tool_use"))
    throw TemplateError(source.text + ": expected one with the name 'default', found none",
                        source.details("", ErrorKind::not_found));
}

TRINE_DECL const templates::Template& ChatTemplate::choose(bool with_tools) const {
  const auto tool_use = templates_->by_name.find("tool_use");
  if (with_tools && tool_use != templates_->by_name.end()) return tool_use->second;
  const auto plain = templates_->by_name.find("default");
  if (plain == templates_->by_name.end())
    throw TemplateError("the model has a chat template for conversations with tools, expected one named 'default'",
                        {ErrorKind::not_found});
  return plain->second;
}

TRINE_DECL nlohmann::ordered_json ChatTemplate::prepared(const nlohmann::ordered_json& messages) {
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

TRINE_DECL std::tm ChatTemplate::local_time() {
  const std::time_t now = std::time(nullptr);
  std::tm result{};
  ::localtime_r(&now, &result);
  return result;
}

}  // namespace trine::inline TRINE_ABI
