// SPDX-License-Identifier: Apache-2.0
// Does the model compute here what the reference implementation computed?
#include <cstdio>
#include <filesystem>

#include <nlohmann/json.hpp>

#include <trine/generate/self_test.hpp>

#include "common/model.hpp"

int main(int argc, char** argv) {
  example::Program program("trine-verify",
                           "Replays self_test.json of a model: tokens with the experts and logits that the reference\n"
                           "implementation found for them. Ends with exit code 5 when they differ.",
                           "trine-verify -m examples/models/shakespeare");
  example::ModelOptions options;
  double tolerance = 1e-4;
  bool json = false;
  options.add_model(program);
  options.add_allow_unknown(program);
  options.add_threads(program);
  program.add_option("--tolerance", tolerance, "Largest error of a logit, relative to the largest logit of its case")
      ->type_name("X")
      ->check(CLI::Range(0.0, 1.0).description(""));
  program.add_flag("--json", json, "One JSON document instead of text");

  return program.run(argc, argv, [&] {
    const trine::Model model = options.load();
    const auto path = std::filesystem::path(options.directory) / "self_test.json";
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
      std::printf("%zu cases, %zu tokens\n", test.cases.size(), report.tokens);
      std::printf("experts  %zu of %zu choices as expected\n", report.expert_choices - report.wrong_expert_choices,
                  report.expert_choices);
      std::printf("logits   worst error %.1e of the largest logit, tolerance %.1e\n", report.worst_logit_error,
                  tolerance);
      std::printf("%s\n", report.passed() ? "passed" : "FAILED");
    }
    example::note_non_finite_logits(report.non_finite_logits);
    if (!report.passed()) throw example::VerificationFailed(path.string() + ": " + report.first_difference);
  });
}
