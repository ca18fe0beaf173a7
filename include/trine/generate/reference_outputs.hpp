// SPDX-License-Identifier: Apache-2.0
// What another implementation computed for some tokens, from a file that its user wrote, and how far a model is from
// it (docs/how-to/bring-your-model.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <trine/core/abi.hpp>
#include <trine/core/tensor.hpp>
#include <trine/core/token_id.hpp>
#include <trine/generate/session.hpp>

namespace trine::inline TRINE_ABI {

class WeightSource;  // weights/weight_source.hpp

/// Logits and chosen experts of some sequences, mapped from a file.
class ReferenceOutputs {
 public:
  /// Opens
  ///   *.npy         logits [tokens, vocab], NumPy's format in f2, f4 or f8, of `tokens`
  ///   safetensors   "logits" [tokens, vocab] or [sequences, tokens, vocab], any float; "input_ids", the same extents
  ///                 without the vocabulary, unless `tokens` are given; optionally "experts.LAYER" [..., k], the
  ///                 experts that each token was sent to, in any order
  /// Integers may have any type. Throws FileError, ConfigError, WeightError; InputError if the tokens are missing or do
  /// not fit.
  [[nodiscard]] TRINE_DECL static ReferenceOutputs load(const std::filesystem::path& file,
                                                        std::span<const TokenId> tokens = {});

  /// The number of sequences.
  [[nodiscard]] std::size_t size() const noexcept { return tokens_.size(); }
  /// The tokens of one.
  [[nodiscard]] std::span<const TokenId> tokens(std::size_t sequence) const { return tokens_.at(sequence); }
  /// The columns of the logits.
  [[nodiscard]] std::size_t vocab_size() const noexcept { return vocab_size_; }
  /// Writes the logits of one position to `out`.   out: [vocab_size()]
  TRINE_DECL void logits(std::size_t sequence, std::size_t position, std::span<float> out) const;
  /// The experts by layer; empty if the file has none.   [layer][sequence][position], ascending
  [[nodiscard]] const auto& experts() const noexcept { return experts_; }

 private:
  ReferenceOutputs() = default;

  std::shared_ptr<const WeightSource> file_;
  const std::byte* logits_ = nullptr;  // in `file_`, row-major
  DType dtype_ = DType::f32;
  std::size_t vocab_size_ = 0;
  std::vector<std::vector<TokenId>> tokens_;
  std::map<std::size_t, std::vector<std::vector<std::vector<std::uint32_t>>>> experts_;
};

/// How far logits p of a model are from those of the reference, q.
struct OutputComparison {
  /// Choices of one layer.
  struct Layer {
    std::size_t tokens = 0;  ///< compared
    std::size_t equal = 0;   ///< of them, sent to the same experts
  };

  std::size_t tokens = 0;               ///< compared
  double worst_logit_error = 0.0;       ///< max |p - q| / max |q|, the latter over the sequence
  double mean_logit_error = 0.0;        ///< mean |p - q| / max |q|
  double kl_divergence = 0.0;           ///< mean over positions of  sum softmax(q) ln(softmax(q) / softmax(p)), in nats
  double worst_kl_divergence = 0.0;     ///< of one position
  std::size_t same_best_token = 0;      ///< positions where both have the same best token
  std::size_t non_finite_logits = 0;    ///< of the model, NaN or infinite
  std::size_t worst_sequence = 0;       ///< of worst_logit_error
  std::size_t worst_position = 0;       ///< of worst_logit_error
  std::map<std::size_t, Layer> layers;  ///< with experts to compare
};

/// Runs the sequences, each in a session of its own with `options`, and compares. Positions where the reference is not
/// finite throw InputError, as does a vocabulary of another size; and what Session throws. on_sequence: called with the
/// number of sequences that are done and of all.
[[nodiscard]] TRINE_DECL OutputComparison
compare_outputs(const Model& model, const ReferenceOutputs& reference, const SessionOptions& options = {},
                const std::function<void(std::size_t done, std::size_t total)>& on_sequence = {});

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/generate/reference_outputs.inl>
#endif
