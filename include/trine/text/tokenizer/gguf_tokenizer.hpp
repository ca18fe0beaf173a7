// SPDX-License-Identifier: Apache-2.0
// The tokenizer of a GGUF file: its metadata as the tokenizer.json of the same model, which hf_tokenizer_json.hpp
// reads. https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, "Tokenizer"
//
// Supported are the models "gpt2", byte-level BPE with the pre-tokenizers of gguf_pre_tokenizers.hpp, and "llama",
// SentencePiece BPE, whose merges follow from scores. Others are refused by name.
#pragma once

#include <string>
#include <vector>

#include <trine/core/abi.hpp>
#include <trine/core/token_id.hpp>
#include <trine/json/fwd.hpp>
#include <trine/text/tokenizer/regex.hpp>
#include <trine/text/tokenizer/tokenizer_config.hpp>
#include <trine/text/tokenizer/tokenizer_parts.hpp>

namespace trine::inline TRINE_ABI {

class GgufMetadata;  // weights/gguf_metadata.hpp

/// The document that a tokenizer.json would hold. Throws ConfigError for a missing, invalid or unsupported value.
[[nodiscard]] TRINE_DECL Json gguf_tokenizer_json(const GgufMetadata& metadata);

/// The special tokens that the file names, by the keys of tokenizer_config.json: {"bos_token", "<s>"}. Throws
/// ConfigError.
[[nodiscard]] TRINE_DECL SpecialTokens gguf_special_tokens(const GgufMetadata& metadata);

/// The tokens that end a text, a turn or a message by the words of the file: "eos", "eot" and "eom". Ascending. Throws
/// ConfigError.
[[nodiscard]] TRINE_DECL std::vector<TokenId> gguf_eos_token_ids(const GgufMetadata& metadata);

/// "chat_template" of a tokenizer_config.json: null, one text, or several with names, the first "default". Throws
/// ConfigError.
[[nodiscard]] TRINE_DECL Json gguf_chat_template(const GgufMetadata& metadata);

/// All of it. `compile` makes patterns ready. Throws TokenizerError.
[[nodiscard]] TRINE_DECL TokenizerParts read_gguf_tokenizer(const GgufMetadata& metadata,
                                                            const RegexCompiler& compile = {});

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/text/tokenizer/gguf_tokenizer.inl>
#endif
