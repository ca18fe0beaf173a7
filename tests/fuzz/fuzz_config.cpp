// SPDX-License-Identifier: Apache-2.0
// Any config.json of any architecture, with weights that fit it: whenever the recipe misses a tensor, or wants another
// shape or type of it, that tensor is made up. What can be built this way is loaded from files and run.
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/core/check.hpp>
#include <trine/weights/weight_source.hpp>

#include "fuzz/model_under_test.hpp"
#include "support/safetensors_writer.hpp"
#include "support/temporary_directory.hpp"

namespace {

constexpr std::size_t kMostBytes = std::size_t{1} << 18U;  // of one tensor
constexpr std::size_t kMostAttempts = 500;                 // an upper limit of tensors, then

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

// Tensors as errors asked for them, all over the same bytes: 0.0115 as f32.
class InventedWeights : public trine::WeightSource {
 public:
  [[nodiscard]] const trine::StoredTensor* find(std::string_view name) const override {
    const auto found = tensors_.find(name);
    last_ = name;
    return found == tensors_.end() ? nullptr : &found->second;
  }
  [[nodiscard]] std::vector<std::string_view> names() const override {
    std::vector<std::string_view> result;
    for (const auto& [name, tensor] : tensors_) result.emplace_back(name);
    return result;
  }
  [[nodiscard]] std::string place() const override { return "invented"; }

  /// Makes up what the error, about the tensor that was looked for last, asks for. False when it asks for nothing that
  /// can be made up.
  [[nodiscard]] bool learn(std::string_view error) {
    if (error.starts_with("no tensor named ")) return make(trine::DType::f32, {});
    const auto found = tensors_.find(last_);
    if (found == tensors_.end()) return false;
    const trine::StoredTensor tensor = found->second;
    if (error.find(": expected shape [") != std::string_view::npos)
      return make(tensor.dtype, shape_after(error, ": expected shape ["));
    if (error.find(": expected u8") != std::string_view::npos && tensor.dtype != trine::DType::u8)
      return make(trine::DType::u8, tensor.shape);
    return false;
  }

  [[nodiscard]] std::string file() const {
    trine::test::SafetensorsWriter writer;
    for (const auto& [name, tensor] : tensors_) {
      writer.add(name, tensor.dtype == trine::DType::u8 ? "U8" : "F32", tensor.shape,
                 {reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size()});
    }
    return writer.file();
  }

 private:
  bool make(trine::DType dtype, std::vector<std::size_t> shape) {
    static const std::vector<std::byte> bytes(kMostBytes, std::byte{0x3c});
    const auto elements = trine::checked_product(shape);
    if (!elements || *elements > kMostBytes / size_bytes(dtype)) return false;
    tensors_[last_] = {dtype, std::move(shape), std::span(bytes).first(*elements * size_bytes(dtype))};
    return true;
  }

  mutable std::string last_;
  std::map<std::string, trine::StoredTensor, std::less<>> tensors_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const trine::test::TemporaryDirectory directory;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const trine::Json config = trine::parse_json(text, "config.json");
    InventedWeights weights;
    for (std::size_t attempt = 0; attempt < kMostAttempts; ++attempt) {
      try {
        trine::test::build(config, weights);
      } catch (const trine::WeightError& error) {
        if (!weights.learn(error.what())) return 0;
        continue;
      }
      directory.write("config.json", text);
      directory.write("model.safetensors", weights.file());
      trine::test::load_and_run(directory.path());
      return 0;
    }
  } catch (const trine::Error&) {
  }
  return 0;
}
