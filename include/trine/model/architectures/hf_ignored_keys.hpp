// SPDX-License-Identifier: Apache-2.0
// Keys of config.json that do not affect the computation of a published model. Each was found in published files or in
// the configuration classes of transformers 4 and 5, which keep them as attributes that no model reads.
#pragma once

#include <array>
#include <string_view>

#include <trine/core/notes.hpp>

namespace trine::inline TRINE_ABI {

/// Keys of nearly every file. Not noted.
inline constexpr std::array kUnusedHfKeys = std::to_array<std::string_view>({
    "architectures",
    "auto_map",
    "_name_or_path",
    "name_or_path",
    "transformers_version",
    "dtype",
    "torch_dtype",
    "use_cache",
    "initializer_range",
    "attention_dropout",
    "hidden_dropout",
    "pretraining_tp",
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
    "unk_token_id",
    "_attn_implementation",
    "_attn_implementation_autoset",
    "output_router_logits",
    "router_aux_loss_coef",
    "router_jitter_noise",
    "aux_loss_alpha",
    "seq_aux",
    "ep_size",
    "return_dict",
    "output_hidden_states",
    "output_attentions",
    "id2label",
    "label2id",
    "chunk_size_feed_forward",
    "problem_type",
    "is_encoder_decoder",
    "is_decoder",
});

namespace detail {

inline constexpr std::string_view kOfGeneration = "a setting of generation: generation_config.json counts";
inline constexpr std::string_view kOfTokenizer = "of the tokenizer, whose files count";
inline constexpr std::string_view kOfTraining = "of training";
inline constexpr std::string_view kOfSoftware = "says how other software computes, not what";
inline constexpr std::string_view kOfOrigin = "says where the file comes from";
inline constexpr std::string_view kOfOldReleases = "of old transformers, not read since";

}  // namespace detail

/// Keys of other tools. Noted.
inline constexpr std::array kIgnoredHfKeys = std::to_array<IgnoredNames>({
    {"max_length", detail::kOfGeneration},
    {"min_length", detail::kOfGeneration},
    {"max_new_tokens", detail::kOfGeneration},
    {"min_new_tokens", detail::kOfGeneration},
    {"temperature", detail::kOfGeneration},
    {"top_k", detail::kOfGeneration},
    {"top_p", detail::kOfGeneration},
    {"min_p", detail::kOfGeneration},
    {"typical_p", detail::kOfGeneration},
    {"epsilon_cutoff", detail::kOfGeneration},
    {"eta_cutoff", detail::kOfGeneration},
    {"do_sample", detail::kOfGeneration},
    {"early_stopping", detail::kOfGeneration},
    {"num_beams", detail::kOfGeneration},
    {"num_beam_groups", detail::kOfGeneration},
    {"num_return_sequences", detail::kOfGeneration},
    {"*repetition_penalty", detail::kOfGeneration},
    {"length_penalty", detail::kOfGeneration},
    {"diversity_penalty", detail::kOfGeneration},
    {"exponential_decay_length_penalty", detail::kOfGeneration},
    {"*no_repeat_ngram_size", detail::kOfGeneration},
    {"bad_words_ids", detail::kOfGeneration},
    {"*suppress_tokens", detail::kOfGeneration},
    {"remove_invalid_values", detail::kOfGeneration},
    {"output_scores", detail::kOfGeneration},
    {"return_dict_in_generate", detail::kOfGeneration},
    {"assistant_confidence_threshold", detail::kOfGeneration},
    {"assistant_lookbehind", detail::kOfGeneration},
    {"target_lookbehind", detail::kOfGeneration},
    {"num_assistant_tokens*", detail::kOfGeneration},
    {"*_token_id", detail::kOfGeneration},
    {"generation_config", detail::kOfGeneration},
    {"tokenizer_class", detail::kOfTokenizer},
    {"tokenizer_file", detail::kOfTokenizer},
    {"model_max_length", detail::kOfTokenizer},
    {"padding_side", detail::kOfTokenizer},
    {"???_token", detail::kOfTokenizer},  // bos, eos, ...; but not num_experts_per_token
    {"mask_token", detail::kOfTokenizer},
    {"chat_template", detail::kOfTokenizer},
    {"*_pdrop", detail::kOfTraining},
    {"*_dropout", detail::kOfTraining},
    {"dropout", detail::kOfTraining},
    {"layerdrop", detail::kOfTraining},
    {"summary_*", detail::kOfTraining},
    {"*_loss_coef", detail::kOfTraining},
    {"*_loss_coeff", detail::kOfTraining},
    {"*_loss_alpha", detail::kOfTraining},
    {"*_loss_weight", detail::kOfTraining},
    {"loss_type", detail::kOfTraining},
    {"load_balance_coeff", detail::kOfTraining},
    {"initializer_*", detail::kOfTraining},
    {"gradient_checkpointing*", detail::kOfTraining},
    {"finetuning_task", detail::kOfTraining},
    {"task_specific_params", detail::kOfTraining},
    {"num_labels", detail::kOfTraining},
    {"use_bfloat16", detail::kOfTraining},
    {"torchscript", detail::kOfSoftware},
    {"tf_legacy_loss", detail::kOfSoftware},
    {"use_return_dict", detail::kOfSoftware},
    {"attn_implementation", detail::kOfSoftware},
    {"attn_implementation_internal", detail::kOfSoftware},
    {"_attn_implementation_internal", detail::kOfSoftware},
    {"experts_implementation", detail::kOfSoftware},
    {"_experts_implementation", detail::kOfSoftware},
    {"_experts_implementation_internal", detail::kOfSoftware},
    {"_moe_implementation", detail::kOfSoftware},
    {"use_grouped_mm", detail::kOfSoftware},
    {"backend", detail::kOfSoftware},
    {"use_flash_attn*", detail::kOfSoftware},
    {"use_flash_attention*", detail::kOfSoftware},
    {"flash_attention*", detail::kOfSoftware},
    {"_flash_attn_2_enabled", detail::kOfSoftware},
    {"use_sdpa", detail::kOfSoftware},
    {"use_xformers", detail::kOfSoftware},
    {"tensor_parallel_degree", detail::kOfSoftware},
    {"max_batch_size", detail::kOfSoftware},
    {"model_parallel*", detail::kOfSoftware},
    {"device_map", detail::kOfSoftware},
    {"neuron", detail::kOfSoftware},
    {"onnx*", detail::kOfSoftware},
    {"transformers.js_config", detail::kOfSoftware},
    {"unsloth_*", detail::kOfOrigin},
    {"_unsloth*", detail::kOfOrigin},
    {"_commit_hash", detail::kOfOrigin},
    {"_from_model_config", detail::kOfOrigin},
    {"internal_version", detail::kOfOrigin},
    {"is_llama_config", detail::kOfOrigin},
    {"max_sequence_length", detail::kOfOldReleases},
    {"model_name", detail::kOfOrigin},
    {"model_id", detail::kOfOrigin},
    {"base_model*", detail::kOfOrigin},
    {"license*", detail::kOfOrigin},
    {"datasets", detail::kOfOrigin},
    {"language", detail::kOfOrigin},
    {"tags", detail::kOfOrigin},
    {"description", detail::kOfOrigin},
});

}  // namespace trine::inline TRINE_ABI
