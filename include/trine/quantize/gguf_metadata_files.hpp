// SPDX-License-Identifier: Apache-2.0
// What the metadata of a GGUF file says beside the configuration of the model, as the files of a model directory.
#pragma once

#include <string>

#include <trine/json/parse.hpp>
#include <trine/model/architectures/gguf/generation.hpp>
#include <trine/platform/output_directory.hpp>
#include <trine/text/tokenizer/gguf_tokenizer.hpp>
#include <trine/text/tokenizer/tokenizer_config.hpp>
#include <trine/weights/gguf_metadata.hpp>

namespace trine::inline TRINE_ABI {

/// Writes tokenizer.json, tokenizer_config.json with the special tokens and chat templates, and generation_config.json
/// with the tokens that end a text and the settings of "general.sampling". Nothing for a file without a tokenizer.
/// Throws ConfigError for an invalid or unsupported value, FileError.
inline void write_metadata_files(const GgufMetadata& metadata, const OutputDirectory& output) {
  const auto write = [&](const char* name, const Json& document) {
    OutputFile file = output.create(name);
    file.write(document.dump(2) + "\n");
    file.finish();
  };
  Json generation = gguf_generation_config(metadata);
  if (metadata.has("tokenizer.ggml.model")) {
    write("tokenizer.json", gguf_tokenizer_json(metadata));
    Json config = Json::object();
    for (const auto& [name, token] : gguf_special_tokens(metadata)) config[name] = token;
    if (const Json chat = gguf_chat_template(metadata); !chat.is_null()) config["chat_template"] = chat;
    write("tokenizer_config.json", config);
    generation["eos_token_id"] = gguf_eos_token_ids(metadata);
  }
  if (!generation.empty()) write("generation_config.json", generation);
}

}  // namespace trine::inline TRINE_ABI
