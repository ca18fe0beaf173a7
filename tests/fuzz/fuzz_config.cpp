// SPDX-License-Identifier: Apache-2.0
// Any config.json of any architecture, with weights that fit it: whenever the builder misses a tensor, or wants another
// shape or type of it, that tensor is made up. What can be built this way is run.
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <trine/core/check.hpp>
#include <trine/weights/weight_source.hpp>

#include "fuzz/fuzzed_model.hpp"

namespace {

constexpr std::size_t kMostBytes = std::size_t{1} << 18U;  // of one tensor
constexpr std::size_t kMostAttempts = 500;

// The integers of "[2, 3]", which follows `label`.
std::vector<std::size_t> shape_after(std::string_view message, std::string_view label) {
  std::vector<std::size_t> shape;
  const char* at = message.data() + message.find(label) + label.size();
  for (const char* const end = message.data() + message.size(); at != end && *at != ']'; ++at) {
    std::size_t extent = 0;
    const auto [next, error] = std::from_chars(at, end, extent);
    if (error == std::errc()) shape.push_back(extent);
    if (next != at) at = next - 1;
  }
  return shape;
}

// Tensors as errors asked for them, all over the same bytes: 0.0115 as f32, 1.5 as f8_e4m3.
class Invention {
 public:
  explicit Invention(bool fp8) : matrix_(fp8 ? trine::DType::f8_e4m3 : trine::DType::f32) {}

  [[nodiscard]] const trine::StoredTensor* find(std::string_view name) {
    last_ = name;
    const auto found = tensors_.find(last_);
    return found == tensors_.end() ? nullptr : &found->second;
  }
  [[nodiscard]] std::vector<std::string_view> names() const {
    std::vector<std::string_view> result;
    for (const auto& [name, tensor] : tensors_) result.emplace_back(name);
    return result;
  }

  /// Makes up what the error asks for. False when it asks for nothing that can be made up.
  [[nodiscard]] bool learn(std::string_view error) {
    const auto says = [&](const char* text) { return error.find(text) != std::string_view::npos; };
    if (error.starts_with("no tensor named "))
      return make(last_.ends_with("_proj.weight") ? matrix_ : trine::DType::f32, {});
    last_ = error.substr(0, error.find(": expected"));
    const auto found = tensors_.find(last_);
    if (found == tensors_.end()) return false;
    const trine::StoredTensor tensor = found->second;
    if (says(": expected shape [")) return make(tensor.dtype, shape_after(error, ": expected shape ["));
    if (says(": expected u8") && tensor.dtype != trine::DType::u8) return make(trine::DType::u8, tensor.shape);
    if (says(": expected f32") && tensor.dtype != trine::DType::f32) return make(trine::DType::f32, tensor.shape);
    return false;
  }

 private:
  bool make(trine::DType dtype, std::vector<std::size_t> shape) {
    static const std::vector<std::byte> bytes(kMostBytes, std::byte{0x3c});
    const auto elements = trine::checked_product(shape);
    if (!elements || *elements > kMostBytes / size_bytes(dtype)) return false;
    tensors_[last_] = {dtype, std::move(shape), std::span(bytes).first(*elements * size_bytes(dtype))};
    return true;
  }

  trine::DType matrix_;
  std::string last_;  // the name that was looked for last, which a missing tensor has
  std::map<std::string, trine::StoredTensor> tensors_;
};

// What a model takes of it; the invention outlives each of its models.
class InventedWeights : public trine::WeightSource {
 public:
  explicit InventedWeights(Invention& invention) : invention_(invention) {}
  [[nodiscard]] const trine::StoredTensor* find(std::string_view name) const override { return invention_.find(name); }
  [[nodiscard]] std::vector<std::string_view> names() const override { return invention_.names(); }
  [[nodiscard]] std::string source_name() const override { return "invented"; }

 private:
  Invention& invention_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const trine::Json config = trine::parse_json({reinterpret_cast<const char*>(data), size}, "config.json");
    Invention invention(config.contains("quantization_config"));
    for (std::size_t attempt = 0; attempt < kMostAttempts; ++attempt) {
      try {
        trine::test::build_and_run(config, std::make_unique<InventedWeights>(invention));
        return 0;
      } catch (const trine::WeightError& error) {
        if (!invention.learn(error.what())) return 0;
      }
    }
  } catch (const trine::Error&) {
  }
  return 0;
}
