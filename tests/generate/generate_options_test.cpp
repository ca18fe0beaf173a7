// SPDX-License-Identifier: Apache-2.0
#include <trine/generate/generate_options.hpp>

#include <gmock/gmock.h>

#include "support/expect_error.hpp"
#include "support/temporary_directory.hpp"

namespace trine::test {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(GenerateOptions, AreThoseOfTheModelDirectory) {
  const TemporaryDirectory directory;
  directory.write("config.json", R"({"model_type": "x", "eos_token_id": 3})");
  directory.write("generation_config.json",
                  R"({"eos_token_id": [1, 2], "max_new_tokens": 7, "stop_strings": ["b", "c"], "temperature": 0.5})");
  const GenerateOptions options = GenerateOptions::load(directory.path());
  EXPECT_THAT(options.eos_token_ids, ElementsAre(1, 2));
  EXPECT_EQ(options.max_new_tokens, 7U);
  EXPECT_THAT(options.stop_strings, ElementsAre("b", "c"));
  EXPECT_EQ(options.sampling.temperature, 0.5F);
}

TEST(GenerateOptions, AreTheDefaultsWhereTheFilesSayNothing) {
  const TemporaryDirectory directory;
  directory.write("config.json", R"({"model_type": "x"})");
  const GenerateOptions options = GenerateOptions::load(directory.path());
  EXPECT_THAT(options.eos_token_ids, IsEmpty());
  EXPECT_EQ(options.max_new_tokens, GenerateOptions().max_new_tokens);
  EXPECT_EQ(options.sampling.temperature, SamplingOptions().temperature);
  EXPECT_ERROR(GenerateOptions::load(directory.path() / "none"), FileError, "none/config.json: cannot be opened");
}

TEST(GenerateOptions, KeepTheirOwnStopStringsWhenAConfigurationIsApplied) {
  GenerateOptions options;
  options.stop_strings = {"a"};
  GenerationConfig config;
  config.stop_strings = {"b"};
  options.apply(config);
  EXPECT_THAT(options.stop_strings, ElementsAre("a", "b"));
  EXPECT_EQ(options.max_new_tokens, GenerateOptions().max_new_tokens);
}

}  // namespace
}  // namespace trine::test
