// SPDX-License-Identifier: Apache-2.0
// The tensors of a GGUF file under the names of the published checkpoint, so that one builder per family reads both.
//
// Nothing is copied: an expert of a stack [experts, rows, columns] is a range of its bytes. Rows of q and k that
// conversion has permuted stay so, and rotate as interleaved pairs ("rope_interleave" of gguf/config.hpp).
//
// Beside NAME.weight in NVFP4 may lie NAME.scale, a factor of all its values or of those of each expert, and
// NAME.input_scale, with which other software quantises activations; here they stay f32.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <trine/core/abi.hpp>
#include <trine/weights/weight_source.hpp>

namespace trine::inline TRINE_ABI {

class Notes;  // core/notes.hpp

/// The tensors of a GGUF file, renamed. A tensor that its architecture does not know keeps its name, so that a model
/// refuses it by that.
class GgufTensors : public WeightSource {
 public:
  /// `file` has the names of GGUF. architecture: one of gguf_architectures(). `notes` receives what is ignored: scales
  /// of activations. Throws WeightError if a stack or a scale has another shape, and what `file` throws.
  GgufTensors(std::unique_ptr<const WeightSource> file, std::string_view architecture, Notes& notes);

  [[nodiscard]] TRINE_DECL const StoredTensor* find(std::string_view name) const override;
  [[nodiscard]] TRINE_DECL std::vector<std::string_view> names() const override;
  [[nodiscard]] std::string source_name() const override { return file_->source_name(); }
  /// The file, and the name of the tensor there.
  [[nodiscard]] TRINE_DECL std::string source_name_of(std::string_view name) const override;

 private:
  struct Tensor {
    StoredTensor stored;
    std::string_view gguf_name;  // in the file
    WeightMatrix matrix = {};    // of weights with a factor
  };

  [[nodiscard]] bool take_scale(std::string_view gguf_name);
  void add(std::string name, std::string_view gguf_name, StoredTensor stored, std::size_t expert = 0,
           std::size_t experts = 1);
  void add_stack(std::string_view gguf_name, std::string_view pattern, std::string_view suffix, std::size_t half);
  [[noreturn]] void fail(std::string_view gguf_name, const std::string& problem) const;

  std::unique_ptr<const WeightSource> file_;
  std::map<std::string, std::span<const float>, std::less<>> scales_;  // of weights, by their names in the file
  std::map<std::string, Tensor, std::less<>> tensors_;
};

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/model/architectures/gguf/tensors.inl>
#endif
