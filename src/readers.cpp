// SPDX-License-Identifier: Apache-2.0
// A part of trine::compiled (cmake/trine-compiled.cmake): what reads files.
#include <trine/json/parse.inl>
#include <trine/text/tokenizer/hf_tokenizer_json.inl>
#include <trine/weights/open_weights.inl>
