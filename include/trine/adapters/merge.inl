// SPDX-License-Identifier: Apache-2.0
// The definition of AdapterMerger: which tensor holds which linear maps, and their merged rows.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <map>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/adapters/adapter_set.hpp>
#include <trine/adapters/merge.hpp>
#include <trine/json/parse.hpp>
#include <trine/kernels/convert.hpp>
#include <trine/kernels/gemm.hpp>
#include <trine/kernels/vector_math.hpp>
#include <trine/model/model.hpp>
#include <trine/model/model_files.hpp>
#include <trine/model/quantization_config.hpp>
#include <trine/nn/low_rank.hpp>
#include <trine/platform/cpu_features.hpp>
#include <trine/platform/parallel_for.hpp>
#include <trine/platform/thread_pool.hpp>
#include <trine/weights/linear_maps.hpp>
#include <trine/weights/safetensors_writer.hpp>
#include <trine/weights/weight_scope.hpp>

namespace trine::inline TRINE_ABI {

struct AdapterMerger::State {
  State(const std::filesystem::path& directory, const LoadOptions& options)
      : files(require_checkpoint(directory)),
        load(options),
        model(Model::load(directory, load)),
        config(model.config()),
        scale_block([&] {
          Notes notes(load.allow_unknown);
          return parse_quantization_config(config, (directory / "config.json").string(), notes).scale_block;
        }()) {}

  // What a file of GGUF lacks, such as the order of rows of q and k in the checkpoint, its readers would need.
  static const std::filesystem::path& require_checkpoint(const std::filesystem::path& path) {
    if (!is_gguf(path)) return path;
    throw InputError(path.string() + ": expected the directory of a checkpoint, found a GGUF file",
                     {.kind = ErrorKind::unsupported, .path = path.string()});
  }

  ModelFiles files;  // before anything is read
  LoadOptions load;
  Model model;
  Json config;
  WeightReader::ScaleBlockShape scale_block;
};

namespace detail {

// The linear maps of a model with what some adapters make of them.
class MergedMaps {
 public:
  MergedMaps(const Model& model, std::span<const AdapterUse> adapters)
      : maps_(model.linear_maps()), adapters_(adapters), isa_(best_isa()) {}

  [[nodiscard]] const LinearMap& map(std::size_t target) const noexcept { return maps_[target]; }
  [[nodiscard]] bool is_updated(std::size_t target) const noexcept {
    return std::ranges::any_of(adapters_, [&](const AdapterUse& use) { return update(use, target) != nullptr; });
  }
  // Whether two maps of the same weights still have the same ones.
  [[nodiscard]] bool are_same(std::size_t a, std::size_t b) const noexcept {
    return std::ranges::all_of(adapters_, [&](const AdapterUse& use) {
      const LowRank* first = update(use, a);
      const LowRank* second = update(use, b);
      if (first == nullptr || second == nullptr) return first == second;
      return first->rank == 0 && second->rank == 0 && first->weight != nullptr && second->weight != nullptr &&
             first->weight->data == second->weight->data;
    });
  }

  // Rows [first, first + count) of the merged weights.   out: [count, columns]
  void decode(std::size_t target, std::size_t first, std::size_t count, float* out) const {
    const WeightMatrix& base = maps_[target].weight;
    const std::size_t columns = base.columns;
    kernels::decode(base, first, count, 0, columns, out, columns, 1);
    std::vector<float> b;
    for (const AdapterUse& use : adapters_) {
      const LowRank* map = update(use, target);
      if (map == nullptr) continue;
      if (map->weight != nullptr) kernels::decode(*map->weight, first, count, 0, columns, out, columns, 1);
      if (map->rank != 0) {
        b.resize(count * map->rank);
        const float scale = map->scale * use.scale;
        for (std::size_t r = 0; r < count; ++r)
          for (std::size_t j = 0; j < map->rank; ++j) b[r * map->rank + j] = scale * map->b[j * base.rows + first + r];
        kernels::gemm_columns(isa_, {b.data(), map->rank}, count, map->a, columns, columns, map->rank, true, out,
                              columns);
      }
      if (map->magnitude == nullptr) continue;
      for (std::size_t r = 0; r < count; ++r) {
        const float gain = map->dora_gain(first + r, base.rows, use.scale);
        for (float& value : std::span(out + r * columns, columns)) value *= gain;
      }
    }
  }

  // Whether an adapter changes the bias of the map.
  [[nodiscard]] bool has_bias_update(std::size_t target) const noexcept {
    return std::ranges::any_of(adapters_, [&](const AdapterUse& use) {
      const LowRank* map = update(use, target);
      return map != nullptr && (map->bias != nullptr || map->weight_bias != nullptr);
    });
  }
  // The merged bias.   bias: [out] of the model, changed in place
  void merge_bias(std::size_t target, std::span<float> bias) const {
    std::vector<float> base(bias.begin(), bias.end());  // which DoRA leaves alone
    for (const AdapterUse& use : adapters_) {
      const LowRank* map = update(use, target);
      if (map == nullptr) continue;
      for (std::size_t o = 0; o < bias.size(); ++o) {
        if (map->weight_bias != nullptr) base[o] = map->weight_bias[o];
        if (map->weight != nullptr) bias[o] = base[o];
        if (map->bias != nullptr) bias[o] += map->scale * use.scale * map->bias[o];
        if (map->magnitude != nullptr)
          bias[o] = map->dora_gain(o, bias.size(), use.scale) * (bias[o] - base[o]) + base[o];
      }
    }
  }

 private:
  [[nodiscard]] static const LowRank* update(const AdapterUse& use, std::size_t target) noexcept {
    return use.scale == 0.0F ? nullptr : use.adapter.maps()[target];
  }

  std::span<const LinearMap> maps_;
  std::span<const AdapterUse> adapters_;
  Isa isa_;
};

// A tensor of the result.
struct MergedTensor {
  TensorHeader header;
  std::vector<std::size_t> targets = {};     // the linear maps whose weights it holds, in the order of its rows
  const StoredTensor* from = nullptr;        // of one that holds none
  std::optional<WeightMatrix> decoded = {};  // of one that holds none and changes its type
  std::vector<float> values = {};            // of a merged bias
};

// One merge.
class MergeRun {
 public:
  MergeRun(const Model& model, const WeightReader::ScaleBlockShape& scale_block, std::span<const AdapterUse> adapters,
           const MergeOptions& options)
      : model_(model),
        source_(model.weights()),
        reader_(source_, scale_block),
        options_(options),
        maps_(model, adapters) {
    find_maps();
    plan();
  }

  [[nodiscard]] MergeInfo write(const OutputDirectory& output) {
    const std::size_t threads = options_.num_threads == 0 ? default_threads() : options_.num_threads;
    ThreadPool pool(threads);
    const ExecutionContext execution{.num_threads = threads, .stop = options_.cancel, .executor = &pool};
    std::vector<TensorHeader> headers;
    headers.reserve(tensors_.size());
    for (const Merged& tensor : tensors_) headers.push_back(tensor.header);
    SafetensorsWriter writer(output, std::move(headers), options_.max_shard_bytes);
    info_.num_shards = writer.num_shards();
    info_.bytes = writer.total_bytes();
    std::uint64_t done = 0;
    const auto sink = [&](std::span<const std::byte> bytes) {
      writer.write(bytes);
      done += bytes.size();
      if (options_.progress) options_.progress(done, info_.bytes);
    };
    for (const Merged& tensor : tensors_) {
      writer.begin();
      write_tensor(execution, tensor, sink);
    }
    writer.finish();
    return info_;
  }

 private:
  using Merged = MergedTensor;

  // Which tensor holds which maps. A head that is the embedding has no tensor of its own.
  void find_maps() {
    const std::span<const LinearMap> maps = model_.linear_maps();
    std::map<const void*, std::size_t> by_address;
    for (std::size_t target = 0; target < maps.size(); ++target) {
      const LinearMap& map = maps[target];
      if (maps_.is_updated(target)) ++info_.linear_maps;
      if (!map.stack && map.weight.parameters() != 0) {
        const auto [first, is_new] = by_address.emplace(map.weight.address(), target);
        if (!is_new) {
          untie(first->second, target);
          continue;
        }
      }
      by_tensor_[map.stack ? stack_tensor(map.module) : tensor_of(map)].push_back(target);
    }
  }
  // The name of the tensor with the weights of a map, of which they may be some rows.
  [[nodiscard]] std::string tensor_of(const LinearMap& map) const {
    std::string own = map.module + ".weight";
    if (source_.find(own) != nullptr) return own;
    for (const std::string_view name : source_.names()) {
      const std::span<const std::byte> bytes = source_.find(name)->bytes;
      if (!bytes.empty() && !std::less<>()(map.weight.data, bytes.data()) &&
          std::less<>()(map.weight.data, bytes.data() + bytes.size()))
        return std::string(name);
    }
    return own;
  }
  // The name of the tensor with the values of a stack.
  [[nodiscard]] std::string stack_tensor(const std::string& module) const {
    if (source_.find(module) != nullptr) return module;
    for (const WeightFormat* format : kWeightFormats)
      if (!format->codes_suffix.empty() && source_.find(module + std::string(format->codes_suffix)) != nullptr)
        return module + std::string(format->codes_suffix);
    return module;
  }
  void untie(std::size_t table, std::size_t head) {
    const std::string name = maps_.map(head).module + ".weight";
    replaced_.insert(name);
    if (maps_.are_same(table, head)) return;
    info_.untied = true;
    const WeightMatrix& weight = maps_.map(head).weight;
    tensors_.push_back({.header = {name, type_of(weight.dtype), {weight.rows, weight.columns}}, .targets = {head}});
  }

  void plan() {
    const std::set<std::string_view> unknown(model_.info().unknown_tensors.begin(),
                                             model_.info().unknown_tensors.end());
    for (const std::string_view view : source_.names()) {
      const std::string name(view);
      if (unknown.contains(view) || replaced_.contains(name)) continue;
      const StoredTensor& stored = *source_.find(view);
      const auto held = by_tensor_.find(name);
      if (held != by_tensor_.end()) {
        tensors_.push_back(plan_maps(name, held->second));
      } else if (!is_scales(name)) {
        tensors_.push_back(plan_other(name, stored));
      }
    }
    for (std::size_t target = 0; target < model_.linear_maps().size(); ++target) merge_bias(target);
  }

  // The type that a matrix of this type gets.
  [[nodiscard]] DType type_of(DType stored) const noexcept {
    if (options_.dtype) return *options_.dtype;
    return is_plain_float(stored) ? stored : DType::bf16;
  }
  // Scales of values that are decoded.
  [[nodiscard]] bool is_scales(std::string_view name) const {
    return std::ranges::any_of(kWeightFormats, [&](const WeightFormat* format) {
      if (!format->has_scale_tensor() || !name.ends_with(format->scales_suffix)) return false;
      const std::string values =
          std::string(name.substr(0, name.size() - format->scales_suffix.size())).append(format->codes_suffix);
      const StoredTensor* other = source_.find(values);
      return other != nullptr && other->dtype == format->stored_codes;
    });
  }

  [[nodiscard]] Merged plan_maps(const std::string& name, const std::vector<std::size_t>& targets) const {
    const LinearMap& first = maps_.map(targets.front());
    const DType type = type_of(first.weight.dtype);
    if (!first.stack) {
      std::size_t rows = 0;
      for (const std::size_t target : targets) rows += maps_.map(target).weight.rows;
      return {.header = {name, type, {rows, first.weight.columns}}, .targets = targets};
    }
    const auto extents = first.stack->extents(type);
    return {.header = {first.module, type, {extents.begin(), extents.end()}}, .targets = targets};
  }

  // A tensor without linear maps: a vector, a table, or what the model does not use.
  [[nodiscard]] Merged plan_other(const std::string& name, const StoredTensor& stored) {
    Merged tensor{.header = {name, stored.dtype, stored.shape}, .from = &stored};
    const WeightFormat* format = find_format_of_tensor(stored.dtype);
    if (stored.shape.size() < 2 || stored.bytes.empty()) return tensor;
    if (stored.matrix != nullptr) {
      tensor.header.dtype = type_of(stored.dtype);
      tensor.decoded = *stored.matrix;
      return tensor;
    }
    if (format == nullptr) return tensor;
    if (format->has_scale_tensor() && stored.shape.size() != 2) return tensor;  // values that nobody reads
    if (!format->has_scale_tensor() && type_of(stored.dtype) == stored.dtype) return tensor;
    const std::size_t columns = stored.shape.back();
    std::size_t rows = 1;
    for (std::size_t i = 0; i + 1 < stored.shape.size(); ++i) rows *= stored.shape[i];
    tensor.header.dtype = type_of(stored.dtype);
    tensor.decoded = format->has_scale_tensor() ? WeightScope(reader_).matrix(name, rows, columns)
                                                : stored_matrix(stored.bytes.data(), stored.dtype, rows, columns);
    return tensor;
  }

  void merge_bias(std::size_t target) {
    if (!maps_.has_bias_update(target)) return;
    const std::string name = maps_.map(target).module + ".bias";
    const auto found = std::ranges::find(tensors_, name, [](const Merged& tensor) { return tensor.header.name; });
    if (found == tensors_.end() || !is_plain_float(found->header.dtype))
      throw InputError(name + ": expected a bias that the adapter's own could be added to, found none",
                       {.kind = ErrorKind::unsupported, .path = source_.source_name(), .field = name});
    visit_dtype(found->header.dtype, [&]<class T>(const T*) {
      const T* elements = reinterpret_cast<const T*>(found->from->bytes.data());
      for (const T element : std::span(elements, found->from->bytes.size() / sizeof(T)))
        found->values.push_back(static_cast<float>(element));
    });
    maps_.merge_bias(target, found->values);
    found->header.dtype = type_of(found->header.dtype);
  }

  template <class Sink>
  void write_tensor(const ExecutionContext& execution, const Merged& tensor, const Sink& sink) const {
    if (!tensor.values.empty()) {
      std::vector<std::byte> bytes;
      encode(tensor, tensor.values.data(), 1, tensor.values.size(), bytes);
      return sink(bytes);
    }
    if (tensor.targets.empty() && !tensor.decoded) return copy(execution, *tensor.from, sink);
    if (tensor.targets.empty()) {
      const WeightMatrix& matrix = *tensor.decoded;
      return write_rows(execution, tensor, matrix.rows, matrix.columns, sink,
                        [&](std::size_t first, std::size_t count, float* out) {
                          kernels::decode(matrix, first, count, 0, matrix.columns, out, matrix.columns, 1);
                        });
    }
    const LinearMap& map = maps_.map(tensor.targets.front());
    if (map.stack && map.stack->layout != StackLayout::stacked)
      return write_transposed(execution, tensor, *map.stack, sink);
    for (const std::size_t target : tensor.targets)
      write_rows(execution, tensor, maps_.map(target).weight.rows, map.weight.columns, sink,
                 [&](std::size_t first, std::size_t count, float* out) { maps_.decode(target, first, count, out); });
  }

  template <class Sink>
  static void copy(const ExecutionContext& execution, const StoredTensor& tensor, const Sink& sink) {
    constexpr std::size_t kPart = std::size_t{16} << 20U;
    for (std::size_t begin = 0; begin < tensor.bytes.size(); begin += kPart) {
      execution.check_stop();
      sink(tensor.bytes.subspan(begin, std::min(kPart, tensor.bytes.size() - begin)));
    }
  }

  // Rows in order, some of them at a time in each thread.
  template <class Sink, class Decode>
  static void write_rows(const ExecutionContext& execution, const Merged& tensor, std::size_t rows, std::size_t columns,
                         const Sink& sink, const Decode& decode) {
    constexpr std::size_t kElements = std::size_t{1} << 18U;
    const std::size_t band = std::max<std::size_t>(kElements / std::max<std::size_t>(columns, 1), 1);
    const std::size_t at_once = 4 * execution.num_workers();
    std::vector<std::vector<float>> values(execution.num_workers());
    std::vector<std::vector<std::byte>> bytes(at_once);
    for (std::size_t begin = 0; begin < rows; begin += at_once * band) {
      execution.check_stop();
      const std::size_t bands = std::min(at_once, (rows - begin + band - 1) / band);
      parallel_for(execution, bands, [&](std::size_t i, std::size_t worker) {
        const std::size_t first = begin + i * band;
        const std::size_t count = std::min(band, rows - first);
        values[worker].resize(count * columns);
        decode(first, count, values[worker].data());
        encode(tensor, values[worker].data(), count, columns, bytes[i]);
      });
      for (std::size_t i = 0; i < bands; ++i) sink(bytes[i]);
    }
  }

  // [count, columns, projections * rows], an expert at a time.
  template <class Sink>
  void write_transposed(const ExecutionContext& execution, const Merged& tensor, const StackShape& shape,
                        const Sink& sink) const {
    const std::size_t outs = shape.projections * shape.rows;
    const std::size_t num_workers = execution.num_workers();
    std::vector<std::vector<float>> rows(num_workers);
    std::vector<std::vector<float>> values(num_workers);
    std::vector<std::vector<std::byte>> bytes(num_workers);
    for (std::size_t begin = 0; begin < shape.count; begin += num_workers) {
      execution.check_stop();
      const std::size_t experts = std::min(num_workers, shape.count - begin);
      parallel_for(execution, experts, [&](std::size_t i, std::size_t worker) {
        rows[worker].resize(shape.rows * shape.columns);
        values[worker].resize(outs * shape.columns);
        for (std::size_t p = 0; p < shape.projections; ++p) {
          maps_.decode(tensor.targets[(begin + i) * shape.projections + p], 0, shape.rows, rows[worker].data());
          for (std::size_t r = 0; r < shape.rows; ++r)
            for (std::size_t c = 0; c < shape.columns; ++c)
              values[worker][c * outs + shape.joint_row(p, r)] = rows[worker][r * shape.columns + c];
        }
        encode(tensor, values[worker].data(), shape.columns, outs, bytes[i]);
      });
      for (std::size_t i = 0; i < experts; ++i) sink(bytes[i]);
    }
  }

  static void encode(const Merged& tensor, const float* values, std::size_t rows, std::size_t columns,
                     std::vector<std::byte>& bytes) {
    const DType type = tensor.header.dtype;
    bytes.resize(rows * columns * size_bytes(type));
    find_format(type)->encode(values, columns, rows, columns, nullptr, bytes.data());
    const bool finite = visit_dtype(type, [&]<class T>(const T*) {
      const std::span stored(reinterpret_cast<const T*>(bytes.data()), rows * columns);
      return std::ranges::all_of(stored, [](T value) { return std::isfinite(static_cast<float>(value)); });
    });
    if (!finite)
      throw WeightError(tensor.header.name + ": expected finite merged weights that " + std::string(to_string(type)) +
                            " can hold, found another",
                        {.kind = ErrorKind::not_finite, .field = tensor.header.name});
  }

  const Model& model_;
  const WeightSource& source_;
  WeightReader reader_;
  const MergeOptions& options_;
  MergedMaps maps_;
  MergeInfo info_;
  std::map<std::string, std::vector<std::size_t>> by_tensor_;  // linear maps by the tensor that holds them
  std::set<std::string> replaced_;                             // tensors that the model does not use and has maps for
  std::vector<Merged> tensors_;
};

}  // namespace detail

TRINE_DECL AdapterMerger::AdapterMerger(const std::filesystem::path& directory, const LoadOptions& load)
    : state_(std::make_unique<const State>(directory, load)) {}
TRINE_DECL AdapterMerger::~AdapterMerger() = default;
TRINE_DECL AdapterMerger::AdapterMerger(AdapterMerger&&) noexcept = default;
TRINE_DECL AdapterMerger& AdapterMerger::operator=(AdapterMerger&&) noexcept = default;
TRINE_DECL const Model& AdapterMerger::model() const noexcept { return state_->model; }

TRINE_DECL MergeInfo AdapterMerger::write(std::span<const AdapterUse> adapters, const std::filesystem::path& target,
                                          const MergeOptions& options) const {
  state_->files.require_outside(target);
  if (options.dtype && !is_plain_float(*options.dtype))
    throw InputError("dtype: expected f32, bf16 or f16, found " + std::string(to_string(*options.dtype)),
                     {.field = "dtype"});
  const AdapterSet set(state_->model, {adapters.begin(), adapters.end()});
  OutputDirectory output(target);
  state_->files.copy_auxiliary(output, options.cancel, "self_test.json");  // says what the model computed before
  const MergeInfo info = detail::MergeRun(state_->model, state_->scale_block, set.uses(), options).write(output);

  Json config = state_->config;
  config.erase("quantization_config");
  if (info.untied) config["tie_word_embeddings"] = false;
  for (const char* key : {"dtype", "torch_dtype"})
    if (options.dtype && config.contains(key))
      config[key] = *options.dtype == DType::f32 ? "float32" : *options.dtype == DType::bf16 ? "bfloat16" : "float16";
  OutputFile file = output.create("config.json");
  file.write(config.dump(2) + "\n");
  file.finish();

  LoadOptions check = state_->load;
  check.progress = {};  // of the source only
  check.cancel = options.cancel;
  static_cast<void>(Model::load(output.path(), check));
  state_->files.require_unchanged();
  output.commit();
  return info;
}

}  // namespace trine::inline TRINE_ABI
