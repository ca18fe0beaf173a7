// SPDX-License-Identifier: Apache-2.0
// A part of trine::compiled (cmake/trine-compiled.cmake): what reads files.
#include <trine/json/parse.inl>
#include <trine/platform/anonymous_memory.inl>
#include <trine/platform/mapped_file.inl>
#include <trine/weights/find_model.inl>
#include <trine/weights/gguf.inl>
#include <trine/weights/gguf_metadata.inl>
#include <trine/weights/open_weights.inl>
#include <trine/weights/quantized_modules.inl>
