// SPDX-License-Identifier: Apache-2.0
// A part of trine::compiled (cmake/trine-compiled.cmake): tokenizers.
#include <trine/text/tokenizer/detokenizer.inl>
#include <trine/text/tokenizer/gguf_tokenizer.inl>
#include <trine/text/tokenizer/hf_tokenizer_json.inl>
#include <trine/text/tokenizer/tokenizer.inl>
#include <trine/text/tokenizer/tokenizer_config.inl>
