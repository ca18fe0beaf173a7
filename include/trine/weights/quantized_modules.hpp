// SPDX-License-Identifier: Apache-2.0
// Checkpoints whose linear maps are quantised, each in several tensors: read as one tensor "MODULE.weight" each, so
// that no layer knows of it. Nothing is copied or decoded; the weights stay where they are stored. Activations are f32.
//
//   MODULE.weight, .weight_scale           FP8 or int8, with a scale for the tensor, each row, group or block:
//                                          compressed-tensors, fbgemm_fp8, ModelOpt; .weight_scale_inv: fp8
//   MODULE.weight_packed, .weight_scale, .weight_shape, .weight_zero_point, .weight_g_idx
//                                          int4 or int8 in words: compressed-tensors, quant/integer_groups.hpp
//   MODULE.weight_packed, .weight_scale, .weight_global_scale    NVFP4 of compressed-tensors, quant/nvfp4.hpp
//   MODULE.weight, .weight_scale, .weight_scale_2                NVFP4 of ModelOpt
//   MODULE.qweight, .qzeros, .scales, .g_idx                     GPTQ and AWQ, quant/transposed_groups.hpp
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <trine/core/notes.hpp>
#include <trine/weights/weight_source.hpp>

namespace trine::inline TRINE_ABI {

/// What the configuration of a checkpoint says about its quantised modules. Which modules are quantised, and what it
/// does not say, follows from the tensors.
struct ModuleQuantization {
  /// Which tensors a module has.
  enum class Layout : std::uint8_t {
    none,    ///< one each
    scales,  ///< weight or weight_packed, and weight_scale
    gptq,    ///< qweight, qzeros, scales, g_idx
    awq,     ///< qweight, qzeros, scales
  };

  Layout layout = Layout::none;   ///< none: nothing is done
  unsigned bits = 0;              ///< of packed integers, 4 or 8; 0: as the tensors say
  std::size_t group_size = 0;     ///< columns that share a scale; 0: as the tensors say
  std::size_t block_rows = 0;     ///< rows of FP8 that share a scale; 0: there are no blocks
  std::size_t block_columns = 0;  ///< columns of FP8 that share a scale
  int zeros_offset = 0;           ///< is added to stored zero points: 1 for GPTQ of version 1
};

/// The tensors of another source, quantised modules as one tensor each.
class QuantizedModules : public WeightSource {
 public:
  /// `notes` receives what is ignored: scales of activations. Throws WeightError if the parts of a module do not fit
  /// together.
  QuantizedModules(std::unique_ptr<const WeightSource> source, const ModuleQuantization& quantization, Notes& notes);

  [[nodiscard]] TRINE_DECL const StoredTensor* find(std::string_view name) const override;
  [[nodiscard]] TRINE_DECL const StoredTensor* request(std::string_view name, std::span<const std::size_t> shape,
                                                       std::optional<DType> dtype = std::nullopt) const override;
  [[nodiscard]] TRINE_DECL std::vector<std::string_view> names() const override;
  [[nodiscard]] TRINE_DECL bool is_listed(std::string_view name) const override;
  [[nodiscard]] std::string source_name() const override { return source_->source_name(); }
  [[nodiscard]] TRINE_DECL std::string source_name_of(std::string_view name) const override;

 private:
  struct Module {
    StoredTensor stored;
    WeightMatrix matrix;
    std::string codes;  // name of the tensor with the codes
  };
  class Parts;

  void add(const Parts& parts, const WeightMatrix& matrix);
  [[nodiscard]] static WeightMatrix four_bit_matrix(Parts& parts, std::string_view codes, bool may_be_powers);
  void add_packed(Parts& parts);
  void add_scaled(Parts& parts);
  void add_gptq(Parts& parts);
  void add_awq(Parts& parts);
  [[nodiscard]] std::size_t group_size(const Parts& parts, std::size_t inputs, std::size_t groups) const;
  static void require_no_full_code(const Parts& parts, const StoredTensor& zeros, unsigned bits);
  void hide_activation_scales(Notes& notes);

  std::unique_ptr<const WeightSource> source_;
  ModuleQuantization quantization_;
  std::map<std::string, Module, std::less<>> modules_;  // by "MODULE.weight"
  std::set<std::string, std::less<>> parts_;            // tensors of the source that are part of a module, or ignored
};

/// The source itself where the configuration names no such modules.
[[nodiscard]] TRINE_DECL std::unique_ptr<const WeightSource> read_quantized_modules(
    std::unique_ptr<const WeightSource> source, const ModuleQuantization& quantization, Notes& notes);

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/weights/quantized_modules.inl>
#endif
