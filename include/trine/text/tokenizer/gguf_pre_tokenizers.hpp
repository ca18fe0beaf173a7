// SPDX-License-Identifier: Apache-2.0
// "tokenizer.ggml.pre" of GGUF files: a name for everything that cuts a text before byte-level BPE merges it. The
// names are those of llama.cpp (src/llama-vocab.cpp); what they mean stands in the tokenizer.json of the models that
// they were made for: where llama.cpp approximates it, such as by leaving out normalization, this does not.
#pragma once

#include <array>
#include <span>
#include <string_view>

#include <trine/core/abi.hpp>

namespace trine::inline TRINE_ABI::detail {

/// One name.
struct GgufPreTokenizer {
  std::string_view name;
  std::span<const std::string_view> patterns;  ///< each cuts what the one before it left: their matches stand alone
  bool gpt2 = false;                           ///< the pattern of GPT-2 follows
  bool nfc = false;                            ///< texts are normalized first
  bool ignore_merges = false;                  ///< a piece that is a token needs no merging
  bool add_bos = false;                        ///< where the file does not say so
};

inline constexpr std::array kLlama3Patterns = std::to_array<std::string_view>(
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+)"
     R"(|\s+(?!\S)|\s+)"});
inline constexpr std::array kQwen2Patterns = std::to_array<std::string_view>(
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+)"
     R"(|\s+(?!\S)|\s+)"});
inline constexpr std::array kQwen35Patterns = std::to_array<std::string_view>(
    {R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+)"
     R"(|\s+(?!\S)|\s+)"});
inline constexpr std::array kTekkenPatterns =
    std::to_array<std::string_view>({R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)"
                                     R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)"
                                     R"(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"});
inline constexpr std::array kO200kPatterns = std::to_array<std::string_view>(
    {R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
     R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
     R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)"});
inline constexpr std::array kKimiPatterns = std::to_array<std::string_view>(
    {R"([\p{Han}]+)"
     R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+)"
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
     R"(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]+[\p{Ll}\p{Lm}\p{Lo}\p{M}&&[^\p{Han}]]*)"
     R"((?i:'s|'t|'re|'ve|'m|'ll|'d)?)"
     R"(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)"});
inline constexpr std::array kDeepseek3Patterns = std::to_array<std::string_view>(
    {R"(\p{N}{1,3})", "[一-龥぀-ゟ゠-ヿ]+",
     R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*)"
     R"(|\s*[\r\n]+|\s+(?!\S)|\s+)"});
/// The letters are most of those that have a case.
inline constexpr std::array kDeepseekPatterns = std::to_array<std::string_view>(
    {R"([\r\n])",
     R"(\s?[A-Za-z\x{b5}\x{c0}-\x{d6}\x{d8}-\x{f6}\x{f8}-\x{1ba}\x{1bc}-\x{1bf}\x{1c4}-\x{293}\x{295}-\x{2af})"
     R"(\x{370}-\x{373}\x{376}\x{377}\x{37b}-\x{37d}\x{37f}\x{386}\x{388}-\x{38a}\x{38c}\x{38e}-\x{3a1})"
     R"(\x{3a3}-\x{3f5}\x{3f7}-\x{481}\x{48a}-\x{52f}\x{531}-\x{556}\x{10a0}-\x{10c5}\x{13a0}-\x{13f5})"
     R"(\x{13f8}-\x{13fd}\x{1c90}-\x{1cba}\x{1cbd}-\x{1cbf}\x{1d00}-\x{1d2b}\x{1d6b}-\x{1d77})"
     R"(\x{1d79}-\x{1d9a}\x{1e00}-\x{1f15}\x{1f18}-\x{1f1d}\x{1f20}-\x{1f45}\x{1f48}-\x{1f4d})"
     R"(\x{1f50}-\x{1f57}\x{1f59}\x{1f5b}\x{1f5d}\x{1f5f}-\x{1f7d}\x{1f80}-\x{1fb4}\x{1fb6}-\x{1fbc}\x{1fbe})"
     R"(\x{1fc2}-\x{1fc4}\x{1fc6}-\x{1fcc}\x{1fd0}-\x{1fd3}\x{1fd6}-\x{1fdb}\x{1fe0}-\x{1fec})"
     R"(\x{1ff2}-\x{1ff4}\x{1ff6}-\x{1ffc}\x{2102}\x{2107}\x{210a}-\x{2113}\x{2115}\x{2119}-\x{211d}\x{2124})"
     R"(\x{2126}\x{2128}\x{212a}-\x{212d}\x{212f}-\x{2134}\x{2139}\x{213c}-\x{213f}\x{2145}-\x{2149}\x{214e})"
     R"(\x{2183}\x{2184}\x{2c00}-\x{2c7b}\x{2c7e}-\x{2ce4}\x{2ceb}-\x{2cee}\x{2cf2}\x{2cf3}\x{a640}-\x{a66d})"
     R"(\x{a680}-\x{a69b}\x{a722}-\x{a76f}\x{a771}-\x{a787}\x{a78b}-\x{a78e}\x{ab70}-\x{abbf})"
     R"(\x{fb00}-\x{fb06}\x{fb13}-\x{fb17}\x{ff21}-\x{ff3a}\x{ff41}-\x{ff5a}\x{10400}-\x{1044f})"
     R"(\x{104b0}-\x{104d3}\x{104d8}-\x{104fb}\x{10c80}-\x{10cb2}\x{10cc0}-\x{10cf2}\x{118a0}-\x{118df})"
     R"(\x{1e900}-\x{1e943}]+)",
     R"(\s?[!-/:-~！-／：-～‘-‟　-。]+)", R"(\s+$)", "[一-龥ࠀ-一가-퟿]+", R"(\p{N})"});
inline constexpr std::array kDeepseekCoderPatterns = std::to_array<std::string_view>(
    {R"([\r\n])", R"(\s?\p{L}+)", R"(\s?\p{P}+)", "[一-龥ࠀ-一가-퟿]+", R"(\p{N})"});
inline constexpr std::array kDigitPatterns = std::to_array<std::string_view>({R"(\p{N})"});

/// All names that are known here, in the order in which errors list them.
inline constexpr std::array kGgufPreTokenizers = std::to_array<GgufPreTokenizer>({
    {.name = "llama-bpe", .patterns = kLlama3Patterns, .ignore_merges = true, .add_bos = true},
    {.name = "llama3", .patterns = kLlama3Patterns, .ignore_merges = true, .add_bos = true},
    {.name = "llama-v3", .patterns = kLlama3Patterns, .ignore_merges = true, .add_bos = true},
    {.name = "pixtral", .patterns = kLlama3Patterns, .ignore_merges = true, .add_bos = true},
    {.name = "falcon3", .patterns = kLlama3Patterns, .ignore_merges = true, .add_bos = true},
    {.name = "smaug-bpe", .patterns = kLlama3Patterns},
    {.name = "dbrx", .patterns = kLlama3Patterns},
    {.name = "glm4", .patterns = kLlama3Patterns},
    {.name = "chatglm-bpe", .patterns = kLlama3Patterns},
    {.name = "qwen2", .patterns = kQwen2Patterns, .nfc = true},
    {.name = "qwen35", .patterns = kQwen35Patterns, .nfc = true},
    {.name = "deepseek-r1-qwen", .patterns = kQwen2Patterns},
    {.name = "hunyuan", .patterns = kQwen2Patterns, .nfc = true, .ignore_merges = true},
    {.name = "deepseek-llm", .patterns = kDeepseekPatterns},
    {.name = "deepseek-coder", .patterns = kDeepseekCoderPatterns},
    {.name = "deepseek-v3", .patterns = kDeepseek3Patterns},
    {.name = "kimi-k2", .patterns = kKimiPatterns, .ignore_merges = true},
    {.name = "gpt-4o", .patterns = kO200kPatterns, .ignore_merges = true},
    {.name = "llama4", .patterns = kO200kPatterns, .ignore_merges = true},
    {.name = "minimax-m2", .patterns = kO200kPatterns},
    {.name = "tekken", .patterns = kTekkenPatterns, .ignore_merges = true, .add_bos = true},
    {.name = "olmo", .patterns = {}, .gpt2 = true, .nfc = true},
    {.name = "gpt-2", .patterns = {}, .gpt2 = true},
    {.name = "mpt", .patterns = {}, .gpt2 = true, .nfc = true},
    {.name = "smollm", .patterns = kDigitPatterns, .gpt2 = true},
    {.name = "starcoder", .patterns = kDigitPatterns, .gpt2 = true},
    {.name = "refact", .patterns = kDigitPatterns, .gpt2 = true},
});

}  // namespace trine::inline TRINE_ABI::detail
