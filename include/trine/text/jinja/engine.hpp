// SPDX-License-Identifier: Apache-2.0
// Templates in the part of Jinja that chat templates are written in: docs/reference/chat-templates.md lists it.
// Jinja 3.1 documentation, "Template Designer"; the settings are those of Hugging Face transformers: trim_blocks,
// lstrip_blocks, loop controls, an immutable sandbox, undefined values that print as nothing.
#pragma once

#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/core/source_name.hpp>
#include <trine/text/jinja/parser.hpp>
#include <trine/text/jinja/renderer.hpp>

namespace trine::inline TRINE_ABI::templates {

/// A parsed template. A value: copies share it. Const and thread-safe.
class Template {
 public:
  using Context = std::vector<std::pair<std::string, Value>>;

  /// `source_name` is the place in errors. Throws TemplateError "NAME: line 3: expected ..., found ...".
  explicit Template(std::string_view source, SourceName source_name = "template", const TemplateLimits& limits = {})
      : name_(std::move(source_name)), limits_(limits) {
    with_name([&] {
      if (source.size() > limits.source_bytes)
        throw TemplateError("expected at most " + std::to_string(limits.source_bytes) + " bytes, found " +
                                std::to_string(source.size()),
                            {ErrorKind::does_not_fit});
      if (!is_valid_utf8(source)) throw TemplateError("expected valid UTF-8");
      const auto checked_by = [](void (*require)(std::string_view)) {
        return [require](std::string_view used, std::size_t line) {
          try {
            require(used);
          } catch (const TemplateError& error) {
            fail_at(line, error.what(), error.kind());
          }
        };
      };
      body_ = std::make_shared<const Body>(
          Parser(source, limits, checked_by(require_filter), checked_by(require_test)).parse());
    });
  }

  /// The text for the variables of `context`; `now` is what strftime_now shows. Throws TemplateError.
  [[nodiscard]] Text render(const Context& context, const std::tm& now) const {
    Text text;
    with_name([&] { text = Renderer(limits_, context, now).render(*body_); });
    return text;
  }

  [[nodiscard]] const SourceName& name() const noexcept { return name_; }

 private:
  template <class Action>
  void with_name(Action action) const {
    try {
      action();
    } catch (const TemplateError& error) {
      throw TemplateError(name_.text + ": " + error.what(), name_.details("", error.kind()));
    }
  }

  SourceName name_;
  TemplateLimits limits_;
  std::shared_ptr<const Body> body_;
};

}  // namespace trine::inline TRINE_ABI::templates
