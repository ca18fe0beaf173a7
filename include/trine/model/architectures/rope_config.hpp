// SPDX-License-Identifier: Apache-2.0
// The rotary settings of a published model's config.json, in both forms:
//   "rope_theta": 10000, "rope_scaling": null or {"type" or "rope_type": "yarn", ...}
//   "rope_parameters": {"rope_theta": 10000, "rope_type": "yarn", ...}, or one such object for each layer type
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <trine/json/object_reader.hpp>
#include <trine/nn/rope_scaling.hpp>

namespace trine::inline TRINE_ABI {

/// Properties of the heads from the rest of config.json.
struct RopeContext {
  std::size_t head_dim = 0;  // of the rotated part: qk_rope_head_dim with latent attention
  std::size_t max_position_embeddings = 0;
  /// How many elements rotate without a partial_rotary_factor; nullopt: whole heads, whatever that key says.
  std::optional<std::size_t> rotary_dim = std::nullopt;
  bool scaled_are_whole = false;  // without that key, rotary_dim holds for rope_type "default", others turn whole heads
  bool has_proportional = false;  // whether the family has this rope_type
  bool has_alpha = false;         // whether "alpha" of rope_type "dynamic" stretches theta, in place of "factor"
  bool has_temperature = false;   // "llama_4_scaling_beta"
  bool has_mscales = false;       // longrope has "short_mscale" as amplitude; the caller ends positions at its context
};

/// One of the layer types of a model that has a rope for each.
struct RopeLayerType {
  std::string name;  // of its object
  RopeContext context;
};

/// Keys of a rope object that its type does not read; transformers does not read them either.
inline constexpr std::array kIgnoredRopeKeys = std::to_array<IgnoredNames>({
    {"finetuned", "says how the weights were made"},
    {"mrope_*", "of the positions of pictures; those of text are the same with it"},
    {"attn_factor", "not read by transformers, and not here; vLLM multiplies the amplitude by it"},
    {"factor", "not read by this rope_type"},
    {"original_max_position_embeddings", "not read by this rope_type"},
    {"attention_factor", "not read by this rope_type"},
    {"beta_fast", "not read by this rope_type"},
    {"beta_slow", "not read by this rope_type"},
    {"mscale", "not read by this rope_type"},
    {"mscale_all_dim", "not read by this rope_type"},
    {"truncate", "not read by this rope_type"},
    {"low_freq_factor", "not read by this rope_type"},
    {"high_freq_factor", "not read by this rope_type"},
    {"short_factor", "not read by this rope_type"},
    {"long_factor", "not read by this rope_type"},
});

namespace detail {

inline constexpr double kMaxRopeFactor = 1e6;

// The settings of one rope, from `object`; missing keys from `config`.
class RopeReader {
 public:
  RopeReader(ObjectReader& config, ObjectReader& object, const RopeContext& context, Notes& notes)
      : config_(config), object_(object), context_(context), notes_(notes) {}

  [[nodiscard]] RopeOptions read() {
    RopeOptions rope;
    rope.theta = nearer("rope_theta").number("rope_theta", 1.0 + 1e-6, 1e12);
    const Read read_scaling = type();
    const bool is_proportional = read_scaling == &RopeReader::proportional;
    const bool is_whole = context_.scaled_are_whole && read_scaling != &RopeReader::unscaled;
    rope.rotary_dim = context_.rotary_dim && !is_proportional
                          ? rotated_part(is_whole ? context_.head_dim : *context_.rotary_dim)
                          : context_.head_dim;
    if (context_.has_alpha && read_scaling == &RopeReader::dynamic && object_.has("alpha")) {
      const auto width = static_cast<double>(rope.rotary_dim);
      rope.theta *= std::pow(object_.number("alpha", 1.0, 1e9), width / (width - 2.0));
    } else {
      rope.scaling = (this->*read_scaling)(rope);
    }
    if (context_.has_temperature) {
      rope.temperature = {.scale = static_cast<float>(object_.number("llama_4_scaling_beta", 0.0, 1e3)),
                          .length = object_.integer("original_max_position_embeddings", 1, 1U << 26U)};
      static_cast<void>(object_.has("max_position_embeddings"));  // that of the configuration counts
    }
    if (!context_.rotary_dim && !is_proportional) settle_partial_rotation(read_scaling == &RopeReader::unscaled);
    object_.reject_unknown_keys(notes_, kIgnoredRopeKeys);
    return rope;
  }

 private:
  using Read = RopeScaling (RopeReader::*)(const RopeOptions&);

  Read type() {
    const auto named = [&](std::string_view key) {
      if (context_.has_mscales)
        return object_.choice<Read>(key, {{"default", &RopeReader::unscaled}, {"longrope", &RopeReader::longrope}});
      if (context_.has_proportional && object_.at(key) == "proportional") return Read{&RopeReader::proportional};
      return object_.choice<Read>(key, {{"default", &RopeReader::unscaled},
                                        {"linear", &RopeReader::linear},
                                        {"dynamic", &RopeReader::dynamic},
                                        {"llama3", &RopeReader::llama3},
                                        {"yarn", &RopeReader::yarn},
                                        {"longrope", &RopeReader::longrope}});
    };
    if (!object_.has("rope_type")) return object_.has("type") ? named("type") : &RopeReader::unscaled;
    const Read result = named("rope_type");
    if (object_.has("type") && named("type") != result)
      object_.fail("type", "expected the same as rope_type, found " + in_quotes(object_.string("type")));
    return result;
  }

  // Keys inside the object take precedence.
  ObjectReader& nearer(std::string_view key) {
    const bool is_inside = object_.has(key);
    static_cast<void>(config_.has(key));
    return is_inside ? object_ : config_;
  }

  // Rounded down, as transformers does.
  std::size_t rotated_part(std::size_t otherwise) {
    constexpr std::string_view kKey = "partial_rotary_factor";
    ObjectReader& reader = nearer(kKey);
    const auto width = static_cast<double>(context_.head_dim);
    const std::size_t part =
        reader.has(kKey) ? static_cast<std::size_t>(width * reader.number(kKey, 0.0, 1.0)) : otherwise;
    if (part == 0 || part % 2 != 0)
      reader.fail(kKey, "expected an even number of rotated elements, found " + std::to_string(part) + " of " +
                            std::to_string(context_.head_dim));
    return part;
  }

  // Other families rotate whole heads. transformers ignores another value without scaling, and fails with scaling.
  void settle_partial_rotation(bool is_unscaled) {
    constexpr std::string_view kKey = "partial_rotary_factor";
    ObjectReader& reader = nearer(kKey);
    if (!reader.has(kKey) || reader.number(kKey, 0.0, 1.0) == 1.0) return;
    if (!is_unscaled) reader.fail(kKey, "1 beside a rope_type that scales", reader.at(kKey), ErrorKind::unsupported);
    notes_.add(kKey, "not read by this family: whole heads turn");
  }

  RopeScaling unscaled(const RopeOptions&) { return {}; }
  RopeScaling linear(const RopeOptions&) { return LinearScaling{factor()}; }
  RopeScaling dynamic(const RopeOptions&) { return DynamicScaling{factor()}; }

  RopeScaling proportional(const RopeOptions&) {
    constexpr std::string_view kKey = "partial_rotary_factor";
    ObjectReader& reader = nearer(kKey);
    const double share = reader.has(kKey) ? reader.number(kKey, 0.0, 1.0) : 1.0;
    return ProportionalScaling{object_.number_or("factor", 1e-3, kMaxRopeFactor, 1.0),
                               static_cast<std::size_t>(share * static_cast<double>(context_.head_dim) / 2.0)};
  }

  RopeScaling llama3(const RopeOptions&) {
    WavelengthScaling result;
    result.factor = factor();
    result.low_freq_factor = object_.number("low_freq_factor", 1e-3, 1e3);
    result.high_freq_factor = object_.number("high_freq_factor", 1e-3, 1e3);
    if (result.high_freq_factor <= result.low_freq_factor)
      object_.fail("high_freq_factor", "expected more than low_freq_factor");
    result.original_max_position_embeddings = original_length();
    return result;
  }

  RopeScaling yarn(const RopeOptions&) {
    YarnScaling result;
    result.original_max_position_embeddings = original_length();
    result.factor = factor_or_ratio(result.original_max_position_embeddings);
    result.beta_fast = object_.number_or("beta_fast", 1e-9, 1e6, result.beta_fast);
    result.beta_slow = object_.number_or("beta_slow", 1e-9, 1e6, result.beta_slow);
    if (result.beta_fast < result.beta_slow) object_.fail("beta_fast", "expected at least beta_slow");
    result.truncate = object_.boolean_or("truncate", true);
    result.mscale = object_.number_or("mscale", 0.0, 1e3, 0.0);
    result.mscale_all_dim = object_.number_or("mscale_all_dim", 0.0, 1e3, 0.0);
    result.attention_factor = attention_factor();
    return result;
  }

  RopeScaling longrope(const RopeOptions& rope) {
    LongRopeScaling result;
    result.original_max_position_embeddings = original_length();
    result.factor = factor_or_ratio(result.original_max_position_embeddings);
    if (context_.has_mscales) {
      result.attention_factor = object_.number("short_mscale", 1e-3, 1e3);
      static_cast<void>(object_.number("long_mscale", 1e-3, 1e3));
    } else {
      result.attention_factor = attention_factor();
    }
    result.short_factor = factors("short_factor", rope.rotary_dim / 2);
    static_cast<void>(factors("long_factor", rope.rotary_dim / 2));
    const bool is_beyond = context_.max_position_embeddings > result.original_max_position_embeddings;
    if (is_beyond && context_.has_mscales) {
      notes_.add("long_factor", "not read: positions end at original_max_position_embeddings, " +
                                    std::to_string(result.original_max_position_embeddings));
    } else if (is_beyond) {
      object_.fail("long_factor",
                   "a context beyond original_max_position_embeddings is not supported with longrope: cached keys "
                   "cannot change from short to long factors; expected max_position_embeddings of at most " +
                       std::to_string(result.original_max_position_embeddings) + ", found " +
                       std::to_string(context_.max_position_embeddings),
                   ErrorKind::unsupported);
    }
    return result;
  }

  [[nodiscard]] double factor() { return object_.number("factor", 1.0, kMaxRopeFactor); }

  // Only a missing factor is computed from the lengths.
  [[nodiscard]] double factor_or_ratio(std::size_t original) {
    if (object_.has("factor")) return factor();
    return static_cast<double>(context_.max_position_embeddings) / static_cast<double>(original);
  }

  // Phi-3 and related models write it outside the object.
  [[nodiscard]] std::size_t original_length() {
    constexpr std::string_view kKey = "original_max_position_embeddings";
    constexpr std::size_t kMost = 1U << 26U;
    const std::size_t inside = object_.integer_or(kKey, 2, kMost, context_.max_position_embeddings);
    return config_.integer_or(kKey, 2, kMost, inside);
  }

  [[nodiscard]] std::optional<double> attention_factor() {
    if (!object_.has("attention_factor")) return std::nullopt;
    return object_.number("attention_factor", 1e-3, 1e3);
  }

  [[nodiscard]] std::vector<double> factors(std::string_view key, std::size_t count) {
    const Json& list = object_.at(key);
    if (!list.is_array() || list.size() != count)
      object_.fail(key, "a list of " + std::to_string(count) + " numbers", list);
    std::vector<double> result;
    for (const Json& element : list) {
      if (!element.is_number() || !(element.get<double>() >= 1e-3 && element.get<double>() <= kMaxRopeFactor))
        object_.fail(key, "numbers from 0.001 to 1e6", element);
      result.push_back(element.get<double>());
    }
    return result;
  }

  ObjectReader& config_;  // the whole of config.json
  ObjectReader& object_;  // rope_scaling, rope_parameters or one of its layer types
  const RopeContext& context_;
  Notes& notes_;
};

// Returns whether it has one object for each layer type: no rope setting is itself an object.
[[nodiscard]] inline bool is_by_layer_type(const Json& rope) {
  return std::any_of(rope.begin(), rope.end(), [](const Json& value) { return value.is_object(); });
}

}  // namespace detail

/// Reads "rope_parameters" of a model that has one object for each layer type there: the rope of each of `types`.
/// Objects of `others`, layer types without layers, are not read. Throws ConfigError.
[[nodiscard]] inline std::vector<RopeOptions> read_rope_by_type(ObjectReader& config, Notes& notes,
                                                                const std::vector<RopeLayerType>& types,
                                                                const std::vector<std::string>& others = {}) {
  const Json& given = config.at("rope_parameters");
  if (!given.is_object() || !detail::is_by_layer_type(given))
    config.fail("rope_parameters", "an object for each layer type", given, ErrorKind::unsupported);
  ObjectReader all = config.object("rope_parameters");
  std::vector<RopeOptions> result;
  for (const auto& [name, context] : types) {
    ObjectReader one = all.object(name);
    result.push_back(detail::RopeReader(config, one, context, notes).read());
  }
  for (const std::string& name : others) static_cast<void>(all.has(name));
  all.reject_unknown_keys(notes);
  return result;
}

/// Reads the keys of both forms from `config`: the rope of each of `layer_types`, which differ only if rope_parameters
/// distinguishes them. If neither form is given, the default of rope_parameters applies, or plain rotation if there is
/// none. Throws ConfigError for missing, unknown, out-of-range or unsupported settings.
[[nodiscard]] inline std::vector<RopeOptions> read_rope(ObjectReader& config, const RopeContext& context, Notes& notes,
                                                        const std::vector<std::string>& layer_types) {
  const bool scaling = config.is_given("rope_scaling") && !config.at("rope_scaling").empty();
  const bool parameters = config.is_given("rope_parameters");
  static_cast<void>(config.has("original_max_position_embeddings"));  // used by some types
  if (scaling && parameters) config.fail("rope_scaling", "expected this or rope_parameters, found both");
  if (!scaling && !parameters) {
    const Json otherwise = config.default_of("rope_parameters");
    const Json rope = otherwise.is_null() ? Json::object() : otherwise;
    ObjectReader object = config.beside(rope, "rope_parameters");
    return std::vector<RopeOptions>(layer_types.size(), detail::RopeReader(config, object, context, notes).read());
  }
  const std::string_view key = scaling ? "rope_scaling" : "rope_parameters";
  ObjectReader object = config.object(key);
  if (!detail::is_by_layer_type(config.at(key)))
    return std::vector<RopeOptions>(layer_types.size(), detail::RopeReader(config, object, context, notes).read());
  std::vector<RopeOptions> result;
  for (const std::string& type : layer_types) {
    ObjectReader one = object.object(type);
    result.push_back(detail::RopeReader(config, one, context, notes).read());
  }
  object.reject_unknown_keys(notes);
  return result;
}

/// The same for a model with the same rope in all layers.
[[nodiscard]] inline RopeOptions read_rope(ObjectReader& config, const RopeContext& context, Notes& notes) {
  return read_rope(config, context, notes, {"full_attention"}).front();
}

}  // namespace trine::inline TRINE_ABI
