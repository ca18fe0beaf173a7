// SPDX-License-Identifier: Apache-2.0
// A part of trine::compiled (cmake/trine-compiled.cmake): tokenizers.
#include <trine/text/detokenizer.inl>
#include <trine/text/hf_tokenizer_json.inl>
#include <trine/text/tokenizer.inl>
#include <trine/text/tokenizer_config.inl>
