// SPDX-License-Identifier: Apache-2.0
// What a tokenizer is made of, whichever file format it came from.
//
//   text -> added tokens cut out -> normalizers -> pre-tokenizers -> model -> ids, between prefix and suffix
//   ids  -> decoder -> text
#pragma once

#include <memory>
#include <vector>

#include <trine/core/abi.hpp>
#include <trine/core/token_id.hpp>
#include <trine/text/tokenizer/added_tokens.hpp>
#include <trine/text/tokenizer/bpe.hpp>
#include <trine/text/tokenizer/decoder.hpp>
#include <trine/text/tokenizer/normalizer.hpp>
#include <trine/text/tokenizer/pre_tokenizer.hpp>
#include <trine/text/tokenizer/tokenizer_config.hpp>
#include <trine/text/tokenizer/vocabulary.hpp>

namespace trine::inline TRINE_ABI {

/// Filled by a reader, such as read_hf_tokenizer_json, which has checked that the parts fit each other.
struct TokenizerParts {
  std::shared_ptr<const Vocabulary> vocabulary;  // of the model
  std::vector<AddedToken> added_tokens;          // in the vocabulary under the same id, or not at all
  Normalizers normalizers;                       // in order
  std::vector<std::unique_ptr<const PreTokenizer>> pre_tokenizers;  // in order
  std::unique_ptr<const TokenModel> model;
  std::unique_ptr<const TokenDecoder> decoder;
  std::vector<TokenId> prefix;  // special tokens that a text begins with
  std::vector<TokenId> suffix;  // special tokens that it ends with
  TokenizerConfig config;
  std::vector<TokenId> eos_token_ids;  // that the file names besides the one of `config`
};

}  // namespace trine::inline TRINE_ABI
