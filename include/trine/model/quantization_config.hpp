// SPDX-License-Identifier: Apache-2.0
// "quantization_config" of a config.json: how to read the weights of a quantised checkpoint.
//
//   {"quant_method": "fp8", "fmt": "e4m3", "weight_block_size": [128, 128], "activation_scheme": "dynamic", ...}
//   {"quant_method": "mxfp4", ...}
//   {"quant_method": "compressed-tensors", "format": "pack-quantized", "config_groups": {...}, "ignore": [...], ...}
//   {"quant_method": "fbgemm_fp8", ...}
//   {"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": false, "checkpoint_format": "gptq", ...}
//   {"quant_method": "awq", "bits": 4, "group_size": 128, "version": "gemm", "zero_point": true, ...}
//   {"quant_method": "modelopt", "quant_algo": "NVFP4", ...}
//
// Which modules are quantised follows from their tensors, so that lists of those that are not (`ignore`,
// `modules_to_not_convert`, with or without patterns) decide nothing. How other programs round activations has no
// effect here, where they are f32.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <string>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>

#include <trine/json/object_reader.hpp>
#include <trine/weights/quantized_modules.hpp>
#include <trine/weights/weight_scope.hpp>

namespace trine::inline TRINE_ABI {

/// What readers of weights need to know.
struct QuantizationConfig {
  WeightReader::ScaleBlockShape scale_block;  ///< of FP8 whose scales are "weight_scale_inv"
  ModuleQuantization modules;                 ///< of all other checkpoints
};

namespace detail {

inline constexpr std::uint64_t kMaxScaleBlock = 65536;  // rows or columns that share a scale

/// A list of two extents.
[[nodiscard]] inline std::pair<std::size_t, std::size_t> read_scale_block(ObjectReader& reader, std::string_view key) {
  const Json& size = reader.at(key);
  const auto is_extent = [](const Json& extent) {
    if (!extent.is_number_unsigned()) return false;
    const auto value = extent.get<std::uint64_t>();  // comparing the JSON itself instantiates all of its comparisons
    return value >= 1 && value <= kMaxScaleBlock;
  };
  if (!size.is_array() || size.size() != 2 || !is_extent(size[0]) || !is_extent(size[1]))
    reader.fail(key, "two integers from 1 to 65536", size);
  return {size[0].get<std::size_t>(), size[1].get<std::size_t>()};
}

/// Columns that share a scale, 0 for all (-1).
[[nodiscard]] inline std::size_t read_group_size(ObjectReader& reader, std::string_view key = "group_size") {
  if (!reader.has(key) || reader.at(key) == -1) return 0;
  return static_cast<std::size_t>(reader.integer(key, 1, kMaxScaleBlock));
}

/// Keys that say how a checkpoint was made, how other programs run it, or what its tensors say, too.
inline void know(ObjectReader& reader, std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) static_cast<void>(reader.has(key));
}

inline QuantizationConfig read_fp8_config(ObjectReader& reader) {
  QuantizationConfig result;
  know(reader, {"modules_to_not_convert", "ignored_layers", "dequantize"});
  if (reader.has("fmt")) static_cast<void>(reader.choice<bool>("fmt", {{"e4m3", true}, {"float8_e4m3fn", true}}));
  if (reader.has("activation_scheme"))
    static_cast<void>(reader.choice<bool>("activation_scheme", {{"dynamic", true}, {"static", true}}));
  if (reader.has("scale_fmt")) static_cast<void>(reader.choice<bool>("scale_fmt", {{"ue8m0", true}, {"float", true}}));
  result.modules.layout = ModuleQuantization::Layout::scales;
  if (reader.has("weight_block_size")) {
    std::tie(result.scale_block.rows, result.scale_block.columns) = read_scale_block(reader, "weight_block_size");
    result.modules.block_rows = result.scale_block.rows;
    result.modules.block_columns = result.scale_block.columns;
  }
  return result;
}

/// One group of modules of compressed-tensors.
inline void read_weight_scheme(ObjectReader weights, ModuleQuantization& modules, bool is_only_group) {
  enum class Type : bool { integer, floating };
  const Type type = weights.choice<Type>("type", {{"int", Type::integer}, {"float", Type::floating}});
  const std::uint64_t bits = weights.integer("num_bits", 1, 16);
  if (bits != 4 && bits != 8)
    weights.fail("num_bits", "expected 4 or 8, found " + std::to_string(bits), ErrorKind::unsupported);
  if (weights.has("strategy"))
    static_cast<void>(weights.choice<bool>(
        "strategy", {{"tensor", true}, {"channel", true}, {"group", true}, {"tensor_group", true}, {"block", true}}));
  const std::size_t group_size = read_group_size(weights);
  if (weights.has("block_structure")) {
    const auto block = read_scale_block(weights, "block_structure");
    if (modules.block_rows != 0 && block != std::pair(modules.block_rows, modules.block_columns))
      weights.fail("block_structure", "expected the same in all groups, found another", ErrorKind::unsupported);
    std::tie(modules.block_rows, modules.block_columns) = block;
  }
  if (is_only_group && type == Type::integer) {
    modules.bits = static_cast<unsigned>(bits);
    modules.group_size = group_size;
  }
}

inline QuantizationConfig read_compressed_tensors_config(ObjectReader& reader) {
  QuantizationConfig result;
  result.modules.layout = ModuleQuantization::Layout::scales;
  know(reader, {"ignore", "global_compression_ratio", "kv_cache_scheme", "version", "quantization_status"});
  if (reader.has("format"))
    static_cast<void>(reader.choice<bool>("format", {{"dense", true},
                                                     {"float-quantized", true},
                                                     {"int-quantized", true},
                                                     {"naive-quantized", true},
                                                     {"pack-quantized", true},
                                                     {"nvfp4-pack-quantized", true},
                                                     {"mxfp4-pack-quantized", true},
                                                     {"mixed-precision", true}}));
  if (reader.has("sparsity_config") && !reader.at("sparsity_config").empty()) {
    ObjectReader sparsity = reader.object("sparsity_config");
    static_cast<void>(sparsity.choice<bool>("format", {{"dense", true}}));
  }
  if (reader.has("transform_config") && !reader.at("transform_config").empty())
    reader.fail("transform_config", "transforms of activations are not supported", ErrorKind::unsupported);
  if (!reader.has("config_groups")) return result;
  const Json& groups = reader.at("config_groups");
  ObjectReader all = reader.object("config_groups");
  for (const auto& [name, group] : groups.items()) {
    ObjectReader one = all.object(name);
    if (one.has("weights")) read_weight_scheme(one.object("weights"), result.modules, groups.size() == 1);
  }
  return result;
}

inline QuantizationConfig read_modelopt_config(ObjectReader& reader) {
  QuantizationConfig result;
  result.modules.layout = ModuleQuantization::Layout::scales;
  know(reader, {"config_groups", "ignore", "exclude_modules", "producer", "kv_cache_scheme", "kv_cache_quant_algo",
                "group_size", "quantized_layers"});
  static_cast<void>(reader.choice<bool>("quant_algo", {{"FP8", true},
                                                       {"FP8_PER_CHANNEL_PER_TOKEN", true},
                                                       {"NVFP4", true},
                                                       {"W4A16_NVFP4", true},
                                                       {"MIXED_PRECISION", true}}));
  return result;
}

inline QuantizationConfig read_gptq_config(ObjectReader& reader) {
  QuantizationConfig result;
  result.modules.layout = ModuleQuantization::Layout::gptq;
  know(reader, {"desc_act",
                "sym",
                "true_sequential",
                "static_groups",
                "damp_percent",
                "damp_auto_increment",
                "meta",
                "lm_head",
                "model_name_or_path",
                "model_file_base_name",
                "model_seqlen",
                "dataset",
                "tokenizer",
                "backend",
                "batch_size",
                "block_name_to_quantize",
                "module_name_preceding_first_block",
                "modules_in_block_to_quantize",
                "pad_token_id",
                "max_input_length",
                "cache_block_outputs",
                "use_cuda_fp16",
                "use_exllama",
                "disable_exllama",
                "exllama_config",
                "dynamic",
                "act_group_aware",
                "mse",
                "hyb_act",
                "adapter",
                "is_marlin_format",
                "quant_method",
                "modules_to_not_convert",
                "rotation",
                "v2"});
  const std::uint64_t bits = reader.integer("bits", 2, 8);
  if (bits != 4 && bits != 8)
    reader.fail("bits", "expected 4 or 8, found " + std::to_string(bits), ErrorKind::unsupported);
  result.modules.group_size = read_group_size(reader);
  if (reader.has("pack_dtype")) static_cast<void>(reader.choice<bool>("pack_dtype", {{"int32", true}}));
  for (const char* key : {"format", "checkpoint_format"})  // the last one applies, as in transformers
    if (reader.has(key)) result.modules.zeros_offset = reader.choice<int>(key, {{"gptq", 1}, {"gptq_v2", 0}});
  if (!reader.has("format") && !reader.has("checkpoint_format")) result.modules.zeros_offset = 1;
  return result;
}

inline QuantizationConfig read_awq_config(ObjectReader& reader) {
  QuantizationConfig result;
  result.modules.layout = ModuleQuantization::Layout::awq;
  know(reader,
       {"modules_to_not_convert", "do_fuse", "fuse_max_seq_len", "modules_to_fuse", "exllama_config", "desc_act", "sym",
        "model_seqlen", "dataset", "tokenizer", "meta", "lm_head", "true_sequential", "damp_percent"});
  static_cast<void>(reader.integer("bits", 4, 4));
  result.modules.group_size = read_group_size(reader);
  if (reader.has("zero_point") && !reader.boolean("zero_point"))
    reader.fail("zero_point", "expected true, false is not supported", ErrorKind::unsupported);
  for (const char* key : {"version", "format"})
    if (reader.has(key)) static_cast<void>(reader.choice<bool>(key, {{"gemm", true}, {"GEMM", true}}));
  if (reader.has("backend")) static_cast<void>(reader.choice<bool>("backend", {{"autoawq", true}, {"auto", true}}));
  return result;
}

}  // namespace detail

/// The config.json of a directory. ModelOpt's older releases describe the weights in a file of their own,
/// hf_quant_config.json; its "quantization" becomes the quantization_config that is missing. Throws FileError,
/// ConfigError.
[[nodiscard]] inline Json read_model_config(const std::filesystem::path& directory) {
  Json config = read_json_file(directory / "config.json");
  const std::filesystem::path other = directory / "hf_quant_config.json";
  std::error_code failed;
  if (!config.is_object() || config.contains("quantization_config") || !std::filesystem::exists(other, failed))
    return config;
  const Json document = read_json_file(other);
  ObjectReader reader(document, other.string());
  static_cast<void>(reader.object("quantization"));
  config["quantization_config"] = document["quantization"];
  config["quantization_config"]["quant_method"] = "modelopt";
  return config;
}

/// Reads the key of a config.json, absent for checkpoints that are not quantised. Throws ConfigError for a method or a
/// scheme that is not supported; notes keys without effect.
[[nodiscard]] inline QuantizationConfig parse_quantization_config(const Json& config, const std::string& source_name,
                                                                  Notes& notes) {
  const auto found = config.find("quantization_config");
  if (found == config.end() || found->is_null()) return {};
  ObjectReader reader(*found, source_name, "quantization_config");
  using Read = QuantizationConfig (*)(ObjectReader&);
  Read read = detail::read_modelopt_config;  // whose older files name an algorithm only
  if (reader.has("quant_method") || !reader.has("quant_algo")) {
    read =
        reader.choice<Read>("quant_method", {{"fp8", detail::read_fp8_config},
                                             {"mxfp4",
                                              [](ObjectReader& mxfp4) {
                                                detail::know(mxfp4, {"modules_to_not_convert", "dequantize"});
                                                return QuantizationConfig();
                                              }},
                                             {"compressed-tensors", detail::read_compressed_tensors_config},
                                             {"fbgemm_fp8",
                                              [](ObjectReader& fbgemm) {
                                                detail::know(fbgemm, {"modules_to_not_convert", "activation_scale_ub"});
                                                QuantizationConfig scales;
                                                scales.modules.layout = ModuleQuantization::Layout::scales;
                                                return scales;
                                              }},
                                             {"gptq", detail::read_gptq_config},
                                             {"awq", detail::read_awq_config},
                                             {"modelopt", detail::read_modelopt_config}});
  }
  QuantizationConfig result = read(reader);
  reader.reject_unknown_keys(notes);
  return result;
}

}  // namespace trine::inline TRINE_ABI
