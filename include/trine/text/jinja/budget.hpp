// SPDX-License-Identifier: Apache-2.0
// What a template may cost. Templates come with model files and are untrusted: one line can ask for endless work.
#pragma once

#include <cstddef>
#include <string>

#include <trine/core/abi.hpp>
#include <trine/core/error.hpp>
#include <trine/text/jinja/limits.hpp>

namespace trine::inline TRINE_ABI {

namespace templates {

/// Counts what one rendering costs, before it is paid.
class Budget {
 public:
  explicit Budget(const TemplateLimits& limits) : limits_(limits), steps_left_(limits.steps) {}

  void charge(std::size_t steps) {
    if (steps > steps_left_) {
      steps_left_ = 0;
      throw TemplateError("the template needs more than " + std::to_string(limits_.steps) + " steps",
                          {ErrorKind::does_not_fit});
    }
    steps_left_ -= steps;
  }

  /// For a string of so many bytes.
  void charge_bytes(std::size_t bytes) {
    require_fits(bytes);
    charge(bytes / 16 + 1);
  }
  void require_fits(std::size_t bytes) const {
    if (bytes > limits_.output_bytes)
      throw TemplateError("the template makes a text of more than " + std::to_string(limits_.output_bytes) + " bytes",
                          {ErrorKind::does_not_fit});
  }

  /// For a list or mapping of so many elements: memory, not time, is what these cost.
  void charge_elements(std::size_t count) {
    if (count > steps_left_) charge(count);
    charge(4 * count);
  }

  /// While it lives, evaluation is one level deeper.
  class Level {
   public:
    explicit Level(Budget& budget) : budget_(budget) {
      if (budget_.level_ >= budget_.limits_.call_depth)
        throw TemplateError(
            "the template calls itself more than " + std::to_string(budget_.limits_.call_depth) + " levels deep",
            {ErrorKind::does_not_fit});
      ++budget_.level_;
    }
    ~Level() { --budget_.level_; }
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    Budget& budget_;
  };

  [[nodiscard]] const TemplateLimits& limits() const noexcept { return limits_; }

 private:
  TemplateLimits limits_;
  std::size_t steps_left_;
  std::size_t level_ = 0;
};

}  // namespace templates

}  // namespace trine::inline TRINE_ABI
