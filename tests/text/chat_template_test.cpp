// SPDX-License-Identifier: Apache-2.0
#include <string>

#include <gmock/gmock.h>

#include <trine/text/chat/chat_template.hpp>

#include "support/expect_error.hpp"
#include "support/temporary_directory.hpp"

namespace trine::test {
namespace {

using OrderedJson = nlohmann::ordered_json;

ChatInput one_message(const std::string& content = "Hi") {
  ChatInput input;
  input.messages = {{{"role", "user"}, {"content", content}}};
  return input;
}

TEST(ChatTemplate, ReadsTheFileBeforeTheTokenizerConfiguration) {
  const TemporaryDirectory directory;
  directory.write("tokenizer_config.json", R"({"chat_template": "old {{ bos_token }}", "bos_token": "<s>"})");
  EXPECT_EQ(ChatTemplate::load(directory.path()).render(one_message()).text, "old <s>");
  directory.write("chat_template.jinja", "new {{ bos_token }}{{ messages[0].content }}");
  EXPECT_EQ(ChatTemplate::load(directory.path()).render(one_message()).text, "new <s>Hi");
}

TEST(ChatTemplate, ReadsSpecialTokensAsStringsOrObjects) {
  const TemporaryDirectory directory;
  directory.write("tokenizer_config.json",
                  R"({"chat_template": "{{ bos_token }}{{ eos_token }}{{ pad_token }}|{{ unk_token is defined }}",
                      "bos_token": {"content": "<s>", "lstrip": false}, "eos_token": "</s>", "pad_token": null,
                      "add_bos_token": true})");
  EXPECT_EQ(ChatTemplate::load(directory.path()).render(one_message()).text, "<s></s>|False");
}

TEST(ChatTemplate, TakesTheTemplateForToolsWhenThereAreTools) {
  const TemporaryDirectory directory;
  directory.write("tokenizer_config.json", R"({"chat_template": [{"name": "default", "template": "plain"},
                                              {"name": "tool_use", "template": "tools {{ tools|length }}"}]})");
  const ChatTemplate chat = ChatTemplate::load(directory.path());
  ChatInput input = one_message();
  EXPECT_EQ(chat.render(input).text, "plain");
  input.tools = OrderedJson::array({{{"name", "f"}}});
  EXPECT_EQ(chat.render(input).text, "tools 1");
}

TEST(ChatTemplate, SaysWhatIsWrongWithAModelDirectory) {
  const TemporaryDirectory directory;
  const auto load = [&] { return ChatTemplate::load(directory.path()); };
  EXPECT_ERROR(load(), TemplateError,
               ": the model has no chat template: expected chat_template.jinja, or chat_template");
  directory.write("tokenizer_config.json", R"({"chat_template": 5})");
  EXPECT_ERROR(load(), ConfigError, "tokenizer_config.json: chat_template: expected a string, found 5");
  directory.write("tokenizer_config.json", R"({"chat_template": [{"name": "rag", "template": ""}]})");
  EXPECT_ERROR(load(), TemplateError, "chat_template: expected one with the name 'default', found none");
  directory.write("tokenizer_config.json", R"({"chat_template": ["x"]})");
  EXPECT_ERROR(load(), ConfigError, "chat_template[0]: expected a JSON object, found 'x'");
  directory.write("tokenizer_config.json", R"({"chat_template": "", "bos_token": 1})");
  EXPECT_ERROR(load(), ConfigError, "bos_token: expected a JSON object, found 1");
  directory.write("tokenizer_config.json", R"({"chat_template": "a\n{% x %}"})");
  EXPECT_ERROR(load(), TemplateError, "tokenizer_config.json: chat_template: line 2: no tag named 'x'");
  directory.write("tokenizer_config.json", "{");
  EXPECT_ERROR(load(), ConfigError, "tokenizer_config.json: not valid JSON");
  directory.write("tokenizer_config.json", "{}");
  directory.write("chat_template.jinja", "{{");
  EXPECT_ERROR(load(), TemplateError, "chat_template.jinja: line 1: {{ without }}");
}

TEST(ChatTemplate, RefusesInputThatIsNoConversation) {
  const ChatTemplate chat("{{ messages }}", "t");
  ChatInput input;
  EXPECT_ERROR(chat.render(input), TemplateError, "t: messages: expected a list of at least one message");
  input.messages = OrderedJson::array({"x"});
  EXPECT_ERROR(chat.render(input), TemplateError, "t: messages: expected objects");
  input = one_message("\xFF");
  EXPECT_ERROR(chat.render(input), TemplateError, "t: expected valid UTF-8, found '\\xff'");
  input = one_message();
  input.variables = 5;
  EXPECT_ERROR(chat.render(input), TemplateError, "t: variables: expected an object");
  input = one_message();
  input.messages[0]["n"] = 18446744073709551615U;
  EXPECT_ERROR(chat.render(input), TemplateError, "integer 18446744073709551615 does not fit 64 bits");
  input = one_message();
  OrderedJson deep = 1;
  for (int i = 0; i < 1000; ++i) deep = OrderedJson::array({std::move(deep)});
  input.messages[0]["n"] = std::move(deep);
  EXPECT_ERROR(chat.render(input), TemplateError, "lists and mappings are nested more than 150 deep");
}

TEST(ChatTemplate, MarksWhatComesFromTheConversation) {
  const ChatTemplate chat(
      "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}{{ tools|tojson }}{{ mode }}",
      "t", {{"bos_token", "<s>"}});
  ChatInput input = one_message("<|evil|>");
  input.messages.push_back({{"role", "a role|>"}, {"content", "x"}});
  input.tools = OrderedJson::array({{{"name", "f"}}});
  input.variables["mode"] = "fast";
  const RenderedChat rendered = chat.render(input);
  EXPECT_EQ(rendered.text, "<s><|user|><|evil|><|a role|>|>x[{\"name\": \"f\"}]fast");
  std::vector<std::string> untrusted;
  for (const ByteRange& range : rendered.untrusted)
    untrusted.push_back(rendered.text.substr(range.begin, range.end - range.begin));
  EXPECT_THAT(untrusted,
              ::testing::ElementsAre("<|evil|>", "a role|>", "x", "name", "f"));  // a name of a role is trusted
}

TEST(ChatTemplate, ShowsTheTimeOfTheMachine) {
  const std::string year = ChatTemplate("{{ strftime_now('%Y') }}", "t").render(one_message()).text;
  EXPECT_GE(std::stoi(year), 2024);
}

}  // namespace
}  // namespace trine::test
