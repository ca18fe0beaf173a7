// SPDX-License-Identifier: Apache-2.0
// Writes a model directory again with other weight types.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <trine/model/model.hpp>
#include <trine/model/quantization_config.hpp>
#include <trine/platform/file_name.hpp>
#include <trine/platform/file_snapshot.hpp>
#include <trine/platform/thread_pool.hpp>
#include <trine/quantize/convert_tensor.hpp>
#include <trine/quantize/quantize_plan.hpp>
#include <trine/weights/native_weights_writer.hpp>
#include <trine/weights/weight_scope.hpp>

namespace trine::inline TRINE_ABI {

/// How a conversion runs. No option changes the written bytes.
struct QuantizeOptions {
  std::size_t num_threads = 0;  ///< 0: default_threads()
  std::stop_token stop = {};    ///< ends with CancelledError after the next few megabytes, and nothing is kept
  std::function<void(std::uint64_t done, std::uint64_t total)> progress = {};  ///< bytes of the source
};

/// Opens and checks the source; then makes any number of plans, which may be changed, and directories from them.
class ModelQuantizer {
 public:
  /// Opens a model directory as Model::load does, and throws what it throws.
  explicit ModelQuantizer(std::filesystem::path directory, LoadOptions load = {})
      : directory_(std::move(directory)),
        load_(std::move(load)),
        stamps_(look_at_files(directory_)),
        model_(Model::load(directory_, load_)),
        config_(read_json_file(directory_ / "config.json")),
        scale_block_([this] {
          Notes notes(load_.allow_unknown);
          return parse_quantization_config(config_, (directory_ / "config.json").string(), notes);
        }()),
        record_(Model::tensor_record(config_, (directory_ / "config.json").string(), model_.weights(), load_)) {}

  /// The model to convert.
  [[nodiscard]] const Model& model() const noexcept { return model_; }

  /// The result of plan_quantization for it, without ModelInfo::unknown_tensors: the output loads without
  /// allow_unknown. Throws InputError, WeightError.
  [[nodiscard]] std::vector<PlannedTensor> plan(DType type, std::span<const QuantizeRule> rules = {}) const {
    return plan_quantization(model_.weights(), record_, type, rules, model_.info().unknown_tensors);
  }

  /// Writes the directory `target`: weights.bin by the plan; config.json, without a quantization_config that no longer
  /// applies; copies of the other files, except other weights and folders. The directory appears when it is completely
  /// on disk and loads. Returns the error of each tensor of the plan.
  ///
  /// Throws FileError: `target` exists, the disk is full, or a file of the source has changed; InputError: `target`
  /// lies in the source, or the plan is not for it, or has a type that a tensor cannot have; WeightError;
  /// CancelledError. Nothing is left then, and a killed process leaves nothing that loads (output_directory.hpp).
  std::vector<QuantizationError> write(std::span<const PlannedTensor> plan, const std::filesystem::path& target,
                                       const QuantizeOptions& options = {}) const {
    require_outside(target);
    validate(plan);
    OutputDirectory output(target);
    for (const auto& [file, stamp] : stamps_)
      if (is_auxiliary_file(file)) copy_file(file, output, options.stop);
    std::vector<QuantizationError> errors = write_weights(plan, output, options);
    write_config(output);
    LoadOptions check = load_;
    check.progress = {};  // of the source only
    check.cancel = options.stop;
    static_cast<void>(Model::load(output.path(), check));
    require_unchanged();
    output.commit();
    return errors;
  }

  /// Returns whether a file of that name is copied unchanged.
  [[nodiscard]] static bool is_auxiliary_file(std::string_view file) {
    constexpr std::array<std::string_view, 12> kWeights = {".safetensors", ".safetensors.index.json",
                                                           ".bin",         ".bin.index.json",
                                                           ".pt",          ".pth",
                                                           ".ckpt",        ".gguf",
                                                           ".h5",          ".msgpack",
                                                           ".onnx",        ".npz"};
    return is_plain_file_name(file) && file != "config.json" && file != "weights.json" &&
           std::ranges::none_of(kWeights, [file](std::string_view ending) { return file.ends_with(ending); });
  }

 private:
  using Stamps = std::map<std::string, FileSnapshot>;  // by file name

  static Stamps look_at_files(const std::filesystem::path& directory) {
    Stamps stamps;
    std::error_code ignored;  // a folder that cannot be read is one that Model::load refuses
    for (const auto& entry : std::filesystem::directory_iterator(directory, ignored)) {
      if (!entry.is_regular_file(ignored)) continue;
      if (const auto stamp = FileSnapshot::of(entry.path())) stamps.emplace(entry.path().filename().string(), *stamp);
    }
    return stamps;
  }
  void require_unchanged() const {
    for (const auto& [file, stamp] : stamps_)
      if (FileSnapshot::of(directory_ / file) != stamp)
        throw FileError((directory_ / file).string() + ": changed while it was read",
                        {.kind = ErrorKind::wrong_state, .path = (directory_ / file).string()});
  }

  void require_outside(const std::filesystem::path& target) const {
    namespace fs = std::filesystem;
    if (target.empty()) throw InputError("the directory to write: expected a name, found none", {.field = "target"});
    std::error_code ignored;  // if the path is invalid, creating the directory fails
    const fs::path source = fs::weakly_canonical(directory_, ignored);
    for (const char* ending : {"", ".partial"}) {
      fs::path made = fs::absolute(target, ignored);
      if (!made.has_filename()) made = made.parent_path();
      made = fs::weakly_canonical(made += ending, ignored);
      if (std::ranges::mismatch(source, made).in1 == source.end())
        throw InputError(
            target.string() + ": lies in the model that is read, " + directory_.string() + "; choose another place",
            {.path = target.string()});
    }
  }

  void validate(std::span<const PlannedTensor> plan) const {
    for (const PlannedTensor& planned : plan) {
      const StoredTensor* tensor = model_.weights().find(planned.name);
      if (tensor == nullptr || tensor->shape != planned.shape || tensor->dtype != planned.from)
        throw InputError(planned.name + ": expected a plan for the tensors of " + directory_.string(),
                         {ErrorKind::mismatch, directory_.string(), planned.name});
      if (planned.to == planned.from) continue;
      if (const std::string obstacle = detail::obstacle_to(planned.to, record_.find(planned.name), planned);
          !obstacle.empty())
        throw InputError(planned.name + ": expected a type that it can have, found " +
                             std::string(to_string(planned.to)) + ": " + obstacle,
                         {ErrorKind::unsupported, directory_.string(), planned.name});
    }
  }

  void copy_file(const std::string& file, const OutputDirectory& output, const std::stop_token& stop) const {
    const MappedFile from(directory_ / file);
    OutputFile to = output.create(file);
    constexpr std::size_t kPart = std::size_t{16} << 20U;
    for (std::size_t begin = 0; begin < from.size(); begin += kPart) {
      ExecutionContext{.stop = stop}.check_stop();
      to.write(from.bytes().subspan(begin, std::min<std::size_t>(kPart, from.size() - begin)));
    }
    to.finish();
  }

  std::vector<QuantizationError> write_weights(std::span<const PlannedTensor> plan, const OutputDirectory& output,
                                               const QuantizeOptions& options) const {
    const std::size_t threads = options.num_threads == 0 ? default_threads() : options.num_threads;
    ThreadPool pool(threads);
    const ExecutionContext execution{.num_threads = threads, .stop = options.stop, .executor = &pool};
    std::uint64_t before = 0;
    std::uint64_t after = 0;
    for (const PlannedTensor& tensor : plan) {
      before += tensor.bytes_before;
      after += tensor.bytes_after;
    }
    NativeWeightsWriter writer(output, after);
    WeightReader reader(model_.weights(), scale_block_);
    std::vector<QuantizationError> errors;
    std::uint64_t done = 0;
    for (const PlannedTensor& tensor : plan) {
      writer.begin(tensor.name, tensor.to, detail::written_shape(record_.find(tensor.name), tensor));
      errors.push_back(write_tensor(execution, reader, tensor, [&](std::span<const std::byte> bytes, double share) {
        writer.write(bytes);
        const auto part = static_cast<std::uint64_t>(share * static_cast<double>(tensor.bytes_before));
        if (options.progress) options.progress(done + part, before);
      }));
      done += tensor.bytes_before;
    }
    writer.finish();
    return errors;
  }

  QuantizationError write_tensor(const ExecutionContext& execution, WeightReader& reader, const PlannedTensor& planned,
                                 const TensorSink& sink) const {
    const StoredTensor* tensor = model_.weights().find(planned.name);
    if (planned.to == tensor->dtype) {
      copy_tensor(execution, tensor->bytes, sink);
      return {};
    }
    const std::size_t columns = tensor->shape.back();
    std::size_t rows = 1;  // of all matrices of a stack; a vector is one
    for (std::size_t i = 0; i + 1 < tensor->shape.size(); ++i) rows *= tensor->shape[i];
    const TensorUse use = record_.find(planned.name);
    if (use.stack && detail::is_transposed(use, planned)) return write_stack(execution, planned, *use.stack, sink);
    const WeightFormat* format = find_format(tensor->dtype);
    const WeightMatrix matrix = format != nullptr && format->has_scale_tensor()
                                    ? WeightScope(reader).matrix(planned.name, rows, columns)
                                    : stored_matrix(tensor->bytes.data(), tensor->dtype, rows, columns);
    return convert_tensor(execution, planned.name, matrix, planned.to, sink);
  }

  // The matrices of a stack one after the other, each in rows.
  QuantizationError write_stack(const ExecutionContext& execution, const PlannedTensor& planned,
                                const StackShape& shape, const TensorSink& sink) const {
    const StoredTensor& tensor = *model_.weights().find(planned.name);
    const WeightStack stack(
        stored_matrix(tensor.bytes.data(), tensor.dtype, tensor.shape[0] * tensor.shape[1], tensor.shape[2]), shape);
    const std::size_t count = shape.count * shape.projections;
    QuantizationError error;
    for (std::size_t i = 0; i < count; ++i) {
      error += convert_tensor(execution, planned.name, stack.matrix(i / shape.projections, i % shape.projections),
                              planned.to, [&](std::span<const std::byte> bytes, double done) {
                                sink(bytes, (static_cast<double>(i) + done) / static_cast<double>(count));
                              });
    }
    return error;
  }

  void write_config(const OutputDirectory& output) const {
    const auto codes = config_.find("quantization_config");
    if (codes == config_.end() || !codes->is_object() || codes->value("quant_method", Json()) != "fp8")
      return copy_file("config.json", output, {});
    Json config = config_;
    config.erase("quantization_config");
    OutputFile file = output.create("config.json");
    file.write(config.dump(2) + "\n");
    file.finish();
  }

  std::filesystem::path directory_;
  LoadOptions load_;
  Stamps stamps_;  // before anything is read
  Model model_;
  Json config_;
  WeightReader::ScaleBlockShape scale_block_;
  TensorRecord record_;
};

}  // namespace trine::inline TRINE_ABI
