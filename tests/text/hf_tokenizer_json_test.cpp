// SPDX-License-Identifier: Apache-2.0
#include <trine/text/tokenizer/hf_tokenizer_json.hpp>

#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <trine/core/random.hpp>

#include "support/expect_error.hpp"
#include "text/tiny_tokenizer.hpp"

namespace trine {
namespace {

using test::added_token;
using test::make_tokenizer;
using test::tiny_tokenizer;
using testing::ElementsAre;
using Ids = std::vector<TokenId>;

TEST(HfTokenizerJson, ReadsBothFormsOfMerges) {
  Json document = tiny_tokenizer();
  EXPECT_THAT(make_tokenizer(document).encode("abcab"), ElementsAre(257, 256));
  document["model"]["merges"] = Json::array({"a b", "ab c"});
  EXPECT_THAT(make_tokenizer(document).encode("abcab"), ElementsAre(257, 256));
}

TEST(HfTokenizerJson, ReadsOldFilesWithoutTypeAndSwitches) {
  Json document = tiny_tokenizer();
  for (const char* key : {"type", "byte_fallback", "ignore_merges", "fuse_unk", "unk_token"})
    document["model"].erase(key);
  document["pre_tokenizer"].erase("use_regex");
  for (const char* key : {"version", "truncation", "padding", "added_tokens", "normalizer", "post_processor"}) {
    document.erase(key);
  }
  EXPECT_THAT(make_tokenizer(document).encode("abc a"), ElementsAre(257, ' ', 'a'));
}

TEST(HfTokenizerJson, IgnoresWhatOnlyBatchesNeed) {
  Json document = tiny_tokenizer();
  document["truncation"] = {{"max_length", 1}};
  document["padding"] = {{"strategy", "BatchLongest"}};
  EXPECT_EQ(make_tokenizer(document).encode("xyz").size(), 3U);
}

TEST(HfTokenizerJson, ReadsSequencesOfOneStep) {
  Json document = tiny_tokenizer();
  document["normalizer"] = {{"type", "Sequence"}, {"normalizers", Json::array()}};
  document["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", Json::array({document["pre_tokenizer"]})}};
  document["decoder"] = {{"type", "Sequence"}, {"decoders", Json::array({document["decoder"]})}};
  document["pre_tokenizer"]["pretokenizers"][0]["add_prefix_space"] = true;
  EXPECT_THAT(make_tokenizer(document).encode("a"), ElementsAre(' ', 'a'));
}

TEST(HfTokenizerJson, ReadsTheUnknownToken) {
  Json document = tiny_tokenizer({});
  document["model"]["vocab"].erase("!");
  document["model"]["unk_token"] = "?";
  EXPECT_THAT(make_tokenizer(document).encode("a!!"), ElementsAre('a', '?', '?'));
  document["model"]["fuse_unk"] = true;
  EXPECT_THAT(make_tokenizer(document).encode("a!!"), ElementsAre('a', '?'));
}

// The outcome for vocabularies of published files is compared with the reference in components_test.cpp.
TEST(HfTokenizerJson, DropsBytesWithoutAToken) {
  Json document = tiny_tokenizer();
  document["model"]["vocab"].erase("x");
  document["model"]["vocab"].erase(test::byte_token(0xC3));
  EXPECT_THAT(make_tokenizer(document).encode("axb"), ElementsAre(256));  // what is left is merged
  EXPECT_THAT(make_tokenizer(document).encode("xx"), ElementsAre());
  EXPECT_THAT(make_tokenizer(document).encode("\xC3\xA9"), ElementsAre(0xA9));
  EXPECT_THAT(make_tokenizer(document).encode("\xC3\xFF"), ElementsAre(0xFF));
}

Json template_processor() {
  return Json::parse(R"({"type": "TemplateProcessing",
      "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}},
                 {"SpecialToken": {"id": "</s>", "type_id": 0}}],
      "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
      "special_tokens": {"<s>": {"id": "<s>", "ids": [300], "tokens": ["<s>"]},
                         "</s>": {"id": "</s>", "ids": [301, 300], "tokens": ["</s>", "<s>"]}}})");
}

TEST(HfTokenizerJson, ReadsTheTemplateOfSpecialTokens) {
  Json document = tiny_tokenizer();
  document["added_tokens"] = Json::array({added_token(300, "<s>", true), added_token(301, "</s>", true)});
  document["post_processor"] = template_processor();
  const Tokenizer tokenizer = make_tokenizer(document);
  EXPECT_THAT(tokenizer.encode("a"), ElementsAre(300, 'a', 301, 300));
  EXPECT_THAT(tokenizer.encode("a", {.add_special_tokens = false}), ElementsAre('a'));
  EXPECT_THAT(tokenizer.encode(""), ElementsAre(300, 301, 300));

  document["post_processor"] = {{"type", "Sequence"},
                                {"processors", Json::array({document["decoder"], template_processor()})}};
  EXPECT_THAT(make_tokenizer(document).encode("a"), ElementsAre(300, 'a', 301, 300));
}

Json split_step(const Json& pattern) {
  return {{"type", "Split"}, {"pattern", pattern}, {"behavior", "Isolated"}, {"invert", false}};
}

void prepend_step(Json& document, const Json& step) {
  document["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", Json::array({step, document["pre_tokenizer"]})}};
}

struct Damage {
  const char* name;
  std::function<void(Json&)> apply;
  const char* message;  // a part of the error, with the place
};

const std::vector<Damage>& damages() {
  static const std::vector<Damage> all = {
      {"not an object", [](Json& d) { d = Json::array(); }, "tokenizer.json: expected a JSON object, found a list"},
      {"no model", [](Json& d) { d.erase("model"); }, "tokenizer.json: model: expected a value, found none"},
      {"model is a list", [](Json& d) { d["model"] = Json::array(); }, "model: expected a JSON object, found a list"},
      {"unknown key", [](Json& d) { d["modle"] = 1; }, "unknown key 'modle'; the nearest known key is 'model'"},
      {"unknown key in the model", [](Json& d) { d["model"]["vocabs"] = 1; }, "model: unknown key 'vocabs'"},
      {"another version", [](Json& d) { d["version"] = "2.0"; }, "version: expected one of \"1.0\", found '2.0'"},
      {"another model", [](Json& d) { d["model"]["type"] = "Unigram"; },
       "model.type: expected one of \"BPE\", found 'Unigram'"},
      {"dropout", [](Json& d) { d["model"]["dropout"] = 0.1; }, "model.dropout: expected a number from"},
      {"prefix of subwords", [](Json& d) { d["model"]["continuing_subword_prefix"] = "##"; },
       "model.continuing_subword_prefix: expected null or \"\", all that is supported, found '##'"},
      {"suffix of words", [](Json& d) { d["model"]["end_of_word_suffix"] = "</w>"; }, "model.end_of_word_suffix"},
      {"a switch that is a number", [](Json& d) { d["model"]["ignore_merges"] = 1; },
       "model.ignore_merges: expected true or false, found 1"},
      {"unknown token outside the vocabulary",
       [](Json& d) {
         d["model"]["unk_token"] = "<unk>";
         d["model"]["vocab"].erase("!");
       },
       "model.unk_token: expected a token of the vocabulary, found '<unk>'"},

      {"no vocabulary", [](Json& d) { d["model"].erase("vocab"); }, "model.vocab: expected a value, found none"},
      {"empty vocabulary", [](Json& d) { d["model"]["vocab"] = Json::object(); },
       "model.vocab: expected an object with at least one token"},
      {"vocabulary is a list", [](Json& d) { d["model"]["vocab"] = Json::array({"a"}); },
       "model.vocab: expected an object"},
      {"negative id", [](Json& d) { d["model"]["vocab"]["!"] = -1; },
       "model.vocab['!']: expected an integer from 0 to 66575, found -1"},
      {"fractional id", [](Json& d) { d["model"]["vocab"]["!"] = 33.0; }, "model.vocab['!']: expected an integer"},
      {"id as text", [](Json& d) { d["model"]["vocab"]["!"] = "33"; }, "model.vocab['!']: expected an integer from"},
      {"huge id", [](Json& d) { d["model"]["vocab"]["!"] = 4294967295U; }, "found 4294967295"},
      {"id beyond 64 bits", [](Json& d) { d["model"]["vocab"]["!"] = 1e30; }, "model.vocab['!']: expected an integer"},
      {"two tokens of one id", [](Json& d) { d["model"]["vocab"]["!"] = 34; },
       "expected an id of its own, found 34, which is "},

      {"no merges", [](Json& d) { d["model"].erase("merges"); }, "model.merges: expected a value, found none"},
      {"merges is an object", [](Json& d) { d["model"]["merges"] = Json::object(); }, "model.merges: expected a list"},
      {"merge of one token", [](Json& d) { d["model"]["merges"][1] = "ab"; },
       "model.merges[1]: expected \"left right\" or [\"left\", \"right\"], found 'ab'"},
      {"merge of three words", [](Json& d) { d["model"]["merges"][1] = "a b c"; }, "model.merges[1]: expected"},
      {"merge of three tokens",
       [](Json& d) {
         d["model"]["merges"][1] = Json::array({"a", "b", "c"});
       },
       "model.merges[1]: expected"},
      {"merge of numbers",
       [](Json& d) {
         d["model"]["merges"][0] = Json::array({1, 2});
       },
       "model.merges[0]: expected"},
      {"merge is null", [](Json& d) { d["model"]["merges"][0] = nullptr; }, "model.merges[0]: expected"},
      {"merge of unknown tokens", [](Json& d) { d["model"]["merges"].push_back("xx y"); },
       "tokenizer.json: model.merges[2]: expected two tokens of the vocabulary, found 'xx y'"},
      {"merge of nothing", [](Json& d) { d["model"]["merges"].push_back(" a"); },
       "model.merges[2]: expected two tokens of the vocabulary, found ' a'"},
      {"merge into an unknown token", [](Json& d) { d["model"]["merges"].push_back("x y"); },
       "model.merges[2]: expected the merged token in the vocabulary, found no 'xy'"},
      {"a merge twice", [](Json& d) { d["model"]["merges"].push_back("a b"); },
       "model.merges[2]: expected each pair once, found that of model.merges[0]"},

      {"added tokens are an object", [](Json& d) { d["added_tokens"] = Json::object(); },
       "added_tokens: expected a list, found an object"},
      {"added token is a text", [](Json& d) { d["added_tokens"] = Json::array({"<s>"}); },
       "added_tokens[0]: expected a JSON object, found '<s>'"},
      {"added token without flag", [](Json& d) { d["added_tokens"][0].erase("lstrip"); },
       "added_tokens[0].lstrip: expected a value, found none"},
      {"added token with an unknown flag", [](Json& d) { d["added_tokens"][0]["strip"] = true; },
       "added_tokens[0]: unknown key 'strip'"},
      {"added token with a negative id", [](Json& d) { d["added_tokens"][0]["id"] = -3; },
       "added_tokens[0].id: expected"},
      {"added token with a huge id", [](Json& d) { d["added_tokens"][0]["id"] = 100000000; },
       "added_tokens[0].id: expected an integer from 0 to"},
      {"added token with the id of another", [](Json& d) { d["added_tokens"][0]["id"] = 65; },
       "added_tokens[0].id: expected an id of its own, or the one of '<s>' in the vocabulary, found 65"},
      {"added token with another id than in the vocabulary", [](Json& d) { d["added_tokens"][0]["content"] = "a"; },
       "added_tokens[0].id: expected an id of its own, or the one of 'a' in the vocabulary, found 300"},
      {"added token twice", [](Json& d) { d["added_tokens"].push_back(added_token(301, "<s>")); },
       "added_tokens[1].id"},
      {"two added tokens of one id", [](Json& d) { d["added_tokens"].push_back(added_token(300, "<t>")); },
       "added_tokens[1].id: expected an id of its own"},

      {"an unknown normalizer",
       [](Json& d) {
         d["normalizer"] = {{"type", "Precompiled"}};
       },
       "normalizer.type: expected one of \"NFC\", \"NFD\", \"NFKC\", \"NFKD\", \"Prepend\", \"Replace\", \"Strip\", "
       "\"Sequence\", found 'Precompiled'"},
      {"an unknown normalizer in a sequence",
       [](Json& d) {
         d["normalizer"] = {{"type", "Sequence"}, {"normalizers", Json::array({Json{{"type", "Lowercase"}}})}};
       },
       "normalizer.normalizers[0].type: expected"},
      {"a decoder for bytes alone", [](Json& d) { d["pre_tokenizer"] = nullptr; },
       "decoder: expected a step \"ByteLevel\" in pre_tokenizer, too, found none"},
      {"an unknown pre-tokenizer",
       [](Json& d) {
         d["pre_tokenizer"] = {{"type", "BertPreTokenizer"}};
       },
       "pre_tokenizer.type: expected one of \"ByteLevel\", \"Digits\", \"Metaspace\", \"Punctuation\", \"Split\", "
       "\"Whitespace\", \"WhitespaceSplit\", \"Sequence\", found 'BertPreTokenizer'"},
      {"a split without pattern",
       [](Json& d) {
         prepend_step(d, {{"type", "Split"}});
       },
       "pre_tokenizer.pretokenizers[0].pattern: expected a value, found none"},
      {"a split at nothing",
       [](Json& d) {
         prepend_step(d, split_step({{"String", ""}}));
       },
       "pre_tokenizer.pretokenizers[0].pattern.String: expected a text that is not empty"},
      {"a split at something else",
       [](Json& d) {
         prepend_step(d, split_step({{"Glob", "*"}}));
       },
       "pre_tokenizer.pretokenizers[0].pattern.Regex: expected a value, found none"},
      {"a split at two things",
       [](Json& d) {
         prepend_step(d, split_step({{"String", "a"}, {"Regex", "b"}}));
       },
       "pre_tokenizer.pretokenizers[0].pattern: unknown key 'Regex'"},
      {"a pattern that is none",
       [](Json& d) {
         prepend_step(d, split_step({{"Regex", "(a"}}));
       },
       "pre_tokenizer.pretokenizers[0].pattern.Regex: pattern '(a': expected ')', found the end at byte 2"},
      {"a pattern that is not supported",
       [](Json& d) {
         prepend_step(d, split_step({{"Regex", "\\b"}}));
       },
       "pre_tokenizer.pretokenizers[0].pattern.Regex: pattern '\\b': '\\b' is not supported at byte 2"},
      {"an unknown behaviour",
       [](Json& d) {
         Json step = split_step({{"String", "a"}});
         step["behavior"] = "Dropped";
         prepend_step(d, step);
       },
       "pre_tokenizer.pretokenizers[0].behavior: expected one of \"Removed\", \"Isolated\""},
      {"digits without switch",
       [](Json& d) {
         prepend_step(d, {{"type", "Digits"}});
       },
       "pre_tokenizer.pretokenizers[0].individual_digits: expected a value, found none"},
      {"a metaspace of two characters",
       [](Json& d) {
         prepend_step(d, {{"type", "Metaspace"}, {"replacement", "__"}});
       },
       "pre_tokenizer.pretokenizers[0].replacement: expected one character, found '__'"},
      {"a metaspace that contradicts itself",
       [](Json& d) {
         prepend_step(
             d,
             {{"type", "Metaspace"}, {"replacement", "_"}, {"add_prefix_space", false}, {"prepend_scheme", "first"}});
       },
       "pre_tokenizer.pretokenizers[0].prepend_scheme: expected \"never\", since add_prefix_space is false, found "
       "'first'"},
      {"a metaspace that cannot know where the text began",
       [](Json& d) {
         d["normalizer"] = {{"type", "Strip"}, {"strip_left", true}, {"strip_right", true}};
         prepend_step(d, {{"type", "Metaspace"}, {"replacement", "_"}, {"prepend_scheme", "first"}});
       },
       "pre_tokenizer.pretokenizers[0].prepend_scheme: \"first\" is not supported behind a normalizer \"Replace\" or "
       "\"Strip\""},
      {"a replacement by a long text",
       [](Json& d) {
         d["normalizer"] = {{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", std::string(65, 'x')}};
       },
       "normalizer.content: expected at most 64 bytes, found 65"},
      {"too many normalizers",
       [](Json& d) {
         d["normalizer"] = {{"type", "Sequence"}, {"normalizers", Json::array()}};
         for (int i = 0; i < 33; ++i) d["normalizer"]["normalizers"].push_back({{"type", "NFC"}});
       },
       "normalizer.normalizers[32]: expected at most 32 steps, found more"},
      {"an empty sequence",
       [](Json& d) {
         d["pre_tokenizer"] = {{"type", "Sequence"}, {"pretokenizers", Json::array()}};
       },
       "decoder: expected a step \"ByteLevel\" in pre_tokenizer, too, found none"},
      {"pre-tokenizer without switch", [](Json& d) { d["pre_tokenizer"].erase("add_prefix_space"); },
       "pre_tokenizer.add_prefix_space: expected a value, found none"},
      {"pre-tokenizer with an unknown key", [](Json& d) { d["pre_tokenizer"]["regex"] = "x"; },
       "pre_tokenizer: unknown key 'regex'"},
      {"another decoder",
       [](Json& d) {
         d["decoder"] = {{"type", "WordPiece"}};
       },
       "decoder.type: expected one of \"ByteFallback\", \"ByteLevel\", \"Fuse\", \"Metaspace\", \"Replace\", "
       "\"Strip\", "
       "\"Sequence\", found 'WordPiece'"},
      {"a decoder for characters alone",
       [](Json& d) {
         d["decoder"] = {{"type", "ByteFallback"}};
       },
       "decoder: expected \"ByteLevel\", as in pre_tokenizer, found another"},
      {"decoders in a strange order",
       [](Json& d) {
         d["decoder"] = {{"type", "Sequence"},
                         {"decoders", Json::array({{{"type", "Fuse"}}, {{"type", "ByteFallback"}}})}};
       },
       "decoder.decoders[1].type: expected no \"ByteFallback\" or \"Fuse\" before \"ByteFallback\", found one"},
      {"a decoder behind bytes",
       [](Json& d) {
         d["decoder"] = {{"type", "Sequence"}, {"decoders", Json::array({d["decoder"], {{"type", "Fuse"}}})}};
       },
       "decoder.decoders[1]: expected no step after \"ByteLevel\""},
      {"too many decoders",
       [](Json& d) {
         d["decoder"] = {{"type", "Sequence"}, {"decoders", Json::array()}};
         for (int i = 0; i < 33; ++i)
           d["decoder"]["decoders"].push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
       },
       "decoder.decoders[32]: expected at most 32 steps, found more"},
      {"another post-processor",
       [](Json& d) {
         d["post_processor"] = {{"type", "Other"}};
       },
       "post_processor.type: expected one of \"BertProcessing\", \"ByteLevel\", \"RobertaProcessing\", "
       "\"TemplateProcessing\", \"Sequence\", found 'Other'"},
      {"a post-processor of a pair without an id",
       [](Json& d) {
         d["post_processor"] = {{"type", "BertProcessing"}, {"cls", Json::array({"<s>", 300})}, {"sep", "</s>"}};
       },
       "post_processor.sep: expected [\"text\", id], found '</s>'"},
      {"a post-processor of a pair with an id without token",
       [](Json& d) {
         d["post_processor"] = {
             {"type", "RobertaProcessing"}, {"cls", Json::array({"<s>", 299})}, {"sep", Json::array({"</s>", 301})}};
       },
       "post_processor.cls[1]: expected the id of a token, found 299"},
      {"a template without text", [](Json& d) { d["post_processor"]["single"].erase(1); },
       "post_processor.single: expected {\"Sequence\": {\"id\": \"A\"}}, found none"},
      {"a template with two texts",
       [](Json& d) { d["post_processor"]["single"].push_back(d["post_processor"]["single"][1]); },
       "post_processor.single[3]: expected the text once, found it again"},
      {"a template of a pair", [](Json& d) { d["post_processor"]["single"][1]["Sequence"]["id"] = "B"; },
       "post_processor.single[1].Sequence.id: expected one of \"A\", found 'B'"},
      {"a template with an unknown token",
       [](Json& d) { d["post_processor"]["single"][0]["SpecialToken"]["id"] = "<x>"; },
       "post_processor.special_tokens.<x>: expected a value, found none"},
      {"a template with an id without token",
       [](Json& d) { d["post_processor"]["special_tokens"]["<s>"]["ids"] = Json::array({299}); },
       "post_processor.special_tokens.<s>.ids[0]: expected the id of a token, found 299"},
      {"a template with something else",
       [](Json& d) {
         d["post_processor"]["single"][0] = {{"Token", 1}};
       },
       "post_processor.single[0].SpecialToken: expected a value, found none"},
  };
  return all;
}

TEST(HfTokenizerJson, NamesWhatIsWrong) {
  for (const Damage& damage : damages()) {
    SCOPED_TRACE(damage.name);
    Json document = tiny_tokenizer();
    document["added_tokens"] = Json::array({added_token(300, "<s>", true), added_token(301, "</s>", true)});
    document["post_processor"] = template_processor();
    ASSERT_NO_THROW(static_cast<void>(make_tokenizer(document)));
    if (std::string_view(damage.name).starts_with("added token twice") ||
        std::string_view(damage.name).starts_with("two added")) {
      document["added_tokens"].erase(1);
    }
    damage.apply(document);
    EXPECT_ERROR(make_tokenizer(document), TokenizerError, damage.message);
  }
}

TEST(HfTokenizerJson, RefusesWhatIsNoJson) {
  const auto read = [](const std::string& text) { return parse_hf_tokenizer_json(text, "tokenizer.json"); };
  EXPECT_ERROR(read(""), TokenizerError, "tokenizer.json: not valid JSON at byte");
  EXPECT_ERROR(read("{\"model\": "), TokenizerError, "not valid JSON");
  EXPECT_ERROR(read("{\"model\": {}, \"model\": {}}"), TokenizerError, "key 'model' appears twice");
  EXPECT_ERROR(read("{\"a\": \"\xFF\"}"), TokenizerError, "not valid JSON");
  EXPECT_ERROR(read(std::string(1U << 20U, '[')), TokenizerError, "nested levels");
  std::string nested = "{\"pre_tokenizer\": ";
  for (int i = 0; i < 100000; ++i) nested += R"({"type": "Sequence", "pretokenizers": [)";
  EXPECT_ERROR(read(nested), TokenizerError, "nested levels");
  EXPECT_ERROR(read_hf_tokenizer_json("/nonexistent/tokenizer.json"), FileError, "/nonexistent/tokenizer.json");
}

// Any bytes in: a tokenizer or a TokenizerError. AddressSanitizer watches when it is on.
TEST(HfTokenizerJson, DamagedBytesGiveATokenizerOrOneTypedError) {
  Json document = tiny_tokenizer({{"a", "b"}});
  document["added_tokens"] = Json::array({added_token(300, "<s>", true), added_token(301, "</s>", true)});
  document["post_processor"] = template_processor();
  const std::string original = document.dump();
  std::size_t loaded = 0;
  for (std::uint64_t seed = 0; seed < 3000; ++seed) {
    const CounterRandom random{seed};
    std::string text = original;
    const auto at = static_cast<std::size_t>(random.uniform(0) * double(text.size()));
    switch (seed % 4) {
      case 0:
        text[at] = static_cast<char>(static_cast<unsigned char>(random.uniform(1) * 256.0));
        break;
      case 1:
        text.resize(at);
        break;
      case 2:
        text.erase(at, static_cast<std::size_t>(random.uniform(1) * 30.0));
        break;
      default:
        text.insert(at, original, static_cast<std::size_t>(random.uniform(1) * double(original.size())), 20);
    }
    try {
      const Tokenizer tokenizer(parse_hf_tokenizer_json(text, "tokenizer.json", pcre2_regex));
      static_cast<void>(tokenizer.decode(tokenizer.encode("ab <s> \xFF", {.parse_special = true})));
      ++loaded;
    } catch (const TokenizerError&) {
    }
  }
  EXPECT_GT(loaded, 0U);
}

}  // namespace
}  // namespace trine
