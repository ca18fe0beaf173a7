// SPDX-License-Identifier: Apache-2.0
// Published tokenizers, with the ids that Hugging Face tokenizers gives: tests/golden/tokenizer/README.md.
#include <string>

#include <gtest/gtest.h>

#include <trine/text/tokenizer/pcre2_regex.hpp>
#include <trine/text/tokenizer/tokenizer.hpp>

#include "text/real_tokenizers.hpp"

namespace trine::test {
namespace {

class RealTokenizer : public testing::TestWithParam<const char*> {};

TEST_P(RealTokenizer, GivesTheIdsAndTextsOfHuggingFaceTokenizers) {
  const Tokenizer tokenizer = Tokenizer::load(kReal / GetParam(), {.regex = pcre2_regex});
  expect_goldens(tokenizer, GetParam());
}

INSTANTIATE_TEST_SUITE_P(All, RealTokenizer,
                         testing::Values("deepseek", "claude", "llama3", "o200k_steps", "qwen", "mixtral_legacy",
                                         "mixtral", "spm"),
                         [](const auto& tokenizer) { return std::string(tokenizer.param); });

}  // namespace
}  // namespace trine::test
