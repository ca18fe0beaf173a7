// SPDX-License-Identifier: Apache-2.0
// How well a model predicts a text, and how evenly its experts work on it.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <numbers>
#include <span>
#include <string>

#include <nlohmann/json.hpp>

#include <trine/stats/routing_stats.hpp>

#include "common/interrupt.hpp"
#include "common/model.hpp"
#include "common/output_file.hpp"
#include "common/terminal.hpp"

namespace {

/// -ln softmax(logits)[target], in double precision.
double negative_log_likelihood(std::span<const float> logits, trine::TokenId target) {
  const auto largest = static_cast<double>(*std::ranges::max_element(logits));
  double sum = 0.0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - largest);
  return largest + std::log(sum) - static_cast<double>(logits[target]);
}

}  // namespace

int main(int argc, char** argv) {
  example::Program program(
      "trine-perplexity",
      "Scores a text in windows that do not overlap: every token but the very first is predicted from\n"
      "those before it in its window. Prints perplexity with its standard error, bits per byte, and\n"
      "the utilization of the experts (1: all work equally much).",
      "trine-perplexity -m examples/models/shakespeare -f TEXT_FILE");
  example::ModelOptions options;
  std::string file;
  bool json = false;
  options.add_model(program);
  program.add_option("-f,--file", file, "The text; -: standard input")->required()->type_name("FILE");
  options.add_context(program, "Tokens of a window; 0: 512, or as many as the model can");
  options.add_threads(program);
  program.add_flag("--json", json, "One JSON document instead of text");

  return program.run(argc, argv, [&] {
    const trine::Model model = options.load();
    const trine::Tokenizer tokenizer = options.load_tokenizer();
    example::require_fit(model, options.context);
    const std::size_t window =
        options.context == 0 ? std::min<std::size_t>(512, model.info().max_position_embeddings) : options.context;
    if (model.info().output != trine::OutputKind::language_model)
      throw trine::InputError("this model has no language model head");
    const std::string text = example::read_text(file);
    const auto ids = tokenizer.encode(text);
    if (ids.size() < 2)
      throw trine::InputError(file + ": expected at least 2 tokens, found " + std::to_string(ids.size()));

    const example::Interrupt interrupt;
    trine::RoutingStats routing;
    trine::Session session(model, {.context = window, .threads = options.threads, .observer = &routing});
    const std::size_t scored = ids.size() - 1;
    double sum = 0.0;
    double sum_of_squares = 0.0;
    {
      example::ProgressBar progress("scoring", scored, "tokens");
      for (std::size_t begin = 0; begin < scored; begin += window) {
        const std::size_t count = std::min(window, scored - begin);
        session.reset();
        const auto logits =
            session.forward(std::span(ids).subspan(begin, count), trine::OutputRows::all, interrupt.token());
        for (std::size_t i = 0; i < count; ++i) {
          const double nll = negative_log_likelihood(logits.row(i), ids[begin + i + 1]);
          sum += nll;
          sum_of_squares += nll * nll;
        }
        progress.update(begin + count);
      }
    }

    const auto n = static_cast<double>(scored);
    const double mean = sum / n;
    const double variance = std::max(0.0, (sum_of_squares / n - mean * mean) * n / std::max(n - 1.0, 1.0));
    const double perplexity = std::exp(mean);
    const double standard_error = perplexity * std::sqrt(variance / n);  // d exp(m) = exp(m) dm
    const std::size_t first_bytes = tokenizer.is_special(ids[0]) ? 0 : tokenizer.token_bytes(ids[0]).size();
    const double bits_per_byte = sum / std::numbers::ln2 / static_cast<double>(text.size() - first_bytes);
    nlohmann::ordered_json utilization;  // null for a dense model
    if (model.info().is_routed()) utilization = routing.overall().utilization;
    if (json) {
      nlohmann::ordered_json document = {{"perplexity", perplexity},       {"perplexity_error", standard_error},
                                         {"bits_per_byte", bits_per_byte}, {"utilization", utilization},
                                         {"tokens", ids.size()},           {"context", window},
                                         {"routing", routing.to_json()}};
      std::printf("%s\n", document.dump(2).c_str());
      return;
    }
    std::printf("tokens         %zu, windows of %zu\n", ids.size(), window);
    std::printf("perplexity     %.4f +/- %.4f\n", perplexity, standard_error);
    std::printf("bits per byte  %.4f\n", bits_per_byte);
    if (utilization.is_null()) {
      std::printf("utilization    none, the model is dense\n");
    } else {
      std::printf("utilization    %.4f\n", utilization.get<double>());
    }
  });
}
