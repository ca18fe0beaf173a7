// SPDX-License-Identifier: Apache-2.0
// Logits and chosen experts of given tokens, for comparison with other implementations.
#include <cstdio>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <trine/core/printable.hpp>
#include <trine/platform/atomic_file.hpp>
#include <trine/stats/routing_trace.hpp>

#include "common/interrupt.hpp"
#include "common/model.hpp"
#include "common/output_file.hpp"
#include "common/token_list.hpp"
#include "features.hpp"

int main(int argc, char** argv) {
  example::Program program(
      "trine-logits",
      "Runs a model once and writes its logits as raw little-endian f32, row-major [tokens, vocab];\n"
      "for a model whose outputs belong to frames, [frames, outputs].",
      "trine-logits -m examples/models/shakespeare --tokens 1,2,3 -o logits.f32 --experts experts.json");
  example::ModelOptions options;
  std::string tokens;
  std::string prompt;
  std::string features;
  std::string output;
  std::string experts;
  std::size_t prefill_chunk = trine::SessionOptions{}.prefill_chunk;
  options.add_model(program);
  options.add_allow_unknown(program);
  auto* input = program.add_option_group("input", "One of these");
  input->add_option("--tokens", tokens, "Token ids: 1,2,3")->type_name("IDS");
  input->add_option("-p,--prompt", prompt, "A text, to be tokenized")->type_name("TEXT");
  input
      ->add_option("--features", features,
                   "CSV file for a model of features: a line for each site of each frame, num_features numbers each;\n"
                   "a first line of names is skipped")
      ->type_name("FILE");
  input->require_option(-1);  // at most
  program.add_option("-o,--output", output, "Where the logits go")->required()->type_name("FILE");
  program
      .add_option("--experts", experts,
                  "Where the chosen experts go, as JSON: {\"LAYER\": [[experts of token 0, best first], ...], ...}")
      ->type_name("FILE");
  program
      .add_option("-b,--batch-size", prefill_chunk,
                  "Tokens computed at once, the others from the cache; 1: token by token, as an answer is made")
      ->type_name("N")
      ->check(example::whole_number(1, 1U << 20U));
  options.add_threads(program);
  options.add_activations(program);
  options.add_cache_type(program);
  options.add_attention(program);
  options.add_reproducible(program);
  options.add_lora(program);
  options.add_context(program, "Most positions; 0: what the model was made for");

  return program.run(argc, argv, [&] {
    if (tokens.empty() && features.empty() && program.get_option("--prompt")->count() == 0)
      throw example::UsageError(
          "an input is missing: --tokens IDS, -p TEXT or --features FILE; a text on standard input is -p \"$(cat)\" "
          "(--help explains)");
    example::check_outputs({{"--output", output}, {"--experts", experts}}, {{"--features", features}},
                           options.directory);
    const trine::Model model = options.load();
    example::require_fit(model, options.context_length);
    const example::Interrupt interrupt;
    trine::RoutingTrace trace;
    trine::Session session(model, {.context_length = options.context_length,
                                   .num_threads = options.num_threads,
                                   .prefill_chunk = prefill_chunk,
                                   .activations = options.activations,
                                   .reproducible = options.reproducible,
                                   .kv_cache_dtype = options.kv_cache_dtype(),
                                   .observer = experts.empty() ? nullptr : trine::borrow(trace),
                                   .adapters = options.load_adapters(model)});

    trine::View<const float, 2> logits;
    if (!features.empty()) {
      const auto frames = example::read_features(features, model.info());
      logits = session.forward_features(frames.view(), trine::OutputRows::all, interrupt.token());
    } else {
      const auto ids = !tokens.empty() ? example::parse_token_ids(tokens) : options.load_tokenizer().encode(prompt);
      logits = session.forward(ids, trine::OutputRows::all, interrupt.token());
    }

    trine::AtomicFile logits_file(output);
    logits_file.write(std::as_bytes(logits.span()));
    if (!experts.empty()) {
      trine::AtomicFile experts_file(experts);
      experts_file.write(trace.experts_to_json().dump() + "\n");
      experts_file.commit();
    }
    logits_file.commit();
    std::fprintf(stderr, "%s: [%zu, %zu] f32\n", trine::printable(output).c_str(), logits.extent(0), logits.extent(1));
    example::note_non_finite_logits(session.non_finite_outputs());
  });
}
