// SPDX-License-Identifier: Apache-2.0
// "quantization_config" of a config.json: how to read the weights of a quantised checkpoint.
#pragma once

#include <cstddef>
#include <string>

#include <trine/json/object_reader.hpp>
#include <trine/weights/weight_scope.hpp>

namespace trine::inline TRINE_ABI {

/// The block of FP8 values that share a scale, or the usual one if the key is absent. Which tensors are quantised
/// follows from the tensors themselves. Throws ConfigError for an unsupported method; notes keys without effect.
///   {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128], "activation_scheme": "dynamic", ...}
///   {"quant_method": "mxfp4", ...}
[[nodiscard]] inline WeightReader::ScaleBlockShape parse_quantization_config(const Json& config,
                                                                             const std::string& source_name,
                                                                             Notes& notes) {
  WeightReader::ScaleBlockShape block;
  const auto found = config.find("quantization_config");
  if (found == config.end() || found->is_null()) return block;
  ObjectReader reader(*found, source_name, "quantization_config");
  enum class Method : bool { fp8, mxfp4 };
  const Method method = reader.choice<Method>("quant_method", {{"fp8", Method::fp8}, {"mxfp4", Method::mxfp4}});
  // Which modules are not quantised follows from their tensors.
  for (const char* key : {"modules_to_not_convert", "ignored_layers", "dequantize"}) static_cast<void>(reader.has(key));
  if (method == Method::fp8) {
    if (reader.has("fmt")) static_cast<void>(reader.choice<bool>("fmt", {{"e4m3", true}, {"float8_e4m3fn", true}}));
    // How other kernels quantise activations; here they are f32, so neither has an effect.
    if (reader.has("activation_scheme"))
      static_cast<void>(reader.choice<bool>("activation_scheme", {{"dynamic", true}}));
    if (reader.has("scale_fmt"))
      static_cast<void>(reader.choice<bool>("scale_fmt", {{"ue8m0", true}, {"float", true}}));
    const Json& size = reader.at("weight_block_size");
    const auto is_extent = [](const Json& extent) {
      return extent.is_number_unsigned() && extent >= 1 && extent <= 65536;
    };
    if (!size.is_array() || size.size() != 2 || !is_extent(size[0]) || !is_extent(size[1]))
      reader.fail("weight_block_size", "two integers from 1 to 65536", size);
    block = {size[0].get<std::size_t>(), size[1].get<std::size_t>()};
  }
  reader.reject_unknown_keys(notes);
  return block;
}

}  // namespace trine::inline TRINE_ABI
