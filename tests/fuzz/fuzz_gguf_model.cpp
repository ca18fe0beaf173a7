// SPDX-License-Identifier: Apache-2.0
// Any GGUF file as a model: configuration, renamed tensors, tokenizer, chat template and sampling settings. What is
// accepted runs, or one of our errors. Zeros follow the input, as weights that a cut seed lacks.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include <trine/core/notes.hpp>
#include <trine/generate/generation_config.hpp>
#include <trine/model/architectures/gguf/config.hpp>
#include <trine/model/architectures/gguf/tensors.hpp>
#include <trine/text/chat/chat_template.hpp>
#include <trine/text/tokenizer/detokenizer.hpp>
#include <trine/text/tokenizer/gguf_tokenizer.hpp>
#include <trine/text/tokenizer/pcre2_regex.hpp>
#include <trine/text/tokenizer/tokenizer.hpp>
#include <trine/weights/gguf.hpp>

#include "fuzz/fuzzed_model.hpp"
#include "support/temporary_directory.hpp"

namespace {

// Calls what may refuse the file.
template <class Read>
void attempt(const Read& read) {
  try {
    read();
  } catch (const trine::Error&) {
  }
}

void check_tokenizer(const trine::GgufMetadata& metadata) {
  const trine::Tokenizer tokenizer(trine::read_gguf_tokenizer(metadata, trine::pcre2_regex));
  for (const std::string_view text : {"To be, or not to be: 1234", "<|im_start|>\n\tx\xF0\x9F\x98\x80"}) {
    const auto ids = tokenizer.encode(text, {.parse_special = true});
    for (const trine::TokenId id : ids)
      if (!tokenizer.has_token(id)) std::abort();
    if (!trine::is_valid_utf8(tokenizer.decode(ids, false))) std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const trine::test::TemporaryDirectory directory;
  constexpr std::size_t kZeros = std::size_t{1} << 16U;
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const std::filesystem::path path = directory.write("model.gguf", bytes + std::string(kZeros, '\0'));
  attempt([&] {
    auto file = std::make_unique<const trine::GgufFile>(path, trine::FileAccess::read);
    const trine::GgufMetadata& metadata = file->metadata();
    attempt([&] { check_tokenizer(metadata); });
    attempt([&] { static_cast<void>(trine::ChatTemplate::load(path)); });
    attempt([&] { static_cast<void>(trine::read_generation_config(path)); });
    trine::Notes notes;
    const std::string architecture(metadata.string("general.architecture"));
    const trine::Json config = trine::gguf_config(metadata, *file, notes);
    trine::test::build_and_run(config,
                               std::make_unique<const trine::GgufTensors>(std::move(file), architecture, notes));
  });
  return 0;
}
