// SPDX-License-Identifier: Apache-2.0
// Real chat templates and small ones, against what Python's jinja2 made of them: tests/golden/chat_templates.
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <trine/text/chat/chat_template.hpp>
#include <trine/text/jinja/engine.hpp>

#include "support/temporary_directory.hpp"

namespace trine::test {
namespace {

using OrderedJson = nlohmann::ordered_json;

const std::filesystem::path kDirectory = std::filesystem::path(TRINE_TEST_DATA) / "chat_templates";

std::string read(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// Thursday, 3 July 2025, 09:05:06.
std::tm golden_time() {
  std::tm time{};
  time.tm_year = 125;
  time.tm_mon = 6;
  time.tm_mday = 3;
  time.tm_hour = 9;
  time.tm_min = 5;
  time.tm_sec = 6;
  time.tm_wday = 4;
  time.tm_yday = 183;
  return time;
}

/// What `action` returns must be what the case says: "output", the message "raised" by the template, or any "error".
template <class Action>
void expect_outcome(const OrderedJson& expected, Action action) {
  try {
    const std::string text = action();
    if (expected.contains("output")) {
      EXPECT_EQ(text, expected["output"].get<std::string>());
    } else {
      ADD_FAILURE() << "expected an error, as " << expected.dump() << "\nfound " << text;
    }
  } catch (const TemplateError& error) {
    EXPECT_FALSE(expected.contains("output")) << error.what();
    if (!expected.contains("raised")) return;
    const auto raised = expected["raised"].get<std::string>();
    EXPECT_NE(std::string(error.what()).find(raised), std::string::npos) << error.what() << "\nexpected " << raised;
  }
}

TEST(ChatTemplateGolden, RendersConversationsAsTransformersDoes) {
  const OrderedJson golden = OrderedJson::parse(read(kDirectory / "conversations.json"));
  std::size_t outputs = 0;
  for (const OrderedJson& expected : golden["cases"]) {
    const auto name = expected["template"].get<std::string>();
    SCOPED_TRACE(name + ", " + expected["chat"].get<std::string>());
    outputs += expected.contains("output") ? 1U : 0U;
    expect_outcome(expected, [&] {
      ChatTemplate::SpecialTokens tokens;
      for (const auto& [key, token] : expected["tokens"].items()) tokens.emplace_back(key, token.get<std::string>());
      ChatInput input;
      input.now = golden_time();
      for (const auto& [key, value] : golden["chats"][expected["chat"].get<std::string>()].items()) {
        if (key == "messages") {
          input.messages = value;
        } else if (key == "tools") {
          input.tools = value;
        } else if (key == "documents") {
          input.documents = value;
        } else if (key == "add_generation_prompt") {
          input.add_generation_prompt = value.get<bool>();
        } else {
          input.variables[key] = value;
        }
      }
      return ChatTemplate::from_file(kDirectory / "templates" / name, tokens).render(input).text;
    });
  }
  EXPECT_GT(outputs, 300U);
}

TEST(ChatTemplateGolden, TakesTheTemplateAndTokensThatTransformersTakes) {
  const OrderedJson golden = OrderedJson::parse(read(kDirectory / "files.json"));
  ASSERT_GT(golden["cases"].size(), 20U);
  for (const OrderedJson& expected : golden["cases"]) {
    SCOPED_TRACE(expected["files"].dump());
    const TemporaryDirectory directory;
    for (const auto& [name, content] : expected["files"].items()) directory.write(name, content.get<std::string>());
    for (const char* which : {"plain", "tools"}) {
      ChatInput input;
      input.messages = {{{"role", "user"}, {"content", "Hi"}}};
      if (which == std::string("tools")) input.tools = OrderedJson::array({{{"type", "function"}}});
      const auto render = [&] { return ChatTemplate::load(directory.path()).render(input).text; };
      if (expected[which].is_null()) {
        EXPECT_THROW(render(), TemplateError) << which;
      } else {
        EXPECT_EQ(render(), expected[which].get<std::string>()) << which;
      }
    }
  }
}

TEST(ChatTemplateGolden, RendersEachPartOfTheLanguageAsJinjaDoes) {
  const OrderedJson golden = OrderedJson::parse(read(kDirectory / "units.json"));
  templates::Template::Context context;
  for (const auto& [name, value] : golden["context"].items())
    context.emplace_back(name, templates::value_of(value, templates::Origin::trusted));
  std::size_t outputs = 0;
  for (const OrderedJson& expected : golden["cases"]) {
    const auto source = expected["template"].get<std::string>();
    SCOPED_TRACE(source);
    outputs += expected.contains("output") ? 1U : 0U;
    expect_outcome(expected, [&] { return templates::Template(source).render(context, golden_time()).bytes(); });
  }
  EXPECT_GT(outputs, 150U);
}

}  // namespace
}  // namespace trine::test
