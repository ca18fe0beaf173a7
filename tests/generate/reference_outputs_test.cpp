// SPDX-License-Identifier: Apache-2.0
// Logits of another implementation, from files that its users write: what is read, what is refused, and what is
// counted.
#include <trine/generate/reference_outputs.hpp>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include <trine/model/model.hpp>

#include "support/expect_error.hpp"
#include "support/golden.hpp"
#include "support/safetensors_file_writer.hpp"
#include "support/temporary_directory.hpp"

namespace trine::test {
namespace {

namespace fs = std::filesystem;

// A file of NumPy, version 1.
std::string npy(const std::string& header, std::string_view data) {
  std::string text = "\x93NUMPY";
  text += {'\1', '\0', static_cast<char>(header.size() & 0xFFU), static_cast<char>(header.size() >> 8U)};
  return text + header + std::string(data);
}
std::string npy_of(const std::string& type, const std::string& shape, std::string_view data) {
  return npy("{'descr': '" + type + "', 'fortran_order': False, 'shape': " + shape + ", }\n", data);
}
template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

class ReferenceOutputsTest : public testing::Test {
 protected:
  [[nodiscard]] fs::path write(const std::string& name, const std::string& bytes) const {
    return directory_.write(name, bytes);
  }
  [[nodiscard]] ReferenceOutputs load_npy(const std::string& bytes, const std::vector<TokenId>& tokens = {0, 1}) const {
    return ReferenceOutputs::load(write("logits.npy", bytes), tokens);
  }

  TemporaryDirectory directory_;
};

TEST_F(ReferenceOutputsTest, ReadsNumPyInThreeTypes) {
  const std::vector<double> values = {1.5, -2.0, 0.25, 4.0, -0.5, 8.0};
  const std::vector<std::uint16_t> halves = {0x3E00, 0xC000, 0x3400, 0x4400, 0xB800, 0x4800};
  for (const auto& [type, data] :
       {std::pair<std::string, std::string>("<f4", bytes_of(std::vector<float>(values.begin(), values.end()))),
        {"<f8", bytes_of(values)},
        {"<f2", bytes_of(halves)}}) {
    const ReferenceOutputs reference = load_npy(npy_of(type, "(2, 3)", data));
    EXPECT_EQ(reference.size(), 1U);
    EXPECT_EQ(reference.vocab_size(), 3U);
    std::vector<float> row(3);
    reference.logits(0, 1, row);
    EXPECT_THAT(row, testing::ElementsAre(4.0F, -0.5F, 8.0F)) << type;
  }
}

TEST_F(ReferenceOutputsTest, RefusesOtherFilesOfNumPy) {
  const std::string data(24, '\0');
  EXPECT_ERROR(static_cast<void>(load_npy("PK\3\4 something else")), ConfigError, "expected a file of NumPy");
  EXPECT_ERROR(static_cast<void>(load_npy(npy_of(">f4", "(2, 3)", data))), ConfigError,
               "descr: expected '<f2', '<f4' or '<f8'");
  EXPECT_ERROR(static_cast<void>(load_npy(npy_of("<i8", "(2, 3)", data))), ConfigError, "descr: expected");
  EXPECT_ERROR(static_cast<void>(load_npy(npy_of("<f4", "(2, 4)", data))), ConfigError,
               "expected 32 bytes for the shape [2, 4], found 24");
  EXPECT_ERROR(static_cast<void>(load_npy(npy_of("<f4", "(4294967296, 4294967296)", data))), ConfigError,
               "too many bytes");
  EXPECT_ERROR(static_cast<void>(load_npy(npy_of("<f4", "(x, 4)", data))), ConfigError, "shape: expected integers");
  EXPECT_ERROR(static_cast<void>(load_npy(npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", data))),
               ConfigError, "fortran_order: expected False");
  EXPECT_ERROR(static_cast<void>(load_npy(npy("{'descr': '<f4', 'fortran_order': False}", data))), ConfigError,
               "expected 'shape': in the header");
  EXPECT_ERROR(static_cast<void>(load_npy(std::string("\x93NUMPY\1\0\xFF\xFF{", 11))), ConfigError,
               "expected a file of NumPy");
  EXPECT_ERROR(static_cast<void>(load_npy(std::string("\x93NUMPY\1\0\xFF\xFF{}", 12))), ConfigError,
               "the header is cut");
  EXPECT_ERROR(static_cast<void>(load_npy(std::string("\x93NUMPY\4\0\xFF\xFF{}", 12))), ConfigError,
               "version: expected 1 to 3");
  EXPECT_ERROR(static_cast<void>(load_npy(npy_of("<f4", "(6,)", data))), InputError,
               "logits: expected floats [tokens, vocab] or [sequences, tokens, vocab], found f32 [6]");
  EXPECT_ERROR(static_cast<void>(load_npy(npy_of("<f4", "(2, 3)", data), {0, 1, 2})), InputError,
               "logits: expected one sequence of the 3 tokens, found [2, 3]");
  EXPECT_ERROR(static_cast<void>(load_npy(npy_of("<f4", "(2, 3)", data), {})), InputError,
               "input_ids: expected a tensor, or the tokens beside the file, found none");
}

// The golden as a user of transformers would write it: i64 ids, f32 logits, chosen experts in any order.
struct Files {
  Golden golden;
  SafetensorsFileWriter writer;

  Files() : golden(read_golden(fs::path(TRINE_TEST_DATA) / "families" / "mixtral")) {
    std::vector<std::int64_t> ids(golden.tokens.begin(), golden.tokens.end());
    writer.add("input_ids", "I64", {1, ids.size()}, bytes_of(ids));
    const auto logits = golden.logits.view().span();
    writer.add("logits", "F32", {1, ids.size(), logits.size() / ids.size()},
               bytes_of(std::vector<float>(logits.begin(), logits.end())));
    for (const auto& [layer, tokens] : golden.experts) {
      std::vector<std::int32_t> experts;
      for (const auto& chosen : tokens) experts.insert(experts.end(), chosen.rbegin(), chosen.rend());
      writer.add("experts." + std::to_string(layer), "I32", {1, ids.size(), tokens.front().size()}, bytes_of(experts));
    }
  }
};

TEST_F(ReferenceOutputsTest, AgreesWithTheReferenceAndSeesWhatDiffers) {
  const Files files;
  const fs::path path = write("reference.safetensors", files.writer.file());
  const ReferenceOutputs reference = ReferenceOutputs::load(path);
  const Model model = Model::load(fs::path(TRINE_TEST_DATA) / "families" / "mixtral");
  std::size_t calls = 0;
  const OutputComparison good = compare_outputs(model, reference, {.activations = ActivationPrecision::f32},
                                                [&](std::size_t done, std::size_t total) {
                                                  EXPECT_EQ(done, 1U);
                                                  EXPECT_EQ(total, 1U);
                                                  ++calls;
                                                });
  EXPECT_EQ(calls, 1U);
  EXPECT_EQ(good.tokens, files.golden.tokens.size());
  EXPECT_LT(good.worst_logit_error, 1e-5);
  EXPECT_LE(good.mean_logit_error, good.worst_logit_error);
  EXPECT_LT(good.kl_divergence, 1e-6);
  EXPECT_EQ(good.same_best_token, good.tokens);
  EXPECT_EQ(good.layers.size(), files.golden.experts.size());
  for (const auto& [layer, counts] : good.layers) EXPECT_EQ(counts.equal, counts.tokens) << layer;

  // Other weights: all of it differs.
  const Model other = Model::load(fs::path(TRINE_TEST_DATA) / "families" / "mixtral_defaults");
  if (other.info().vocab_size == reference.vocab_size()) {
    const OutputComparison bad = compare_outputs(other, reference);
    EXPECT_GT(bad.worst_logit_error, 1e-2);
    EXPECT_GT(bad.kl_divergence, 1e-4);
    EXPECT_GE(bad.worst_kl_divergence, bad.kl_divergence);
  }
}

TEST_F(ReferenceOutputsTest, MeasuresAKnownDifference) {
  Golden golden = read_golden(fs::path(TRINE_TEST_DATA) / "families" / "mixtral");
  const std::size_t vocab = golden.logits.view().extent(1);
  std::vector<float> logits(golden.logits.view().span().begin(), golden.logits.view().span().end());
  float largest = 0.0F;
  for (const float value : logits) largest = std::max(largest, std::abs(value));
  logits[2 * vocab + 5] -= 0.5F * largest;
  const ReferenceOutputs reference = load_npy(
      npy_of("<f4", "(" + std::to_string(golden.tokens.size()) + ", " + std::to_string(vocab) + ")", bytes_of(logits)),
      golden.tokens);
  const Model model = Model::load(fs::path(TRINE_TEST_DATA) / "families" / "mixtral");
  const OutputComparison found = compare_outputs(model, reference);
  float most = 0.0F;
  for (const float value : logits) most = std::max(most, std::abs(value));
  EXPECT_NEAR(found.worst_logit_error, 0.5 * largest / most, 1e-4);
  EXPECT_EQ(found.worst_sequence, 0U);
  EXPECT_EQ(found.worst_position, 2U);
  EXPECT_NEAR(found.mean_logit_error, 0.5 * largest / most / static_cast<double>(logits.size()), 1e-5);
  // By hand: p has the logit, q has it lowered; all other positions agree.
  double sum_q = 0.0;
  double sum_p = 0.0;
  for (std::size_t i = 0; i < vocab; ++i) {
    sum_q += std::exp(static_cast<double>(logits[2 * vocab + i]));
    sum_p += std::exp(static_cast<double>(golden.logits.view().span()[2 * vocab + i]));
  }
  double divergence = 0.0;
  for (std::size_t i = 0; i < vocab; ++i) {
    const double q = std::exp(static_cast<double>(logits[2 * vocab + i])) / sum_q;
    const double p = std::exp(static_cast<double>(golden.logits.view().span()[2 * vocab + i])) / sum_p;
    divergence += q * std::log(q / p);
  }
  EXPECT_NEAR(found.worst_kl_divergence, divergence, 1e-5 * (1.0 + divergence));
}

TEST_F(ReferenceOutputsTest, RefusesTensorsThatDoNotFit) {
  const auto load = [&](const auto& change) {
    SafetensorsFileWriter writer;
    change(writer);
    return ReferenceOutputs::load(write("bad.safetensors", writer.file()));
  };
  const std::string two_by_three = bytes_of(std::vector<float>(6));
  const auto logits = [&](SafetensorsFileWriter& writer) { writer.add("logits", "F32", {2, 3}, two_by_three); };
  EXPECT_ERROR(static_cast<void>(load([&](auto& w) {
                 w.add("x", "F32", {2, 3}, two_by_three);
               })),
               InputError, "logits: expected a tensor, found none");
  EXPECT_ERROR(static_cast<void>(load([&](auto& w) {
                 logits(w);
                 w.add("input_ids", "I32", {3}, bytes_of(std::vector<std::int32_t>(3)));
               })),
               InputError, "input_ids: expected [2] as of the logits, found [3]");
  EXPECT_ERROR(static_cast<void>(load([&](auto& w) {
                 logits(w);
                 w.add("input_ids", "F32", {2}, bytes_of(std::vector<float>(2)));
               })),
               InputError, "input_ids: expected integers, found f32");
  EXPECT_ERROR(static_cast<void>(load([&](auto& w) {
                 logits(w);
                 w.add("input_ids", "I16", {2}, bytes_of(std::vector<std::int16_t>{0, -1}));
               })),
               InputError, "input_ids: expected integers from 0 to 4294967295, found -1");
  EXPECT_ERROR(static_cast<void>(load([&](auto& w) {
                 logits(w);
                 w.add("input_ids", "U8", {2}, "\1\2");
                 w.add("experts.x", "U8", {2, 1}, "\1\2");
               })),
               InputError, "experts.x: expected experts.LAYER");
  EXPECT_ERROR(static_cast<void>(load([&](auto& w) {
                 logits(w);
                 w.add("input_ids", "U16", {2}, std::string(4, '\0'));
                 w.add("experts.0", "U8", {3, 1}, "\1\2\3");
               })),
               InputError, "experts.0: expected as many rows as the logits have, found [3, 1]");
}

TEST_F(ReferenceOutputsTest, RefusesAnotherVocabularyAndNumbersThatAreNotFinite) {
  const Model model = Model::load(fs::path(TRINE_TEST_DATA) / "families" / "mixtral");
  const std::size_t vocab = model.info().vocab_size;
  EXPECT_ERROR(static_cast<void>(compare_outputs(model, load_npy(npy_of("<f4", "(2, 3)", std::string(24, '\0'))))),
               InputError, "columns, the vocabulary of the model, found 3");
  std::vector<float> logits(vocab, 1.0F);
  logits[1] = NAN;
  EXPECT_ERROR(static_cast<void>(compare_outputs(
                   model, load_npy(npy_of("<f4", "(1, " + std::to_string(vocab) + ")", bytes_of(logits)), {1}))),
               InputError, "expected finite numbers, found another at position 0");
}

}  // namespace
}  // namespace trine::test
