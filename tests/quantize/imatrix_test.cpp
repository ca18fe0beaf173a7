// SPDX-License-Identifier: Apache-2.0
// Importance matrices that tests/oracle/make_imatrix_goldens.py writes with the gguf package, beside the sums of
// transformers from which they are made.
#include <trine/quantize/imatrix.hpp>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include <trine/json/parse.hpp>
#include <trine/quantize/quantize_model.hpp>

#include "support/expect_error.hpp"
#include "support/temporary_directory.hpp"

namespace trine {
namespace {

namespace fs = std::filesystem;
const fs::path kTestData = TRINE_TEST_DATA;

Json golden(const std::string& name) { return read_json_file(kTestData / "input_statistics" / (name + ".json")); }

void expect_golden(const InputStatistics& found, const Json& expected, double tolerance) {
  EXPECT_EQ(found.tensors().size(), expected.size());
  for (const auto& [name, of_tensor] : expected.items()) {
    ASSERT_TRUE(found.tensors().contains(name)) << name;
    const TensorInputs& inputs = found.tensors().at(name);
    EXPECT_EQ(inputs.rows, of_tensor.at("rows").get<std::vector<std::uint64_t>>()) << name;
    for (std::size_t e = 0; e < inputs.experts(); ++e)
      for (std::size_t j = 0; j < inputs.columns; ++j) {
        const double exact = of_tensor.at("squares").at(e).at(j).get<double>();
        ASSERT_NEAR(inputs.squares[e * inputs.columns + j], exact, tolerance * exact) << name << ", " << e << ", " << j;
      }
  }
}

TEST(Imatrix, HasTheStatisticsOfACheckpoint) {
  const Model model = Model::load(kTestData / "families" / "mixtral");
  expect_golden(load_statistics(kTestData / "imatrix" / "mixtral.gguf", model), golden("mixtral"), 1e-6);
}

TEST(Imatrix, HasTheStatisticsOfFusedExperts) {
  const Model model = Model::load(kTestData / "families" / "mixtral_fused_tied");
  expect_golden(load_statistics(kTestData / "imatrix" / "mixtral_fused_tied.gguf", model), golden("mixtral_fused_tied"),
                1e-6);
}

TEST(Imatrix, HasTheStatisticsOfAGgufFile) {
  const Model model = Model::load(kTestData / "gguf_models" / "mixtral.gguf");
  expect_golden(load_statistics(kTestData / "imatrix" / "mixtral.gguf", model), golden("mixtral"), 1e-6);
}

// Means, without the head; a list for all experts.
TEST(Imatrix, ReadsTheOlderFormat) {
  const Model model = Model::load(kTestData / "families" / "mixtral");
  const InputStatistics found = load_statistics(kTestData / "imatrix" / "mixtral.dat", model);
  const Json expected = golden("mixtral");
  EXPECT_EQ(found.tensors().size(), expected.size() - 1);
  for (const auto& [name, inputs] : found.tensors()) {
    const Json& of_tensor = expected.at(name);
    EXPECT_EQ(inputs.rows[0], 3U * 512U);
    for (std::size_t j = 0; j < inputs.columns; ++j) {
      const double mean = of_tensor.at("squares").at(0).at(j).get<double>() / of_tensor.at("rows").at(0).get<double>();
      ASSERT_NEAR(inputs.squares[j] / (3.0 * 512.0), mean, 1e-6 * mean) << name << ", " << j;
    }
  }
}

TEST(Imatrix, QuantisesAsTheSameStatisticsDo) {
  const fs::path directory = kTestData / "families" / "mixtral";
  const ModelQuantizer quantizer(directory);
  const InputStatistics statistics = load_statistics(kTestData / "imatrix" / "mixtral.gguf", quantizer.model());
  const test::TemporaryDirectory place;
  const auto plan = quantizer.plan(kQ4a);
  const auto with = quantizer.write(plan, place.path() / "with", {.num_threads = 1, .statistics = &statistics});
  const auto without = quantizer.write(plan, place.path() / "without", {.num_threads = 1});
  EXPECT_TRUE(fs::exists(place.path() / "with" / "calibration.safetensors"));
  double difference = 0.0;
  for (std::size_t t = 0; t < with.size(); ++t) difference += with[t].squared_error - without[t].squared_error;
  EXPECT_GT(difference, 0.0) << "they were used: errors that matter less are larger";
}

TEST(Imatrix, OfAnotherModelIsRefused) {
  const fs::path file = kTestData / "imatrix" / "mixtral.gguf";
  const Model wider = Model::load(fs::path(TRINE_MODELS_DIR) / "deepseek-v3-shakespeare");
  EXPECT_ERROR(load_statistics(file, wider), InputError, "found that of another model: ");
  const Model dense = Model::load(kTestData / "families" / "mistral");
  EXPECT_ERROR(load_statistics(file, dense), InputError,
               "found that of another model: 9 of its 17 tensors fit, not 'blk.0.attn_k.weight'");
}

class DamagedImatrix : public testing::Test {
 protected:
  static std::string bytes_of(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write(const std::string& bytes) const { std::ofstream(file_, std::ios::binary) << bytes; }

  const test::TemporaryDirectory place_;
  const fs::path file_ = place_.path() / "imatrix.dat";
};

TEST_F(DamagedImatrix, IsRefusedWhereverItIsCut) {
  const std::string whole = bytes_of(kTestData / "imatrix" / "mixtral.dat");
  const std::size_t tail = 4 + 4 + std::string("calibration.txt").size();
  for (std::size_t length = 1; length < whole.size() - tail; length += 1 + length / 16) {
    write(whole.substr(0, length));
    EXPECT_THROW(static_cast<void>(read_imatrix(file_)), WeightError) << length;
  }
  write(whole.substr(0, whole.size() - tail));
  EXPECT_NO_THROW(static_cast<void>(read_imatrix(file_))) << "the name of the text is not needed";
}

TEST_F(DamagedImatrix, IsRefusedForItsNumbers) {
  const std::string whole = bytes_of(kTestData / "imatrix" / "mixtral.dat");
  const auto with = [&](std::size_t at, auto value) {
    std::string bytes = whole;
    std::memcpy(bytes.data() + at, &value, sizeof value);
    write(bytes);
  };
  with(0, std::int32_t{-1});
  EXPECT_ERROR(read_imatrix(file_), WeightError, "number of entries: expected at least 0, found -1");
  with(0, std::int32_t{0});
  EXPECT_ERROR(read_imatrix(file_), WeightError,
               "number of entries: expected a count that the file has room for, found 0");
  with(0, std::int32_t{0x7fffffff});
  EXPECT_ERROR(read_imatrix(file_), WeightError, "found 2147483647; is it an imatrix?");
  with(4, std::int32_t{0x7fffffff});
  EXPECT_ERROR(read_imatrix(file_), WeightError, "length of a name: expected a count that the file has room for");
  const std::size_t name = std::string("blk.0.attn_k.weight").size();
  with(8 + name + 4, std::int32_t{0x7fffffff});
  EXPECT_ERROR(read_imatrix(file_), WeightError, "blk.0.attn_k.weight: expected a count that the file has room for");
  with(8 + name + 8, std::numeric_limits<float>::quiet_NaN());
  EXPECT_ERROR(read_imatrix(file_), WeightError,
               "blk.0.attn_k.weight: expected sums and counts of at least 0, found nan");
  with(8 + name + 8, -1.0F);
  EXPECT_ERROR(read_imatrix(file_), WeightError, "expected sums and counts of at least 0, found -1");
  write("This is a text.");
  EXPECT_ERROR(read_imatrix(file_), WeightError, "is it an imatrix?");
}

TEST_F(DamagedImatrix, OfGgufNeedsItsTensors) {
  EXPECT_ERROR(read_imatrix(kTestData / "gguf_models" / "mixtral.gguf"), WeightError,
               "expected the statistics of an imatrix, NAME.in_sum2, found none");
  std::string bytes = bytes_of(kTestData / "imatrix" / "mixtral.gguf");
  const std::string counts = "blk.0.attn_k.weight.counts";
  bytes.replace(bytes.find(counts), counts.size(), "blk.0.attn_k.weight.counter");
  write(bytes);
  EXPECT_THROW(static_cast<void>(read_imatrix(file_)), Error);  // the name grew: the file is damaged
  bytes = bytes_of(kTestData / "imatrix" / "mixtral.gguf");
  bytes.replace(bytes.find(counts), counts.size(), "blk.0.attn_k.weight.counsT");
  write(bytes);
  EXPECT_ERROR(read_imatrix(file_), WeightError,
               "expected f32 with blk.0.attn_k.weight.counts in f32 beside it, found none");
}

}  // namespace
}  // namespace trine
