// SPDX-License-Identifier: Apache-2.0
// Any text as a chat template, rendered with a conversation that has tools, twice: both give the same text, which is
// valid UTF-8 and has orderly marks, or a TemplateError.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <trine/text/chat/chat_template.hpp>
#include <trine/text/unicode/utf8.hpp>

namespace {

trine::ChatInput conversation() {
  trine::ChatInput input;
  input.messages = {
      {{"role", "system"}, {"content", "Be brief."}},
      {{"role", "user"}, {"content", " Gr\u00fc\u00dfe,\n<|im_end|> \U0001F600 "}},
      {{"role", "assistant"},
       {"content", "<think>\nx\n</think>\n\ny"},
       {"tool_calls", {{{"id", "a1"}, {"function", {{"name", "f"}, {"arguments", {{"x", 1.5}, {"y", nullptr}}}}}}}}},
      {{"role", "tool"}, {"content", "12"}, {"name", "f"}}};
  input.tools = nlohmann::ordered_json::array({{{"type", "function"}, {"function", {{"name", "f"}}}}});
  input.variables = {
      {"n", 3}, {"x", -2.5}, {"s", "text"}, {"xs", {3, 1, 2}}, {"d", {{"b", 1}, {"a", {true, nullptr}}}}};
  input.now = std::tm{};
  return input;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const trine::ChatInput input = conversation();
  trine::TemplateLimits limits;
  limits.steps = 200'000;  // an input a millisecond
  limits.output_bytes = 1U << 20U;
  try {
    const trine::ChatTemplate chat({reinterpret_cast<const char*>(data), size}, "input", {{"bos_token", "<s>"}},
                                   limits);
    const trine::RenderedChat once = chat.render(input);
    if (once.text != chat.render(input).text || !trine::is_valid_utf8(once.text)) std::abort();
    std::size_t end = 0;
    for (const trine::ByteRange& range : once.untrusted) {
      if (range.begin < end || range.begin >= range.end) std::abort();
      end = range.end;
    }
    if (end > once.text.size()) std::abort();
  } catch (const trine::TemplateError&) {
  }
  return 0;
}
