// SPDX-License-Identifier: Apache-2.0
// Models by the name that they have on the Hugging Face hub, in the folders where programs download them. Offline.
#pragma once

#include <filesystem>
#include <string_view>
#include <vector>

#include <trine/core/abi.hpp>
#include <trine/core/notes.hpp>

namespace trine::inline TRINE_ABI {

/// Where find_model looks for names, in this order; folders that do not exist included:
///   each folder of TRINE_MODELS, separated by colons
///   HF_HUB_CACHE, HF_HOME/hub, ~/.cache/huggingface/hub                  the cache of the hub; XDG_CACHE_HOME is
///   ~/.cache
///   ~/.lmstudio/models, ~/.cache/lm-studio/models                        LM Studio
[[nodiscard]] TRINE_DECL std::vector<std::filesystem::path> model_folders();

/// What Model::load reads for `name`: a model directory or a GGUF file. `name` is
///   a path, which takes precedence. Of a folder of GGUF files it means the one model there, of a folder of the hub's
///   cache a snapshot; a manifest of Ollama means its model. Any other path is returned as it is, existing or not.
///   ORG/NAME, in a folder as ORG/NAME or models--ORG--NAME. Its snapshot is that of refs/main, or the newest.
///   either of them with :SELECTION, for one of several GGUF models: its file, or a part of its file's name between
///   dots, hyphens and underscores, such as Q4_K_M, in any case.
/// The parts of a split model count as one. `notes` receives what lies there and is not read.
///
/// Nothing is opened but small files of these layouts. Throws FileError: no such model, several, or a download that is
/// not complete; each with what to do about it.
[[nodiscard]] TRINE_DECL std::filesystem::path find_model(
    std::string_view name, Notes* notes = nullptr, const std::vector<std::filesystem::path>& folders = model_folders());

}  // namespace trine::inline TRINE_ABI

#if TRINE_HEADER_ONLY
#include <trine/weights/find_model.inl>
#endif
