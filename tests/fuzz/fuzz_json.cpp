// SPDX-License-Identifier: Apache-2.0
// Any text as JSON: a document that can be copied and written again, which gives the same document, or a ConfigError.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include <trine/json/parse.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const trine::Json document = trine::parse_json({reinterpret_cast<const char*>(data), size}, "input");
    const trine::Json copy = document;  // recurses once a level, like its destructor
    if (trine::parse_json(copy.dump(), "copy") != document) std::abort();
  } catch (const trine::ConfigError&) {
  }
  return 0;
}
