// SPDX-License-Identifier: Apache-2.0
// Chat templates for models that come without one, by name.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace example {

struct BuiltInTemplate {
  std::string_view name;
  std::string_view source;
  std::string_view stop;  // what begins the next turn, or ends this one: an answer ends before it
};

inline constexpr std::array kBuiltInTemplates{
    // ChatML, of Qwen and many fine-tuned models.
    BuiltInTemplate{"chatml",
                    "{% for m in messages %}<|im_start|>{{ m.role }}\n"
                    "{{ m.content }}<|im_end|>\n"
                    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n"
                    "{% endif %}",
                    "<|im_end|>"},
    // A dialogue as people write it down: for models that were not trained on conversations.
    BuiltInTemplate{"plain",
                    "{% for m in messages %}{{ m.role | capitalize }}: {{ m.content | trim }}\n"
                    "{% endfor %}{% if add_generation_prompt %}Assistant:{% endif %}",
                    "\nUser:"}};

/// nullptr when there is none of that name.
[[nodiscard]] inline const BuiltInTemplate* find_built_in_template(std::string_view name) {
  const auto found = std::ranges::find(kBuiltInTemplates, name, &BuiltInTemplate::name);
  return found == kBuiltInTemplates.end() ? nullptr : &*found;
}

}  // namespace example
