// SPDX-License-Identifier: Apache-2.0
// Does the model compute here what the reference implementation computed?
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <trine/generate/reference_outputs.hpp>
#include <trine/generate/self_test.hpp>
#include <trine/weights/gguf.hpp>

#include "common/model.hpp"
#include "common/token_list.hpp"

namespace {

void print_self_test(const trine::SelfTestReport& report, std::size_t cases, double tolerance) {
  std::printf("%zu cases, %zu tokens\n", cases, report.tokens);
  std::printf("experts  %zu of %zu choices as expected\n", report.expert_choices - report.wrong_expert_choices,
              report.expert_choices);
  std::printf("logits   worst error %.1e of the largest logit, tolerance %.1e\n", report.worst_logit_error, tolerance);
}

/// A line for each layer that chose otherwise, and the sum of all.
void print_comparison(const trine::OutputComparison& found, double tolerance) {
  std::printf("tokens   %zu\n", found.tokens);
  std::printf(
      "logits   worst error %.1e of the largest logit (sequence %zu, position %zu), mean %.1e, tolerance %.1e\n",
      found.worst_logit_error, found.worst_sequence, found.worst_position, found.mean_logit_error, tolerance);
  std::printf("KL       %.2e nats in the mean, %.2e at worst\n", found.kl_divergence, found.worst_kl_divergence);
  std::printf("top-1    %zu of %zu best tokens are the same\n", found.same_best_token, found.tokens);
  std::size_t tokens = 0;
  std::size_t equal = 0;
  for (const auto& [layer, counts] : found.layers) {
    tokens += counts.tokens;
    equal += counts.equal;
    if (counts.equal != counts.tokens)
      std::printf("layer %-3zu%zu of %zu tokens go to the same experts\n", layer, counts.equal, counts.tokens);
  }
  if (tokens > 0) std::printf("experts  %zu of %zu choices are the same\n", equal, tokens);
}

[[nodiscard]] nlohmann::ordered_json to_json(const trine::OutputComparison& found) {
  nlohmann::ordered_json document = {{"tokens", found.tokens},
                                     {"worst_logit_error", found.worst_logit_error},
                                     {"mean_logit_error", found.mean_logit_error},
                                     {"kl_divergence", found.kl_divergence},
                                     {"worst_kl_divergence", found.worst_kl_divergence},
                                     {"same_best_token", found.same_best_token},
                                     {"non_finite_logits", found.non_finite_logits},
                                     {"layers", nlohmann::ordered_json::object()}};
  for (const auto& [layer, counts] : found.layers)
    document["layers"][std::to_string(layer)] = {{"tokens", counts.tokens}, {"equal", counts.equal}};
  return document;
}

/// A file of the user; what is wrong with it is no fault of the model.
[[nodiscard]] trine::ReferenceOutputs read_reference(const std::string& file,
                                                     const std::vector<trine::TokenId>& tokens) {
  try {
    return trine::ReferenceOutputs::load(file, tokens);
  } catch (const trine::WeightError& error) {
    throw example::UsageError(error.what());
  } catch (const trine::ConfigError& error) {
    throw example::UsageError(error.what());
  }
}

}  // namespace

int main(int argc, char** argv) {
  example::Program program(
      "trine-verify",
      "Does the model compute here what the reference implementation computed? Replays\n"
      "self_test.json of the model, or compares it with the logits of --against, which a script\n"
      "of fifteen lines writes (docs/how-to/bring-your-model.md). Ends with exit code 5 when they\n"
      "differ.",
      "trine-verify -m examples/models/shakespeare");
  example::ModelOptions options;
  double tolerance = 1e-4;
  std::string against;
  std::string tokens;
  std::string prompt;
  bool json = false;
  options.add_model(program);
  program
      .add_option("--against", against,
                  "Logits of another implementation: safetensors with logits, input_ids and, if wanted,\n"
                  "experts.LAYER; or .npy, with --tokens or -p")
      ->type_name("FILE");
  program.add_option("--tokens", tokens, "The tokens of --against, if it has none: 1,2,3")->type_name("IDS");
  program.add_option("-p,--prompt", prompt, "The same as a text, to be tokenized")->type_name("TEXT");
  options.add_allow_unknown(program);
  options.add_threads(program);
  options.add_activations(program, "f32");
  program.add_option("--tolerance", tolerance, "Largest error of a logit, relative to the largest logit of its case")
      ->type_name("X")
      ->check(CLI::Range(0.0, 1.0).description(""));
  program.add_flag("--json", json, "One JSON document instead of text");

  return program.run(argc, argv, [&] {
    if (against.empty() && !(tokens.empty() && prompt.empty()))
      throw example::UsageError("--tokens and -p belong to --against FILE, which is missing");
    if (!tokens.empty() && !prompt.empty()) throw example::UsageError("expected one of --tokens and -p, found both");
    if (!against.empty()) {
      std::vector<trine::TokenId> input;
      if (!tokens.empty()) input = example::parse_token_ids(tokens);
      if (!prompt.empty()) input = options.load_tokenizer().encode(prompt);
      const trine::ReferenceOutputs reference = read_reference(against, input);
      const trine::Model model = options.load();
      example::ProgressBar bar("comparing", reference.size(), "sequences");
      const trine::OutputComparison found = trine::compare_outputs(
          model, reference, {.num_threads = options.num_threads, .activations = options.activations},
          [&bar](std::size_t done, std::size_t) { bar.update(done); });
      const bool passed = found.worst_logit_error <= tolerance && found.non_finite_logits == 0;
      if (json) {
        nlohmann::ordered_json document = to_json(found);
        document["tolerance"] = tolerance;
        document["passed"] = passed;
        std::printf("%s\n", document.dump(2).c_str());
      } else {
        print_comparison(found, tolerance);
        std::printf("%s\n", passed ? "passed" : "FAILED");
      }
      example::note_non_finite_logits(found.non_finite_logits);
      if (!passed)
        throw example::VerificationFailed(against + ": sequence " + std::to_string(found.worst_sequence) +
                                          ", position " + std::to_string(found.worst_position) +
                                          ": the logits differ by more than the tolerance");
      return;
    }
    const trine::Model model = options.load();
    const auto path = std::filesystem::path(options.directory) / "self_test.json";
    if (trine::is_gguf(options.directory))
      throw example::UsageError(options.directory + ": a GGUF file has no self_test.json; give --against FILE");
    const trine::SelfTest test = example::read_from_model([&] { return trine::read_self_test(path); });
    if (test.cases.empty()) throw example::UnreadableModel(path.string() + ": expected at least one case, found none");
    const trine::SelfTestReport report = example::read_from_model(
        [&] { return trine::run_self_test(model, test, {.num_threads = options.num_threads}, tolerance); });

    if (json) {
      const nlohmann::ordered_json document = {{"passed", report.passed()},
                                               {"cases", test.cases.size()},
                                               {"tokens", report.tokens},
                                               {"expert_choices", report.expert_choices},
                                               {"wrong_expert_choices", report.wrong_expert_choices},
                                               {"worst_logit_error", report.worst_logit_error},
                                               {"tolerance", tolerance},
                                               {"non_finite_logits", report.non_finite_logits},
                                               {"first_difference", report.first_difference}};
      std::printf("%s\n", document.dump(2).c_str());
    } else {
      print_self_test(report, test.cases.size(), tolerance);
      std::printf("%s\n", report.passed() ? "passed" : "FAILED");
    }
    example::note_non_finite_logits(report.non_finite_logits);
    if (!report.passed()) throw example::VerificationFailed(path.string() + ": " + report.first_difference);
  });
}
