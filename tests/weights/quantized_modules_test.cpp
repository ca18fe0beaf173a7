// SPDX-License-Identifier: Apache-2.0
// Quantised layers as checkpoints store them (tests/oracle/make_quantized_goldens.py).
#include <trine/weights/quantized_modules.hpp>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include <trine/kernels/convert.hpp>
#include <trine/weights/safetensors.hpp>
#include <trine/weights/weight_scope.hpp>

#include "support/expect_error.hpp"
#include "support/safetensors_file_writer.hpp"
#include "support/temporary_directory.hpp"

namespace trine {
namespace {

namespace fs = std::filesystem;
using Layout = ModuleQuantization::Layout;
using testing::ElementsAre;

const fs::path kGoldens = fs::path(TRINE_TEST_DATA) / "quantized";

ModuleQuantization quantization_of(const std::string& kind) {
  if (kind == "gptq_short_group") return {.layout = Layout::gptq, .group_size = 40, .zeros_offset = 1};
  if (kind.starts_with("gptq")) return {.layout = Layout::gptq, .zeros_offset = kind == "gptq_v2" ? 0 : 1};
  if (kind.starts_with("awq")) return {.layout = Layout::awq};
  if (kind == "fp8_block") return {.layout = Layout::scales, .block_rows = 128, .block_columns = 128};
  return {.layout = Layout::scales};
}

std::vector<std::string> kinds() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kGoldens))
    if (entry.path().extension() == ".safetensors") names.push_back(entry.path().stem().string());
  std::ranges::sort(names);
  return names;
}

std::vector<float> decoded(const WeightMatrix& w) {
  std::vector<float> values(w.parameters());
  kernels::decode(w, 0, w.rows, 0, w.columns, values.data(), w.columns, 1);
  return values;
}

class QuantizedGolden : public testing::TestWithParam<std::string> {
 protected:
  [[nodiscard]] static std::unique_ptr<const WeightSource> file() {
    return std::make_unique<const Safetensors>(kGoldens / (GetParam() + ".safetensors"));
  }
  const std::unique_ptr<const WeightSource> plain_ = file();
  Notes notes_;
  const std::unique_ptr<const WeightSource> source_ =
      read_quantized_modules(file(), quantization_of(GetParam()), notes_);
};
INSTANTIATE_TEST_SUITE_P(All, QuantizedGolden, testing::ValuesIn(kinds()),
                         [](const auto& instance) { return instance.param; });

TEST_P(QuantizedGolden, DecodesToTheBitsOfTheOracle) {
  const StoredTensor& expected = *source_->find("expected");
  EXPECT_THAT(source_->names(), ElementsAre("expected", "m.weight"));
  const StoredTensor& stored = *source_->find("m.weight");
  EXPECT_EQ(stored.shape, expected.shape);
  ASSERT_NE(stored.matrix, nullptr);
  WeightReader reader(*source_);
  const WeightMatrix w = (WeightScope(reader) / "m").matrix("weight", stored.shape[0], stored.shape[1]);
  const auto* values = reinterpret_cast<const float*>(expected.bytes.data());
  const std::vector<float> all = decoded(w);
  for (std::size_t i = 0; i < all.size(); ++i)
    ASSERT_EQ(std::bit_cast<std::uint32_t>(all[i] + 0.0F), std::bit_cast<std::uint32_t>(values[i] + 0.0F))
        << "element " << i << ": " << all[i] << " and " << values[i];
  // Some rows and columns, as heads and tiles take them.
  for (std::size_t r = 0; r < w.rows; r += 3) {
    for (std::size_t c = 0; c < w.columns; c += 5) {
      float one = 0.0F;
      kernels::decode(w, r, 1, c, 1, &one, 1, 1);
      ASSERT_EQ(one, all[r * w.columns + c]);
    }
  }
  const WeightMatrix odd = w.strided_rows(1, 2).transpose();
  const std::vector<float> turned = decoded(odd);
  for (std::size_t c = 0; c < odd.rows; ++c)
    for (std::size_t r = 0; r < odd.columns; ++r)
      ASSERT_EQ(turned[c * odd.columns + r], all[(2 * r + 1) * w.columns + c]) << r << ", " << c;
}

TEST_P(QuantizedGolden, CountsAllBytesOfAModule) {
  std::size_t bytes = 0;
  for (const std::string_view name : plain_->names())
    if (name != "expected" && !name.ends_with("input_scale") && !name.ends_with("input_global_scale") &&
        !name.ends_with("activation_scale"))
      bytes += plain_->find(name)->bytes.size();
  EXPECT_EQ(source_->find("m.weight")->total_bytes(), bytes);
}

TEST_P(QuantizedGolden, NotesScalesOfActivations) {
  std::vector<std::string> expected;
  for (const char* part : {"input_scale", "input_global_scale", "activation_scale"})
    if (plain_->find(std::string("m.") + part) != nullptr) expected.push_back(std::string("*.") + part);
  std::vector<std::string> noted;
  for (const Note& note : notes_.all()) noted.push_back(note.subject);
  EXPECT_EQ(noted, expected);
}

// A module without one of its tensors: never other values.
TEST_P(QuantizedGolden, NeedsEachPart) {
  for (const std::string_view without : plain_->names()) {
    if (without == "expected" || without.ends_with("g_idx") || without.ends_with("zero_point") ||
        without.ends_with("input_scale") || without.ends_with("input_global_scale") ||
        without.ends_with("activation_scale"))
      continue;
    SCOPED_TRACE(without);
    test::TemporaryDirectory directory;
    test::SafetensorsFileWriter writer;
    for (const std::string_view name : plain_->names()) {
      if (name == without) continue;
      const StoredTensor& tensor = *plain_->find(name);
      std::string dtype(to_string(tensor.dtype));
      std::ranges::transform(dtype, dtype.begin(), [](char c) { return static_cast<char>(std::toupper(c)); });
      writer.add(std::string(name), dtype, tensor.shape,
                 {reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size()});
    }
    auto source = std::make_unique<const Safetensors>(directory.write("m.safetensors", writer.file()));
    Notes notes;
    try {
      const auto read = read_quantized_modules(std::move(source), quantization_of(GetParam()), notes);
      WeightReader reader(*read);
      const auto& shape = plain_->find("expected")->shape;
      static_cast<void>((WeightScope(reader) / "m").matrix("weight", shape[0], shape[1]));
      ADD_FAILURE() << "expected WeightError";
    } catch (const WeightError& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr("no tensor named 'm."));
    }
  }
}

}  // namespace
}  // namespace trine
