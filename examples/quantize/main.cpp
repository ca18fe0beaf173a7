// SPDX-License-Identifier: Apache-2.0
// Writes a model directory with its weights in another type.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include <trine/core/printable.hpp>
#include <trine/quantize/imatrix.hpp>
#include <trine/quantize/input_collector.hpp>
#include <trine/quantize/quantize_model.hpp>
#include <trine/quantize/size_target.hpp>

#include "common/interrupt.hpp"
#include "common/model.hpp"
#include "common/model_comparison.hpp"
#include "common/output_file.hpp"
#include "common/perplexity.hpp"
#include "common/terminal.hpp"
#include "coverage.hpp"
#include "sized_plan.hpp"
#include "summary.hpp"

namespace {

struct Arguments {
  std::string in;
  std::string out;
  std::string type = "q8";
  double target_bits = 0.0;
  std::uint64_t target_bytes = 0;
  std::vector<std::string> rules;
  bool dry_run = false;
  std::string text;
  std::string compare;
  std::string calibrate;
  std::vector<std::string> calibration;
  bool json = false;
};

std::vector<trine::QuantizeRule> rules_of(const Arguments& arguments) {
  std::vector<trine::QuantizeRule> rules;
  for (const std::string& rule : arguments.rules) rules.push_back(trine::parse_quantize_rule(rule));
  return rules;
}

/// What the rules say is the user's fault, what the tensors are the model's.
template <class Read>
auto blame_tensors(const Read& read) {
  try {
    return read();
  } catch (const trine::WeightError& error) {
    throw example::UnreadableModel(error.what());
  }
}

std::vector<trine::PlannedTensor> make_plan(const trine::ModelQuantizer& quantizer, const Arguments& arguments) {
  const trine::QuantizeTarget target = trine::parse_quantize_target(arguments.type);
  return blame_tensors([&] { return quantizer.plan(target, rules_of(arguments)); });
}

/// The plan of --target-bits or --target-bytes: types by a measurement on the first window of the text.
trine::SizedPlan make_sized_plan(const trine::ModelQuantizer& quantizer, const Arguments& arguments,
                                 std::uint64_t bytes, const trine::InputStatistics& statistics,
                                 const example::ScoredText& text, std::size_t threads, const std::stop_token& stop) {
  std::optional<example::ProgressBar> bar;
  return blame_tensors([&] {
    return trine::plan_for_size(
        quantizer, bytes, statistics, std::span(text.ids).first(std::min(text.ids.size(), text.window)),
        rules_of(arguments),
        {.num_threads = threads, .cancel = stop, .progress = [&bar](std::size_t done, std::size_t total) {
           if (!bar) bar.emplace("measuring", total, "groups");
           bar->update(done);
         }});
  });
}

/// The bytes that the options ask for; 0: none.
std::uint64_t target_of(const Arguments& arguments, const std::vector<trine::PlannedTensor>& plan) {
  if (arguments.target_bits == 0.0) return arguments.target_bytes;
  double weights = 0.0;
  for (const trine::PlannedTensor& tensor : plan) weights += static_cast<double>(tensor.parameters);
  return static_cast<std::uint64_t>(arguments.target_bits / 8.0 * weights);
}

std::vector<trine::QuantizationError> write(const trine::ModelQuantizer& quantizer,
                                            const std::vector<trine::PlannedTensor>& plan, const Arguments& arguments,
                                            const trine::InputStatistics* statistics, std::size_t threads,
                                            const std::stop_token& stop) {
  constexpr unsigned kMiB = 20;
  std::uint64_t total = 0;
  for (const trine::PlannedTensor& tensor : plan) total += tensor.bytes_before;
  example::ProgressBar bar("writing", static_cast<std::size_t>(total >> kMiB), "MiB");
  trine::QuantizeOptions options{
      .num_threads = threads,
      .cancel = stop,
      .progress = [&bar](std::uint64_t done, std::uint64_t) { bar.update(static_cast<std::size_t>(done >> kMiB)); },
      .statistics = statistics,
      .resumed =
          [](std::size_t tensors, std::size_t all) {
            std::fprintf(stderr, "note: an interrupted run has left %zu of %zu tensors, which are used\n", tensors,
                         all);
          }};
  return blame_tensors([&] { return quantizer.write(plan, arguments.out, options); });
}

/// Errors add up, and the second rounding does not know the first.
void note_quantised_twice(const std::vector<trine::PlannedTensor>& plan) {
  std::size_t count = 0;
  std::string_view type;
  for (const trine::PlannedTensor& tensor : plan) {
    const trine::WeightFormat* from = trine::find_format_of_tensor(tensor.from);
    const trine::WeightFormat* to = trine::find_format(tensor.to);
    const bool rounds = to != nullptr && to->is_conversion && trine::is_packed(tensor.to);
    if (tensor.to == tensor.from || !rounds || from == nullptr || trine::size_bytes(from->dtype) > 1) continue;
    ++count;
    type = from->name;
  }
  if (count == 0) return;
  std::fprintf(
      stderr,
      "note: %zu tensors are quantised already, such as in %s: errors add up; start from the original if you have it\n",
      count, std::string(type).c_str());
}

/// What --calibrate and --calibration say, together.
std::optional<trine::InputStatistics> calibrate(const trine::ModelQuantizer& quantizer, const Arguments& arguments,
                                                const std::optional<example::ScoredText>& text, std::size_t threads,
                                                const std::stop_token& stop) {
  if (!text && arguments.calibration.empty()) return std::nullopt;
  trine::InputStatistics all;
  for (const std::string& file : arguments.calibration) all.add(trine::load_statistics(file, quantizer.model()));
  if (text) {
    const auto collector = std::make_shared<trine::InputCollector>(quantizer.model());
    static_cast<void>(example::measure_perplexity(
        quantizer.model(), *text,
        {.num_threads = threads, .activations = trine::ActivationPrecision::f32, .input_observer = collector}, stop,
        "calibrating"));
    all.add(collector->statistics());
    constexpr std::size_t kEnough = 1000;
    if (text->ids.size() < kEnough)
      std::fprintf(stderr, "note: %s has %zu tokens: a calibration wants some thousand\n",
                   trine::printable(arguments.calibrate).c_str(), text->ids.size());
  }
  return all;
}

/// Tensors that only --allow-unknown lets pass have no place in the result.
void note_left_out(const std::vector<std::string>& tensors) {
  constexpr std::size_t kShown = 5;
  if (tensors.empty()) return;
  std::string names;
  for (std::size_t i = 0; i < std::min(kShown, tensors.size()); ++i)
    names += (i == 0 ? "" : ", ") + trine::escaped(tensors[i]);
  if (tensors.size() > kShown) names += " and " + std::to_string(tensors.size() - kShown) + " more";
  std::fprintf(stderr, "note: unknown tensors are left out: %s\n", names.c_str());
}

bool is_exact(const std::vector<trine::QuantizationError>& errors) {
  for (const trine::QuantizationError& error : errors)
    if (error.squared_error > 0.0) return false;
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  example::Program program("trine-quantize",
                           "Writes the model directory OUT: the model of IN with its weights in another type.\n"
                           "Routers, norms and biases keep theirs. OUT appears when all of it is on the disk.",
                           "trine-quantize examples/models/shakespeare shakespeare-q8 --type q8");
  Arguments arguments;
  example::ModelOptions options;
  program.add_option("IN", arguments.in, "The model to read: a directory or a GGUF file")->required();
  program.add_option("OUT", arguments.out, "The directory to make; not needed with --dry-run");
  auto* type =
      program
          .add_option(
              "--type", arguments.type,
              "Type of the matrices, or a mixture: q4_m, q5_m, q6, q3_m give more bits to what\nneeds them; q8, "
              "q6a, q5a, q4a, q3a, q4, bf16, f16 or f32 are one type for all")
          ->type_name("TYPE");
  auto* bits = program
                   .add_option("--target-bits", arguments.target_bits,
                               "In place of --type: so many bits per weight in all, each tensor and expert with the\n"
                               "type that loses least, as measured on the text of --calibrate, which it needs")
                   ->type_name("B")
                   ->default_str("")
                   ->check(CLI::Range(1.0, 64.0).description(""));
  auto* bytes = program.add_option("--target-bytes", arguments.target_bytes, "The same: so many bytes, such as 4GiB")
                    ->type_name("N")
                    ->default_str("")
                    ->transform(CLI::AsSizeValue(false).description(""))
                    ->check(CLI::PositiveNumber.description(""));
  bits->excludes(type)->excludes(bytes);
  bytes->excludes(type);
  program
      .add_option("--rule", arguments.rules,
                  "Another type, or keep, for tensors in whose name PATTERN is found: experts.*=q4;\n"
                  "may be given several times, of those that match the last one counts")
      ->type_name("PATTERN=TYPE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  program.add_flag("--dry-run", arguments.dry_run, "Only print what would become of the tensors");
  program
      .add_option("--calibrate", arguments.calibrate,
                  "Run the model over this text first, and let errors count by the squares of the\n"
                  "inputs that it meets; -: standard input")
      ->type_name("FILE");
  program
      .add_option("--calibration", arguments.calibration,
                  "Squares of inputs from an earlier run, OUT/calibration.safetensors, or an imatrix of\n"
                  "llama.cpp; several are added")
      ->type_name("FILE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  options.add_allow_unknown(program);
  options.add_threads(program);
  program.add_option("--perplexity", arguments.text, "Then score this text with both; -: standard input")
      ->type_name("FILE");
  program
      .add_option("--compare", arguments.compare,
                  "Then compare both on this text: perplexity, KL divergence, best tokens, experts")
      ->type_name("FILE");
  options.add_context(
      program, "Tokens of a window of --perplexity, --compare and --calibrate; 0: 512, or as many as the model can");
  program.add_flag("--json", arguments.json, "One JSON document instead of text");

  return program.run(argc, argv, [&] {
    if (arguments.out.empty() && !arguments.dry_run)
      throw example::UsageError("OUT: expected a directory to make, found none");
    if (!arguments.dry_run) example::check_output_directory(arguments.out);
    options.directory = arguments.in;
    options.find();
    const example::Interrupt interrupt;
    const trine::ModelQuantizer quantizer =
        example::read_from_model([&] { return trine::ModelQuantizer(options.directory, options.load_options()); });
    std::vector<trine::PlannedTensor> plan = make_plan(quantizer, arguments);
    note_left_out(quantizer.model().info().unknown_tensors);
    const auto scored = [&](const std::string& file) {  // before the work: one that cannot be read is known at once
      std::optional<example::ScoredText> text;
      if (!file.empty())
        text.emplace(quantizer.model(), options.load_tokenizer(), example::read_text(file), file,
                     options.context_length);
      return text;
    };
    nlohmann::ordered_json document;
    std::optional<trine::InputStatistics> statistics;
    const auto read_calibration = [&](const std::optional<example::ScoredText>& text) {
      statistics = calibrate(quantizer, arguments, text, options.num_threads, interrupt.token());
    };
    const std::uint64_t target = target_of(arguments, plan);
    if (target != 0 && arguments.calibrate.empty())
      throw example::UsageError(
          "--target-bits and --target-bytes: expected --calibrate FILE, the text on which the "
          "types are measured, found none");
    const std::optional<example::ScoredText> text = scored(arguments.text);
    const std::optional<example::ScoredText> compared = scored(arguments.compare);
    const std::optional<example::ScoredText> calibrated = scored(arguments.calibrate);
    if (target != 0) {
      read_calibration(calibrated);
      trine::SizedPlan sized = make_sized_plan(quantizer, arguments, target, *statistics, *calibrated,
                                               options.num_threads, interrupt.token());
      const example::SizedPlanTable table(sized);
      if (arguments.json) document["target"] = table.to_json();
      if (!arguments.json) table.print();
      plan = std::move(sized.plan);
    }
    if (arguments.dry_run) {
      const example::QuantizeSummary summary(plan);
      document.update(summary.to_json());
      arguments.json ? static_cast<void>(std::printf("%s\n", document.dump(2).c_str())) : summary.print();
      return;
    }
    note_quantised_twice(plan);
    if (target == 0) read_calibration(calibrated);
    const auto errors =
        write(quantizer, plan, arguments, statistics ? &*statistics : nullptr, options.num_threads, interrupt.token());
    const example::QuantizeSummary summary(plan, errors);
    if (!arguments.json) summary.print();
    document.update(summary.to_json());
    if (statistics) {
      const example::Coverage coverage(*statistics);
      document["calibration"] = coverage.to_json();
      if (!arguments.json) coverage.print();
    }
    if (text) {
      const auto score = [&](const trine::Model& model, const std::string& label) {
        return example::measure_perplexity(model, *text, {.num_threads = options.num_threads}, interrupt.token(),
                                           label);
      };
      const example::Perplexity before = score(quantizer.model(), "scoring IN");
      const example::Perplexity after = score(trine::Model::load(arguments.out, options.load_options()), "scoring OUT");
      const double change = after.perplexity / before.perplexity - 1.0;
      example::note_non_finite_logits(before.non_finite_logits + after.non_finite_logits);
      document["perplexity"] = {{"before", before.perplexity}, {"after", after.perplexity}, {"change", change}};
      if (!arguments.json)
        std::printf("perplexity     %.4f before, %.4f after, %+.3f %%\n", before.perplexity, after.perplexity,
                    100.0 * change);
    }
    if (compared) {
      const trine::ModelComparison found =
          example::compare(quantizer.model(), trine::Model::load(arguments.out, options.load_options()),
                           {.num_threads = options.num_threads}, *compared, interrupt.token());
      document["comparison"] = example::to_json(found);
      if (!arguments.json) example::print(found);
    }
    if (arguments.json) std::printf("%s\n", document.dump(2).c_str());
    if (!is_exact(errors) && std::filesystem::exists(std::filesystem::path(arguments.out) / "self_test.json"))
      std::fprintf(stderr, "self_test.json was copied: it tells what the weights of %s compute\n",
                   trine::printable(arguments.in).c_str());
  });
}
