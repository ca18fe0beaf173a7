// SPDX-License-Identifier: Apache-2.0
// Quantised modules in any safetensors file. The first byte chooses the layout and what the configuration says; the
// rest is a file, or a header, which gets the length and the data that it asks for. What is accepted can be decoded.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/kernels/convert.hpp>
#include <trine/weights/quantized_modules.hpp>
#include <trine/weights/safetensors.hpp>

#include "fuzz/plausible_size.hpp"
#include "support/safetensors_file_writer.hpp"
#include "support/temporary_directory.hpp"

namespace {

using Layout = trine::ModuleQuantization::Layout;

trine::ModuleQuantization quantization_of(unsigned choice) {
  constexpr std::array kLayouts = {Layout::scales, Layout::gptq, Layout::awq, Layout::none};
  constexpr std::array kBits = {0U, 4U, 8U, 4U};
  constexpr std::array<std::size_t, 4> kExtents = {0, 4, 16, 128};
  return {.layout = kLayouts[choice % 4],
          .bits = kBits[choice / 4 % 4],
          .group_size = kExtents[choice / 16 % 4],
          .block_rows = kExtents[choice / 64 % 4],
          .block_columns = kExtents[choice / 64 % 4],
          .zeros_offset = static_cast<int>(choice / 32 % 2)};
}

void check(const trine::WeightSource& source) {
  for (const std::string_view name : source.names()) {
    const trine::StoredTensor* tensor = source.find(name);
    if (tensor == nullptr) std::abort();
    if (tensor->matrix == nullptr) continue;
    const trine::WeightMatrix& w = *tensor->matrix;
    if (tensor->shape != std::vector<std::size_t>{w.rows, w.columns}) std::abort();
    if (w.parameters() > std::size_t{1} << 20U) continue;
    std::vector<float> values(w.parameters());
    trine::kernels::decode(w, 0, w.rows, 0, w.columns, values.data(), w.columns, 1);
    trine::kernels::decode(w.transpose(), 0, w.columns, 0, w.rows, values.data(), w.rows, 1);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const trine::test::TemporaryDirectory directory;
  if (size == 0) return 0;
  std::string file(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (file.starts_with('{'))
    file = trine::test::safetensors_file(file, std::string(trine::test::plausible_size(file), static_cast<char>(size)));
  try {
    // Read, not mapped: the sanitizer knows where memory of our own ends.
    auto tensors =
        std::make_unique<const trine::Safetensors>(directory.write("model.safetensors", file), trine::FileAccess::read);
    trine::Notes notes;
    check(*trine::read_quantized_modules(std::move(tensors), quantization_of(data[0]), notes));
  } catch (const trine::Error&) {
  }
  return 0;
}
