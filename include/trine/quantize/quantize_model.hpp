// SPDX-License-Identifier: Apache-2.0
// Writes a model again, as a directory with other weight types.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/core/hash.hpp>
#include <trine/model/model.hpp>
#include <trine/model/model_files.hpp>
#include <trine/model/quantization_config.hpp>
#include <trine/platform/thread_pool.hpp>
#include <trine/quantize/convert_tensor.hpp>
#include <trine/quantize/gguf_metadata_files.hpp>
#include <trine/quantize/input_statistics.hpp>
#include <trine/quantize/quantize_journal.hpp>
#include <trine/quantize/quantize_plan.hpp>
#include <trine/version.hpp>
#include <trine/weights/gguf.hpp>
#include <trine/weights/native_weights_writer.hpp>
#include <trine/weights/weight_scope.hpp>

namespace trine::inline TRINE_ABI {

/// How a conversion runs. Only `statistics` changes the written bytes.
struct QuantizeOptions {
  std::size_t num_threads = 0;  ///< 0: default_threads()
  std::stop_token cancel = {};  ///< ends with CancelledError after the next few megabytes, and nothing is kept
  std::function<void(std::uint64_t done, std::uint64_t total)> progress = {};  ///< bytes of the source
  /// Of this model: errors of weights count by the mean square of their input. Null: by the size of the weights alone.
  /// Changes the written bytes.
  const InputStatistics* statistics = nullptr;
  /// After so many bytes the tensors that are complete are synced to disk: what a run loses at most that is killed. The
  /// next run for the same model, plan, statistics and target goes on from there.
  std::uint64_t checkpoint_bytes = std::uint64_t{256} << 20U;
  std::function<void(std::size_t tensors, std::size_t total)> resumed = {};  ///< is told so, before it begins
};

/// Opens and checks the source; then makes any number of plans, which may be changed, and directories from them.
class ModelQuantizer {
 public:
  /// Opens a model directory or a GGUF file as Model::load does, and throws what it throws.
  explicit ModelQuantizer(std::filesystem::path path, LoadOptions load = {})
      : path_(std::move(path)),
        files_(path_),
        load_(std::move(load)),
        model_(Model::load(path_, load_)),
        scale_block_([this] {
          Notes notes(load_.allow_unknown);
          return parse_quantization_config(model_.config(), config_name(), notes).scale_block;
        }()),
        record_(Model::tensor_record(model_.config(), config_name(), model_.weights(), load_)) {}

  /// The model to convert.
  [[nodiscard]] const Model& model() const noexcept { return model_; }

  /// How it was loaded.
  [[nodiscard]] const LoadOptions& load_options() const noexcept { return load_; }

  /// The result of plan_quantization for it, without ModelInfo::unknown_tensors: the output loads without
  /// allow_unknown. Throws InputError, WeightError.
  [[nodiscard]] std::vector<PlannedTensor> plan(const QuantizeTarget& target,
                                                std::span<const QuantizeRule> rules = {}) const {
    return plan_quantization(model_.weights(), record_, target, rules, model_.info().unknown_tensors);
  }

  /// Writes the directory `target`: weights.bin by the plan; config.json, without a quantization_config that no longer
  /// applies; copies of the other files, except other weights and folders; for a GGUF file, its metadata as the files
  /// of a directory (gguf_metadata_files.hpp). The directory appears when it is completely on disk and loads. Returns
  /// the error of each tensor of the plan.
  ///
  /// Throws FileError: `target` exists, the disk is full, or a file of the source has changed; InputError: `target`
  /// lies in the source, or the plan is not for it, or has a type that a tensor cannot have; WeightError;
  /// CancelledError. Nothing is left then. A killed process leaves nothing that loads (output_directory.hpp), but what
  /// it had written is used by the next run (QuantizeOptions::checkpoint_bytes).
  std::vector<QuantizationError> write(std::span<const PlannedTensor> plan, const std::filesystem::path& target,
                                       const QuantizeOptions& options = {}) const {
    files_.require_outside(target);
    validate(plan);
    if (options.statistics != nullptr) require_fitting(*options.statistics);
    OutputDirectory output(target, OutputDirectory::Leftover::kept);
    QuantizeJournal journal(output, key_of(plan, options.statistics));
    if (files_.is_gguf_model()) {
      write_metadata_files(GgufFile(path_).metadata(), output);
    } else {
      files_.copy_auxiliary(output, options.cancel);
    }
    std::vector<QuantizationError> errors = write_weights(plan, output, journal, options);
    if (options.statistics != nullptr) options.statistics->save(output);
    write_config(output);
    LoadOptions check = load_;
    check.progress = {};  // of the source only
    check.cancel = options.cancel;
    static_cast<void>(Model::load(output.path(), check));
    files_.require_unchanged();
    journal.remove();
    output.commit();
    return errors;
  }

  /// Passes one tensor to `sink` as it is planned, and returns the error. Throws WeightError, CancelledError, and what
  /// `sink` throws.
  QuantizationError convert(const ExecutionContext& execution, const PlannedTensor& planned,
                            const InputStatistics* statistics, const TensorSink& sink) const {
    WeightReader reader(model_.weights(), scale_block_);
    return convert(execution, reader, planned, statistics, sink);
  }

  /// What each of `types` would do to the outputs of a tensor, see sample_output_errors; per token of the text, if
  /// there are statistics.   planned: with one of these types
  [[nodiscard]] std::vector<double> output_errors(const ExecutionContext& execution, const PlannedTensor& planned,
                                                  std::span<const DType> types,
                                                  const InputStatistics* statistics) const {
    WeightReader reader(model_.weights(), scale_block_);
    std::vector<double> sum(types.size());
    for_each_matrix(reader, planned, statistics,
                    [&](const WeightMatrix& matrix, const RowImportance& importance, const RowImportance& squares) {
                      const std::vector<double> errors =
                          sample_output_errors(execution, planned.name, matrix, types, importance, squares);
                      for (std::size_t t = 0; t < sum.size(); ++t) sum[t] += errors[t];
                    });
    return sum;
  }

  /// The shape in which a tensor of the plan is written.
  [[nodiscard]] std::vector<std::size_t> written_shape(const PlannedTensor& planned) const {
    return detail::written_shape(record_.find(planned.name), planned);
  }

 private:
  QuantizationError convert(const ExecutionContext& execution, WeightReader& reader, const PlannedTensor& planned,
                            const InputStatistics* statistics, const TensorSink& sink) const {
    const StoredTensor& tensor = *model_.weights().find(planned.name);
    if (planned.to == tensor.dtype) {
      copy_tensor(execution, tensor.bytes, sink);
      return {};
    }
    const TensorUse use = record_.find(planned.name);
    const std::size_t count =
        use.stack && detail::is_transposed(use, planned) ? use.stack->count * use.stack->projections : 1;
    std::size_t matrices = 0;
    QuantizationError error;
    for_each_matrix(reader, planned, statistics,
                    [&](const WeightMatrix& matrix, const RowImportance& importance, const RowImportance&) {
                      error += convert_tensor(
                          execution, planned.name, matrix, planned.to,
                          [&](std::span<const std::byte> bytes, double done) {
                            sink(bytes, (static_cast<double>(matrices) + done) / static_cast<double>(count));
                          },
                          importance);
                      ++matrices;
                    });
    return error;
  }

  // Of everything that the bytes of weights.bin depend on, but the version of the encoders.
  [[nodiscard]] std::uint64_t key_of(std::span<const PlannedTensor> plan, const InputStatistics* statistics) const {
    Hash hash;
    hash.add(TRINE_VERSION_STRING);
    hash.add(model_.fingerprint());
    for (const PlannedTensor& tensor : plan) {
      hash.add(tensor.name);
      hash.add(to_string(tensor.to));
    }
    if (statistics == nullptr) return hash.value();
    for (const auto& [name, inputs] : statistics->tensors()) {
      hash.add(name);
      hash.add(std::as_bytes(std::span(inputs.rows)));
      hash.add(std::as_bytes(std::span(inputs.squares)));
    }
    return hash.value();
  }

  [[nodiscard]] std::string config_name() const {
    return files_.is_gguf_model() ? path_.string() : (path_ / "config.json").string();
  }

  void validate(std::span<const PlannedTensor> plan) const {
    for (const PlannedTensor& planned : plan) {
      const StoredTensor* tensor = model_.weights().find(planned.name);
      if (tensor == nullptr || tensor->shape != planned.shape || tensor->dtype != planned.from)
        throw InputError(planned.name + ": expected a plan for the tensors of " + path_.string(),
                         {ErrorKind::mismatch, path_.string(), planned.name});
      if (planned.to == planned.from) continue;
      if (const std::string obstacle = detail::obstacle_to(planned.to, record_.find(planned.name), planned);
          !obstacle.empty())
        throw InputError(planned.name + ": expected a type that it can have, found " +
                             std::string(to_string(planned.to)) + ": " + obstacle,
                         {ErrorKind::unsupported, path_.string(), planned.name});
    }
  }

  // Statistics of another model would be left unused without a word.
  void require_fitting(const InputStatistics& statistics) const {
    for (const auto& [name, inputs] : statistics.tensors()) {
      const auto fail = [&, &name = name](const std::string& found) {
        throw InputError(
            "calibration: " + name + ": expected statistics of the tensors of " + path_.string() + ", found " + found,
            {ErrorKind::mismatch, path_.string(), name});
      };
      const StoredTensor* tensor = model_.weights().find(name);
      if (tensor == nullptr) fail("those of a tensor that it does not have");
      const auto [experts, columns] = matrices_of(name, *tensor);
      if (inputs.experts() != experts || inputs.columns != columns)
        fail(std::to_string(inputs.experts()) + " x " + std::to_string(inputs.columns) + " inputs in place of " +
             std::to_string(experts) + " x " + std::to_string(columns));
    }
  }
  // How many matrices a tensor holds that have statistics of their own, and the inputs of each.
  [[nodiscard]] std::pair<std::size_t, std::size_t> matrices_of(const std::string& name,
                                                                const StoredTensor& tensor) const {
    if (const TensorUse use = record_.find(name); use.stack) return {use.stack->count, use.stack->columns};
    return {1, tensor.matrix != nullptr ? tensor.matrix->columns : tensor.shape.back()};
  }

  std::vector<QuantizationError> write_weights(std::span<const PlannedTensor> plan, const OutputDirectory& output,
                                               QuantizeJournal& journal, const QuantizeOptions& options) const {
    const std::size_t threads = options.num_threads == 0 ? default_threads() : options.num_threads;
    ThreadPool pool(threads);
    const ExecutionContext execution{.num_threads = threads, .stop = options.cancel, .executor = &pool};
    std::uint64_t before = 0;
    std::uint64_t after = 0;
    for (const PlannedTensor& tensor : plan) {
      before += tensor.bytes_before;
      after += tensor.bytes_after;
    }
    std::vector<QuantizationError> errors = journal.done();
    if (errors.size() > plan.size()) errors.clear();
    NativeWeightsWriter writer =
        errors.empty() ? NativeWeightsWriter(output, after) : NativeWeightsWriter(output, after, journal.bytes());
    if (options.resumed && !errors.empty()) options.resumed(errors.size(), plan.size());
    WeightReader reader(model_.weights(), scale_block_);
    std::uint64_t done = 0;
    std::uint64_t synced = journal.bytes();
    const std::size_t first = errors.size();
    for (const PlannedTensor& tensor : plan.first(first)) {
      writer.skip(tensor.name, tensor.to, written_shape(tensor));
      done += tensor.bytes_before;
    }
    for (const PlannedTensor& tensor : plan.subspan(first)) {
      writer.begin(tensor.name, tensor.to, written_shape(tensor));
      errors.push_back(
          convert(execution, reader, tensor, options.statistics, [&](std::span<const std::byte> bytes, double share) {
            writer.write(bytes);
            const auto part = static_cast<std::uint64_t>(share * static_cast<double>(tensor.bytes_before));
            if (options.progress) options.progress(done + part, before);
          }));
      done += tensor.bytes_before;
      journal.add(errors.back(), writer.size());
      if (writer.size() - synced < options.checkpoint_bytes) continue;
      writer.sync();
      journal.write();
      synced = writer.size();
    }
    writer.finish();
    return errors;
  }

  // Calls use(matrix, importance, squares) for the matrix of a tensor, or for each of a stack that is transposed.
  template <class Use>
  void for_each_matrix(WeightReader& reader, const PlannedTensor& planned, const InputStatistics* statistics,
                       const Use& use) const {
    const StoredTensor& tensor = *model_.weights().find(planned.name);
    const std::size_t columns = tensor.shape.back();
    std::size_t rows = 1;  // of all matrices of a stack; a vector is one
    for (std::size_t i = 0; i + 1 < tensor.shape.size(); ++i) rows *= tensor.shape[i];
    const TensorUse uses = record_.find(planned.name);
    const auto [experts, inputs] = matrices_of(planned.name, tensor);
    std::vector<float> importance;
    std::vector<float> squares;
    if (statistics != nullptr) {
      importance = statistics->importance(planned.name, experts, inputs);
      squares = statistics->mean_squares(planned.name, experts, inputs);
    }
    if (uses.stack && detail::is_transposed(uses, planned)) {
      const StackShape& shape = *uses.stack;
      const WeightStack stack(
          stored_matrix(tensor.bytes.data(), tensor.dtype, tensor.shape[0] * tensor.shape[1], columns), shape);
      const auto of_expert = [&](std::span<const float> values, std::size_t expert) -> RowImportance {
        return {values.empty() ? values : values.subspan(expert * shape.columns, shape.columns), shape.rows};
      };
      for (std::size_t i = 0; i < shape.count * shape.projections; ++i) {
        const std::size_t expert = i / shape.projections;
        use(stack.matrix(expert, i % shape.projections), of_expert(importance, expert), of_expert(squares, expert));
      }
      return;
    }
    const WeightFormat* format = find_format(tensor.dtype);
    const WeightMatrix matrix = tensor.matrix != nullptr || (format != nullptr && format->has_scale_tensor())
                                    ? WeightScope(reader).matrix(planned.name, rows, columns)
                                    : stored_matrix(tensor.bytes.data(), tensor.dtype, rows, columns);
    use(matrix, RowImportance{importance, rows / experts}, RowImportance{squares, rows / experts});
  }

  void write_config(const OutputDirectory& output) const {
    Json config = model_.config();
    const auto codes = config.find("quantization_config");
    const bool decoded = codes != config.end() && codes->is_object() && codes->value("quant_method", Json()) != "mxfp4";
    if (!decoded && !files_.is_gguf_model()) return files_.copy("config.json", output, {});
    config.erase("quantization_config");
    OutputFile file = output.create("config.json");
    file.write(config.dump(2) + "\n");
    file.finish();
  }

  std::filesystem::path path_;
  ModelFiles files_;  // before anything is read
  LoadOptions load_;
  Model model_;
  WeightReader::ScaleBlockShape scale_block_;
  TensorRecord record_;
};

}  // namespace trine::inline TRINE_ABI
