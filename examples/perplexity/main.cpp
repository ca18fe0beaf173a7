// SPDX-License-Identifier: Apache-2.0
// How well a model predicts a text, and how evenly its experts work on it.
#include <cstdio>
#include <string>

#include <nlohmann/json.hpp>

#include <trine/stats/routing_stats.hpp>

#include "common/interrupt.hpp"
#include "common/model.hpp"
#include "common/model_comparison.hpp"
#include "common/output_file.hpp"
#include "common/perplexity.hpp"

int main(int argc, char** argv) {
  example::Program program(
      "trine-perplexity",
      "Scores a text in windows that do not overlap: every token but the very first is predicted from\n"
      "those before it in its window. Prints perplexity with its standard error, bits per byte, and\n"
      "the utilization of the experts (1: all work equally much).",
      "trine-perplexity -m examples/models/shakespeare -f TEXT_FILE");
  example::ModelOptions options;
  std::string file;
  std::string against;
  bool json = false;
  options.add_model(program);
  options.add_allow_unknown(program);
  program.add_option("-f,--file", file, "The text; -: standard input")->type_name("FILE");
  program
      .add_option("--against", against,
                  "A model that it is compared with, token by token: perplexity, KL divergence, best\n"
                  "tokens, experts; that one with activations in f32")
      ->type_name("MODEL");
  options.add_context(program, "Tokens of a window; 0: 512, or as many as the model can");
  options.add_threads(program);
  options.add_activations(program);
  options.add_cache_type(program);
  options.add_attention(program);
  options.add_reproducible(program);
  options.add_lora(program);
  program.add_flag("--json", json, "One JSON document instead of text");

  program.advise({"-p", "--prompt"}, "a text to score comes from a file, -f FILE, or from standard input, -f -");

  return program.run(argc, argv, [&] {
    if (file.empty())
      throw example::UsageError("a text is missing: -f FILE or, for standard input, -f - (--help explains)");
    const trine::Model model = options.load();
    const trine::Tokenizer tokenizer = options.load_tokenizer();
    const example::ScoredText text(model, tokenizer, example::read_text(file), file, options.context_length);
    const example::Interrupt interrupt;
    if (!against.empty()) {
      example::ModelOptions other = options;
      other.directory = against;
      const trine::ModelComparison found = example::compare(other.load(), model,
                                                            {.num_threads = options.num_threads,
                                                             .activations = options.activations,
                                                             .reproducible = options.reproducible,
                                                             .kv_cache_dtype = options.kv_cache_dtype(),
                                                             .adapters = options.load_adapters(model)},
                                                            text, interrupt.token());
      if (json) {
        std::printf("%s\n", example::to_json(found).dump(2).c_str());
      } else {
        example::print(found);
      }
      return;
    }
    trine::RoutingStats routing;
    const example::Perplexity found = example::measure_perplexity(model, text,
                                                                  {.num_threads = options.num_threads,
                                                                   .activations = options.activations,
                                                                   .reproducible = options.reproducible,
                                                                   .kv_cache_dtype = options.kv_cache_dtype(),
                                                                   .observer = trine::borrow(routing),
                                                                   .adapters = options.load_adapters(model)},
                                                                  interrupt.token(), "scoring");
    nlohmann::ordered_json utilization;  // null for a dense model
    if (model.info().is_routed()) utilization = routing.overall().utilization;
    if (json) {
      nlohmann::ordered_json document = {{"perplexity", found.perplexity},
                                         {"perplexity_error", found.standard_error},
                                         {"bits_per_byte", found.bits_per_byte},
                                         {"utilization", utilization},
                                         {"tokens", text.ids.size()},
                                         {"context", text.window},
                                         {"non_finite_logits", found.non_finite_logits},
                                         {"routing", routing.to_json()}};
      std::printf("%s\n", document.dump(2).c_str());
      return;
    }
    std::printf("tokens         %zu, windows of %zu\n", text.ids.size(), text.window);
    std::printf("perplexity     %.4f +/- %.4f\n", found.perplexity, found.standard_error);
    std::printf("bits per byte  %.4f\n", found.bits_per_byte);
    example::note_non_finite_logits(found.non_finite_logits);
    if (utilization.is_null()) {
      std::printf("utilization    none, the model is dense\n");
    } else {
      std::printf("utilization    %.4f\n", utilization.get<double>());
    }
  });
}
