// SPDX-License-Identifier: Apache-2.0
#include <trine/core/error.hpp>
#include <trine/generate/generation_config.hpp>
#include <trine/json/parse.hpp>

#include <limits>
#include <string>

#include <gmock/gmock.h>

#include "support/expect_error.hpp"
#include "support/gguf_writer.hpp"
#include "support/temporary_directory.hpp"

namespace trine::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

GenerationConfig parse(const std::string& text) {
  return parse_generation_config(parse_json(text, "generation_config.json"), "generation_config.json");
}

SamplingOptions sampling(const std::string& text) {
  SamplingOptions options;
  parse(text).apply_to(options);
  return options;
}

TEST(GenerationConfig, ReadsOneEndTokenOrSeveral) {
  EXPECT_THAT(parse(R"({"eos_token_id": 5})").eos_token_ids, ElementsAre(5));
  EXPECT_THAT(parse(R"({"eos_token_id": [7, 5]})").eos_token_ids, ElementsAre(7, 5));
  EXPECT_THAT(parse(R"({"eos_token_id": null})").eos_token_ids, IsEmpty());
  EXPECT_THAT(parse(R"({"eos_token_id": -1, "pad_token_id": -1})").eos_token_ids, IsEmpty());
  EXPECT_EQ(parse(R"({"bos_token_id": 1})").bos_token_id, 1U);
}

TEST(GenerationConfig, TakesMissingIdsFromTheModel) {
  const TemporaryDirectory directory;
  directory.write("config.json", R"({"model_type": "x", "eos_token_id": [3], "bos_token_id": 2, "pad_token_id": 0})");
  EXPECT_THAT(read_generation_config(directory.path()).eos_token_ids, ElementsAre(3));
  directory.write("generation_config.json", R"({"eos_token_id": 9})");
  const GenerationConfig config = read_generation_config(directory.path());
  EXPECT_THAT(config.eos_token_ids, ElementsAre(9));
  EXPECT_EQ(config.bos_token_id, 2U);
  EXPECT_EQ(config.pad_token_id, 0U);
}

GenerationConfig of_gguf(const GgufWriter& writer) {
  const TemporaryDirectory directory;
  return read_generation_config(directory.write("model.gguf", writer.file()));
}

TEST(GenerationConfig, ReadsTheSamplingSettingsOfAGgufFile) {
  GgufWriter writer;
  writer.set("general.sampling.temp", 0.5F)
      .set("general.sampling.top_k", std::int32_t{20})
      .set("general.sampling.top_p", 0.75F)
      .set("general.sampling.min_p", 0.25F)
      .set("general.sampling.penalty_repeat", 1.5F)
      .set("general.sampling.penalty_last_n", std::int32_t{64})
      .set("general.sampling.mirostat", std::int32_t{0})
      .set("general.sampling.xtc_probability", 0.0F);
  SamplingOptions options;
  of_gguf(writer).apply_to(options);
  EXPECT_EQ(options.temperature, 0.5F);
  EXPECT_EQ(options.top_k, 20U);
  EXPECT_EQ(options.top_p, 0.75F);
  EXPECT_EQ(options.min_p, 0.25F);
  EXPECT_EQ(options.repeat_penalty, 1.5F);
  EXPECT_EQ(options.repeat_last_n, 64U);
  EXPECT_TRUE(options.temperature_first);

  SamplingOptions open;
  of_gguf(GgufWriter()).apply_to(open);
  EXPECT_EQ(open.temperature, SamplingOptions().temperature);
  EXPECT_FALSE(open.temperature_first);

  GgufWriter all;
  all.set("general.sampling.top_k", std::int32_t{-1})
      .set("general.sampling.penalty_repeat", 1.1F)
      .set("general.sampling.penalty_last_n", std::int32_t{-1});
  of_gguf(all).apply_to(open);
  EXPECT_EQ(open.top_k, 0U);
  EXPECT_EQ(open.repeat_last_n, std::numeric_limits<std::size_t>::max());
}

TEST(GenerationConfig, RefusesSettingsOfAGgufFileThatAreNotImplementedOrInvalid) {
  const auto with = [](const char* key, float value) {
    GgufWriter writer;
    writer.set(key, value);
    static_cast<void>(of_gguf(writer));
  };
  EXPECT_ERROR(with("general.sampling.xtc_probability", 0.5F), ConfigError,
               "general.sampling.xtc_probability: expected 0");
  EXPECT_ERROR(with("general.sampling.mirostat", 2.0F), ConfigError, "general.sampling.mirostat: expected 0");
  EXPECT_ERROR(with("general.sampling.top_p", 1.5F), ConfigError, "top_p");
  EXPECT_ERROR(with("general.sampling.temp", -1.0F), ConfigError, "general.sampling.temp: expected");
}

TEST(GenerationConfig, LeavesWhatTheFileLeavesOpen) {
  const SamplingOptions options = sampling(R"({"transformers_version": "4.57.0", "_from_model_config": true})");
  EXPECT_EQ(options.temperature, SamplingOptions().temperature);
  EXPECT_EQ(options.top_k, SamplingOptions().top_k);
  EXPECT_FALSE(options.temperature_first);
}

TEST(GenerationConfig, SamplesAsTransformersDoesWhenTheFileSaysSo) {
  const SamplingOptions options = sampling(R"({"do_sample": true, "top_p": 0.95})");
  EXPECT_EQ(options.temperature, 1.0F);
  EXPECT_EQ(options.top_k, 50U);
  EXPECT_EQ(options.top_p, 0.95F);
  EXPECT_EQ(options.min_p, 0.0F);
  EXPECT_TRUE(options.temperature_first);
  const SamplingOptions more =
      sampling(R"({"do_sample": true, "temperature": 0.6, "top_k": 20, "min_p": 0.1, "repetition_penalty": 1.05})");
  EXPECT_EQ(more.temperature, 0.6F);
  EXPECT_EQ(more.top_k, 20U);
  EXPECT_EQ(more.min_p, 0.1F);
  EXPECT_EQ(more.repeat_penalty, 1.05F);
  EXPECT_EQ(more.repeat_last_n, std::numeric_limits<std::size_t>::max());
}

TEST(GenerationConfig, TakesTheBestTokenWhenTheFileSaysNotToSample) {
  EXPECT_EQ(sampling(R"({"do_sample": false, "temperature": 0.7})").temperature, 0.0F);
}

TEST(GenerationConfig, TakesOneStopStringOrSeveral) {
  EXPECT_THAT(parse(R"({"stop_strings": "x"})").stop_strings, ElementsAre("x"));
  EXPECT_THAT(parse(R"({"stop_strings": ["x", "y"]})").stop_strings, ElementsAre("x", "y"));
}

TEST(GenerationConfig, RefusesWrongTypesAndRanges) {
  EXPECT_ERROR(parse("[]"), ConfigError, "generation_config.json: expected a JSON object, found a list");
  EXPECT_ERROR(parse(R"({"eos_token_id": "</s>"})"), ConfigError,
               "eos_token_id: expected a token id or a list of them, found '</s>'");
  EXPECT_ERROR(parse(R"({"eos_token_id": [1, 2.5]})"), ConfigError, "expected a token id or a list of them, found 2.5");
  EXPECT_ERROR(parse(R"({"eos_token_id": 4294967296})"), ConfigError, "expected a token id");
  EXPECT_ERROR(parse(R"({"bos_token_id": [1, 2]})"), ConfigError, "bos_token_id: expected one token id, found a list");
  EXPECT_ERROR(parse(R"({"do_sample": 1})"), ConfigError, "do_sample: expected true or false, found 1");
  EXPECT_ERROR(parse(R"({"temperature": "hot"})"), ConfigError, "temperature: expected a number from 0.0 to 1000000.0");
  EXPECT_ERROR(parse(R"({"temperature": -1})"), ConfigError, "temperature: expected a number");
  EXPECT_ERROR(parse(R"({"top_p": 1.5})"), ConfigError, "top_p: expected a number from 0.0 to 1.0, found 1.5");
  EXPECT_ERROR(parse(R"({"top_k": 2.0})"), ConfigError, "top_k: expected an integer");
  EXPECT_ERROR(parse(R"({"repetition_penalty": 0})"), ConfigError, "repetition_penalty: expected a number");
  EXPECT_ERROR(parse(R"({"max_new_tokens": -3})"), ConfigError, "max_new_tokens: expected an integer");
  EXPECT_ERROR(parse(R"({"stop_strings": [1]})"), ConfigError, "stop_strings: expected a string or a list of strings");
}

TEST(GenerationConfig, RefusesOtherMethodsUnlessTheyAreOff) {
  EXPECT_ERROR(parse(R"({"num_beams": 4})"), ConfigError, "num_beams: expected off, all that is supported, found 4");
  EXPECT_ERROR(parse(R"({"bad_words_ids": [[5]]})"), ConfigError, "bad_words_ids: expected off");
  EXPECT_ERROR(parse(R"({"forced_eos_token_id": 0})"), ConfigError, "forced_eos_token_id: expected off");
  EXPECT_ERROR(parse(R"({"no_repeat_ngram_size": 3})"), ConfigError, "no_repeat_ngram_size: expected off");
  EXPECT_ERROR(parse(R"({"min_new_tokens": 3})"), ConfigError, "min_new_tokens: expected 0");
  EXPECT_NO_THROW(parse(R"({"num_beams": 1, "bad_words_ids": null, "typical_p": 1.0, "no_repeat_ngram_size": 0,
                            "suppress_tokens": [], "guidance_scale": 1, "min_length": 0, "penalty_alpha": null})"));
}

}  // namespace
}  // namespace trine::test
