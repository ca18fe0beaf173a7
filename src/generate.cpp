// SPDX-License-Identifier: Apache-2.0
// A part of trine::compiled (cmake/trine-compiled.cmake): text from models, and what watches them.
#include <trine/generate/generate.inl>
#include <trine/generate/generate_options.inl>
#include <trine/generate/generation_config.inl>
#include <trine/generate/logprobs.inl>
#include <trine/generate/model_comparison.inl>
#include <trine/generate/reference_outputs.inl>
#include <trine/generate/sampling_options.inl>
#include <trine/generate/self_test.inl>
#include <trine/generate/text_stream.inl>
#include <trine/routing/router_decorators.inl>
#include <trine/routing/routing_record.inl>
#include <trine/stats/load_balance.inl>
#include <trine/stats/routing_stats.inl>
#include <trine/stats/routing_trace.inl>
