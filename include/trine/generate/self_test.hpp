// SPDX-License-Identifier: Apache-2.0
// The test vectors of self_test.json: what the reference implementation computed with these weights, replayed
// (docs/reference/file-formats.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <trine/core/tensor.hpp>
#include <trine/generate/session.hpp>

namespace trine::inline TRINE_ABI {

/// Passes of the reference implementation, and what it computed in each.
struct SelfTest {
  /// The best logits of one row, or all outputs of a model that classifies or estimates.
  struct TopLogits {
    std::size_t position = 0;   ///< of the row of outputs in its case: a token, or a frame
    std::vector<TokenId> ids;   ///< best first
    std::vector<float> logits;  ///< of `ids`
  };
  /// One pass over a sequence of its own.
  struct Case {
    std::vector<TokenId> tokens;                                             ///< the input
    std::map<std::size_t, std::vector<std::vector<std::uint32_t>>> experts;  ///< [layer][row] best first
    std::vector<TopLogits> top_logits;                                       ///< of some positions
    Tensor<float, 3> features = {};  ///< [frames, sites, num_features]: the input in place of tokens
  };
  std::vector<Case> cases;  ///< each runs in a fresh session
};

/// Reads self_test.json: at least one case, with the experts of every token, or site of every frame. Throws FileError,
/// ConfigError.
[[nodiscard]] TRINE_DECL SelfTest read_self_test(const std::filesystem::path& path);

/// What a replay compared, and what differs.
struct SelfTestReport {
  std::size_t tokens = 0;                ///< computed: tokens, or sites of frames
  std::size_t expert_choices = 0;        ///< compared
  std::size_t wrong_expert_choices = 0;  ///< another expert, or another order
  std::size_t logits = 0;                ///< compared
  double worst_logit_error = 0.0;        ///< relative to the largest logit of the case
  std::size_t non_finite_logits = 0;     ///< NaN or infinite, compared or not
  std::string first_difference;          ///< empty when all is well

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
