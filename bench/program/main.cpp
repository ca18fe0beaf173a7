// SPDX-License-Identifier: Apache-2.0
// trine-bench: how fast a model runs here, as a share of what the machine allows.
#include <cstdio>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/platform/openmp_executor.hpp>
#include <trine/weights/find_model.hpp>

#include "common/interrupt.hpp"
#include "common/model.hpp"
#include "common/program.hpp"
#include "common/terminal.hpp"
#include "program/measure.hpp"
#include "program/print_limits.hpp"
#include "program/random_weights.hpp"
#include "program/report.hpp"
#include "program/serve.hpp"
#include "program/shapes.hpp"

namespace trine::bench {
namespace {

/// Accepts one of `names`, and says which one may have been meant.
CLI::Validator one_of(std::vector<std::string_view> names) {
  const auto check = [names = std::move(names)](const std::string& text) -> std::string {
    if (std::ranges::count(names, text) != 0) return {};
    return "no such value: " + in_quotes(text) + nearest_hint(text, names, "; did you mean ", "?");
  };
  return CLI::Validator(check, "");
}

std::vector<std::string_view> shape_names() {
  std::vector<std::string_view> names;
  for (const NamedShape& shape : kShapes) names.push_back(shape.name);
  return names;
}

using NameOfActivations = decltype(kActivationPrecisionNames)::value_type;

std::vector<std::string_view> activations_names() {
  std::vector<std::string_view> names;
  for (const NameOfActivations& entry : kActivationPrecisionNames) names.push_back(entry.second);
  return names;
}

std::vector<std::string_view> executor_names() {
#if TRINE_HAS_OPENMP
  return {"pool", "openmp"};
#else
  return {"pool"};
#endif
}

struct Options {
  std::string directory;
  std::vector<std::string> allow_unknown;
  std::string shape;
  std::size_t layers = 0;
  std::string type = "bf16";
  bool tiny = false;
  std::vector<std::size_t> prompts{512};
  std::vector<std::size_t> generated{64};
  std::vector<std::size_t> batches;
  std::vector<std::size_t> threads{0};
  std::size_t depth = 0;
  std::size_t repetitions = 5;
  std::string activations = "native";
  std::string attention = "full";
  std::string mla_form = "automatic";
  std::string kv_cache_dtype = "f32";
  std::string executor = "pool";
  std::vector<std::string> lora;
  std::string output = "md";
  bool limits = false;
  bool no_limits = false;
  bool serve = false;

  void add_inplace(CLI::App& app) {
    app.add_option("-m,--model", directory, "Model directory (config.json and weights), GGUF file, or ORG/NAME")
        ->type_name("MODEL");
    example::ModelOptions::add_allow_unknown(app, allow_unknown);
    CLI::Option* synthetic =
        app.add_option("--synthetic", shape,
                       "Random weights in memory in place of -m, in the shape of deepseek-v2-lite, deepseek-v3, "
                       "deepseek-v3.2, qwen3-30b-a3b, qwen3-next-80b-a3b, qwen3.5-35b-a3b, mixtral-8x7b, trine-3d, "
                       "trine-3d-strided, trine-3d-routed or trine-full")
            ->type_name("SHAPE")
            ->check(one_of(shape_names()))
            ->excludes("--model");
    app.add_option("--layers", layers, "Layers of --synthetic; 0: all that the model has")
        ->type_name("N")
        ->check(example::whole_number(0, 1024))
        ->needs(synthetic);
    app.add_option("--type", type,
                   "Weights of --synthetic: f32, bf16, bf16_panels (what trine-quantize makes of bf16), q8, q6a, q5a, "
                   "q4a, q3a or q4")
        ->type_name("TYPE")
        ->check(one_of({"f32", "bf16", "bf16_panels", "q8", "q6a", "q5a", "q4a", "q3a", "q4"}))
        ->needs(synthetic);
    app.add_flag("--tiny", tiny,
                 "A small model that has the structure of --synthetic, and hasty limits: to see that "
                 "all works")
        ->needs(synthetic);
    add_list(app, "-p,--n-prompt", prompts, "Tokens of a prefill; 0: none", kMostTokens);
    add_list(app, "-n,--n-gen", generated, "Tokens to decode; 0: none", kMostTokens);
    add_list(app, "-b,--batch", batches, "Rows of small batches: calls of so many rows, 64 tokens in all", kMostTokens);
    add_list(app, "-t,--threads", threads, "Threads; 0: as many as the processors that may be used", 1024)
        ->transform(example::minus_one_is("0"));
    app.add_option("-d,--n-depth", depth, "Tokens before those that are timed")
        ->type_name("N")
        ->check(example::whole_number(0, kMostTokens));
    app.add_option("-r,--repetitions", repetitions, "Runs of a test, after one to warm up")
        ->type_name("N")
        ->check(example::whole_number(1, 1000));
    app.add_option("--activations", activations,
                   "Activations in products: f32; automatic: bytes with q8 to q3a, q4 and GGUF types; native: bf16 "
                   "with bf16, too")
        ->type_name("TYPE")
        ->check(one_of(activations_names()));
    app.add_option("--attention", attention,
                   "full, or chunked:SIZE[:OVERLAP]: an approximation in which tokens see their chunk and an overlap")
        ->type_name("KIND");
    app.add_option("--latent-form", mla_form,
                   "How latent attention is computed: automatic, as is cheaper for a call; naive or absorbed")
        ->type_name("FORM")
        ->check(one_of({"automatic", "naive", "absorbed"}));
    app.add_option("--cache-type", kv_cache_dtype, "How keys and values are kept: f32, bf16 or q8")
        ->type_name("TYPE")
        ->check(one_of({"f32", "bf16", "q8"}));
    app.add_option("--lora", lora, "An adapter that PEFT saved; SCALE multiplies its own. Several add up")
        ->type_name("DIR[:SCALE]")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    app.add_option("--executor", executor, "Who lends threads: pool, the default of sessions, or openmp")
        ->type_name("KIND")
        ->check(one_of(executor_names()));
    app.add_option("-o,--output", output, "md: a markdown table; json: one JSON document")
        ->type_name("FORMAT")
        ->check(one_of({"md", "json"}));
    app.add_flag("--limits", limits, "Measure the machine alone: stream read and arithmetic peaks");
    app.add_flag("--no-limits", no_limits, "Do not measure the machine's limits beside the results: sooner, no shares");
    app.add_flag("--serve", serve, "Answer requests on standard input, a JSON object a line, with the model loaded");
  }

  void check() {
    if (!limits && directory.empty() && shape.empty())
      throw example::UsageError("a model is missing: -m DIR or --synthetic SHAPE (--help explains)");
    for (std::size_t& count : threads)
      if (count == 0) count = default_threads();
  }

  [[nodiscard]] std::vector<Workload> tests() const {
    std::vector<Workload> result;
    for (const std::size_t count : threads) {
      const auto add = [&](Workload test) {
        if (test.tokens == 0) return;
        test.depth = depth;
        test.num_threads = count;
        result.push_back(test);
      };
      for (const std::size_t tokens : prompts) add(Workload::prefill(tokens));
      for (const std::size_t tokens : generated) add(Workload::decode(tokens));
      for (const std::size_t rows : batches)
        if (rows > 0) add(Workload::batch(rows, 64));
    }
    return result;
  }

  [[nodiscard]] LoadOptions load_options() const {
    LoadOptions options;
    options.chunking = parse_chunking(attention);
    options.allow_unknown = allow_unknown;
    return options;
  }

  [[nodiscard]] MeasureOptions measure_options() const {
    return {.repetitions = repetitions,
            .limit_passes = no_limits ? std::size_t{0}
                            : tiny    ? std::size_t{1}
                                      : std::size_t{3},
            .activations = std::ranges::find(kActivationPrecisionNames, activations, &NameOfActivations::second)->first,
            .mla_form = *parse_mla_form(mla_form),
            .kv_cache_dtype = *parse_kv_cache_dtype(kv_cache_dtype),
            .executor = make_executor()};
  }

 private:
  [[nodiscard]] std::function<std::shared_ptr<Executor>(std::size_t)> make_executor() const {
#if TRINE_HAS_OPENMP
    if (executor == "openmp") return [](std::size_t workers) { return std::make_shared<OpenMpExecutor>(workers); };
#endif
    return {};
  }

  static constexpr std::size_t kMostTokens = std::size_t{1} << 20U;

  static CLI::Option* add_list(CLI::App& app, const char* name, std::vector<std::size_t>& list, const std::string& help,
                               std::size_t most) {
    return app.add_option(name, list, help + "; a list: 1,2")
        ->type_name("N")
        ->delimiter(',')
        ->check(example::whole_number(0, most));
  }
};

Model make_synthetic(const Options& options, const LoadOptions& load) {
  const NamedShape& shape = *std::ranges::find(kShapes, options.shape, &NamedShape::name);
  const Json config = config_of(shape, options.layers, options.tiny);
  const std::vector<TensorSpec> tensors = tensors_of(config);
  const DType type = parse_dtype(options.type).value();
  const std::size_t bytes = RandomWeights::bytes_of(tensors, type);
  if (bytes > memory_bytes()) {
    throw CapacityError(options.shape + ": the weights need " + std::to_string(bytes >> 20U) +
                        " MiB, this machine has " + std::to_string(memory_bytes() >> 20U) +
                        " MiB: expected fewer --layers or a smaller --type");
  }
  example::ProgressBar progress("filling", bytes >> 20U, "MiB");
  auto weights = std::make_unique<RandomWeights>(tensors, type, default_threads(),
                                                 [&](std::size_t done) { progress.update(done >> 20U); });
  return Model::build(config, options.shape, std::move(weights), load);
}

void measure_all(const Options& options, Meter& meter, const Subject& subject, const std::stop_token& stop) {
  const std::vector<Workload> tests = options.tests();
  for (const Workload& test : tests) example::require_fit(meter.model(), test.positions());
  const bool json = options.output == "json";
  OrderedJson document = {{"machine", machine_json()}, {"model", to_json(subject)}, {"results", OrderedJson::array()}};
  if (!json) std::printf("%s", table_head(subject).c_str());
  std::size_t done = 0;
  std::size_t non_finite_logits = 0;
  std::optional<example::ProgressBar> progress;
  const std::size_t runs = tests.size() * (options.repetitions + 1);
  for (const Workload& test : tests) {
    if (!progress) progress.emplace("measuring", runs, "runs");
    const Result result = meter.run(test, stop, [&] { progress->update(++done); });
    document["results"].push_back(to_json(result, subject.arithmetic));
    non_finite_logits += result.non_finite_logits;
    if (json) continue;
    progress.reset();  // off the line of the table
    std::printf("%s", table_row(result, subject.arithmetic).c_str());
    example::flush_output();
  }
  progress.reset();
  example::note_non_finite_logits(non_finite_logits);
  if (json) std::printf("%s\n", document.dump(2).c_str());
}

void run(Options& options) {
  options.check();
  if (options.limits) return print_limits(options.threads, options.output == "json");
  example::Interrupt interrupt;
  const bool synthetic = !options.shape.empty();
  const LoadOptions load = options.load_options();  // before anything large is filled
  Model model = synthetic ? make_synthetic(options, load)
                          : example::read_from_model([&] { return Model::load(find_model(options.directory), load); });
  if (model.info().vocab_size == 0) throw InputError("this model takes features, not tokens: it cannot be measured");
  const std::size_t buffer = options.tiny ? std::size_t{64} << 20U : stream_bytes();
  MeasureOptions measure = options.measure_options();
  example::ModelOptions adapters;
  adapters.lora = options.lora;
  measure.adapters = adapters.load_adapters(model);
  Meter meter(std::move(model), measure, buffer);
  if (options.serve) return serve(meter, interrupt);
  const std::string name =
      synthetic ? options.shape + (options.tiny ? " (tiny)" : "") : meter.model().info().model_type;
  measure_all(options, meter, Subject(name, meter), interrupt.token());
}

}  // namespace
}  // namespace trine::bench

int main(int argc, char** argv) {
  example::Program program(
      "trine-bench",
      "Measures prefill (pp), decode (tg) and small batches (b) of a model in tokens per second, and what share\n"
      "that is of the machine's limit: prefill of the peak of arithmetic, decode of the best stream read,\n"
      "a batch of what allows less. Limits are measured right before and after each result.",
      "trine-bench --synthetic deepseek-v2-lite --layers 6 --type bf16 -p 128,512 -n 64 -b 2,4,8 -t 1,2");
  trine::bench::Options options;
  options.add_inplace(program);
  return program.run(argc, argv, [&] { trine::bench::run(options); });
}
