// SPDX-License-Identifier: Apache-2.0
// A small tokenizer.json to take apart: byte b has id b, each merge adds the next id from 256 on.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include <trine/json/parse.hpp>
#include <trine/text/tokenizer/byte_level.hpp>
#include <trine/text/tokenizer/hf_tokenizer_json.hpp>
#include <trine/text/tokenizer/pcre2_regex.hpp>
#include <trine/text/tokenizer/tokenizer.hpp>

namespace trine::test {

inline std::string byte_token(unsigned byte) {
  std::string text;
  append_utf8(byte_character(static_cast<std::uint8_t>(byte)), text);
  return text;
}

/// `merges`: pairs of bytes or of what earlier merges made.
inline Json tiny_tokenizer(const std::vector<std::pair<std::string, std::string>>& merges = {{"a", "b"}, {"ab", "c"}}) {
  Json vocab = Json::object();
  for (unsigned byte = 0; byte < 256; ++byte) vocab[byte_token(byte)] = byte;
  Json merge_list = Json::array();
  for (const auto& [left, right] : merges) {
    const std::string result = to_byte_characters(left + right);
    if (!vocab.contains(result)) vocab[result] = vocab.size();
    merge_list.push_back(Json::array({to_byte_characters(left), to_byte_characters(right)}));
  }
  const Json byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", Json::array()},
          {"normalizer", nullptr},
          {"pre_tokenizer", byte_level},
          {"post_processor", nullptr},
          {"decoder", byte_level},
          {"model",
           {{"type", "BPE"},
            {"dropout", nullptr},
            {"unk_token", nullptr},
            {"continuing_subword_prefix", nullptr},
            {"end_of_word_suffix", nullptr},
            {"fuse_unk", false},
            {"byte_fallback", false},
            {"ignore_merges", false},
            {"vocab", vocab},
            {"merges", merge_list}}}};
}

/// An entry of "added_tokens"; flags are set on what it returns.
inline Json added_token(unsigned id, const std::string& content, bool special = false) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", special}};
}

inline Tokenizer make_tokenizer(const Json& document) {
  return Tokenizer(parse_hf_tokenizer_json(document.dump(), "tokenizer.json", pcre2_regex));
}

}  // namespace trine::test
