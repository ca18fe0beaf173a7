// SPDX-License-Identifier: Apache-2.0
// Importance matrices of llama.cpp as statistics of inputs: the same sums under the names of GGUF.
//
// Two formats. GGUF of general.type "imatrix": for each tensor NAME.in_sum2 [matrices, columns] and NAME.counts
// [matrices, 1], in f32. Older files (".dat", ".imatrix"), all little endian:
//
//   | entries: i32 | length: i32 | name | calls: i32 | values: i32 | mean squares times calls: f32 ... |  ...
//
// then the number of chunks and the name of the text. They do not tell tokens: a call stands for 512, the usual chunk.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/core/error.hpp>
#include <trine/core/printable.hpp>
#include <trine/core/shape.hpp>
#include <trine/model/architectures/gguf/config.hpp>
#include <trine/model/architectures/gguf/tensors.hpp>
#include <trine/model/model.hpp>
#include <trine/platform/mapped_file.hpp>
#include <trine/quantize/input_statistics.hpp>
#include <trine/quantize/statistics_targets.hpp>
#include <trine/weights/gguf.hpp>

namespace trine::inline TRINE_ABI {

/// What an importance matrix tells of the tensors of a GGUF file, by their names there.
using Imatrix = std::map<std::string, TensorInputs>;

namespace detail {

inline constexpr std::uint64_t kTokensOfChunk = 512;

[[noreturn]] inline void fail_imatrix(const std::string& file, const std::string& field, const std::string& what) {
  throw WeightError(file + ": " + field + ": " + what, {.kind = ErrorKind::damaged, .path = file, .field = field});
}

[[nodiscard]] inline float imatrix_value(const std::string& file, const std::string& tensor, const std::byte* at) {
  float value = 0.0F;
  std::memcpy(&value, at, sizeof value);
  if (!(value >= 0.0F) || !std::isfinite(value))
    fail_imatrix(file, tensor, "expected sums and counts of at least 0, found " + std::to_string(value));
  return value;
}

// The older format.
class ImatrixReader {
 public:
  explicit ImatrixReader(const std::filesystem::path& path) : file_(path), name_(path.string()) {}

  [[nodiscard]] Imatrix read() {
    Imatrix matrix;
    const std::size_t entries = count("number of entries", 17);  // a name of one byte, and one value
    for (std::size_t i = 0; i < entries; ++i) {
      const std::size_t length = count("length of a name", 1);
      const std::span<const std::byte> bytes = take("name", length);
      const std::string tensor(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      const std::size_t calls = std::max<std::size_t>(number("number of calls"), 1);
      const std::size_t values = count(tensor, sizeof(float));
      const std::span<const std::byte> data = take(tensor, values * sizeof(float));
      TensorInputs inputs{.columns = values, .rows = {calls * kTokensOfChunk}, .squares = {}};
      for (std::size_t k = 0; k < values; ++k)
        inputs.squares.push_back(static_cast<double>(imatrix_value(name_, tensor, &data[k * sizeof(float)])) *
                                 static_cast<double>(kTokensOfChunk));
      if (!matrix.emplace(tensor, std::move(inputs)).second)
        fail_imatrix(name_, tensor, "expected one entry, found another");
    }
    return matrix;  // what follows is not needed
  }

 private:
  [[nodiscard]] std::span<const std::byte> take(const std::string& field, std::size_t bytes) {
    const std::span<const std::byte> left = file_.bytes().subspan(at_);
    if (bytes > left.size())
      fail_imatrix(name_, printable(field),
                   "expected " + std::to_string(bytes) + " bytes at offset " + std::to_string(at_) + ", found " +
                       std::to_string(left.size()));
    at_ += bytes;
    return left.first(bytes);
  }
  [[nodiscard]] std::size_t number(const std::string& field) {
    std::int32_t value = 0;
    std::memcpy(&value, take(field, sizeof value).data(), sizeof value);
    if (value < 0) fail_imatrix(name_, printable(field), "expected at least 0, found " + std::to_string(value));
    return static_cast<std::size_t>(value);
  }
  // A number of things of at least that many bytes each, which the rest of the file must have.
  [[nodiscard]] std::size_t count(const std::string& field, std::size_t bytes) {
    const std::size_t value = number(field);
    if (value == 0 || value > (file_.size() - at_) / bytes)
      fail_imatrix(
          name_, printable(field),
          "expected a count that the file has room for, found " + std::to_string(value) + "; is it an imatrix?");
    return value;
  }

  MappedFile file_;
  std::string name_;
  std::size_t at_ = 0;
};

[[nodiscard]] inline Imatrix read_gguf_imatrix(const std::filesystem::path& path) {
  const GgufFile source(path);
  const std::string file = path.string();
  constexpr std::string_view kSums = ".in_sum2";
  Imatrix matrix;
  for (const std::string_view name : source.names()) {
    if (!name.ends_with(kSums)) continue;
    const std::string tensor(name.substr(0, name.size() - kSums.size()));
    const StoredTensor& sums = *source.find(name);
    const StoredTensor* counts = source.find(tensor + ".counts");
    if (counts == nullptr || counts->dtype != DType::f32 || sums.dtype != DType::f32)
      fail_imatrix(file, std::string(name), "expected f32 with " + tensor + ".counts in f32 beside it, found none");
    const std::size_t matrices = counts->bytes.size() / sizeof(float);
    const std::size_t values = sums.bytes.size() / sizeof(float);
    if (matrices == 0 || values == 0 || values % matrices != 0)
      fail_imatrix(
          file, std::string(name),
          "expected sums for each of " + std::to_string(matrices) + " counts, found " + std::to_string(values));
    TensorInputs& inputs = matrix[tensor];
    inputs.columns = values / matrices;
    for (std::size_t i = 0; i < matrices; ++i)
      inputs.rows.push_back(static_cast<std::uint64_t>(imatrix_value(file, tensor, &counts->bytes[i * sizeof(float)])));
    for (std::size_t i = 0; i < values; ++i)
      inputs.squares.push_back(static_cast<double>(imatrix_value(file, tensor, &sums.bytes[i * sizeof(float)])));
  }
  if (matrix.empty()) fail_imatrix(file, "tensors", "expected the statistics of an imatrix, NAME.in_sum2, found none");
  return matrix;
}

// A matrix of an entry.
struct ImatrixPart {
  const TensorInputs* inputs = nullptr;
  std::size_t index = 0;
  std::size_t parts = 1;  // in the older format a stack of experts is one list
};

// Tensors in place of those of the GGUF file, whose values are the numbers of parts: renamed as a file's are.
class ImatrixNames : public TensorMap {
 public:
  ImatrixNames(const Imatrix& matrix, std::size_t experts, std::string file) : file_(std::move(file)) {
    for (const auto& [name, inputs] : matrix) {
      const bool stack = name.find("_exps.") != std::string::npos;
      const std::size_t parts = inputs.experts() > 1 ? inputs.experts() : stack ? experts : 1;
      numbers_.emplace_back();
      for (std::size_t i = 0; i < parts; ++i) {
        numbers_.back().insert(numbers_.back().end(), stack ? 2 : 1, static_cast<float>(parts_.size()));
        parts_.push_back({&inputs, i, parts});
      }
      std::vector<std::size_t> shape = stack ? std::vector<std::size_t>{parts, 2, 1} : std::vector<std::size_t>{parts};
      tensors_.emplace(name, StoredTensor{DType::f32, std::move(shape), std::as_bytes(std::span(numbers_.back()))});
    }
  }
  [[nodiscard]] std::string source_name() const override { return file_; }
  [[nodiscard]] const ImatrixPart& part(const StoredTensor& tensor) const {
    float number = 0.0F;
    std::memcpy(&number, tensor.bytes.data(), sizeof number);
    return parts_[static_cast<std::size_t>(number)];
  }

 private:
  std::string file_;
  std::vector<std::vector<float>> numbers_;  // of the matrices of each entry
  std::vector<ImatrixPart> parts_;
};

// What a tensor of a checkpoint is, whatever stands before the layers, and however experts are named or stacked.
[[nodiscard]] inline std::string place_of(std::string_view name, std::optional<std::size_t> expert = std::nullopt) {
  constexpr std::string_view kExperts = ".experts.";
  const std::size_t layers = name.find("layers.");
  if (layers == std::string_view::npos) {  // the last two parts
    const std::size_t dot = name.rfind('.', name.rfind('.') - 1);
    return std::string(dot == std::string_view::npos ? name : name.substr(dot + 1));
  }
  name = name.substr(layers);
  const std::size_t at = name.find(kExperts);
  if (at == std::string_view::npos) return std::string(name);
  const std::string_view layer = name.substr(0, name.find('.', std::string_view("layers.").size()));
  const std::string_view rest = name.substr(at + kExperts.size());
  const bool is_second = rest.find("down") != std::string_view::npos || rest.find("w2") != std::string_view::npos ||
                         rest.find("output_linear") != std::string_view::npos;
  const std::string number = expert ? std::to_string(*expert) : std::string(rest.substr(0, rest.find('.')));
  return std::string(layer) + " expert " + number + (is_second ? " second" : " first");
}

}  // namespace detail

/// Reads an importance matrix of either format. Throws FileError; WeightError if it is damaged, or has values that are
/// not finite or below 0.
[[nodiscard]] inline Imatrix read_imatrix(const std::filesystem::path& file) {
  return is_gguf(file) ? detail::read_gguf_imatrix(file) : detail::ImatrixReader(file).read();
}

/// The statistics of a model from an importance matrix that was made for a GGUF file of it. Which names of GGUF its
/// tensors have is found by trying all architectures. Throws InputError if less than two thirds of them fit the
/// model.   file: for errors
[[nodiscard]] inline InputStatistics statistics_of(const Imatrix& matrix, const Model& model, const std::string& file) {
  const std::vector<StatisticsTarget> targets = statistics_targets(model);
  std::size_t experts = 1;
  std::vector<std::string> places;  // of the targets; empty: no place
  for (const StatisticsTarget& target : targets) {
    const bool stacked = target.experts > 1;
    places.push_back(target.tensor.empty()
                         ? std::string()
                         : detail::place_of(target.tensor, stacked ? std::optional(target.expert) : std::nullopt));
    experts = std::max(experts, target.experts);
    if (const std::size_t at = target.tensor.find(".experts."); at != std::string::npos && !stacked)
      experts = std::max<std::size_t>(experts, std::strtoul(target.tensor.c_str() + at + 9, nullptr, 10) + 1);
  }
  InputStatistics best;
  std::size_t most = 0;  // entries that are used
  std::string wrong;     // a tensor that does not fit
  for (const std::string_view architecture : gguf_architectures()) {
    auto names = std::make_unique<detail::ImatrixNames>(matrix, experts, file);
    const detail::ImatrixNames& parts = *names;
    std::map<std::string, const StoredTensor*> found;
    std::optional<GgufTensors> renamed;
    try {
      Notes ignored;
      renamed.emplace(std::move(names), architecture, ignored);
    } catch (const WeightError&) {
      continue;  // of other shapes: not this one
    }
    for (const std::string_view name : renamed->names()) found.emplace(detail::place_of(name), renamed->find(name));
    InputStatistics statistics;
    std::set<const TensorInputs*> used;
    for (std::size_t t = 0; t < targets.size(); ++t) {
      const auto entry = places[t].empty() ? found.end() : found.find(places[t]);
      if (entry == found.end()) continue;
      const StatisticsTarget& target = targets[t];
      const detail::ImatrixPart& part = parts.part(*entry->second);
      const std::size_t columns = part.inputs->columns * part.inputs->experts() / part.parts;
      if (columns != target.columns) {
        wrong = target.tensor + ": expected statistics of " + std::to_string(target.columns) + " inputs, found " +
                std::to_string(columns);
        continue;
      }
      TensorInputs& inputs = statistics.of(target.tensor, target.columns, target.experts);
      if (inputs.columns != target.columns || inputs.experts() != target.experts) continue;
      inputs.rows[target.expert] = part.inputs->rows[part.inputs->experts() > 1 ? part.index : 0];
      std::copy_n(part.inputs->squares.begin() + static_cast<std::ptrdiff_t>(part.index * columns), columns,
                  inputs.squares.begin() + static_cast<std::ptrdiff_t>(target.expert * columns));
      used.insert(part.inputs);
    }
    if (used.size() <= most) continue;
    most = used.size();
    best = std::move(statistics);
  }
  // A few that do not fit are matrices that were multiplied in parts, such as attn_k_b, and stay plain anyway.
  if (3 * most < 2 * matrix.size())
    throw InputError(file + ": expected an imatrix of " + model.weights().source_name() +
                         ", found that of another model: " +
                         (!wrong.empty() ? wrong
                                         : std::to_string(most) + " of its " + std::to_string(matrix.size()) +
                                               " tensors fit, not " + in_quotes(matrix.begin()->first)),
                     {.kind = ErrorKind::mismatch, .path = file, .field = "imatrix"});
  return best;
}

/// Statistics of a model from a file: those of InputStatistics::save, or an importance matrix. Throws as these do.
[[nodiscard]] inline InputStatistics load_statistics(const std::filesystem::path& file, const Model& model) {
  if (file.extension() == ".safetensors") return InputStatistics::load(file);
  return statistics_of(read_imatrix(file), model, file.string());
}

}  // namespace trine::inline TRINE_ABI
