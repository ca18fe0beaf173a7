// SPDX-License-Identifier: Apache-2.0
// The definitions of generate/reference_outputs.hpp.
#pragma once

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <trine/core/check.hpp>
#include <trine/core/shape.hpp>
#include <trine/generate/log_sum_exp.hpp>
#include <trine/generate/reference_outputs.hpp>
#include <trine/platform/mapped_file.hpp>
#include <trine/routing/routing_observer.hpp>
#include <trine/routing/routing_plan.hpp>
#include <trine/weights/safetensors.hpp>
#include <trine/weights/weight_source.hpp>

namespace trine::inline TRINE_ABI {

namespace detail {

/// One array of a NumPy file, named "logits". https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
class NpyFile : public TensorMap {
 public:
  explicit NpyFile(const std::filesystem::path& file) : path_(file.string()), file_(file) {
    const std::string_view text(reinterpret_cast<const char*>(file_.bytes().data()), file_.size());
    constexpr std::string_view kMagic = "\x93NUMPY";
    if (!text.starts_with(kMagic) || text.size() < 12)
      fail("expected a file of NumPy, found another", text.substr(0, 6));
    const auto major = static_cast<unsigned char>(text[6]);
    if (major < 1 || major > 3) fail("version: expected 1 to 3, found another", std::to_string(major));
    const std::size_t length_bytes = major == 1 ? 2 : 4;
    std::size_t length = 0;
    for (std::size_t i = 0; i < length_bytes; ++i)
      length |= std::size_t{static_cast<unsigned char>(text[8 + i])} << (8 * i);
    const std::size_t begin = 8 + length_bytes;
    if (length > text.size() - begin) fail("the header is cut", "");
    const std::string_view header = text.substr(begin, length);
    StoredTensor tensor;
    const std::string_view type = value_of(header, "'descr':");
    if (type.starts_with("'<f4'")) {
      tensor.dtype = DType::f32;
    } else if (type.starts_with("'<f2'")) {
      tensor.dtype = DType::f16;
    } else if (type.starts_with("'<f8'")) {
      tensor.dtype = DType::f64;
    } else {
      fail("descr: expected '<f2', '<f4' or '<f8', found another type", type.substr(0, 10));
    }
    if (!value_of(header, "'fortran_order':").starts_with("False"))
      fail("fortran_order: expected False, found another order", "");
    read_shape(value_of(header, "'shape':"), tensor.shape);
    const auto elements = checked_product(tensor.shape);
    const auto bytes = elements ? checked_multiply(*elements, size_bytes(tensor.dtype)) : std::nullopt;
    const std::size_t data = begin + length;
    if (!bytes || *bytes != text.size() - data) {
      fail("expected " + (bytes ? std::to_string(*bytes) : "too many") + " bytes for the shape " +
               to_string(tensor.shape) + ", found " + std::to_string(text.size() - data),
           "");
    }
    tensor.bytes = file_.bytes().subspan(data);
    tensors_.emplace("logits", tensor);
  }

  [[nodiscard]] std::string source_name() const override { return path_; }

 private:
  // What follows `key` in the dictionary of the header.
  [[nodiscard]] std::string_view value_of(std::string_view header, std::string_view key) const {
    const std::size_t at = header.find(key);
    if (at == std::string_view::npos) fail("expected " + std::string(key) + " in the header, found none", "");
    std::string_view value = header.substr(at + key.size());
    while (value.starts_with(' ')) value.remove_prefix(1);
    return value;
  }

  // "(3, 100)"
  void read_shape(std::string_view text, std::vector<std::size_t>& shape) const {
    const std::string_view all = text.substr(0, text.find(')'));
    if (!all.starts_with('(')) fail("shape: expected a tuple, found another value", all.substr(0, 20));
    for (std::size_t i = 1; i < all.size();) {
      std::size_t extent = 0;
      const auto [end, error] = std::from_chars(all.data() + i, all.data() + all.size(), extent);
      if (error != std::errc() || shape.size() == 8) fail("shape: expected integers, found another value", all);
      shape.push_back(extent);
      i = static_cast<std::size_t>(end - all.data());
      while (i < all.size() && (all[i] == ',' || all[i] == ' ')) ++i;
    }
  }

  [[noreturn]] void fail(const std::string& problem, std::string_view found) const {
    throw ConfigError(path_ + ": " + problem + (found.empty() ? "" : " " + in_quotes(found)), {.path = path_});
  }

  std::string path_;
  MappedFile file_;
};

[[nodiscard]] inline std::int64_t integer_at(const StoredTensor& tensor, std::size_t i) noexcept {
  const auto read = [&]<class T>(T value) {
    std::memcpy(&value, tensor.bytes.data() + i * sizeof value, sizeof value);
    return static_cast<std::int64_t>(value);
  };
  switch (tensor.dtype) {
    case DType::i8:
      return read(std::int8_t{});
    case DType::u8:
      return read(std::uint8_t{});
    case DType::i16:
      return read(std::int16_t{});
    case DType::u16:
      return read(std::uint16_t{});
    case DType::i32:
      return read(std::int32_t{});
    case DType::u32:
      return read(std::uint32_t{});
    case DType::u64:
      return read(std::uint64_t{});
    default:
      return read(std::int64_t{});
  }
}

/// Throws InputError unless the elements are integers in [0, 2^32).
inline void require_integers(const WeightSource& file, std::string_view name, const StoredTensor& tensor) {
  const std::string where = file.source_name_of(name) + ": " + std::string(name);
  const bool is_integer = tensor.dtype >= DType::i8 && tensor.dtype <= DType::u64;
  if (!is_integer)
    throw InputError(where + ": expected integers, found " + std::string(element_name(tensor.dtype)),
                     {ErrorKind::mismatch, file.source_name_of(name), std::string(name)});
  const std::size_t count = tensor.bytes.size() / size_bytes(tensor.dtype);
  for (std::size_t i = 0; i < count; ++i) {
    const std::int64_t value = integer_at(tensor, i);
    if (value < 0 || value > std::numeric_limits<std::uint32_t>::max())
      throw InputError(where + ": expected integers from 0 to 4294967295, found " + std::to_string(value),
                       {ErrorKind::out_of_range, file.source_name_of(name), std::string(name)});
  }
}

}  // namespace detail

TRINE_DECL ReferenceOutputs ReferenceOutputs::load(const std::filesystem::path& file, std::span<const TokenId> tokens) {
  ReferenceOutputs result;
  if (file.extension() == ".npy") {
    result.file_ = std::make_shared<const detail::NpyFile>(file);
  } else {
    result.file_ = std::make_shared<const Safetensors>(file);
  }
  const WeightSource& source = *result.file_;
  const auto fail = [&](const std::string& name, const std::string& expected, const std::string& found) {
    throw InputError(file.string() + ": " + name + ": expected " + expected + ", found " + found,
                     {.kind = ErrorKind::mismatch, .path = file.string(), .field = name});
  };
  const StoredTensor* logits = source.find("logits");
  if (logits == nullptr) fail("logits", "a tensor", "none");
  const std::vector<std::size_t>& shape = logits->shape;
  const bool is_float = is_plain_float(logits->dtype) || logits->dtype == DType::f64;
  if (!is_float || shape.size() < 2 || shape.size() > 3 || *std::ranges::min_element(shape) == 0)
    fail("logits", "floats [tokens, vocab] or [sequences, tokens, vocab]",
         std::string(to_string(logits->dtype)) + " " + to_string(shape));
  const std::size_t sequences = shape.size() == 3 ? shape[0] : 1;
  const std::size_t length = shape[shape.size() - 2];
  result.logits_ = logits->bytes.data();
  result.dtype_ = logits->dtype;
  result.vocab_size_ = shape.back();

  const std::vector<std::size_t> outer(shape.begin(), shape.end() - 1);
  if (!tokens.empty()) {
    if (sequences != 1 || tokens.size() != length)
      fail("logits", "one sequence of the " + std::to_string(tokens.size()) + " tokens", to_string(shape));
    result.tokens_.emplace_back(tokens.begin(), tokens.end());
  } else {
    const StoredTensor* ids = source.find("input_ids");
    if (ids == nullptr) fail("input_ids", "a tensor, or the tokens beside the file", "none");
    if (ids->shape != outer) fail("input_ids", to_string(outer) + " as of the logits", to_string(ids->shape));
    detail::require_integers(source, "input_ids", *ids);
    for (std::size_t s = 0; s < sequences; ++s) {
      std::vector<TokenId>& sequence = result.tokens_.emplace_back();
      for (std::size_t t = 0; t < length; ++t)
        sequence.push_back(static_cast<TokenId>(detail::integer_at(*ids, s * length + t)));
    }
  }

  constexpr std::string_view kExperts = "experts.";
  for (const std::string_view name : source.names()) {
    if (!name.starts_with(kExperts)) continue;
    const std::string_view digits = name.substr(kExperts.size());
    std::size_t layer = 0;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), layer);
    if (error != std::errc() || end != digits.data() + digits.size())
      fail(std::string(name), "experts.LAYER", "another name");
    const StoredTensor& chosen = *source.find(name);
    detail::require_integers(source, name, chosen);
    const std::size_t k = chosen.shape.empty() ? 0 : chosen.shape.back();
    const auto rows = k == 0 ? std::nullopt : checked_product(std::span(chosen.shape).first(chosen.shape.size() - 1));
    if (rows != sequences * length) fail(std::string(name), "as many rows as the logits have", to_string(chosen.shape));
    auto& of_layer = result.experts_[layer];
    of_layer.assign(sequences, std::vector(length, std::vector<std::uint32_t>(k)));
    for (std::size_t row = 0; row < *rows; ++row) {
      std::vector<std::uint32_t>& experts = of_layer[row / length][row % length];
      for (std::size_t i = 0; i < k; ++i)
        experts[i] = static_cast<std::uint32_t>(detail::integer_at(chosen, row * k + i));
      std::ranges::sort(experts);
    }
  }
  return result;
}

TRINE_DECL void ReferenceOutputs::logits(std::size_t sequence, std::size_t position, std::span<float> out) const {
  const std::size_t first = (sequence * tokens_.at(sequence).size() + position) * vocab_size_;
  const auto read = [&]<class T>(T value) {
    for (std::size_t i = 0; i < vocab_size_; ++i) {
      std::memcpy(&value, logits_ + (first + i) * sizeof value, sizeof value);
      out[i] = static_cast<float>(value);
    }
  };
  if (dtype_ == DType::f64) return read(double{});
  visit_dtype(dtype_, [&]<class T>(const T*) { read(T{}); });
}

TRINE_DECL OutputComparison compare_outputs(const Model& model, const ReferenceOutputs& reference,
                                            const SessionOptions& options,
                                            const std::function<void(std::size_t, std::size_t)>& on_sequence) {
  struct Recorder : RoutingObserver {
    void on_routing(const RoutingEvent& event) override {
      for (std::size_t t = 0; t < event.plan.tokens; ++t) {
        const auto experts = event.plan.experts_of(t);
        auto& sorted = chosen[event.layer].emplace_back(experts.begin(), experts.end());
        std::ranges::sort(sorted);
      }
    }
    std::map<std::size_t, std::vector<std::vector<std::uint32_t>>> chosen;
  };

  OutputComparison result;
  const std::size_t vocab = reference.vocab_size();
  std::vector<float> expected(vocab);
  double sum_of_errors = 0.0;
  for (std::size_t s = 0; s < reference.size(); ++s) {
    Recorder recorder;
    SessionOptions watched = options;
    watched.observer = borrow(recorder);
    Session session(model, watched);
    const View<const float, 2> found = session.forward(reference.tokens(s), OutputRows::all);
    if (found.extent(1) != vocab)
      throw InputError("logits: expected " + std::to_string(found.extent(1)) +
                           " columns, the vocabulary of the model, found " + std::to_string(vocab),
                       {.kind = ErrorKind::mismatch, .field = "logits"});
    const std::size_t positions = found.extent(0);
    result.non_finite_logits += session.non_finite_outputs();
    double largest = 0.0;
    double worst = 0.0;
    double sum = 0.0;
    std::size_t worst_position = 0;
    for (std::size_t t = 0; t < positions; ++t) {
      reference.logits(s, t, expected);
      const std::span<const float> logits = found.span().subspan(t * vocab, vocab);
      for (std::size_t i = 0; i < vocab; ++i) {
        if (!std::isfinite(expected[i]))
          throw InputError("logits: expected finite numbers, found another at position " + std::to_string(t),
                           {.kind = ErrorKind::not_finite, .field = "logits"});
        largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
        const double error = std::abs(static_cast<double>(logits[i]) - static_cast<double>(expected[i]));
        sum += error;
        if (error <= worst) continue;  // false for NaN
        worst = error;
        worst_position = t;
      }
      const double log_q = detail::log_sum_exp(expected);
      const double log_p = detail::log_sum_exp(logits);
      double divergence = 0.0;
      for (std::size_t i = 0; i < vocab; ++i) {
        const double q = static_cast<double>(expected[i]) - log_q;
        divergence += std::exp(q) * (q - (static_cast<double>(logits[i]) - log_p));
      }
      divergence = std::max(divergence, 0.0);
      result.kl_divergence += divergence;
      result.worst_kl_divergence = std::max(result.worst_kl_divergence, divergence);
      if (std::ranges::max_element(expected) - expected.begin() == std::ranges::max_element(logits) - logits.begin())
        ++result.same_best_token;
    }
    largest = std::max(largest, std::numeric_limits<double>::min());  // all zeros
    sum_of_errors += sum / largest;
    if (!(worst / largest <= result.worst_logit_error)) {
      result.worst_logit_error = worst / largest;
      result.worst_sequence = s;
      result.worst_position = worst_position;
    }
    result.tokens += positions;
    for (const auto& [layer, of_layer] : reference.experts()) {
      const auto& chosen = recorder.chosen[layer];
      OutputComparison::Layer& counts = result.layers[layer];
      for (std::size_t t = 0; t < positions; ++t) {
        ++counts.tokens;
        if (t < chosen.size() && chosen[t] == of_layer[s][t]) ++counts.equal;
      }
    }
    if (on_sequence) on_sequence(s + 1, reference.size());
  }
  const auto count = static_cast<double>(result.tokens);
  result.kl_divergence /= count;
  result.mean_logit_error = sum_of_errors / (count * static_cast<double>(vocab));
  return result;
}

}  // namespace trine::inline TRINE_ABI
