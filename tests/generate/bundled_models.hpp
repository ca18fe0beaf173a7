// SPDX-License-Identifier: Apache-2.0
// The models of examples/models, with their tokenizers.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <trine/generate/session.hpp>
#include <trine/text/tokenizer/pcre2_regex.hpp>
#include <trine/text/tokenizer/tokenizer.hpp>

#include "generate/golden_input.hpp"

namespace trine::test {

struct BundledModel {
  explicit BundledModel(const std::string& name)
      : directory(std::filesystem::path(TRINE_MODELS_DIR) / name),
        model(Model::load(directory)),
        tokenizer(Tokenizer::load(directory, {.regex = pcre2_regex})) {}

  /// Bits that do not depend on how the input is cut, also with latent attention.
  [[nodiscard]] Session session(SessionOptions options = {}) const {
    options.reproducible = true;
    return Session(model, options);
  }
  /// The bits of the next logits of a new session that has read `tokens`.
  [[nodiscard]] Bits next_logits(std::span<const TokenId> tokens) const {
    return bits_of(session().forward(tokens).span());
  }

  std::filesystem::path directory;
  Model model;
  Tokenizer tokenizer;
};

inline std::vector<std::string> bundled_models() { return {"shakespeare", "deepseek-v3-shakespeare"}; }

/// Requests a stop at the n-th routing decision, in the middle of a pass.
class StopAtRouting : public RoutingObserver {
 public:
  explicit StopAtRouting(std::size_t n) : left_(n) {}
  void on_routing(const RoutingEvent&) override {
    if (left_ > 0 && --left_ == 0) source_.request_stop();
  }
  [[nodiscard]] std::stop_token token() const { return source_.get_token(); }

 private:
  std::size_t left_;
  std::stop_source source_;
};

}  // namespace trine::test
