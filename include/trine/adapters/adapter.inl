// SPDX-License-Identifier: Apache-2.0
// The definition of Adapter::load: which tensor of the file belongs to which linear map of the model.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <trine/adapters/adapter.hpp>
#include <trine/adapters/peft_config.hpp>
#include <trine/core/hash.hpp>
#include <trine/core/printable.hpp>
#include <trine/core/shape.hpp>
#include <trine/json/parse.hpp>
#include <trine/kernels/convert.hpp>
#include <trine/kernels/gemm.hpp>
#include <trine/model/model.hpp>
#include <trine/model/transformer.hpp>
#include <trine/nn/low_rank.hpp>
#include <trine/platform/cpu_features.hpp>
#include <trine/weights/linear_maps.hpp>
#include <trine/weights/safetensors.hpp>

namespace trine::inline TRINE_ABI {

struct Adapter::State {
  explicit State(Model loaded_for) : model(std::move(loaded_for)) {}

  Model model;  // kept, so that no other model can come to lie where it was
  AdapterInfo info;
  std::vector<std::unique_ptr<float[]>> memory;
  std::vector<std::unique_ptr<const LowRank>> owned;
  std::vector<std::unique_ptr<const WeightMatrix>> weights;
  std::unique_ptr<const WeightSource> source;  // which saved modules borrow from
  std::vector<const LowRank*> maps;
  std::uint64_t fingerprint = 0;
};

namespace detail {

// What a tensor of the file is to its module.
enum class AdapterPart : std::uint8_t { a, b, b_bias, magnitude, saved_weight, saved_bias };

struct AdapterTensorName {
  std::string module;  // without "base_model.model."
  AdapterPart part = AdapterPart::a;
};

// Which projection of an expert.
enum class ExpertPart : std::uint8_t { gate, up, down };

// A map of an expert: its experts' module, its index and what it is.
using ExpertKey = std::tuple<std::string, std::size_t, ExpertPart>;

[[nodiscard]] inline bool remove_suffix(std::string_view& text, std::string_view suffix) {
  if (!text.ends_with(suffix)) return false;
  text.remove_suffix(suffix.size());
  return true;
}

// What a tensor is called below the model that PEFT wraps.
[[nodiscard]] inline std::string_view without_prefix(std::string_view name) {
  for (const std::string_view prefix : {"base_model.model.", "base_model."})
    if (name.starts_with(prefix)) return name.substr(prefix.size());
  return name;
}

// Names as PEFT writes them, now and before, with and without the name of the adapter. nullopt for any other.
[[nodiscard]] inline std::optional<AdapterTensorName> parse_adapter_name(std::string_view name) {
  name = without_prefix(name);
  constexpr std::array<std::pair<std::string_view, AdapterPart>, 4> kParts{
      {{".lora_A", AdapterPart::a},
       {".lora_B", AdapterPart::b},
       {".lora_magnitude_vector", AdapterPart::magnitude},
       {".lora_B_bias", AdapterPart::b_bias}}};
  std::string_view rest = name;
  const bool is_bias = remove_suffix(rest, ".bias");
  if (!is_bias) static_cast<void>(remove_suffix(rest, ".weight"));
  static_cast<void>(remove_suffix(rest, ".default"));
  for (const auto& [suffix, part] : kParts) {
    if (!remove_suffix(rest, suffix)) continue;
    if (is_bias && part != AdapterPart::b) return std::nullopt;
    return AdapterTensorName{std::string(rest), is_bias ? AdapterPart::b_bias : part};
  }
  if (name.find("lora_") != std::string_view::npos) return std::nullopt;
  if (!is_bias && !name.ends_with(".weight")) return std::nullopt;
  for (const std::string_view wrapper : {".modules_to_save", ".base_layer", ".original_module"})
    if (remove_suffix(rest, wrapper)) break;
  return AdapterTensorName{std::string(rest), is_bias ? AdapterPart::saved_bias : AdapterPart::saved_weight};
}

// One spelling for modules that have several in transformers: the mixture's block is "mlp" since version 5, and the
// text part of a multimodal model may be loaded alone.
[[nodiscard]] inline std::string canonical_module(std::string_view module) {
  constexpr std::string_view kOld = ".block_sparse_moe.";
  constexpr std::string_view kText = "language_model.";
  std::string result(module);
  for (const std::string_view before : {"", "model."})
    if (module.starts_with(std::string(before).append(kText))) result.erase(before.size(), kText.size());
  if (const std::size_t at = result.find(kOld); at != std::string::npos) result.replace(at, kOld.size(), ".mlp.");
  return result;
}

[[nodiscard]] inline std::optional<ExpertPart> expert_part(std::string_view name) {
  if (name == "gate_proj" || name == "w1") return ExpertPart::gate;
  if (name == "up_proj" || name == "w3") return ExpertPart::up;
  if (name == "down_proj" || name == "w2") return ExpertPart::down;
  return std::nullopt;
}

// "model.layers.0.mlp.experts.3.w1" is gate of expert 3 of "model.layers.0.mlp.experts".
[[nodiscard]] inline std::optional<ExpertKey> parse_expert(std::string_view module) {
  const std::size_t dot = module.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  const std::optional<ExpertPart> part = expert_part(module.substr(dot + 1));
  const std::string_view before = module.substr(0, dot);
  const std::size_t second = before.rfind('.');
  if (!part || second == std::string_view::npos) return std::nullopt;
  const std::string_view index = before.substr(second + 1);
  const std::string_view experts = before.substr(0, second);
  if (index.empty() || index.size() > 6 || !experts.ends_with("experts")) return std::nullopt;
  std::size_t number = 0;
  for (const char c : index) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + static_cast<std::size_t>(c - '0');
  }
  return ExpertKey{std::string(experts), number, *part};
}

}  // namespace detail

/// Reads one adapter. Lives during a load only.
class AdapterReader {
 public:
  AdapterReader(const Model& model, const std::filesystem::path& directory, const AdapterOptions& options)
      : model_(model), notes_(options.allow_unknown), state_(std::make_shared<Adapter::State>(model)) {
    const std::string config_file = (directory / "adapter_config.json").string();
    config_ = parse_peft_config(read_text_file(config_file, kMaxJsonBytes), config_file, options.regex, notes_);
    const std::filesystem::path file = directory / "adapter_model.safetensors";
    std::error_code ignored;
    if (!std::filesystem::exists(file, ignored) && std::filesystem::exists(directory / "adapter_model.bin", ignored))
      throw FileError((directory / "adapter_model.bin").string() +
                          ": is a pickle, which may run any code; save it as adapter_model.safetensors with PEFT",
                      {.kind = ErrorKind::unsupported, .path = (directory / "adapter_model.bin").string()});
    source_ = std::make_unique<Safetensors>(file);
    state_->info.path = directory.string();
    state_->maps.resize(model.linear_maps().size());
  }

  [[nodiscard]] Adapter read() {
    index_model();
    collect();
    std::vector<std::string> leftover;
    for (auto& [module, tensors] : modules_) {
      if (!assign(module, tensors))
        for (const std::string& name : tensors.names) leftover.push_back(name);
    }
    if (!leftover.empty()) fail_leftover(leftover);
    if (state_->info.linear_maps + state_->info.saved_modules == 0)
      throw WeightError(source_->source_name() + ": expected tensors of an adapter, found none",
                        {.kind = ErrorKind::damaged, .path = source_->source_name()});
    finish();
    return Adapter(std::move(state_));
  }

 private:
  using Part = detail::AdapterPart;
  using ExpertPart = detail::ExpertPart;

  // The tensors of one module.
  struct Tensors {
    const StoredTensor* a = nullptr;
    const StoredTensor* b = nullptr;
    const StoredTensor* b_bias = nullptr;
    const StoredTensor* magnitude = nullptr;
    const StoredTensor* saved_weight = nullptr;
    const StoredTensor* saved_bias = nullptr;
    std::vector<std::string> names;

    [[nodiscard]] bool updates() const noexcept { return a || b || b_bias || magnitude; }
    [[nodiscard]] bool replaces() const noexcept { return saved_weight || saved_bias; }
  };

  // A [rank, in] and B [out, rank] of one map, as numbers that others own.
  struct Factors {
    std::vector<float> a;
    std::vector<float> b;
    std::size_t rank;
  };

  void index_model() {
    const std::span<const LinearMap> maps = model_.linear_maps();
    for (std::size_t target = 0; target < maps.size(); ++target) {
      add_name(target, detail::canonical_module(maps[target].module));
      if (!maps[target].synonym.empty()) add_name(target, detail::canonical_module(maps[target].synonym));
    }
  }
  void add_name(std::size_t target, const std::string& module) {
    const LinearMap& map = model_.linear_maps()[target];
    if (map.stack) {
      const bool down = map.stack->projections == 1;
      const std::string experts = module.substr(0, module.rfind('.'));
      const ExpertPart part = down ? ExpertPart::down : map.projection == 0 ? ExpertPart::gate : ExpertPart::up;
      experts_[{experts, map.index, part}] = target;
      return;
    }
    by_module_[module] = target;
    if (const auto expert = detail::parse_expert(module)) experts_[*expert] = target;
  }

  void collect() {
    for (const std::string_view name : source_->names()) {
      const auto parsed = detail::parse_adapter_name(name);
      if (!parsed && name.find("lora_embedding_") != std::string_view::npos)
        fail(name, "updates of an embedding are not supported; modules_to_save is", ErrorKind::unsupported);
      if (!parsed) fail(name, "is no tensor of an adapter that trine knows", ErrorKind::unsupported);
      Tensors& tensors = modules_[parsed->module];
      const StoredTensor*& slot = slot_of(tensors, parsed->part);
      if (slot != nullptr) fail(name, "expected one tensor of this use for the module, found another before");
      slot = source_->find(name);
      tensors.names.emplace_back(name);
      if (!is_plain_float(slot->dtype))
        fail(name, "expected f32, bf16 or f16, found " + std::string(to_string(slot->dtype)), ErrorKind::unsupported);
    }
  }

  static const StoredTensor*& slot_of(Tensors& tensors, Part part) {
    switch (part) {
      case Part::a:
        return tensors.a;
      case Part::b:
        return tensors.b;
      case Part::b_bias:
        return tensors.b_bias;
      case Part::magnitude:
        return tensors.magnitude;
      case Part::saved_weight:
        return tensors.saved_weight;
      case Part::saved_bias:
        break;
    }
    return tensors.saved_bias;
  }

  // Returns whether the model has a place for the module.
  bool assign(const std::string& module, const Tensors& tensors) {
    const std::string name = detail::canonical_module(module);
    if (!tensors.updates()) return assign_saved(name, tensors);
    if (tensors.a == nullptr) fail(tensors.names.front(), "expected lora_A and lora_B, found no lora_A");
    if (tensors.b == nullptr) fail(tensors.names.front(), "expected lora_A and lora_B, found no lora_B");
    if (const auto found = by_module_.find(name); found != by_module_.end()) {
      assign_linear(found->second, module, tensors);
      return true;
    }
    if (const auto expert = detail::parse_expert(name)) {
      const auto found = experts_.find(*expert);
      if (found == experts_.end()) return false;
      assign_linear(found->second, module, tensors);
      return true;
    }
    return assign_stack(module, tensors);
  }

  void assign_linear(std::size_t target, const std::string& module, const Tensors& tensors) {
    const LinearMap& map = model_.linear_maps()[target];
    const WeightMatrix& weight = map.weight;
    const std::string& a_name = name_of(tensors, Part::a);
    const std::string& b_name = name_of(tensors, Part::b);
    if (tensors.a->shape.size() != 2) fail(a_name, "expected two dimensions, found " + to_string(tensors.a->shape));
    // fan_in_fan_out is about how the module stores its own weight; A and B lie as ever.
    const std::size_t rank = tensors.a->shape[0];
    require(a_name, *tensors.a, {rank, weight.columns});
    require(b_name, *tensors.b, {weight.rows, rank});
    // PEFT looks for a parameter, unlike a module, by the name of its weight.
    const std::string key = targets(module + ".weight") ? module + ".weight" : module;
    add(target, key, a_name, tensors,
        {reorder(numbers(a_name, *tensors.a), weight.columns, nullptr, map.column_order),
         reorder(numbers(b_name, *tensors.b), rank, map.row_order), rank});
  }

  // A matrix of the adapter with the rows and columns of the map.
  [[nodiscard]] static std::vector<float> reorder(std::vector<float> values, std::size_t width, const IndexOrder& rows,
                                                  const IndexOrder& columns = nullptr) {
    if (rows == nullptr && columns == nullptr) return values;
    std::vector<float> result(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::size_t row = rows == nullptr ? i / width : (*rows)[i / width];
      const std::size_t column = columns == nullptr ? i % width : (*columns)[i % width];
      result[i] = values[row * width + column];
    }
    return result;
  }

  // A stack of experts: "X.experts" (the outer wrapper of PEFT, or the only one), "X.experts.base_layer" (the inner
  // one), or the name of a parameter, "X.experts.gate_up_proj".
  bool assign_stack(const std::string& name, const Tensors& tensors) {
    std::string experts = name;
    std::optional<std::string> parameter;
    if (name.ends_with(".experts.base_layer")) {
      experts = name.substr(0, name.rfind('.'));
      parameter = "gate_up_proj";
    } else if (name.ends_with(".experts")) {
      parameter = targets(name + ".gate_up_proj") && !targets(name + ".down_proj") ? "gate_up_proj" : "down_proj";
    } else {
      const std::size_t dot = name.rfind('.');
      if (dot == std::string::npos || !name.substr(0, dot).ends_with(".experts")) return false;
      experts = name.substr(0, dot);
      parameter = name.substr(dot + 1);
    }
    std::vector<ExpertPart> parts;
    if (*parameter == "gate_up_proj") {
      parts = {ExpertPart::gate, ExpertPart::up};
    } else if (const auto part = detail::expert_part(*parameter)) {
      parts = {*part};
    } else {
      return false;
    }
    const std::string place = detail::canonical_module(experts);
    const std::size_t count = count_experts(place, parts.front());
    if (count == 0) return false;
    if (tensors.b_bias != nullptr || tensors.magnitude != nullptr || tensors.replaces())
      fail(tensors.names.front(), "biases, DoRA and whole weights of stacked experts are not supported",
           ErrorKind::unsupported);
    split_stack(place, experts + "." + *parameter, parts, count, tensors);
    return true;
  }

  // Returns whether target_parameters names the parameter, by its whole name or the end of it.
  [[nodiscard]] bool targets(const std::string& parameter) const {
    return std::ranges::any_of(config_.target_parameters, [&](const std::string& name) {
      return parameter == name || parameter.ends_with("." + name);
    });
  }
  [[nodiscard]] std::size_t count_experts(const std::string& experts, ExpertPart part) const {
    std::size_t count = 0;
    while (experts_.contains({experts, count, part})) ++count;
    return count;
  }

  // PEFT before 0.19 takes [E, dim1, dim2] of a stored parameter as [E, in, out] whatever it is, 0.19.0 the wrong way
  // round: where it takes one for the other, A and B are those of the transposed update. Shapes tell, unless they are
  // square.   in_out: whether the parameter is [E, in, out]
  [[nodiscard]] bool square_is_transposed(const std::string& name, bool in_out) const {
    if (in_out) return config_.is_before({0, 19, 1}) && !config_.is_before({0, 19});
    if (config_.version.empty())
      fail(name,
           "the experts are square, and whether the update is transposed depends on the version of PEFT: expected "
           "peft_version in adapter_config.json, found none",
           ErrorKind::unsupported);
    return config_.is_before({0, 19, 1});
  }

  // A [E r, in] read as (E, r, in) and B [out, r E] as (out, r, E); or A (E, r, in) and B (E, out, r); or transposed.
  void split_stack(const std::string& experts, const std::string& parameter, const std::vector<ExpertPart>& parts,
                   std::size_t count, const Tensors& tensors) {
    const std::string& a_name = name_of(tensors, Part::a);
    const std::string& b_name = name_of(tensors, Part::b);
    const LinearMap& first = model_.linear_maps()[experts_.at({experts, 0, parts.front()})];
    const std::size_t in = first.weight.columns;
    const std::size_t out = first.weight.rows * parts.size();
    const bool stacked = tensors.a->shape.size() == 3;
    std::size_t rank = 0;
    std::size_t a_width = 0;
    std::size_t b_width = 0;
    if (stacked) {
      if (tensors.a->shape[0] != count)
        fail(a_name, "expected " + std::to_string(count) + " experts, found " + to_string(tensors.a->shape));
      rank = tensors.a->shape[1];
      a_width = tensors.a->shape[2];
      b_width = tensors.b->shape.size() == 3 ? tensors.b->shape[1] : out;
      require(b_name, *tensors.b, {count, b_width, rank});
    } else {
      if (tensors.a->shape.size() != 2 || tensors.a->shape[0] % count != 0)
        fail(a_name, "expected [a multiple of " + std::to_string(count) + " experts, width], found " +
                         to_string(tensors.a->shape));
      rank = tensors.a->shape[0] / count;
      a_width = tensors.a->shape[1];
      b_width = tensors.b->shape.size() == 2 ? tensors.b->shape[0] : out;
      require(b_name, *tensors.b, {b_width, rank * count});
    }
    bool usual = a_width == in && b_width == out;
    const bool transposed = a_width == out && b_width == in;
    if (!usual && !transposed)
      fail(a_name,
           "expected widths of lora_A and lora_B of " + std::to_string(in) + " and " + std::to_string(out) +
               ", found " + std::to_string(a_width) + " and " + std::to_string(b_width),
           ErrorKind::mismatch);
    const bool in_out = first.layout != StackLayout::stacked;
    if (usual && transposed && !stacked) usual = !square_is_transposed(a_name, in_out);
    const std::vector<float> a = numbers(a_name, *tensors.a);
    const std::vector<float> b = numbers(b_name, *tensors.b);
    // Element (row, j) of B of expert e, for j < rank.
    const auto b_at = [&](std::size_t e, std::size_t row, std::size_t j) {
      return stacked ? b[(e * b_width + row) * rank + j] : b[(row * rank + j) * count + e];
    };
    const std::size_t rows = first.weight.rows;
    const StackShape saved{count, parts.size(), rows, in, first.layout};
    for (std::size_t e = 0; e < count; ++e) {
      for (std::size_t p = 0; p < parts.size(); ++p) {
        Factors factors{std::vector<float>(rank * in), std::vector<float>(rows * rank), rank};
        for (std::size_t j = 0; j < rank; ++j) {
          const float* a_row = a.data() + (e * rank + j) * a_width;
          for (std::size_t i = 0; i < in; ++i) factors.a[j * in + i] = usual ? a_row[i] : b_at(e, i, j);
          for (std::size_t o = 0; o < rows; ++o) {
            const std::size_t row = saved.joint_row(p, o);
            factors.b[o * rank + j] = usual ? b_at(e, row, j) : a_row[row];
          }
        }
        add(experts_.at({experts, e, parts[p]}), parameter, a_name, {}, std::move(factors));
      }
    }
  }

  // A map of the model gets its update.
  void add(std::size_t target, const std::string& module, const std::string& name, const Tensors& tensors,
           Factors factors) {
    const LinearMap& linear = model_.linear_maps()[target];
    const WeightMatrix& weight = linear.weight;
    if (state_->maps[target] != nullptr) fail(name, "expected one update of a map, found two");
    // Ranks above the smaller width are usual: all-linear reaches gates of one output.
    const std::size_t most = std::max(weight.rows, weight.columns);
    if (factors.rank > most)
      fail(name, "expected a rank of at most " + std::to_string(most) + ", the larger width of the map, found " +
                     std::to_string(factors.rank));
    const std::size_t declared = config_.rank_of(module);
    if (factors.rank != declared && factors.rank != 0)
      fail(name,
           "expected rank " + std::to_string(declared) + " by adapter_config.json, found " +
               std::to_string(factors.rank),
           ErrorKind::mismatch);
    LowRank map = replacement(target, module, tensors);
    map.rank = factors.rank;
    map.scale = factors.rank == 0 ? 0.0F : config_.scale_of(module, factors.rank);
    if (map.scale == 0.0F && factors.rank != 0)
      fail(name, "expected another lora_alpha than 0, which removes the update");
    const std::size_t out = weight.rows;
    std::vector<float> transposed(factors.b.size());
    for (std::size_t o = 0; o < out; ++o)
      for (std::size_t j = 0; j < factors.rank; ++j) transposed[j * out + o] = factors.b[o * factors.rank + j];
    if (tensors.magnitude != nullptr) {
      const std::string& magnitude_name = name_of(tensors, Part::magnitude);
      if (!config_.use_dora)
        fail(magnitude_name, "expected use_dora in adapter_config.json, found none", ErrorKind::mismatch);
      const std::vector<float> magnitude = numbers(magnitude_name, *tensors.magnitude);
      if (magnitude.size() != out)
        fail(magnitude_name, "expected " + std::to_string(out) + " numbers, found " + std::to_string(magnitude.size()),
             ErrorKind::mismatch);
      if (map.weight == nullptr && weight.data == nullptr)
        fail(magnitude_name,
             "DoRA needs the rows of a matrix that this file has in two; load the checkpoint that the file was made "
             "from",
             ErrorKind::unsupported);
      map.magnitude = keep(reorder(magnitude, 1, linear.row_order));
      map.norms = keep(norms(map.weight == nullptr ? weight : *map.weight, factors));
      state_->info.uses_dora = true;
    } else if (config_.use_dora && factors.rank != 0 && tensors.a != nullptr) {
      fail(name, "expected lora_magnitude_vector, since use_dora is true, found none");
    }
    if (tensors.b_bias != nullptr) {
      const std::string& bias_name = name_of(tensors, Part::b_bias);
      if (!config_.lora_bias)
        fail(bias_name, "expected lora_bias in adapter_config.json, found none", ErrorKind::mismatch);
      require(bias_name, *tensors.b_bias, {out});
      map.bias = keep(reorder(numbers(bias_name, *tensors.b_bias), 1, linear.row_order));
    } else if (config_.lora_bias && tensors.a != nullptr) {
      fail(name, "expected a bias of lora_B, since lora_bias is true, found none");
    }
    map.a = keep(factors.a);
    map.b = keep(transposed);
    put(target, map);
    AdapterInfo& info = state_->info;
    info.min_rank = info.linear_maps == 0 ? map.rank : std::min(info.min_rank, map.rank);
    info.max_rank = std::max(info.max_rank, map.rank);
    ++info.linear_maps;
  }

  // |W_o|^2, 2 W_o . (B A)_o and |(B A)_o|^2 of each row, for DoRA.
  [[nodiscard]] static std::vector<float> norms(const WeightMatrix& weight, const Factors& factors) {
    const std::size_t out = weight.rows;
    const std::size_t in = weight.columns;
    std::vector<float> result(3 * out);
    std::vector<float> row(in);
    std::vector<float> change(in);
    const Isa isa = default_isa();
    for (std::size_t o = 0; o < out; ++o) {
      kernels::decode_row(weight, o, row.data());
      if (factors.rank != 0)
        kernels::gemm_columns(isa, {factors.b.data() + o * factors.rank, factors.rank}, 1, factors.a.data(), in, in,
                              factors.rank, false, change.data(), in);
      double own = 0.0;
      double both = 0.0;
      double update = 0.0;
      for (std::size_t i = 0; i < in; ++i) {
        const auto w = static_cast<double>(row[i]);
        const auto delta = static_cast<double>(change[i]);
        own += w * w;
        both += 2.0 * w * delta;
        update += delta * delta;
      }
      result[o] = static_cast<float>(own);
      result[out + o] = static_cast<float>(both);
      result[2 * out + o] = static_cast<float>(update);
    }
    return result;
  }

  // A module that the adapter brings whole.
  bool assign_saved(const std::string& name, const Tensors& tensors) {
    const auto found = by_module_.find(name);
    if (found == by_module_.end()) return false;
    if (state_->maps[found->second] != nullptr) fail(tensors.names.front(), "expected one update of a map, found two");
    const LowRank map = replacement(found->second, name, tensors);
    put(found->second, map);
    if (config_.ensure_weight_tying && name.ends_with("embed_tokens"))
      tie_head(model_.linear_maps()[found->second].weight, map);
    return true;
  }

  // The weights that the adapter brings for a map, of which an update may follow. Without them, a map of none.
  [[nodiscard]] LowRank replacement(std::size_t target, const std::string& module, const Tensors& tensors) {
    LowRank map;
    if (!tensors.replaces()) return map;
    if (tensors.saved_weight == nullptr)
      fail(tensors.names.front(), "expected the module's weight beside its bias, found none");
    const std::string& weight_name = name_of(tensors, Part::saved_weight);
    if (!is_declared(module))
      fail(weight_name, "expected its module in modules_to_save of adapter_config.json", ErrorKind::mismatch);
    const LinearMap& linear = model_.linear_maps()[target];
    const WeightMatrix& weight = linear.weight;
    require(weight_name, *tensors.saved_weight, {weight.rows, weight.columns});
    map.weight = state_->weights.emplace_back(saved_matrix(linear, weight_name, *tensors.saved_weight)).get();
    if (tensors.saved_bias != nullptr) {
      const std::string& bias_name = name_of(tensors, Part::saved_bias);
      require(bias_name, *tensors.saved_bias, {weight.rows});
      map.weight_bias = keep(reorder(numbers(bias_name, *tensors.saved_bias), 1, linear.row_order));
    }
    ++state_->info.saved_modules;
    return map;
  }

  // Borrowed from the file, unless the map has another order.
  [[nodiscard]] std::unique_ptr<const WeightMatrix> saved_matrix(const LinearMap& map, const std::string& name,
                                                                 const StoredTensor& tensor) {
    const std::byte* data = tensor.bytes.data();
    DType dtype = tensor.dtype;
    if (map.row_order == nullptr && map.column_order == nullptr) {
      require_finite(name, tensor);
    } else {
      const std::vector<float> values =
          reorder(numbers(name, tensor), map.weight.columns, map.row_order, map.column_order);
      data = reinterpret_cast<const std::byte*>(keep(values));
      dtype = DType::f32;
    }
    return std::make_unique<const WeightMatrix>(stored_matrix(data, dtype, map.weight.rows, map.weight.columns));
  }

  // Returns whether modules_to_save names the module or what it is in. PEFT saves embedding and head also of itself.
  [[nodiscard]] bool is_declared(const std::string& module) const {
    const std::string name = "." + module + ".";
    return name.ends_with(".embed_tokens.") || name.ends_with(".lm_head.") ||
           std::ranges::any_of(config_.modules_to_save, [&](const std::string& saved) {
             return name.find("." + saved + ".") != std::string::npos;
           });
  }

  // A head that is the embedding follows its copy, with ensure_weight_tying.
  void tie_head(const WeightMatrix& table, const LowRank& map) {
    const std::span<const LinearMap> maps = model_.linear_maps();
    for (std::size_t target = 0; target < maps.size(); ++target)
      if (state_->maps[target] == nullptr && maps[target].weight.data == table.data && table.data != nullptr)
        put(target, map);
  }

  void put(std::size_t target, const LowRank& map) {
    state_->maps[target] = state_->owned.emplace_back(std::make_unique<const LowRank>(map)).get();
  }

  [[nodiscard]] const float* keep(const std::vector<float>& values) {
    auto& memory = state_->memory.emplace_back(std::make_unique<float[]>(std::max<std::size_t>(values.size(), 1)));
    std::ranges::copy(values, memory.get());
    return memory.get();
  }

  // Elements of a tensor, all finite.
  [[nodiscard]] std::vector<float> numbers(const std::string& name, const StoredTensor& tensor) {
    require_finite(name, tensor);
    std::vector<float> result;
    visit_elements(tensor, [&](const auto& elements) {
      result.resize(elements.size());
      std::ranges::transform(elements, result.begin(), [](auto value) { return static_cast<float>(value); });
    });
    return result;
  }
  void require_finite(const std::string& name, const StoredTensor& tensor) {
    visit_elements(tensor, [&](const auto& elements) {
      const auto bad =
          std::ranges::find_if(elements, [](auto value) { return !std::isfinite(static_cast<float>(value)); });
      if (bad != elements.end())
        fail(name, "expected finite numbers, found one that is not at " + std::to_string(bad - elements.begin()),
             ErrorKind::damaged);
      state_->info.parameters += elements.size();
    });
  }
  template <class Function>
  static void visit_elements(const StoredTensor& tensor, const Function& function) {
    visit_dtype(tensor.dtype, [&]<class T>(const T*) {
      function(std::span(reinterpret_cast<const T*>(tensor.bytes.data()), tensor.bytes.size() / sizeof(T)));
    });
  }
  void require(const std::string& name, const StoredTensor& tensor, std::vector<std::size_t> shape) const {
    if (tensor.shape != shape)
      fail(name, "expected shape " + to_string(shape) + ", found " + to_string(tensor.shape), ErrorKind::mismatch);
  }

  [[nodiscard]] const std::string& name_of(const Tensors& tensors, Part part) const {
    for (const std::string& name : tensors.names)
      if (detail::parse_adapter_name(name)->part == part) return name;
    return tensors.names.front();
  }

  // Messages have room for the ends of names, which tell most.
  [[noreturn]] void fail(std::string_view name, const std::string& problem, ErrorKind kind = ErrorKind::damaged) const {
    throw WeightError(source_->source_name() + ": tensor " + in_quotes(detail::without_prefix(name)) + ": " + problem,
                      {.kind = kind, .path = source_->source_name(), .field = std::string(name)});
  }
  [[noreturn]] void fail_leftover(const std::vector<std::string>& names) const {
    constexpr std::size_t kMost = 8;
    std::string list;
    for (std::size_t i = 0; i < std::min(kMost, names.size()); ++i)
      list += (i == 0 ? "" : ", ") + in_quotes(detail::without_prefix(names[i]));
    if (names.size() > kMost) list += " and " + std::to_string(names.size() - kMost) + " more";
    throw WeightError(source_->source_name() +
                          ": expected a linear map or the embedding of the model for each tensor, found none for " +
                          list,
                      {.kind = ErrorKind::mismatch, .path = source_->source_name(), .field = names.front()});
  }

  void finish() {
    Hash hash;
    for (const std::string_view name : source_->names()) {
      const StoredTensor& tensor = *source_->find(name);
      hash.add(name);
      hash.add(to_string(tensor.dtype));
      for (const std::size_t extent : tensor.shape) hash.add(std::uint64_t{extent});
      hash.add(tensor.bytes);
    }
    for (std::size_t target = 0; target < state_->maps.size(); ++target) {
      const LowRank* map = state_->maps[target];
      if (map == nullptr) continue;
      hash.add(std::uint64_t{target});
      hash.add(std::as_bytes(std::span(&map->scale, 1)));
    }
    state_->fingerprint = hash.value();
    state_->info.notes = notes_.all();
    if (state_->info.saved_modules != 0) state_->source = std::move(source_);
  }

  const Model& model_;
  Notes notes_;
  PeftConfig config_;
  std::unique_ptr<const WeightSource> source_;
  std::map<std::string, std::size_t, std::less<>> by_module_;
  std::map<detail::ExpertKey, std::size_t> experts_;
  std::map<std::string, Tensors> modules_;
  std::shared_ptr<Adapter::State> state_;
};

TRINE_DECL const AdapterInfo& Adapter::info() const noexcept { return state_->info; }
TRINE_DECL std::span<const LowRank* const> Adapter::maps() const noexcept { return state_->maps; }
TRINE_DECL std::uint64_t Adapter::fingerprint() const noexcept { return state_->fingerprint; }
TRINE_DECL bool Adapter::is_for(const Model& model) const noexcept {
  return &state_->model.transformer() == &model.transformer();
}
TRINE_DECL void Adapter::require_model(const Model& model) const {
  if (!is_for(model))
    throw InputError(info().path + ": expected an adapter that was loaded for this model, found one of another",
                     {.kind = ErrorKind::mismatch, .path = info().path, .field = "adapters"});
}

TRINE_DECL Adapter Adapter::load(const Model& model, const std::filesystem::path& directory,
                                 const AdapterOptions& options) {
  return AdapterReader(model, directory, options).read();
}

}  // namespace trine::inline TRINE_ABI
