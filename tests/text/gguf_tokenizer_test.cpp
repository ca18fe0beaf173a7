// SPDX-License-Identifier: Apache-2.0
// Tokenizers of GGUF files: published ones as converters store them, against the ids of Hugging Face tokenizers; every
// pre-tokenizer; what is refused.
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <trine/text/chat/chat_template.hpp>
#include <trine/text/tokenizer/byte_level.hpp>
#include <trine/text/tokenizer/gguf_tokenizer.hpp>
#include <trine/text/tokenizer/pcre2_regex.hpp>
#include <trine/text/tokenizer/tokenizer.hpp>
#include <trine/weights/gguf.hpp>

#include "support/expect_error.hpp"
#include "support/gguf_writer.hpp"
#include "support/temporary_directory.hpp"
#include "text/real_tokenizers.hpp"

namespace trine::test {
namespace {

using testing::ElementsAre;

constexpr std::int32_t kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kUnused = 5, kByte = 6;

/// Keys of "tokenizer.ggml." and the tokens, from which a file is made.
struct GgufVocabulary {
  std::string model = "gpt2";
  std::string pre = "";
  std::vector<std::string> tokens = {};
  std::vector<std::int32_t> types = {};
  std::vector<std::string> merges = {};
  std::vector<float> scores = {};
  std::map<std::string, std::uint32_t> ids = {};  // "bos": ...
  std::map<std::string, bool> flags = {};         // "add_bos_token": ...
  std::map<std::string, std::string> templates = {};

  [[nodiscard]] std::string file() const {
    GgufWriter writer;
    const std::string prefix = "tokenizer.ggml.";
    writer.set("general.architecture", std::string("any"));
    writer.set(prefix + "model", model);
    if (!pre.empty()) writer.set(prefix + "pre", pre);
    writer.set_array(prefix + "tokens", tokens);
    if (!types.empty()) writer.set_array(prefix + "token_type", types);
    if (!merges.empty()) writer.set_array(prefix + "merges", merges);
    if (!scores.empty()) writer.set_array(prefix + "scores", scores);
    for (const auto& [name, id] : ids) writer.set(prefix + name + "_token_id", id);
    for (const auto& [name, flag] : flags) writer.set(prefix + name, flag);
    for (const auto& [name, text] : templates) writer.set("tokenizer.chat_template" + name, text);
    return writer.file();
  }
};

/// What a converter makes of a tokenizer.json: gaps are unused tokens, added ones control or user-defined.
GgufVocabulary converted(const Json& document, std::string model, std::string pre) {
  GgufVocabulary result{.model = std::move(model), .pre = std::move(pre)};
  std::map<std::uint32_t, std::pair<std::string, std::int32_t>> tokens;
  for (const auto& [text, id] : document.at("model").at("vocab").items()) {
    const bool is_byte = result.model == "llama" && text.size() == 6 && text.starts_with("<0x");
    tokens[id.get<std::uint32_t>()] = {text, is_byte ? kByte : kNormal};
  }
  for (const Json& added : document.at("added_tokens")) {
    const bool is_unknown = added.at("content") == "<unk>";
    tokens[added.at("id")] = {added.at("content"), is_unknown            ? kUnknown
                                                   : added.at("special") ? kControl
                                                                         : kUserDefined};
  }
  for (std::uint32_t id = 0; id <= tokens.rbegin()->first; ++id) {
    const auto found = tokens.find(id);
    result.tokens.push_back(found == tokens.end() ? "[PAD" + std::to_string(id) + "]" : found->second.first);
    result.types.push_back(found == tokens.end() ? kUnused : found->second.second);
  }
  std::map<std::string, float> scores;  // of a SentencePiece model, as its merges lie
  for (const Json& pair : document.at("model").at("merges")) {
    const std::string merge =
        pair.is_string() ? pair.get<std::string>() : pair[0].get<std::string>() + " " + pair[1].get<std::string>();
    if (result.model == "gpt2") {
      result.merges.push_back(merge);
    } else {
      const std::size_t space = merge.find(' ');
      scores.emplace(merge.substr(0, space) + merge.substr(space + 1), -static_cast<float>(scores.size()));
    }
  }
  if (result.model == "llama")
    for (const std::string& token : result.tokens)
      result.scores.push_back(scores.contains(token) ? scores[token] : -1e6F);
  return result;
}

Tokenizer load(const GgufVocabulary& vocabulary) {
  const TemporaryDirectory place;
  return Tokenizer::load(place.write("model.gguf", vocabulary.file()), {.regex = pcre2_regex});
}

struct Published {
  const char* name;
  const char* model;
  const char* pre;
  bool adds_bos;
  const char* bos;
  const char* without;  // lines that are not compared
};

class PublishedGguf : public testing::TestWithParam<Published> {};

TEST_P(PublishedGguf, GivesTheIdsAndTextsOfHuggingFaceTokenizers) {
  const auto& [name, model, pre, adds_bos, bos, without] = GetParam();
  GgufVocabulary vocabulary = converted(read_json_file(kReal / name / "tokenizer.json"), model, pre);
  vocabulary.flags["add_bos_token"] = adds_bos;
  const auto bos_id = std::ranges::find(vocabulary.tokens, std::string(bos)) - vocabulary.tokens.begin();
  if (adds_bos) vocabulary.ids["bos"] = static_cast<std::uint32_t>(bos_id);
  expect_goldens(load(vocabulary), name, without);
}

// What a file cannot say is that an added token is found after normalization: <tool> behind a prefix of a space.
INSTANTIATE_TEST_SUITE_P(All, PublishedGguf,
                         testing::Values(Published{"deepseek", "gpt2", "deepseek-v3", false, "", ""},
                                         Published{"llama3", "gpt2", "llama-bpe", true, "<|begin_of_text|>", ""},
                                         Published{"o200k_steps", "gpt2", "gpt-4o", false, "", ""},
                                         Published{"qwen", "gpt2", "qwen2", false, "", ""},
                                         Published{"mixtral_legacy", "llama", "", true, "<s>", "<tool>"}),
                         [](const auto& tokenizer) { return std::string(tokenizer.param.name); });

/// All bytes, and merges: 12, 34, 123, 1234; "é" of its two bytes; "ab" is a token without merges.
GgufVocabulary tiny(const std::string& pre) {
  GgufVocabulary result{.pre = pre};
  for (unsigned byte = 0; byte < 256; ++byte)
    result.tokens.push_back(to_byte_characters(std::string(1, static_cast<char>(byte))));
  const std::string e = to_byte_characters("\xC3\xA9");
  for (const std::string& token : {std::string("12"), std::string("34"), std::string("123"), std::string("1234"), e,
                                   std::string("ab"), to_byte_characters(" 1")})
    result.tokens.push_back(token);
  result.merges = {"1 2", "12 3", "123 4", "3 4", e.substr(0, 2) + " " + e.substr(2), to_byte_characters(" ") + " 1"};
  result.types.assign(result.tokens.size(), kNormal);
  return result;
}

struct PreTokenizerCase {
  const char* name;
  const char* digits;  // "1234" in tokens
  bool nfc;
  bool ignores_merges;
};

class GgufPreTokenizerNamed : public testing::TestWithParam<PreTokenizerCase> {};

TEST_P(GgufPreTokenizerNamed, CutsNormalizesAndMergesAsItsModels) {
  const auto& [name, digits, nfc, ignores_merges] = GetParam();
  const Tokenizer tokenizer = load(tiny(name));
  const auto tokens = [&](std::string_view text) {
    std::string all;
    for (const TokenId id : tokenizer.encode(text))
      all += (all.empty() ? "" : "|") + std::string(tokenizer.token_bytes(id));
    return all;
  };
  EXPECT_EQ(tokens("1234"), digits);
  EXPECT_EQ(tokens("e\xCC\x81"), nfc ? "\xC3\xA9" : "e|\xCC|\x81");
  EXPECT_EQ(tokens("ab"), ignores_merges ? "ab" : "a|b");
  EXPECT_TRUE(tokenizer.prefix_ids().empty()) << "no bos_token_id, so none is added";
}

INSTANTIATE_TEST_SUITE_P(
    All, GgufPreTokenizerNamed,
    testing::Values(
        PreTokenizerCase{"llama-bpe", "123|4", false, true}, PreTokenizerCase{"llama3", "123|4", false, true},
        PreTokenizerCase{"llama-v3", "123|4", false, true}, PreTokenizerCase{"pixtral", "123|4", false, true},
        PreTokenizerCase{"falcon3", "123|4", false, true}, PreTokenizerCase{"smaug-bpe", "123|4", false, false},
        PreTokenizerCase{"dbrx", "123|4", false, false}, PreTokenizerCase{"glm4", "123|4", false, false},
        PreTokenizerCase{"chatglm-bpe", "123|4", false, false}, PreTokenizerCase{"qwen2", "1|2|3|4", true, false},
        PreTokenizerCase{"qwen35", "1|2|3|4", true, false},
        PreTokenizerCase{"deepseek-r1-qwen", "1|2|3|4", false, false},
        PreTokenizerCase{"hunyuan", "1|2|3|4", true, true}, PreTokenizerCase{"llama4", "123|4", false, true},
        PreTokenizerCase{"deepseek-llm", "1|2|3|4", false, false},
        PreTokenizerCase{"deepseek-coder", "1|2|3|4", false, false},
        PreTokenizerCase{"deepseek-v3", "123|4", false, false}, PreTokenizerCase{"kimi-k2", "123|4", false, true},
        PreTokenizerCase{"gpt-4o", "123|4", false, true}, PreTokenizerCase{"minimax-m2", "123|4", false, false},
        PreTokenizerCase{"tekken", "1|2|3|4", false, true}, PreTokenizerCase{"olmo", "1234", true, false},
        PreTokenizerCase{"mpt", "1234", true, false}, PreTokenizerCase{"gpt-2", "1234", false, false},
        PreTokenizerCase{"smollm", "1|2|3|4", false, false}, PreTokenizerCase{"starcoder", "1|2|3|4", false, false},
        PreTokenizerCase{"refact", "1|2|3|4", false, false}),
    [](const auto& one) {
      std::string name = one.param.name;
      std::ranges::replace(name, '-', '_');
      return name;
    });

TEST(GgufTokenizer, PutsTheTokensAroundATextThatTheFileNames) {
  GgufVocabulary vocabulary = tiny("llama-bpe");
  vocabulary.tokens.insert(vocabulary.tokens.end(), {"<s>", "</s>", "<|eot|>", "<think>", "[PAD267]"});
  vocabulary.types.insert(vocabulary.types.end(), {kControl, kControl, kControl, kUserDefined, kUnused});
  vocabulary.ids = {{"bos", 263}, {"eos", 264}, {"eot", 265}, {"eom", 4294967295U}};
  const Tokenizer tokenizer = load(vocabulary);
  EXPECT_THAT(tokenizer.encode("a"), ElementsAre(263, 97)) << "the pre-tokenizer says so";
  EXPECT_THAT(tokenizer.encode("<s><think>", {.parse_special = true}), ElementsAre(263, 263, 266));
  EXPECT_THAT(tokenizer.eos_token_ids(), ElementsAre(264, 265));
  EXPECT_EQ(tokenizer.config().bos_token, "<s>");
  EXPECT_TRUE(tokenizer.is_special(265));
  EXPECT_FALSE(tokenizer.is_special(266));
  EXPECT_FALSE(tokenizer.has_token(267)) << "a row of the embedding";

  vocabulary.flags = {{"add_bos_token", false}, {"add_eos_token", true}};
  EXPECT_THAT(load(vocabulary).encode("a"), ElementsAre(97, 264));
}

GgufVocabulary sentencepiece() {
  return {.model = "llama",
          .tokens = {"<unk>", "<s>", "</s>", "<0x0A>", "\xE2\x96\x81", "a", "b", "ab",
                     "\xE2\x96\x81"
                     "a"},
          .types = {kUnknown, kControl, kControl, kByte, kNormal, kNormal, kNormal, kNormal, kNormal},
          .scores = {0, 0, 0, 0, -1, -2, -3, -4, -5}};
}

TEST(GgufTokenizer, MergesByScores) {
  GgufVocabulary vocabulary = sentencepiece();
  EXPECT_THAT(load(vocabulary).encode("ab"), ElementsAre(1, 4, 7)) << "ab has the better score";
  std::swap(vocabulary.scores[7], vocabulary.scores[8]);
  EXPECT_THAT(load(vocabulary).encode("ab"), ElementsAre(1, 8, 6));
  EXPECT_EQ(load(vocabulary).decode(std::vector<TokenId>{1, 8, 6}), "ab");
  vocabulary.flags = {{"add_space_prefix", false}, {"add_bos_token", false}};
  EXPECT_THAT(load(vocabulary).encode("ab"), ElementsAre(7));
  vocabulary.merges = {"a b"};  // of the file, then
  vocabulary.scores.clear();
  EXPECT_THAT(load(vocabulary).encode(" ab"), ElementsAre(4, 7));
}

TEST(GgufTokenizer, OfGemma4MergesCharactersByTheMergesOfTheFile) {
  const std::string space = "\xE2\x96\x81";
  GgufVocabulary vocabulary{.model = "gemma4",
                            .tokens = {"<pad>", "<eos>", "<bos>", "<unk>", "<0xC3>", "<0xA9>", space, "a", "b", "ab",
                                       space + "a", "\n", "\n\n", "<|channel>"},
                            .types = {kControl, kControl, kControl, kUnknown, kByte, kByte, kNormal, kNormal, kNormal,
                                      kNormal, kNormal, kNormal, kNormal, kUserDefined},
                            .merges = {"\n \n", space + " a", "a b"}};
  vocabulary.flags["add_bos_token"] = true;
  const Tokenizer tokenizer = load(vocabulary);
  EXPECT_THAT(tokenizer.encode("ab ab"), ElementsAre(2, 9, 10, 8))
      << "no space before the text; the first merge counts";
  EXPECT_THAT(tokenizer.encode("a\n\n\xC3\xA9<|channel>"), ElementsAre(2, 7, 12, 4, 5, 13));
  EXPECT_EQ(tokenizer.decode(std::vector<TokenId>{9, 10, 8, 12, 4, 5}), "ab ab\n\n\xC3\xA9");
  EXPECT_THAT(tokenizer.eos_token_ids(), ElementsAre(1));
  GgufVocabulary twice = vocabulary;
  twice.tokens.emplace_back("b");
  twice.types.push_back(kNormal);
  EXPECT_THAT(load(twice).encode("b"), ElementsAre(2, 14)) << "the last one counts";
  vocabulary.merges.clear();
  EXPECT_ERROR(load(vocabulary), TokenizerError, "tokenizer.ggml.merges: expected");
}

TEST(GgufTokenizer, RefusesByName) {
  const auto refuses = [](GgufVocabulary vocabulary, const auto& change, std::string_view text) {
    change(vocabulary);
    EXPECT_ERROR(load(vocabulary), TokenizerError, std::string(text));
  };
  using V = GgufVocabulary;
  const V bytes = tiny("gpt-2");
  refuses(
      bytes, [](V& v) { v.model = "t5"; },
      "tokenizer.ggml.model: expected 'gpt2', 'llama' or 'gemma4', found string 't5'");
  refuses(
      bytes, [](V& v) { v.pre = "gpt-3"; }, "tokenizer.ggml.pre: expected one of llama-bpe, llama3,");
  refuses(
      bytes, [](V& v) { v.pre = ""; }, "found none");
  refuses(
      bytes, [](V& v) { v.types.pop_back(); }, "tokenizer.ggml.token_type: expected as many as tokens, 263");
  refuses(
      bytes, [](V& v) { v.types[0] = 7; }, "tokenizer.ggml.token_type");
  refuses(
      bytes, [](V& v) { v.tokens[5] = v.tokens[4]; }, "tokenizer.ggml.tokens: expected each token once");
  refuses(
      bytes, [](V& v) { v.tokens[5] = "\xFF"; }, "tokenizer.ggml.tokens: expected UTF-8");
  refuses(
      bytes, [](V& v) { v.merges[0] = "\xFF \xFF"; }, "tokenizer.ggml.merges: expected UTF-8");
  refuses(
      bytes, [](V& v) { v.merges[0] = "x y"; }, "merges[0]");
  refuses(
      bytes, [](V& v) { v.merges.clear(); }, "tokenizer.ggml.merges");
  refuses(
      bytes, [](V& v) { v.ids["eos"] = 263; }, "tokenizer.ggml.eos_token_id: expected the id of one of 263 tokens");
  refuses(
      bytes, [](V& v) { v.flags["add_bos_token"] = true; },
      "tokenizer.ggml.bos_token_id: expected the id of a token, because add_bos_token is true");
  refuses(
      bytes, [](V& v) { v.flags["add_space_prefix"] = true; }, "tokenizer.ggml.add_space_prefix: expected false");
  const V characters = sentencepiece();
  refuses(
      characters, [](V& v) { v.scores.assign(v.scores.size(), 0.0F); }, "tokenizer.ggml.scores: expected scores");
  refuses(
      characters, [](V& v) { v.scores.pop_back(); }, "tokenizer.ggml.scores: expected as many as tokens");
  refuses(
      characters, [](V& v) { v.flags["remove_extra_whitespaces"] = true; },
      "tokenizer.ggml.remove_extra_whitespaces: expected false");
  refuses(
      characters, [](V& v) { v.flags["precompiled_charsmap"] = true; },
      "tokenizer.ggml.precompiled_charsmap: expected no normalization");
}

TEST(GgufTokenizer, HasTheChatTemplatesOfTheFile) {
  const TemporaryDirectory place;
  GgufVocabulary vocabulary = tiny("gpt-2");
  vocabulary.tokens.emplace_back("<s>");
  vocabulary.types.push_back(kControl);
  vocabulary.ids["bos"] = 263;
  EXPECT_ERROR(ChatTemplate::load(place.write("none.gguf", vocabulary.file())), TemplateError,
               "expected tokenizer.chat_template, found none");
  ChatInput input;
  input.messages = {{{
                         "role",
                         "user",
                     },
                     {"content", "hi"}}};
  vocabulary.templates[""] = "{{ bos_token }}{{ messages[0]['content'] }}";
  EXPECT_EQ(ChatTemplate::load(place.write("one.gguf", vocabulary.file())).render(input).text, "<s>hi");
  vocabulary.templates[".tool_use"] = "tools";
  const ChatTemplate both = ChatTemplate::load(place.write("two.gguf", vocabulary.file()));
  EXPECT_EQ(both.render(input).text, "<s>hi");
  input.tools = {{{"name", "f"}}};
  EXPECT_EQ(both.render(input).text, "tools");
}

}  // namespace
}  // namespace trine::test
