// SPDX-License-Identifier: Apache-2.0
// self_test.json: what the reference implementation computed with these weights, replayed
// (docs/reference/file-formats.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <trine/generate/session.hpp>

namespace trine::inline TRINE_ABI {

struct SelfTest {
  struct TopLogits {
    std::size_t position = 0;
    std::vector<TokenId> ids;
    std::vector<float> logits;
  };
  struct Case {
    std::vector<TokenId> tokens;
    std::map<std::size_t, std::vector<std::vector<std::uint32_t>>> experts;  // [layer][token] best first
    std::vector<TopLogits> top_logits;
  };
  std::vector<Case> cases;
};

/// Reads self_test.json: at least one case, with the experts of every token. Throws FileError, ConfigError.
[[nodiscard]] TRINE_DECL SelfTest read_self_test(const std::filesystem::path& path);

struct SelfTestReport {
  std::size_t tokens = 0;
  std::size_t expert_choices = 0;        // compared
  std::size_t wrong_expert_choices = 0;  // another expert, or another order
  std::size_t logits = 0;                // compared
  double worst_logit_error = 0.0;        // relative to the largest logit of the case
  std::size_t non_finite_logits = 0;     // NaN or infinite, compared or not
  std::string first_difference;          // empty when all is well

  /// Something was compared, and nothing differs.
  [[nodiscard]] bool passed() const noexcept { return first_difference.empty() && expert_choices + logits > 0; }
};

/// Runs every case in a fresh session and compares. `tolerance` is relative to the largest expected logit of a case.
[[nodiscard]] TRINE_DECL SelfTestReport run_self_test(const Model& model, const SelfTest& test,
                                                      const SessionOptions& options = {}, double tolerance = 1e-4);

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/generate/self_test.inl>
#endif
