// SPDX-License-Identifier: Apache-2.0
// The definitions of model/model.hpp.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <trine/core/hash.hpp>
#include <trine/core/notes.hpp>
#include <trine/json/object_reader.hpp>
#include <trine/kernels/convert.hpp>
#include <trine/model/architectures/gguf/config.hpp>
#include <trine/model/architectures/gguf/tensors.hpp>
#include <trine/model/load_monitor.hpp>
#include <trine/model/load_options.hpp>
#include <trine/model/model.hpp>
#include <trine/model/quantization_config.hpp>
#include <trine/model/transformer.hpp>
#include <trine/weights/gguf.hpp>
#include <trine/weights/open_weights.hpp>
#include <trine/weights/quantized_modules.hpp>
#include <trine/weights/tensor_record.hpp>
#include <trine/weights/weight_scope.hpp>
#include <trine/weights/weight_source.hpp>

namespace trine::inline TRINE_ABI {

struct Model::State {
  Json config;
  std::unique_ptr<const WeightSource> source;  // before `built`, whose layers borrow from it
  ModelParts built;
  LinearMaps linear_maps;
  std::size_t weight_bytes = 0;
  std::uint64_t config_hash = 0;
};

namespace detail {

[[nodiscard]] inline WeightReader::FetchCallback fetch_callback(LoadMonitor& monitor) {
  return [&monitor](const std::string& name, std::uint64_t bytes) { monitor.on_fetch(name, bytes); };
}

}  // namespace detail

TRINE_DECL Model Model::load(const std::filesystem::path& path, const LoadOptions& options) {
  LoadMonitor monitor(options);
  const auto on_read = [&monitor](const std::filesystem::path& file, std::uint64_t done, std::uint64_t total) {
    monitor.on_read(file, done, total);
  };
  Notes notes(options.allow_unknown);
  std::string source_name = path.string();
  Json config;
  std::unique_ptr<const WeightSource> source;
  std::error_code ignored;  // what cannot be examined cannot be opened either
  if (is_gguf(path)) {
    auto file = std::make_unique<const GgufFile>(path, options.access, on_read);
    const std::string architecture(file->metadata().string("general.architecture"));
    config = gguf_config(file->metadata(), *file, notes);
    source = std::make_unique<const GgufTensors>(std::move(file), architecture, notes);
  } else if (std::filesystem::is_regular_file(path, ignored)) {
    throw FileError(path.string() +
                        ": expected a model directory (config.json, weights, tokenizer.json) or a GGUF file, found "
                        "another file",
                    {.kind = ErrorKind::unsupported, .path = path.string()});
  } else {
    source_name = (path / "config.json").string();
    config = read_model_config(path);
    static_cast<void>(
        find_architecture(config, source_name, options.hooks.architectures));  // before weights are looked for
    source = open_weights(path, options.access, &notes, on_read);
    Notes again(options.allow_unknown);  // of the configuration, which is noted below
    source =
        read_quantized_modules(std::move(source), parse_quantization_config(config, source_name, again).modules, notes);
  }
  if (options.hooks.wrap_weights) source = options.hooks.wrap_weights(std::move(source));
  return build(config, source_name, std::move(source), options, std::move(notes), monitor);
}

TRINE_DECL Model Model::build(const Json& config, const std::string& source_name,
                              std::unique_ptr<const WeightSource> source, const LoadOptions& options) {
  LoadMonitor monitor(options);
  Notes notes(options.allow_unknown);
  Notes again(options.allow_unknown);  // of the configuration, which is noted below
  source =
      read_quantized_modules(std::move(source), parse_quantization_config(config, source_name, again).modules, notes);
  return build(config, source_name, std::move(source), options, std::move(notes), monitor);
}

TRINE_DECL TensorRecord Model::tensor_record(const Json& config, const std::string& source_name,
                                             const WeightSource& source, const LoadOptions& options) {
  LoadOptions dry = options;
  dry.hooks.router_decorator = {};  // is told of the routers of models only
  dry.progress = {};                // of loads only
  LoadMonitor monitor(dry);
  Notes notes(options.allow_unknown);
  WeightReader reader(source, parse_quantization_config(config, source_name, notes).scale_block, &notes,
                      detail::fetch_callback(monitor));
  static_cast<void>(build_parts(config, source_name, dry, notes, reader));
  return reader.record();
}

TRINE_DECL const ModelInfo& Model::info() const noexcept { return state_->built.info; }
TRINE_DECL const Json& Model::config() const noexcept { return state_->config; }
TRINE_DECL const Transformer& Model::transformer() const noexcept { return *state_->built.transformer; }
TRINE_DECL const WeightSource& Model::weights() const noexcept { return *state_->source; }
TRINE_DECL std::size_t Model::weight_bytes() const noexcept { return state_->weight_bytes; }
TRINE_DECL std::span<const LinearMap> Model::linear_maps() const noexcept { return state_->linear_maps; }

TRINE_DECL std::uint64_t Model::fingerprint() const {
  constexpr std::size_t kSample = 1024;  // bytes at the beginning, in the middle and at the end
  Hash hash;
  hash.add(state_->config_hash);
  for (const std::string_view name : weights().names()) {
    const StoredTensor& tensor = *weights().find(name);
    hash.add(name);
    hash.add(to_string(tensor.dtype));
    for (const std::size_t extent : tensor.shape) hash.add(std::uint64_t{extent});
    const std::span<const std::byte> bytes = tensor.bytes;
    const std::size_t count = std::min(kSample, bytes.size());
    hash.add(bytes.first(count));
    hash.add(bytes.subspan((bytes.size() - count) / 2, count));
    hash.add(bytes.last(count));
    if (tensor.matrix == nullptr) continue;
    std::vector<float> row(tensor.matrix->columns);  // for its scales
    kernels::decode_row(*tensor.matrix, 0, row.data());
    hash.add(std::as_bytes(std::span(row)));
  }
  return hash.value();
}

TRINE_DECL std::size_t Model::cache_bytes(std::size_t tokens, KvCacheDtype type) const {
  std::size_t total = 0;
  for (const Block& block : transformer().blocks()) total += block.attention->cache_bytes(tokens, type);
  return total;
}

TRINE_DECL Model Model::build(const Json& config, const std::string& source_name,
                              std::unique_ptr<const WeightSource> source, const LoadOptions& options, Notes notes,
                              LoadMonitor& monitor) {
  auto state = std::make_shared<State>();
  state->config = config;
  state->source = std::move(source);
  WeightReader reader(*state->source, parse_quantization_config(config, source_name, notes).scale_block, &notes,
                      detail::fetch_callback(monitor));
  monitor.begin_tensors(*state->source);
  state->built = build_parts(config, source_name, options, notes, reader);
  monitor.end_tensors();
  state->linear_maps = reader.linears();
  state->built.info.notes = notes.all();
  state->built.info.unknown_tensors = notes.unknown_tensors();
  Hash hash;
  hash.add(config.dump());
  if (options.chunking) {
    hash.add(std::uint64_t{options.chunking->size});
    hash.add(std::uint64_t{options.chunking->overlap});
  }
  state->config_hash = hash.value();
  for (const std::string_view name : state->source->names())
    state->weight_bytes += state->source->find(name)->total_bytes();
  return Model(std::move(state));
}

TRINE_DECL ModelParts Model::build_parts(const Json& config, const std::string& source_name, const LoadOptions& options,
                                         Notes& notes, WeightReader& reader) {
  const ModelBuilder& architecture = find_architecture(config, source_name, options.hooks.architectures);
  ModelParts built = architecture(
      {config, source_name, options.hooks.routers, options.hooks.router_decorator, options.chunking, &notes},
      WeightScope(reader));
  reader.require_all_fetched();
  return built;
}

TRINE_DECL const ModelBuilder& Model::find_architecture(const Json& config, const std::string& source_name,
                                                        const ArchitectureRegistry& known) {
  ObjectReader reader(config, source_name);
  const std::string type = reader.string("model_type");
  const auto found = known.find(type);
  if (found != known.end()) return found->second;
  std::string names;
  for (const auto& [name, architecture] : known) names += (names.empty() ? "" : ", ") + name;
  reader.fail("model_type", in_quotes(type) + " is not supported; supported are " + names, ErrorKind::unsupported);
}

}  // namespace trine::inline TRINE_ABI
