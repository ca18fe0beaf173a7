// SPDX-License-Identifier: Apache-2.0
// Quantised layers as checkpoints store them (tests/oracle/make_quantized_goldens.py).
#include <trine/weights/quantized_modules.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cctype>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <initializer_list>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include <trine/core/error.hpp>
#include <trine/core/shape.hpp>
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

// Parts of one module "m", each with elements of zeros, or with bytes of its own.
struct Part {
  const char* name;
  const char* dtype;
  std::vector<std::size_t> shape;
  std::string bytes = {};
};

std::string bytes_of(std::initializer_list<std::int32_t> values) {
  std::string bytes;
  for (const std::int32_t value : values) bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
  return bytes;
}

std::unique_ptr<const WeightSource> read(const std::vector<Part>& parts, const ModuleQuantization& quantization) {
  test::TemporaryDirectory directory;
  test::SafetensorsFileWriter writer;
  for (const Part& part : parts) {
    std::string dtype = part.dtype;
    std::ranges::transform(dtype, dtype.begin(), [](char c) { return static_cast<char>(std::tolower(c)); });
    const std::size_t count = *checked_product(part.shape) * size_bytes(*parse_dtype(dtype));
    std::string bytes = part.bytes;
    bytes.resize(count);
    writer.add(std::string("m.") + part.name, part.dtype, part.shape, bytes);
  }
  Notes notes;
  return read_quantized_modules(std::make_unique<const Safetensors>(directory.write("m.safetensors", writer.file())),
                                quantization, notes);
}

struct Damaged {
  const char* name;
  std::vector<Part> parts;
  ModuleQuantization quantization;
  const char* message;
};
void PrintTo(const Damaged& damaged, std::ostream* out) { *out << damaged.name; }

class DamagedModule : public testing::TestWithParam<Damaged> {};
TEST_P(DamagedModule, IsRefusedByTheNameOfThePart) {
  EXPECT_ERROR(read(GetParam().parts, GetParam().quantization), WeightError, GetParam().message);
}

const ModuleQuantization kScales = {.layout = Layout::scales};
const ModuleQuantization kGptq = {.layout = Layout::gptq, .zeros_offset = 1};
const ModuleQuantization kAwq = {.layout = Layout::awq};
const Part kPacked = {"weight_packed", "I32", {8, 2}};
const Part kScale = {"weight_scale", "F32", {8, 2}};
const Part kShape = {"weight_shape", "I32", {2}, bytes_of({8, 16})};
const Part kQweight = {"qweight", "I32", {2, 8}};
const Part kQzeros = {"qzeros", "I32", {2, 1}};
const Part kGptqScales = {"scales", "F16", {2, 8}};

INSTANTIATE_TEST_SUITE_P(
    All, DamagedModule,
    testing::Values(
        Damaged{"WordsOfAnotherShape",
                {{"weight_packed", "I32", {8, 3}}, kScale, kShape},
                kScales,
                "m.weight_packed: expected shape [8, 4], found [8, 3]"},
        Damaged{"WordsOfOtherBits",
                {kPacked, kScale, kShape},
                {.layout = Layout::scales, .bits = 8},
                "m.weight_packed: expected shape [8, 4], found [8, 2]"},
        Damaged{"WordsOfAnotherType",
                {{"weight_packed", "I64", {8, 2}}, kScale, kShape},
                kScales,
                "m.weight_packed: expected i32, found i64"},
        Damaged{"WordsOfAnotherRank",
                {{"weight_packed", "I32", {16}}, kScale, kShape},
                kScales,
                "m.weight_packed: expected a matrix, found shape [16]"},
        Damaged{"NoWords",
                {{"weight_packed", "I32", {8, 0}}, kScale, kShape},
                kScales,
                "m.weight_packed: expected a matrix, found shape [8, 0]"},
        Damaged{"NegativeExtent",
                {kPacked, kScale, {"weight_shape", "I32", {2}, bytes_of({8, -16})}},
                kScales,
                "m.weight_shape: expected extents from 1 to 2^40, found -16"},
        Damaged{"ThreeExtents",
                {kPacked, kScale, {"weight_shape", "I64", {3}}},
                kScales,
                "m.weight_shape: expected shape [2], found [3]"},
        Damaged{"ExtentsOfAnotherType",
                {kPacked, kScale, {"weight_shape", "F32", {2}}},
                kScales,
                "m.weight_shape: expected i64, found f32"},
        Damaged{
            "ScalesOfAnotherShape",
            {kPacked, {"weight_scale", "F32", {8, 3}}, kShape},
            kScales,
            "m.weight_scale: expected a scale for each row, group of columns or block of the weights [8, 16], found "
            "shape [8, 3]"},
        Damaged{"ScalesOfAnotherType",
                {kPacked, {"weight_scale", "I32", {8, 2}}, kShape},
                kScales,
                "m.weight_scale: expected f32, bf16 or f16, found i32"},
        Damaged{"ZeroPointsOfAnotherType",
                {kPacked, kScale, kShape, {"weight_zero_point", "I8", {8, 2}}},
                kScales,
                "m.weight_zero_point: expected i32, found i8"},
        Damaged{"ZeroPointsOfAnotherShape",
                {kPacked, kScale, kShape, {"weight_zero_point", "I32", {2, 2}}},
                kScales,
                "m.weight_zero_point: expected shape [1, 2], found [2, 2]"},
        Damaged{"GroupOutOfRange",
                {kPacked, kScale, kShape, {"weight_g_idx", "I32", {16}, bytes_of({0, 1, 2})}},
                kScales,
                "m.weight_g_idx: expected groups from 0 to 1, found 2"},
        Damaged{"NegativeGroup",
                {kPacked, kScale, kShape, {"weight_g_idx", "I32", {16}, bytes_of({0, -1})}},
                kScales,
                "m.weight_g_idx: expected groups from 0 to 1, found -1"},
        Damaged{"GroupsOfAnotherType",
                {kPacked, kScale, kShape, {"weight_g_idx", "I64", {16}}},
                kScales,
                "m.weight_g_idx: expected i32, found i64"},
        Damaged{"PlainWeightsBesides",
                {kPacked, kScale, kShape, {"weight", "F32", {8, 16}}},
                kScales,
                "m.weight: expected no tensor of this name beside m.weight_packed, found one"},
        Damaged{"BlocksOfRows",
                {{"weight_packed", "I32", {8, 2}}, {"weight_scale", "F32", {2, 2}}, kShape},
                {.layout = Layout::scales, .block_rows = 4, .block_columns = 8},
                "m.weight_scale: expected a scale for each row or group, found blocks of rows"},
        Damaged{"PartsOfABlockOfFp4",
                {{"weight_packed", "U8", {8, 12}}, {"weight_scale", "F8_E4M3", {8, 1}}},
                kScales,
                "m.weight_packed: expected a multiple of 16 columns, found 24"},
        Damaged{"ScalesOfFp4InAnotherShape",
                {{"weight", "U8", {8, 16}}, {"weight_scale", "F8_E4M3", {8, 1}}},
                kScales,
                "m.weight_scale: expected shape [8, 2], found [8, 1]"},
        Damaged{"ScalesOfFp4InAnotherType",
                {{"weight", "U8", {8, 16}}, {"weight_scale", "F32", {8, 2}}},
                kScales,
                "m.weight_scale: expected f8_e4m3, found f32"},
        Damaged{"TwoTotalScales",
                {{"weight", "U8", {8, 16}}, {"weight_scale", "F8_E4M3", {8, 2}}, {"weight_scale_2", "F32", {2}}},
                kScales,
                "m.weight_scale_2: expected one value, found shape [2]"},
        Damaged{"ScalesOfFp8InAnotherShape",
                {{"weight", "F8_E4M3", {8, 16}}, {"weight_scale", "F32", {4, 3}}},
                kScales,
                "m.weight_scale: expected a scale for each row"},
        Damaged{"ScalesOfGptqInAnotherShape",
                {kQweight, kQzeros, {"scales", "F16", {1, 8}}},
                kGptq,
                "m.scales: expected shape [2, 8], found [1, 8]"},
        Damaged{"ZeroPointsOfThreeBits",
                {kQweight, {"qzeros", "I32", {2, 3}}, kGptqScales},
                kGptq,
                "m.qzeros: expected zero points of 4 or 8 bits for 8 outputs, found shape [2, 3]"},
        Damaged{"ZeroPointsOfAllOnes",
                {kQweight, {"qzeros", "I32", {2, 1}, bytes_of({0x77, 0xf0})}, kGptqScales},
                kGptq,
                "m.qzeros: expected stored zero points below 15, found that: implementations disagree about it"},
        Damaged{"GroupsOfAnotherSize",
                {kQweight, kQzeros, kGptqScales},
                {.layout = Layout::gptq, .group_size = 4, .zeros_offset = 1},
                "m.scales: expected 4 groups of 4 inputs, found 2"},
        Damaged{"GroupOfGptqOutOfRange",
                {kQweight, kQzeros, kGptqScales, {"g_idx", "I32", {16}, bytes_of({7})}},
                kGptq,
                "m.g_idx: expected groups from 0 to 1, found 7"},
        Damaged{"ShortGroups",
                {kQweight, kQzeros, kGptqScales, {"g_idx", "I32", {8}}},
                kGptq,
                "m.g_idx: expected shape [16], found [8]"},
        Damaged{"ZeroPointsOfAwqInAnotherShape",
                {{"qweight", "I32", {16, 1}}, {"qzeros", "I32", {2, 2}}, {"scales", "F16", {2, 8}}},
                kAwq,
                "m.qzeros: expected shape [2, 1], found [2, 2]"}),
    [](const auto& instance) { return instance.param.name; });

TEST(QuantizedModules, LeaveOtherTensorsAlone) {
  const auto source = read({{"weight", "F32", {2, 3}}, {"bias", "F32", {2}}, {"scales", "F32", {2}}}, kScales);
  EXPECT_THAT(source->names(), ElementsAre("m.bias", "m.scales", "m.weight"));
  EXPECT_EQ(source->find("m.weight")->matrix, nullptr);
  EXPECT_EQ(source->find("m.nothing"), nullptr);
}

TEST(QuantizedModules, OfFp8BlocksStayWithTheirScales) {
  const std::vector<Part> parts = {{"weight", "F8_E4M3", {8, 16}}, {"weight_scale_inv", "F32", {1, 1}}};
  ModuleQuantization quantization = kScales;
  EXPECT_THAT(read(parts, quantization)->names(), ElementsAre("m.weight"));
  quantization.block_rows = quantization.block_columns = 128;
  EXPECT_THAT(read(parts, quantization)->names(), ElementsAre("m.weight", "m.weight_scale_inv"));
}

TEST(QuantizedModules, ComeFromTheFileOfTheirCodes) {
  const auto source = read({kPacked, kScale, kShape}, kScales);
  EXPECT_THAT(source->source_name_of("m.weight"), testing::EndsWith("m.safetensors"));
  EXPECT_TRUE(source->is_listed("m.weight"));
  EXPECT_EQ(source->find("m.weight_packed"), nullptr);
  EXPECT_EQ(source->request("m.weight_packed", std::array<std::size_t, 2>{8, 2}), nullptr);
  EXPECT_EQ(source->request("m.weight", std::array<std::size_t, 2>{8, 16}), source->find("m.weight"));
}

TEST(QuantizedModules, AreNotLookedForWithoutALayout) {
  EXPECT_THAT(read({kPacked, kScale, kShape}, {})->names(),
              ElementsAre("m.weight_packed", "m.weight_scale", "m.weight_shape"));
}

}  // namespace
}  // namespace trine
