// SPDX-License-Identifier: Apache-2.0
#include <trine/core/error.hpp>
#include <trine/core/token_id.hpp>
#include <trine/generate/session.hpp>
#include <trine/json/parse.hpp>
#include <trine/kernels/convert.hpp>
#include <trine/quantize/quantize_model.hpp>
#include <trine/weights/open_weights.hpp>
#include <trine/weights/weight_source.hpp>

#include <bit>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "model/random_model.hpp"
#include "support/expect_error.hpp"
#include "support/golden.hpp"
#include "support/in_child.hpp"
#include "support/temporary_directory.hpp"

namespace trine {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::UnorderedElementsAre;

const fs::path kData = TRINE_TEST_DATA;

std::vector<std::string> names_in(const fs::path& directory) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(directory)) names.push_back(entry.path().filename().string());
  return names;
}

// A directory with a copy of a golden model in "in".
class QuantizeModel : public testing::Test {
 protected:
  QuantizeModel() {
    fs::create_directory(in_);
    for (const char* file : {"config.json", "weights.json", "weights.bin"})
      fs::copy_file(kData / "summary_expert_attention" / file, in_ / file);
  }

  std::vector<QuantizationError> write(DType type, const QuantizeOptions& options = {.num_threads = 1}) const {
    const ModelQuantizer quantizer(in_);
    return quantizer.write(quantizer.plan(type), out_, options);
  }
  // Neither the model nor anything that looks like one.
  void expect_nothing() const { EXPECT_THAT(names_in(directory_.path()), ElementsAre("in")); }

  const test::TemporaryDirectory directory_;
  const fs::path in_ = directory_.path() / "in";
  const fs::path out_ = directory_.path() / "out";
};

// A tensor of any source as numbers, in double precision, without a line of what is tested.
std::vector<double> numbers(const WeightSource& source, const std::string& name) {
  const StoredTensor& tensor = *source.find(name);
  std::vector<double> result;
  if (tensor.matrix != nullptr) {  // whose decoding has goldens of its own
    std::vector<float> decoded(tensor.matrix->parameters());
    kernels::decode(*tensor.matrix, 0, tensor.shape[0], 0, tensor.shape[1], decoded.data(), tensor.shape[1], 1);
    return {decoded.begin(), decoded.end()};
  }
  if (tensor.dtype == DType::f8_e4m3) {
    const StoredTensor& scales = *source.find(name + "_scale_inv");
    for (std::size_t r = 0; r < tensor.shape[0]; ++r) {
      for (std::size_t c = 0; c < tensor.shape[1]; ++c) {
        const auto code = std::to_integer<unsigned>(tensor.bytes[r * tensor.shape[1] + c]);
        const int exponent = static_cast<int>(code >> 3U & 15U);
        const double fraction = static_cast<double>(code & 7U) / 8.0;
        const double magnitude = exponent == 0 ? std::ldexp(fraction, -6) : std::ldexp(1.0 + fraction, exponent - 7);
        float scale = 0.0F;
        std::memcpy(&scale, scales.bytes.data() + 4 * (r / 128 * scales.shape[1] + c / 128), 4);
        result.push_back((code & 128U ? -magnitude : magnitude) * static_cast<double>(scale));
      }
    }
    return result;
  }
  if (is_packed(tensor.dtype)) {
    const std::size_t columns = tensor.shape.back();
    for (std::size_t k = 0; k < *checked_product(tensor.shape); ++k)
      result.push_back(packed_value(tensor.dtype, tensor.bytes.data(), panel_bytes(tensor.dtype, columns), k / columns,
                                    k % columns));
    return result;
  }
  visit_dtype(tensor.dtype, [&]<class T>(const T*) {
    for (std::size_t i = 0; i < tensor.bytes.size() / sizeof(T); ++i) {
      T element;
      std::memcpy(&element, tensor.bytes.data() + i * sizeof(T), sizeof(T));
      result.push_back(static_cast<double>(static_cast<float>(element)));
    }
  });
  return result;
}

// Is it a stack of gpt-oss' experts, [experts, in, out] with gate and up in turn, that is packed as [experts, out, in],
// the gate first?
bool is_transposed(const Model& model, const PlannedTensor& planned) {
  return model.info().model_type == "gpt_oss" && planned.role == TensorRole::experts && is_packed(planned.to) &&
         !is_packed(planned.from) && planned.from != DType::u8;
}

// The numbers of the source in the order in which they are written.
std::vector<double> numbers_to_write(const Model& model, const PlannedTensor& planned) {
  std::vector<double> stored = numbers(model.weights(), planned.name);
  if (!is_transposed(model, planned)) return stored;
  const std::size_t in = planned.shape[1];
  const std::size_t out = planned.shape[2];
  std::vector<double> result;
  for (std::size_t e = 0; e < planned.shape[0]; ++e) {
    for (std::size_t o = 0; o < out; ++o) {
      const bool gate_up = planned.name.ends_with("gate_up_proj");
      const std::size_t column = !gate_up ? o : o < out / 2 ? 2 * o : 2 * (o - out / 2) + 1;
      for (std::size_t i = 0; i < in; ++i) result.push_back(stored[(e * in + i) * out + column]);
    }
  }
  return result;
}

// Every family that we read, from every container and type, to plain numbers of another width.
TEST(QuantizeModelFamilies, GiveModelsWithTheSameNumbersRounded) {
  std::vector<fs::path> models = test::golden_directories();
  for (const fs::path& family : test::golden_directories(kData / "families")) models.push_back(family);
  ASSERT_GT(models.size(), 40U);
  std::map<DType, std::size_t> converted;
  std::size_t experts_turned = 0;
  for (const fs::path& directory : models) {
    SCOPED_TRACE(directory.filename().string());
    const test::TemporaryDirectory place;
    const ModelQuantizer quantizer(directory);
    const auto plan = quantizer.plan(DType::bf16);
    const auto errors = quantizer.write(plan, place.path() / "out", {.num_threads = 2});
    ASSERT_EQ(errors.size(), plan.size());
    const Model model = Model::load(place.path() / "out");
    EXPECT_EQ(model.info().summary, quantizer.model().info().summary);
    std::size_t i = 0;
    for (const PlannedTensor& planned : plan) {
      const StoredTensor& stored = *model.weights().find(planned.name);
      EXPECT_EQ(stored.dtype, planned.to);
      const bool turns = is_transposed(quantizer.model(), planned);
      const auto& shape = planned.shape;
      EXPECT_EQ(stored.shape, turns ? std::vector({shape[0], shape[2], shape[1]}) : shape);
      EXPECT_EQ(stored.bytes.size(), planned.bytes_after);
      if (planned.to == planned.from) {
        EXPECT_TRUE(std::ranges::equal(stored.bytes, quantizer.model().weights().find(planned.name)->bytes));
        EXPECT_EQ(errors[i++].squared_error, 0.0);
        continue;
      }
      ++converted[planned.from];
      const auto exact = numbers_to_write(quantizer.model(), planned);
      experts_turned += turns ? 1 : 0;
      const auto found = numbers(model.weights(), planned.name);
      ASSERT_EQ(exact.size(), found.size());
      double squares = 0.0;
      double squared_errors = 0.0;
      for (std::size_t k = 0; k < exact.size(); ++k) {
        ASSERT_LE(std::abs(found[k] - exact[k]), std::ldexp(std::abs(exact[k]), -8)) << planned.name << ", " << k;
        squares += exact[k] * exact[k];
        squared_errors += (found[k] - exact[k]) * (found[k] - exact[k]);
      }
      // f32 rounds a code times its scale before bf16 does: 2^-24 of it beside 2^-9.
      EXPECT_NEAR(errors[i++].relative_rms(), std::sqrt(squared_errors / squares), 1e-6) << planned.name;
    }
  }
  EXPECT_GT(converted[DType::f32], 0U);
  EXPECT_GT(converted[DType::f8_e4m3], 0U);
  EXPECT_GT(converted[DType::f16], 0U);
  EXPECT_GT(experts_turned, 0U);
  EXPECT_GT(converted[DType::bf16], 0U) << "rows that become panels, without a loss";
}

// The same in packed groups: what is packed is near, all else is as it was, and the model runs.
TEST(QuantizeModelFamilies, GiveModelsWithTheSameNumbersPacked) {
  std::vector<fs::path> models = test::golden_directories();
  for (const fs::path& family : test::golden_directories(kData / "families")) models.push_back(family);
  std::size_t packed = 0;
  for (const fs::path& directory : models) {
    for (const DType type : {kQ8, kQ4}) {
      SCOPED_TRACE(directory.filename().string() + " " + std::string(to_string(type)));
      const test::TemporaryDirectory place;
      const ModelQuantizer quantizer(directory);
      const auto plan = quantizer.plan(type);
      const auto errors = quantizer.write(plan, place.path() / "out", {.num_threads = 2});
      const Model model = Model::load(place.path() / "out");
      for (std::size_t i = 0; i < plan.size(); ++i) {
        const StoredTensor& stored = *model.weights().find(plan[i].name);
        ASSERT_EQ(stored.dtype, plan[i].to);
        if (!is_packed(stored.dtype)) continue;
        ++packed;
        const std::size_t columns = stored.shape.back();
        const auto exact = numbers_to_write(quantizer.model(), plan[i]);
        double squares = 0.0;
        double squared_errors = 0.0;
        for (std::size_t k = 0; k < exact.size(); ++k) {
          const auto found = static_cast<double>(
              packed_value(type, stored.bytes.data(), panel_bytes(type, columns), k / columns, k % columns));
          squares += exact[k] * exact[k];
          squared_errors += (found - exact[k]) * (found - exact[k]);
        }
        const double error = std::sqrt(squared_errors / squares);
        EXPECT_NEAR(errors[i].relative_rms(), error, 1e-6) << plan[i].name;
        EXPECT_GT(error, 0.0) << plan[i].name;
        // Half a step of 1/127 (1/7) of the largest magnitude of a group, which is at most 5 times its root mean
        // square.
        EXPECT_LT(error, 5.0 / (type == kQ8 ? 254.0 : 14.0) / std::sqrt(3.0)) << plan[i].name;
      }
      if (model.info().num_features > 0) continue;
      Session session(model, {.num_threads = 1});
      const std::size_t tokens = std::min<std::size_t>(8, model.info().max_position_embeddings);
      const std::vector<TokenId> ids(tokens, 1);
      for (const float logit : session.forward(ids, OutputRows::last).span()) ASSERT_TRUE(std::isfinite(logit));
    }
  }
  EXPECT_GT(packed, 500U);
}

TEST_F(QuantizeModel, ComputesTheSameBitsWithNumbersThatAreTheSame) {
  write(DType::f32);
  const auto tokens = test::read_golden(kData / "summary_expert_attention").tokens;
  const auto logits = [&](const fs::path& directory) {
    Session session(Model::load(directory), {.num_threads = 1, .activations = ActivationPrecision::f32});
    std::vector<std::uint32_t> bits;
    for (const float value : session.forward(tokens, OutputRows::all).span())
      bits.push_back(std::bit_cast<std::uint32_t>(value));
    return bits;
  };
  EXPECT_EQ(logits(out_), logits(in_));
}

TEST_F(QuantizeModel, GivesTheSameBytesWithAnyNumberOfThreads) {
  const ModelQuantizer quantizer(in_);
  const auto plan = quantizer.plan(DType::bf16);
  for (const std::size_t threads : {0U, 1U, 3U})
    quantizer.write(plan, directory_.path() / std::to_string(threads), {.num_threads = threads});
  const auto blob = [&](const char* name) {
    const NativeWeights source(directory_.path() / name, FileAccess::read);
    return read_text_file(directory_.path() / name / "weights.bin", 1U << 24U);
  };
  EXPECT_TRUE(blob("0") == blob("1"));
  EXPECT_TRUE(blob("3") == blob("1"));
}

TEST_F(QuantizeModel, FollowsAPlanThatWasChanged) {
  const ModelQuantizer quantizer(in_);
  auto plan = quantizer.plan(DType::bf16);
  plan[0].to = DType::f16;
  quantizer.write(plan, out_);
  EXPECT_EQ(NativeWeights(out_).find(plan[0].name)->dtype, DType::f16);
  plan[0].shape.push_back(1);
  EXPECT_ERROR(quantizer.write(plan, directory_.path() / "other"), InputError, "expected a plan for the tensors of");
  plan.erase(plan.begin());
  EXPECT_ERROR(quantizer.write(plan, directory_.path() / "other"), WeightError, "no tensor named");
  EXPECT_THAT(names_in(directory_.path()), UnorderedElementsAre("in", "out"));
}

TEST_F(QuantizeModel, ReadsWhatItWrote) {
  write(kQ8);
  const ModelQuantizer packed(out_);
  packed.write(packed.plan(kQ8), directory_.path() / "same");
  EXPECT_TRUE(read_text_file(directory_.path() / "same" / "weights.bin", 1U << 24U) ==
              read_text_file(out_ / "weights.bin", 1U << 24U));
  const auto plan = packed.plan(DType::f32);
  const auto errors = packed.write(plan, directory_.path() / "plain");
  const NativeWeights plain(directory_.path() / "plain");
  std::size_t decoded = 0;
  for (std::size_t i = 0; i < plan.size(); ++i) {
    EXPECT_EQ(errors[i].squared_error, 0.0) << "f32 holds what q8 says";
    if (plan[i].from != kQ8) continue;
    const StoredTensor& from = *packed.model().weights().find(plan[i].name);
    const std::size_t columns = from.shape.back();
    const auto found = numbers(plain, plan[i].name);
    ASSERT_EQ(found.size(), plan[i].parameters);
    for (std::size_t k = 0; k < found.size(); ++k)
      ASSERT_EQ(static_cast<float>(found[k]),
                packed_value(kQ8, from.bytes.data(), panel_bytes(kQ8, columns), k / columns, k % columns));
    ++decoded;
  }
  EXPECT_GT(decoded, 10U);
}

TEST_F(QuantizeModel, CopiesWhatBelongsToAModelAndIsNoWeight) {
  for (const char* file : {"tokenizer.json", "chat_template.jinja", "README.md", "LICENSE", "merges.txt"})
    directory_.write(fs::path("in") / file, std::string("content of ") + file);
  for (const char* file : {"pytorch_model.bin", "pytorch_model.bin.index.json", "model.gguf", ".gitattributes"})
    directory_.write(fs::path("in") / file, "x");
  directory_.write("in/original/params.json", "{}");
  fs::create_symlink("../linked", in_ / "special_tokens_map.json");
  directory_.write("linked", "a link, as in the cache of a hub");
  write(DType::bf16);
  EXPECT_THAT(names_in(out_), UnorderedElementsAre("config.json", "weights.json", "weights.bin", "tokenizer.json",
                                                   "chat_template.jinja", "README.md", "LICENSE", "merges.txt",
                                                   "special_tokens_map.json"));
  EXPECT_EQ(read_text_file(out_ / "LICENSE", 100), "content of LICENSE");
  EXPECT_EQ(read_text_file(out_ / "special_tokens_map.json", 100), "a link, as in the cache of a hub");
  EXPECT_TRUE(fs::is_regular_file(fs::symlink_status(out_ / "special_tokens_map.json")));
  EXPECT_EQ(read_text_file(out_ / "config.json", 1U << 20U), read_text_file(in_ / "config.json", 1U << 20U))
      << "byte for byte where nothing has to change";
}

TEST(QuantizeModelConfig, NoLongerSpeaksOfCodesThatAreGone) {
  const test::TemporaryDirectory place;
  const ModelQuantizer fp8(kData / "families" / "deepseek_v3_fp8");
  fp8.write(fp8.plan(DType::bf16), place.path() / "fp8");
  Json expected = read_json_file(kData / "families" / "deepseek_v3_fp8" / "config.json");
  ASSERT_EQ(expected.erase("quantization_config"), 1U);
  EXPECT_EQ(read_json_file(place.path() / "fp8" / "config.json"), expected);

  const ModelQuantizer mxfp4(kData / "families" / "gpt_oss_mxfp4");
  mxfp4.write(mxfp4.plan(DType::bf16), place.path() / "mxfp4");
  EXPECT_TRUE(read_json_file(place.path() / "mxfp4" / "config.json").contains("quantization_config"))
      << "these codes stay";
}

TEST_F(QuantizeModel, RefusesToWriteOverAnything) {
  directory_.write("out/precious", "text");
  EXPECT_ERROR(write(DType::bf16), FileError, out_.string() + ": expected a name that is free");
  EXPECT_THAT(names_in(directory_.path()), UnorderedElementsAre("in", "out"));
  EXPECT_THAT(names_in(out_), ElementsAre("precious"));
}

TEST_F(QuantizeModel, RefusesToWriteIntoWhatItReads) {
  fs::create_directory_symlink("in", directory_.path() / "link");
  const ModelQuantizer quantizer(in_);
  const auto plan = quantizer.plan(DType::bf16);
  for (const fs::path& target : {in_, in_ / "", in_ / "out", in_ / "." / "x" / ".." / "out", directory_.path() / "link",
                                 directory_.path() / "link" / "out"}) {
    EXPECT_ERROR(quantizer.write(plan, target), InputError, target.string() + ": lies in the model that is read");
  }
  EXPECT_ERROR(quantizer.write(plan, ""), InputError, "expected a name, found none");
  EXPECT_THAT(names_in(in_), UnorderedElementsAre("config.json", "weights.json", "weights.bin"));

  // What would be emptied as the rest of a killed run is the source itself.
  fs::rename(in_, directory_.path() / "model.partial");
  directory_.write(fs::path("model.partial") / OutputDirectory::kMarker, "");
  const ModelQuantizer partial(directory_.path() / "model.partial");
  EXPECT_ERROR(partial.write(plan, directory_.path() / "model"), InputError, "lies in the model that is read");
  static_cast<void>(Model::load(directory_.path() / "model.partial"));
}

TEST_F(QuantizeModel, LeavesNothingWhenTheDiskIsFull) {
  const std::uintmax_t whole = fs::file_size(in_ / "weights.bin");
  // Set aside at once where that can be done; written until it is full where it cannot.
  for (const std::uintmax_t room : {std::uintmax_t{0}, std::uintmax_t{1000}, whole / 2}) {
    const int code = test::in_child([&] {
      test::limit_file_size(room);
      try {
        write(DType::f32);
      } catch (const FileError& error) {
        const std::string message = error.what();
        return message.find("out.partial/weights.bin: cannot ") != std::string::npos &&
                       message.find(" bytes") != std::string::npos
                   ? 0
                   : 1;
      }
      return 2;
    });
    EXPECT_EQ(code, 0) << room << " bytes";
    expect_nothing();
  }
}

TEST_F(QuantizeModel, LeavesNothingThatLoadsWhenItIsKilled) {
  std::size_t calls = 0;
  write(DType::bf16, {.num_threads = 1, .progress = [&](std::uint64_t, std::uint64_t) { ++calls; }});
  fs::remove_all(out_);
  ASSERT_GT(calls, 20U);
  for (std::size_t last = 1; last <= calls; ++last) {
    const int code = test::in_child([&] {
      std::size_t call = 0;
      write(DType::bf16, {.num_threads = 1, .progress = [&](std::uint64_t, std::uint64_t) {
                            if (++call == last) std::raise(SIGKILL);
                          }});
      return 0;
    });
    ASSERT_EQ(code, 128 + SIGKILL);
    ASSERT_FALSE(fs::exists(out_));
    ASSERT_TRUE(fs::exists(directory_.path() / "out.partial"));
    EXPECT_ERROR(Model::load(directory_.path() / "out.partial"), FileError, "config.json: cannot be opened");
    EXPECT_ERROR(open_weights(directory_.path() / "out.partial"), FileError, "found none");
  }
  write(DType::bf16);  // takes over what was left
  EXPECT_THAT(names_in(directory_.path()), UnorderedElementsAre("in", "out"));
  EXPECT_THAT(names_in(out_), UnorderedElementsAre("config.json", "weights.json", "weights.bin"));
  static_cast<void>(Model::load(out_));
}

// Killed at any time, whatever was on disk by then: the next run goes on, and its files are those of a run in one go.
TEST_F(QuantizeModel, GoesOnAfterItWasKilled) {
  const ModelQuantizer quantizer(in_);
  const std::vector<PlannedTensor> plan = quantizer.plan(kQ8);
  const auto files_of = [](const fs::path& directory) {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::directory_iterator(directory)) {
      std::ifstream in(entry.path(), std::ios::binary);
      files[entry.path().filename().string()] = {std::istreambuf_iterator<char>(in), {}};
    }
    return files;
  };
  const auto expected_errors = quantizer.write(plan, directory_.path() / "whole", {.num_threads = 1});
  const auto expected = files_of(directory_.path() / "whole");
  std::size_t calls = 0;
  const auto count = [&](std::uint64_t, std::uint64_t) { ++calls; };
  write(kQ8, {.num_threads = 1, .progress = count});
  const std::size_t all = std::exchange(calls, 0);
  fs::remove_all(out_);
  const auto kill_at = [&](std::size_t last, std::uint64_t checkpoint_bytes) {
    const int code = test::in_child([&] {
      std::size_t call = 0;
      write(kQ8, {.num_threads = 1,
                  .progress =
                      [&](std::uint64_t, std::uint64_t) {
                        if (++call == last) std::raise(SIGKILL);
                      },
                  .checkpoint_bytes = checkpoint_bytes});
      return 0;
    });
    ASSERT_EQ(code, 128 + SIGKILL);
  };
  for (std::size_t last = 1; last <= all; last += 1 + all / 6) {
    kill_at(last, 1);
    std::size_t there = 0;
    calls = 0;
    const auto errors = quantizer.write(
        plan, out_,
        {.num_threads = 1, .progress = count, .resumed = [&](std::size_t tensors, std::size_t) { there = tensors; }});
    EXPECT_EQ(there + calls, all) << "each of these tensors is written in one part";
    EXPECT_EQ(there, last - 1);
    EXPECT_EQ(files_of(out_), expected);
    ASSERT_EQ(errors.size(), expected_errors.size());
    for (std::size_t t = 0; t < errors.size(); ++t)
      EXPECT_EQ(errors[t].squared_error, expected_errors[t].squared_error);
    fs::remove_all(out_);
  }
  // Killed twice; then for another type, for which nothing is left.
  kill_at(all / 2, 1);
  kill_at(all / 4, 1);
  bool resumed = false;
  quantizer.write(quantizer.plan(kQ6a), out_,
                  {.num_threads = 1, .resumed = [&](std::size_t, std::size_t) { resumed = true; }});
  EXPECT_FALSE(resumed);
  fs::remove_all(out_);
  kill_at(all - 1, std::uint64_t{1} << 40U);  // nothing was synced
  quantizer.write(plan, out_, {.num_threads = 1, .resumed = [&](std::size_t, std::size_t) { resumed = true; }});
  EXPECT_FALSE(resumed);
  EXPECT_EQ(files_of(out_), expected);
}

// A journal that promises more than there is, or is damaged.
TEST_F(QuantizeModel, TrustsNoJournalThatCannotBe) {
  const ModelQuantizer quantizer(in_);
  const std::vector<PlannedTensor> plan = quantizer.plan(kQ8);
  const int code = test::in_child([&] {
    std::size_t call = 0;
    write(kQ8, {.num_threads = 1,
                .progress =
                    [&](std::uint64_t, std::uint64_t) {
                      if (++call == 8) std::raise(SIGKILL);
                    },
                .checkpoint_bytes = 1});
    return 0;
  });
  ASSERT_EQ(code, 128 + SIGKILL);
  const fs::path partial = directory_.path() / "out.partial";
  const fs::path saved = directory_.path() / "saved";
  fs::rename(partial, saved);
  std::ifstream in(saved / "weights.journal");
  const std::string journal{std::istreambuf_iterator<char>(in), {}};
  const std::size_t first = journal.find('\n') + 1;
  const auto tensors_used = [&](const std::string& text) {
    fs::copy(saved, partial);
    std::ofstream(partial / "weights.journal") << text;
    std::size_t there = 0;
    quantizer.write(plan, out_,
                    {.num_threads = 1, .resumed = [&](std::size_t tensors, std::size_t) { there = tensors; }});
    static_cast<void>(Model::load(out_));
    fs::remove_all(out_);
    return there;
  };
  EXPECT_EQ(tensors_used(journal), 7U);
  EXPECT_EQ(tensors_used(journal.substr(0, journal.size() - 1)), 6U) << "half a line";
  EXPECT_EQ(tensors_used(journal.substr(0, first)), 0U);
  EXPECT_EQ(tensors_used(journal.substr(0, first) + "99999999999 0x1p+0 0x1p+0\n"), 0U) << "beyond the end of the file";
  EXPECT_EQ(tensors_used(journal.substr(0, first) + "a 0x1p+0 0x1p+0\n"), 0U);
  EXPECT_EQ(tensors_used("x" + journal), 0U);
  EXPECT_EQ(tensors_used(""), 0U);
  const std::size_t second = journal.find('\n', first) + 1;
  EXPECT_EQ(tensors_used(journal.substr(0, second) + journal.substr(first)), 1U) << "the same tensor again";
}

TEST_F(QuantizeModel, LeavesNothingWhenItIsCancelledOrItsCallerThrows) {
  std::stop_source source;
  const auto stop = [&](std::uint64_t, std::uint64_t) { source.request_stop(); };
  EXPECT_ERROR(write(DType::bf16, {.num_threads = 1, .cancel = source.get_token(), .progress = stop}), CancelledError,
               "cancelled by the caller");
  expect_nothing();
  const auto fail = [](std::uint64_t, std::uint64_t) { throw std::runtime_error("the caller's own"); };
  EXPECT_THROW(write(DType::bf16, {.num_threads = 1, .progress = fail}), std::runtime_error);
  expect_nothing();
}

TEST_F(QuantizeModel, TellsProgressInBytesOfTheSource) {
  std::uint64_t last = 0;
  std::uint64_t expected = 0;
  for (const PlannedTensor& tensor : ModelQuantizer(in_).plan(DType::bf16)) expected += tensor.bytes_before;
  write(DType::bf16, {.num_threads = 2, .progress = [&](std::uint64_t done, std::uint64_t total) {
                        EXPECT_GE(done, last);
                        EXPECT_EQ(total, expected);
                        last = done;
                      }});
  EXPECT_EQ(last, expected);
}

TEST_F(QuantizeModel, KeepsNothingOfASourceThatChanges) {
  directory_.write("in/tokenizer.json", "{}");
  for (const char* file : {"weights.bin", "config.json", "tokenizer.json"}) {
    bool changed = false;
    const auto change = [&](std::uint64_t, std::uint64_t) {
      if (changed) return;
      fs::last_write_time(in_ / file, fs::last_write_time(in_ / file) + std::chrono::seconds(1));
      changed = true;
    };
    EXPECT_ERROR(write(DType::bf16, {.num_threads = 1, .progress = change}), FileError,
                 (in_ / file).string() + ": changed while it was read");
    expect_nothing();
  }
  const auto remove = [&](std::uint64_t, std::uint64_t) { fs::remove(in_ / "tokenizer.json"); };
  EXPECT_ERROR(write(DType::bf16, {.num_threads = 1, .progress = remove}), FileError, "tokenizer.json: changed while");
  expect_nothing();
}

TEST_F(QuantizeModel, RefusesASourceThatDoesNotLoad) {
  EXPECT_ERROR(ModelQuantizer(directory_.path() / "none"), FileError, "none/config.json: cannot be opened");
  fs::resize_file(in_ / "weights.bin", 1000);
  EXPECT_ERROR(ModelQuantizer{in_}, WeightError, "the size of weights.bin");
}

TEST(QuantizeModelNumbers, ThatAreNotFiniteAreRefusedByTheNameOfTheTensor) {
  test::RandomModel model(read_json_file(kData / "full_attention" / "config.json"), 1);
  model.tensor("layers.0.attention.o_proj.weight")[5] = INFINITY;
  model.write();
  const test::TemporaryDirectory place;
  const ModelQuantizer quantizer(model.path());
  EXPECT_ERROR(quantizer.write(quantizer.plan(DType::bf16), place.path() / "out"), WeightError,
               "layers.0.attention.o_proj.weight: expected finite numbers, found another");
  EXPECT_TRUE(fs::is_empty(place.path()));
}

}  // namespace
}  // namespace trine
