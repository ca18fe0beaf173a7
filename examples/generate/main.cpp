// SPDX-License-Identifier: Apache-2.0
// Completes a prompt, and shows which experts did it.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include <trine/trine.hpp>

#include "common/interrupt.hpp"
#include "common/model.hpp"
#include "common/output_file.hpp"
#include "common/sampling.hpp"
#include "routing_table.hpp"

namespace {

struct Options {
  example::ModelOptions model;
  const CLI::Option* prompt_option = nullptr;  // it may be given as ""
  std::string prompt;
  std::string prompt_file;
  example::GenerationOptions generation;
  std::string prompt_cache;
  bool show_routing = false;
  bool json = false;
  bool display_prompt = true;

  void add_inplace(CLI::App& app) {
    model.add_model(app);
    model.add_allow_unknown(app);
    CLI::Option* text = app.add_option("-p,--prompt", prompt, "The text to complete")->type_name("TEXT");
    prompt_option = text;
    app.add_option("-f,--file", prompt_file, "A file with the text to complete; -: standard input")
        ->type_name("FILE")
        ->excludes(text);
    generation.add_max_new_tokens(app, "Most tokens to add");
    model.add_context(app, "Most tokens in all; 0: what the model was made for");
    model.add_threads(app);
    model.add_activations(app);
    model.add_cache_type(app);
    model.add_attention(app);
    model.add_reproducible(app);
    model.add_lora(app);
    CLI::Option* cache_option =
        app.add_option(
               "--prompt-cache", prompt_cache,
               "A file that keeps what the model has read: what a prompt has in common with it is not read again")
            ->type_name("FILE");

    generation.add_sampling(app);
    app.add_flag("--show-routing", show_routing, "Then print which experts served which token, and their load")
        ->excludes(cache_option)
        ->group("Output");
    app.add_flag("!--no-display-prompt", display_prompt, "Do not print the prompt before its completion")
        ->group("Output");
    app.add_flag("--json", json, "One JSON document instead of text, at the end")->group("Output");
  }
};

void print_speed(const char* what, std::size_t tokens, double seconds) {
  if (tokens == 0) return;
  std::fprintf(stderr, "%-8s %6zu tokens %8.2f s %10.1f tokens/s\n", what, tokens, seconds,
               static_cast<double>(tokens) / std::max(seconds, 1e-9));
}

// Restores the tokens that the file of --prompt-cache and `prompt` begin with; one is left to be read. How many?
std::size_t take_from_cache(const std::string& file, trine::Session& session, std::span<const trine::TokenId> prompt,
                            const std::stop_token& stop) {
  if (file.empty() || prompt.empty() || !std::filesystem::exists(file)) return 0;
  return session.restore_prefix(file, prompt.first(prompt.size() - 1), stop);
}

void complete(const Options& options) {
  example::check_outputs({{"--prompt-cache", options.prompt_cache}}, {{"--file", options.prompt_file}}, {});
  const trine::Model model = options.model.load();
  const trine::Tokenizer tokenizer = options.model.load_tokenizer();
  example::require_fit(model, options.model.context_length);
  const std::string prompt = options.prompt_file.empty() ? options.prompt : example::read_text(options.prompt_file);

  const example::Interrupt interrupt;
  trine::RoutingTrace trace;
  if (options.show_routing && !model.info().is_routed())
    throw trine::InputError("--show-routing: this model is dense, it has no routers");
  trine::Session session(model, {.context_length = options.model.context_length,
                                 .num_threads = options.model.num_threads,
                                 .activations = options.model.activations,
                                 .reproducible = options.model.reproducible,
                                 .kv_cache_dtype = options.model.kv_cache_dtype(),
                                 .observer = options.show_routing ? trine::borrow(trace) : nullptr,
                                 .adapters = options.model.load_adapters(model)});
  std::string waiting = options.display_prompt ? trine::to_valid_utf8(prompt) : "";  // until the model has taken it
  const auto show = [&](std::string_view text) {
    waiting += text;
    if (!options.json) std::fwrite(waiting.data(), 1, waiting.size(), stdout);
    waiting.clear();
    return example::try_flush_output();
  };
  trine::GenerateOptions generate = options.generation.for_model(options.model.directory);
  generate.cancel = interrupt.token();
  options.generation.announce_seed();
  trine::GenerateResult result;
  try {
    std::vector<trine::TokenId> prompt_tokens = tokenizer.encode(prompt);
    if (prompt_tokens.empty())
      throw example::UsageError("the prompt is empty, and the model has no token that a text begins with");
    const std::size_t cached = take_from_cache(options.prompt_cache, session, prompt_tokens, interrupt.token());
    const auto rest = prompt_tokens.begin() + static_cast<std::ptrdiff_t>(cached);
    result = trine::generate_from_tokens(session, tokenizer, {rest, prompt_tokens.end()}, generate, show);
    if (result.reason == trine::FinishReason::cancelled && interrupt.token().stop_requested())
      throw trine::CancelledError("cancelled by the caller");
    result.prompt_tokens = std::move(prompt_tokens);
    if (options.show_routing && !result.tokens.empty() && session.position() < session.context_length())
      session.forward({}, trine::OutputRows::last, interrupt.token());  // the last one, to be routed, too
    if (!options.prompt_cache.empty()) {
      session.truncate(session.position());  // the last token is not worth a pass
      session.save(options.prompt_cache);
    }
  } catch (const trine::CancelledError&) {
    show("\n");
    throw;
  }
  show("\n");

  std::vector<trine::TokenId> tokens = result.prompt_tokens;
  tokens.insert(tokens.end(), result.tokens.begin(), result.tokens.end());
  if (options.json) {
    nlohmann::ordered_json document = {
        {"prompt", trine::to_valid_utf8(prompt)},        {"text", result.text},
        {"prompt_tokens", result.prompt_tokens},         {"tokens", result.tokens},
        {"stop_reason", to_string(result.reason)},       {"seed", generate.sampling.seed},
        {"non_finite_logits", result.non_finite_logits}, {"prefill_seconds", result.prefill_seconds},
        {"decode_seconds", result.decode_seconds}};
    if (options.show_routing) {
      document["routing"] = trace.stats().to_json();
      document["experts"] = trace.experts_to_json();
    }
    std::printf("%s\n", document.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace).c_str());
  } else if (options.show_routing) {
    const std::string table = example::routing_table(trace, tokens, tokenizer, example::shows_colors(stdout));
    std::fwrite(table.data(), 1, table.size(), stdout);
    example::flush_output();  // before the speed, should both go to one file
  }
  if (result.cached_tokens > 0)
    std::fprintf(stderr, "%zu of %zu tokens of the prompt were in the cache\n", result.cached_tokens,
                 result.prompt_tokens.size());
  print_speed("prefill", result.prefill_tokens, result.prefill_seconds);
  print_speed("decode", result.tokens.empty() ? 0 : result.tokens.size() - 1, result.decode_seconds);
  if (result.non_finite_logits > 0)
    std::fprintf(stderr, "note: %zu logits were not finite\n", result.non_finite_logits);
  if (result.reason == trine::FinishReason::context_full)
    std::fprintf(stderr, "note: the text ends because the context of %zu tokens is full (-c)\n",
                 session.context_length());
}

}  // namespace

int main(int argc, char** argv) {
  example::Program program("trine-generate", "Completes a prompt with a language model, token after token.",
                           "trine-generate -m examples/models/shakespeare -p \"ROMEO:\" -n 100 --show-routing");
  Options options;
  options.add_inplace(program);
  return program.run(argc, argv, [&] {
    if (options.prompt_option->count() == 0 && options.prompt_file.empty())
      throw example::UsageError("a prompt is missing: -p TEXT, -f FILE or, for standard input, -f - (--help explains)");
    complete(options);
  });
}
