// SPDX-License-Identifier: Apache-2.0
// Mean squares of the inputs of every weight, column by column: what a calibration text tells about which errors
// matter.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <trine/core/error.hpp>
#include <trine/core/shape.hpp>
#include <trine/quant/weight_formats.hpp>
#include <trine/weights/safetensors.hpp>
#include <trine/weights/safetensors_writer.hpp>
#include <trine/weights/weight_source.hpp>

namespace trine::inline TRINE_ABI {

/// Of one tensor: how often its matrices were used, and with which inputs.
struct TensorInputs {
  std::size_t columns = 0;          ///< inputs of one matrix
  std::vector<std::uint64_t> rows;  ///< [experts, or 1] tokens that each matrix has multiplied
  std::vector<double> squares;      ///< [experts, columns] the sum of x_j^2 over these

  /// Matrices of the tensor.
  [[nodiscard]] std::size_t experts() const noexcept { return rows.size(); }
};

/// sum x_j^2 of every input column of every weight of a model, of each expert by itself. Tensors are named as in the
/// checkpoint. The same numbers are what the imatrix of llama.cpp holds.
class InputStatistics {
 public:
  /// The statistics of each tensor that was used, by name.
  [[nodiscard]] const std::map<std::string, TensorInputs, std::less<>>& tensors() const noexcept { return tensors_; }

  /// How much errors of each column count, [experts, columns]: the mean of x_j^2 over the tokens of an expert, together
  /// with kPriorTokens tokens that are like those of the whole layer, and at least 1 % of the mean over the columns.
  /// Empty if the tensor was never used or has other extents.
  [[nodiscard]] std::vector<float> importance(std::string_view tensor, std::size_t experts, std::size_t columns) const {
    const auto found = tensors_.find(tensor);
    if (found == tensors_.end()) return {};
    const TensorInputs& inputs = found->second;
    if (inputs.columns != columns || inputs.experts() != experts) return {};
    std::vector<double> layer(columns);
    double tokens = 0.0;
    for (std::size_t e = 0; e < experts; ++e) {
      tokens += static_cast<double>(inputs.rows[e]);
      for (std::size_t j = 0; j < columns; ++j) layer[j] += inputs.squares[e * columns + j];
    }
    if (tokens == 0.0) return {};
    std::vector<float> result(experts * columns);
    std::vector<double> mean(columns);
    for (std::size_t e = 0; e < experts; ++e) {
      double all = 0.0;
      for (std::size_t j = 0; j < columns; ++j) {
        mean[j] = (inputs.squares[e * columns + j] + kPriorTokens * layer[j] / tokens) /
                  (static_cast<double>(inputs.rows[e]) + kPriorTokens);
        all += mean[j];
      }
      const double least = 0.01 * all / static_cast<double>(columns);
      const double unit = all == 0.0 ? 0.0 : static_cast<double>(columns) / all;  // so that the mean is 1
      for (std::size_t j = 0; j < columns; ++j)
        result[e * columns + j] = all == 0.0 ? 1.0F : static_cast<float>(std::max(mean[j], least) * unit);
    }
    return result;
  }
  static constexpr double kPriorTokens = 16.0;  ///< see importance()

  /// The sum of x_j^2 over the tokens of an expert, divided by all tokens of the text, [experts, columns]: what an
  /// error of a weight contributes to the mean squared error of the output. An expert that is chosen rarely has small
  /// ones. Empty as above.
  [[nodiscard]] std::vector<float> mean_squares(std::string_view tensor, std::size_t experts,
                                                std::size_t columns) const {
    const auto found = tensors_.find(tensor);
    if (found == tensors_.end() || found->second.columns != columns || found->second.experts() != experts) return {};
    const std::uint64_t tokens = this->tokens();
    std::vector<float> result(experts * columns);
    for (std::size_t i = 0; i < result.size(); ++i)
      result[i] = static_cast<float>(found->second.squares[i] / static_cast<double>(tokens));
    return result;
  }
  /// Tokens of the text: the most that a matrix has multiplied; at least 1.
  [[nodiscard]] std::uint64_t tokens() const noexcept {
    std::uint64_t most = 1;
    for (const auto& [name, inputs] : tensors_)
      for (const std::uint64_t rows : inputs.rows) most = std::max(most, rows);
    return most;
  }

  /// Adds what another run collected with the same model. Throws InputError where the extents of a tensor differ.
  void add(const InputStatistics& other) {
    for (const auto& [name, inputs] : other.tensors_) {
      TensorInputs& sum = of(name, inputs.columns, inputs.experts());
      if (sum.columns != inputs.columns || sum.experts() != inputs.experts())
        throw InputError(name + ": expected statistics of " + std::to_string(sum.experts()) + " x " +
                             std::to_string(sum.columns) + " inputs, found " + std::to_string(inputs.experts()) +
                             " x " + std::to_string(inputs.columns),
                         {.kind = ErrorKind::mismatch, .field = name});
      for (std::size_t i = 0; i < sum.rows.size(); ++i) sum.rows[i] += inputs.rows[i];
      for (std::size_t i = 0; i < sum.squares.size(); ++i) sum.squares[i] += inputs.squares[i];
    }
  }

  /// Writes STEM.safetensors: for each tensor NAME.in_sum2 [experts, columns] and NAME.counts [experts, 1], in f32 as
  /// in an imatrix. Throws FileError.
  void save(const OutputDirectory& directory, const std::string& stem = "calibration") const {
    std::vector<TensorHeader> headers;
    for (const auto& [name, inputs] : tensors_) {
      headers.push_back({name + ".in_sum2", DType::f32, {inputs.experts(), inputs.columns}});
      headers.push_back({name + ".counts", DType::f32, {inputs.experts(), 1}});
    }
    SafetensorsWriter writer(directory, headers, std::uint64_t{1} << 40U, stem);
    for (const auto& [name, inputs] : tensors_) {
      writer.begin();
      writer.write(bytes_of(inputs.squares));
      writer.begin();
      writer.write(bytes_of(inputs.rows));
    }
    writer.finish();
  }

  /// Reads such a file. Throws WeightError if it is damaged, has values that are not finite or below 0, or holds other
  /// tensors.
  [[nodiscard]] static InputStatistics load(const std::filesystem::path& file) {
    return from_tensors(Safetensors(file), file.string());
  }

  /// Those of a tensor, zeros at first.
  TensorInputs& of(const std::string& name, std::size_t columns, std::size_t experts) {
    TensorInputs& inputs = tensors_[name];
    if (inputs.rows.empty()) {
      inputs.columns = columns;
      inputs.rows.resize(experts);
      inputs.squares.resize(experts * columns);
    }
    return inputs;
  }

 private:
  template <class T>
  [[nodiscard]] static std::vector<std::byte> bytes_of(const std::vector<T>& values) {
    std::vector<std::byte> bytes(values.size() * sizeof(float));
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto value = static_cast<float>(values[i]);
      std::memcpy(bytes.data() + i * sizeof value, &value, sizeof value);
    }
    return bytes;
  }

  [[nodiscard]] static InputStatistics from_tensors(const WeightSource& source, const std::string& file) {
    InputStatistics statistics;
    const auto fail = [&](std::string_view name, const std::string& what) {
      throw WeightError(file + ": " + std::string(name) + ": " + what,
                        {.kind = ErrorKind::damaged, .path = file, .field = std::string(name)});
    };
    constexpr std::string_view kSums = ".in_sum2";
    constexpr std::string_view kCounts = ".counts";
    for (const std::string_view name : source.names()) {
      if (name.ends_with(kCounts)) continue;
      if (!name.ends_with(kSums)) fail(name, "expected the statistics of a tensor, NAME.in_sum2, found another name");
      const std::string tensor(name.substr(0, name.size() - kSums.size()));
      const StoredTensor& sums = *source.find(name);
      const StoredTensor* counts = source.find(tensor + std::string(kCounts));
      if (counts == nullptr) fail(name, "expected " + tensor + ".counts beside it, found none");
      if (sums.dtype != DType::f32 || counts->dtype != DType::f32 || sums.shape.size() != 2 ||
          counts->shape.size() != 2 || counts->shape[0] != sums.shape[0] || counts->shape[1] != 1)
        fail(name, "expected f32 [experts, columns] and counts [experts, 1], found " +
                       std::string(to_string(sums.dtype)) + " " + to_string(sums.shape) + " and " +
                       std::string(to_string(counts->dtype)) + " " + to_string(counts->shape));
      TensorInputs& inputs = statistics.of(tensor, sums.shape[1], sums.shape[0]);
      const auto read = [&](const StoredTensor& from, std::size_t i) {
        float value = 0.0F;
        std::memcpy(&value, from.bytes.data() + i * sizeof value, sizeof value);
        if (!(value >= 0.0F) || !std::isfinite(value))
          fail(name, "expected sums and counts of at least 0, found " + std::to_string(value));
        return value;
      };
      for (std::size_t i = 0; i < inputs.squares.size(); ++i) inputs.squares[i] = read(sums, i);
      for (std::size_t i = 0; i < inputs.rows.size(); ++i) {
        const float count = read(*counts, i);
        if (count > 1e15F) fail(name, "expected a count of tokens, found " + std::to_string(count));
        inputs.rows[i] = static_cast<std::uint64_t>(count);
      }
    }
    return statistics;
  }

  std::map<std::string, TensorInputs, std::less<>> tensors_;
};

}  // namespace trine::inline TRINE_ABI
