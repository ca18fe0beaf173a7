// SPDX-License-Identifier: Apache-2.0
// Adapters as users of the programs give them: --lora, and trine-merge.
#ifdef TRINE_PROGRAMS_DIR
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include <trine/model/model.hpp>

#include "examples/tiny_model.hpp"
#include "support/random_adapter.hpp"

namespace trine::test {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class Adapters : public ::testing::Test {
 protected:
  Adapters() {
    const Model model = Model::load(model_.path());
    write_random_adapter(model, 2, 1, 0.5F, first_);
    write_random_adapter(model, 3, 2, 0.5F, second_);
  }
  [[nodiscard]] std::vector<float> logits(const std::string& model, std::vector<std::string> options = {}) const {
    const std::filesystem::path file = directory_.path() / "logits";
    options.insert(options.begin(),
                   {"trine-logits", "-m", model, "-p", "ABCD", "--activations", "f32", "-o", file.string()});
    const Finished finished = run_program(options);
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    const std::string bytes = read_whole(file);
    std::vector<float> values(bytes.size() / sizeof(float));
    std::memcpy(values.data(), bytes.data(), bytes.size());
    std::filesystem::remove(file);
    return values;
  }
  [[nodiscard]] Finished merge(std::vector<std::string> options) const {
    options.insert(options.begin(), "trine-merge");
    return run_program(options);
  }

  const TinyModel model_{"full_attention"};  // in f32
  const TemporaryDirectory first_;
  const TemporaryDirectory second_;
  const TemporaryDirectory directory_;
  const std::string one_ = first_.path().string();
  const std::string two_ = second_.path().string();
  const std::string out_ = (directory_.path() / "out").string();
};

TEST_F(Adapters, AreTakenByAllProgramsThatRunAModel) {
  const std::vector<float> base = logits(model_.name());
  const std::vector<float> adapted = logits(model_.name(), {"--lora", one_});
  EXPECT_NE(adapted, base);
  EXPECT_EQ(logits(model_.name(), {"--lora", one_ + ":1"}), adapted);
  EXPECT_NE(logits(model_.name(), {"--lora", one_ + ":0.5"}), adapted);
  EXPECT_EQ(logits(model_.name(), {"--lora", one_ + ":0"}), base);
  EXPECT_NE(logits(model_.name(), {"--lora", one_, "--lora", two_}), adapted);
  EXPECT_EQ(logits(model_.name(), {"--lora", one_, "--lora", one_ + ":-1"}).size(), base.size());

  const Finished generated =
      run_program({"trine-generate", "-m", model_.name(), "-p", "A", "-n", "8", "--ignore-eos", "--lora", one_});
  EXPECT_EQ(generated.exit_code, 0) << generated.err;
  const auto perplexity = [&](const std::vector<std::string>& more) {
    std::vector<std::string> command{"trine-perplexity", "-m", model_.name(), "-f", "-", "--json"};
    command.insert(command.end(), more.begin(), more.end());
    const Finished finished = run_program(command, std::string(64, 'A') + "BCDEFGH");
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    return nlohmann::json::parse(finished.out).at("perplexity").get<double>();
  };
  EXPECT_NE(perplexity({"--lora", one_}), perplexity({}));
}

TEST_F(Adapters, ThatAreWrongAreErrorsOfTheModel) {
  for (const std::string& wrong : {(directory_.path() / "nowhere").string(), model_.name()}) {
    const Finished finished = run_program({"trine-generate", "-m", model_.name(), "-p", "A", "--lora", wrong});
    EXPECT_EQ(finished.exit_code, 3) << wrong;
    EXPECT_THAT(finished.err, HasSubstr("adapter_config.json")) << wrong;
  }
}

TEST_F(Adapters, HaveAScaleThatIsANumber) {
  for (const char* scale : {"much", "nan", "inf", "1e99", ""}) {
    const Finished finished =
        run_program({"trine-generate", "-m", model_.name(), "-p", "A", "--lora", one_ + ":" + scale});
    EXPECT_EQ(finished.exit_code, 2) << scale;
    EXPECT_THAT(finished.err, HasSubstr("expected a finite scale after the colon, found '" + std::string(scale) + "'"));
  }
}

TEST_F(Adapters, AreMergedIntoAModelThatComputesTheSame) {
  const Finished finished = merge({model_.name(), one_ + ":0.5", out_, "--lora", two_, "--dtype", "f32"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_THAT(finished.out, HasSubstr("linear maps merged, 1 file of weights"));
  EXPECT_TRUE(std::filesystem::exists(std::filesystem::path(out_) / "model.safetensors"));
  EXPECT_EQ(read_whole(std::filesystem::path(out_) / "tokenizer.json"), read_whole(model_.path() / "tokenizer.json"));
  const std::vector<float> beside = logits(model_.name(), {"--lora", one_ + ":0.5", "--lora", two_});
  EXPECT_THAT(logits(out_), ::testing::Pointwise(::testing::FloatNear(1e-3F), beside));
}

TEST_F(Adapters, AreMergedInEveryType) {
  for (const char* type : {"keep", "bf16", "f16", "f32"}) {
    const std::string out = (directory_.path() / type).string();
    const Finished finished = merge({model_.name(), one_, out, "--dtype", type});
    ASSERT_EQ(finished.exit_code, 0) << finished.err;
    const Finished generated = run_program({"trine-generate", "-m", out, "-p", "A", "-n", "3", "--ignore-eos"});
    EXPECT_EQ(generated.exit_code, 0) << generated.err;
  }
}

TEST_F(Adapters, AreMergedIntoSeveralFiles) {
  for (const char* size : {"2KB", "2KiB", "2000", "1mb", "1GB"}) {
    const std::string out = (directory_.path() / size).string();
    const Finished finished = merge({model_.name(), one_, out, "--max-shard-size", size});
    ASSERT_EQ(finished.exit_code, 0) << finished.err;
    const bool sharded = std::string(size).starts_with("2");
    EXPECT_EQ(std::filesystem::exists(std::filesystem::path(out) / "model.safetensors.index.json"), sharded) << size;
  }
  for (const char* size : {"", "0", "5TB", "-1", "99999999999999999999GB"}) {
    const Finished finished = merge({model_.name(), one_, out_, "--max-shard-size", size});
    EXPECT_EQ(finished.exit_code, 2) << size;
    EXPECT_THAT(finished.err, HasSubstr("max-shard-size")) << size;
  }
}

TEST_F(Adapters, ThatCannotBeMergedLeaveNothing) {
  EXPECT_EQ(merge({model_.name(), model_.name(), out_}).exit_code, 3);
  EXPECT_EQ(merge({model_.name(), one_, out_, "--dtype", "q8"}).exit_code, 2);
  EXPECT_EQ(merge({model_.name(), one_}).exit_code, 2);
  EXPECT_EQ(merge({model_.name(), one_, (model_.path() / "below").string()}).exit_code, 2);
  EXPECT_EQ(merge({model_.name(), one_, (directory_.path() / "a" / "b").string()}).exit_code, 1);
  EXPECT_EQ(merge({model_.name(), one_ + ":1e30", out_, "--dtype", "f16"}).exit_code, 3);
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path()));
  ASSERT_EQ(merge({model_.name(), one_, out_}).exit_code, 0);
  const Finished twice = merge({model_.name(), one_, out_});
  EXPECT_EQ(twice.exit_code, 1);
  EXPECT_THAT(twice.err, HasSubstr("expected a name that is free"));
}

}  // namespace
}  // namespace trine::test
#endif
