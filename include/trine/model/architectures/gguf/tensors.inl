// SPDX-License-Identifier: Apache-2.0
// The definitions of model/architectures/gguf/tensors.hpp.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/core/error.hpp>
#include <trine/core/notes.hpp>
#include <trine/core/shape.hpp>
#include <trine/model/architectures/gguf/all.hpp>
#include <trine/model/architectures/gguf/tensors.hpp>
#include <trine/quant/weight_formats.hpp>

namespace trine::inline TRINE_ABI {

namespace hf {

inline constexpr std::array kGgufGlobalNames = std::to_array<GgufName>({
    {"token_embd", "model.embed_tokens"},
    {"output_norm", "model.norm"},
    {"token_embd_norm", "model.embedding_norm"},  // the last norm of LFM2, whatever its name
    {"output", "lm_head"},
    {"rope_freqs", "", GgufView::dropped},
});

/// A name of a file in its parts.
struct GgufNameParts {
  std::string_view layer;   ///< of "blk.N."; empty for others
  std::string_view stem;    ///< between
  std::string_view number;  ///< at the end of the stem, after a dot; often empty
  std::string_view suffix;  ///< ".weight" or ".bias"; empty for others
};

[[nodiscard]] inline bool is_number(std::string_view text) noexcept {
  return !text.empty() && std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

[[nodiscard]] inline GgufNameParts parts_of(std::string_view name) {
  GgufNameParts parts;
  if (name.starts_with("blk.")) {
    const std::string_view rest = name.substr(4);
    const std::size_t dot = rest.find('.');
    if (dot != std::string_view::npos && is_number(rest.substr(0, dot))) {
      parts.layer = rest.substr(0, dot);
      name = rest.substr(dot + 1);
    }
  }
  for (const std::string_view suffix : {std::string_view(".weight"), std::string_view(".bias")})
    if (name.ends_with(suffix)) parts.suffix = suffix;
  parts.stem = name.substr(0, name.size() - parts.suffix.size());
  const std::size_t dot = parts.stem.rfind('.');
  if (dot != std::string_view::npos && is_number(parts.stem.substr(dot + 1))) parts.number = parts.stem.substr(dot + 1);
  return parts;
}

/// "a.*.b" with the number in the place of '*'.
[[nodiscard]] inline std::string with_number(std::string_view pattern, std::string_view number) {
  std::string name(pattern);
  const std::size_t star = name.find('*');
  return star == std::string::npos ? name : name.replace(star, 1, number);
}

/// Calls use(name, suffix) for each entry of the first list that knows the tensor. Returns whether there is one.
template <class Use>
bool for_each_gguf_name(const GgufNameParts& parts, std::span<const std::span<const GgufName>> lists, const Use& use) {
  const std::string_view stem_of_number = parts.stem.substr(0, parts.stem.size() - parts.number.size());
  const auto is_it = [&](const GgufName& name) {
    if (name.gguf.ends_with('*')) return !parts.number.empty() && name.gguf == std::string(stem_of_number) + "*";
    return name.gguf == parts.stem || name.gguf == std::string(parts.stem) + std::string(parts.suffix);
  };
  for (const std::span<const GgufName> list : lists) {
    bool found = false;
    for (const GgufName& name : list) {
      if (!is_it(name)) continue;
      use(name, name.gguf == parts.stem || name.gguf.ends_with('*') ? parts.suffix : std::string_view());
      found = true;
    }
    if (found) return true;
  }
  return false;
}

/// The tensor "X.weight" of a name "X" + `suffix`, if its format may have a scale; otherwise an empty name.
[[nodiscard]] inline std::string scaled_weight(const WeightSource& file, std::string_view name,
                                               std::string_view suffix) {
  if (!name.ends_with(suffix)) return {};
  std::string weight = std::string(name.substr(0, name.size() - suffix.size())) + ".weight";
  const StoredTensor* stored = file.find(weight);
  const WeightFormat* format = stored == nullptr ? nullptr : find_format(stored->dtype);
  return format != nullptr && format->has_tensor_scale ? weight : std::string();
}

}  // namespace hf

TRINE_DECL GgufTensors::GgufTensors(std::unique_ptr<const WeightSource> file, std::string_view architecture,
                                    Notes& notes)
    : file_(std::move(file)) {
  const hf::GgufArchitecture* names = hf::find_gguf_architecture(architecture);
  std::vector<std::span<const hf::GgufName>> blocks;
  if (names != nullptr) blocks.assign(names->names.begin(), names->names.end());
  blocks.emplace_back(hf::kGgufBlockNames);
  const std::array<std::span<const hf::GgufName>, 1> globals{hf::kGgufGlobalNames};
  const auto lists_of = [&](const hf::GgufNameParts& parts) -> std::span<const std::span<const hf::GgufName>> {
    if (parts.layer.empty()) return globals;
    return blocks;
  };
  // A scale that an architecture has a name for is that of Gemma 4, whose experts have one anyway.
  const auto is_named = [&](const hf::GgufNameParts& parts) {
    return hf::for_each_gguf_name(parts, lists_of(parts), [](const hf::GgufName&, std::string_view) {});
  };
  std::set<std::string_view> scales;
  for (const std::string_view gguf_name : file_->names())
    if (!is_named(hf::parts_of(gguf_name)) && take_scale(gguf_name)) scales.insert(gguf_name);
  if (std::ranges::any_of(scales, [](std::string_view name) { return name.ends_with(".input_scale"); }))
    notes.add("*.input_scale", "activations are not quantised");

  for (const std::string_view gguf_name : file_->names()) {
    if (scales.contains(gguf_name)) continue;
    const hf::GgufNameParts parts = hf::parts_of(gguf_name);
    const std::string prefix = parts.layer.empty() ? "" : "model.layers." + std::string(parts.layer) + ".";
    const auto rename = [&](const hf::GgufName& name, std::string_view suffix) {
      const std::string pattern = prefix + std::string(name.hf);
      const StoredTensor& stored = *file_->find(gguf_name);
      switch (name.view) {
        case hf::GgufView::dropped:
          return;
        case hf::GgufView::stack:
          return add_stack(gguf_name, pattern, suffix, 0);
        case hf::GgufView::first_half:
          return add_stack(gguf_name, pattern, suffix, 1);
        case hf::GgufView::second_half:
          return add_stack(gguf_name, pattern, suffix, 2);
        case hf::GgufView::row:
          if (stored.shape.size() != 1) break;
          return add(pattern + std::string(suffix), gguf_name, {stored.dtype, {1, stored.shape[0]}, stored.bytes});
        case hf::GgufView::filters:
          if (stored.shape.size() != 2) break;
          return add(pattern + std::string(suffix), gguf_name,
                     {stored.dtype, {stored.shape[0], 1, stored.shape[1]}, stored.bytes});
        case hf::GgufView::same:
          break;
      }
      add(hf::with_number(pattern, parts.number) + std::string(suffix), gguf_name, stored);
    };
    if (!hf::for_each_gguf_name(parts, lists_of(parts), rename))
      add(std::string(gguf_name), gguf_name, *file_->find(gguf_name));
  }
}

TRINE_DECL const StoredTensor* GgufTensors::find(std::string_view name) const {
  const auto found = tensors_.find(name);
  return found == tensors_.end() ? nullptr : &found->second.stored;
}

TRINE_DECL std::vector<std::string_view> GgufTensors::names() const {
  std::vector<std::string_view> result;
  result.reserve(tensors_.size());
  for (const auto& [name, tensor] : tensors_) result.emplace_back(name);
  return result;
}

TRINE_DECL std::string GgufTensors::source_name_of(std::string_view name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) return source_name();
  return file_->source_name_of(found->second.gguf_name) + ": " + std::string(found->second.gguf_name);
}

// Returns whether it is a scale of weights, which it keeps, or of their activations.
TRINE_DECL bool GgufTensors::take_scale(std::string_view gguf_name) {
  if (!hf::scaled_weight(*file_, gguf_name, ".input_scale").empty()) return true;
  const std::string weight = hf::scaled_weight(*file_, gguf_name, ".scale");
  if (weight.empty()) return false;
  const StoredTensor& scale = *file_->find(gguf_name);
  if (scale.dtype != DType::f32) fail(gguf_name, "expected f32, found " + std::string(to_string(scale.dtype)));
  scales_[weight] = {reinterpret_cast<const float*>(scale.bytes.data()), scale.bytes.size() / sizeof(float)};
  return true;
}

// expert: of the `experts` of a stack; experts: how many scales it has if it has any
TRINE_DECL void GgufTensors::add(std::string name, std::string_view gguf_name, StoredTensor stored, std::size_t expert,
                                 std::size_t experts) {
  const auto [entry, is_new] = tensors_.try_emplace(std::move(name), Tensor{std::move(stored), gguf_name});
  Tensor& tensor = entry->second;
  if (!is_new)
    fail(gguf_name, "expected one tensor for " + entry->first + ", found " + std::string(tensor.gguf_name) + ", too");
  const auto scales = scales_.find(gguf_name);
  if (scales == scales_.end()) return;
  const std::vector<std::size_t>& shape = tensor.stored.shape;
  if (shape.size() != 2)
    fail(gguf_name, "expected a matrix beside a scale, found shape " + to_string(std::span<const std::size_t>(shape)));
  if (scales->second.size() != experts)
    fail(gguf_name, "expected one scale" +
                        (experts == 1 ? "" : " for each of " + std::to_string(experts) + " experts") +
                        " beside it, found " + std::to_string(scales->second.size()));
  tensor.matrix = stored_matrix(tensor.stored.bytes.data(), tensor.stored.dtype, shape[0], shape[1]);
  tensor.matrix.scales.factor = scales->second[expert];
  tensor.stored.matrix = &tensor.matrix;
  tensor.stored.scale_bytes = sizeof(float);
}

// half: of the rows of each expert; 0: all of them
TRINE_DECL void GgufTensors::add_stack(std::string_view gguf_name, std::string_view pattern, std::string_view suffix,
                                       std::size_t half) {
  const StoredTensor& stack = *file_->find(gguf_name);
  std::vector<std::size_t> shape = stack.shape;
  const std::size_t rank = suffix == ".bias" ? 2 : 3;
  if (shape.size() == rank - 1) shape.insert(shape.begin(), 1);  // writers drop outer extents of 1
  if (shape.size() != rank || (half != 0 && shape[1] % 2 != 0))
    fail(gguf_name, "expected [experts, rows" + std::string(half == 0 ? "" : " of two halves") +
                        (rank == 3 ? ", columns]" : "]") + ", found " + to_string(std::span<const std::size_t>(shape)));
  const std::size_t experts = shape[0];
  shape.erase(shape.begin());
  if (half != 0) shape[0] /= 2;
  const std::size_t parts = experts * (half == 0 ? 1 : 2);
  if (parts == 0) return;
  const std::size_t bytes = stack.bytes.size() / parts;
  for (std::size_t e = 0; e < experts; ++e) {
    const std::size_t part = half == 0 ? e : 2 * e + half - 1;
    add(hf::with_number(pattern, std::to_string(e)) + std::string(suffix), gguf_name,
        {stack.dtype, shape, stack.bytes.subspan(part * bytes, bytes)}, e, experts);
  }
}

TRINE_DECL void GgufTensors::fail(std::string_view gguf_name, const std::string& problem) const {
  const std::string file = file_->source_name_of(gguf_name);
  throw WeightError(std::string(gguf_name) + ": " + problem + " (" + file + ")",
                    {ErrorKind::mismatch, file, std::string(gguf_name)});
}

}  // namespace trine::inline TRINE_ABI
