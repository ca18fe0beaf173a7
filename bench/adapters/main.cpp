// SPDX-License-Identifier: Apache-2.0
// trine-adapters-bench: what adapters cost, as a share of the same model without one. All variants of a test take
// turns, so that what the machine does meanwhile meets all of them.
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <trine/adapters/adapter.hpp>
#include <trine/generate/engine.hpp>
#include <trine/generate/sequence.hpp>
#include <trine/platform/cpu_features.hpp>

#include "adapters/random_adapter.hpp"
#include "common/model.hpp"
#include "common/program.hpp"
#include "common/terminal.hpp"
#include "program/machine.hpp"
#include "program/random_weights.hpp"
#include "program/shapes.hpp"
#include "program/statistics.hpp"

namespace trine::bench {
namespace {

struct Options {
  std::string shape = "qwen3-30b-a3b";
  std::size_t layers = 6;
  std::string type = "q4";
  bool tiny = false;
  std::size_t rank = 16;
  std::size_t prompt = 512;
  std::size_t generated = 64;
  std::size_t sequences = 8;
  std::size_t threads = 0;
  std::size_t repetitions = 5;

  void add_inplace(CLI::App& app) {
    app.add_option("--synthetic", shape, "Shape of the model, whose weights are random, as in trine-bench")
        ->type_name("SHAPE");
    app.add_option("--layers", layers, "Layers of it; 0: all that the model has")->type_name("N");
    app.add_option("--type", type, "Its weights: f32, bf16, bf16_panels, q8, q6a, q5a, q4a, q3a or q4")
        ->type_name("TYPE")
        ->check(CLI::IsMember({"f32", "bf16", "bf16_panels", "q8", "q6a", "q5a", "q4a", "q3a", "q4"}));
    app.add_flag("--tiny", tiny, "A small model of the same structure: to see that all works");
    app.add_option("--rank", rank, "Rank of the adapters")->type_name("N");
    app.add_option("-p,--n-prompt", prompt, "Tokens of a prefill; 0: none")->type_name("N");
    app.add_option("-n,--n-gen", generated, "Tokens to decode; 0: none")->type_name("N");
    app.add_option("-s,--sequences", sequences, "Sequences that are decoded together; 0: none")->type_name("N");
    app.add_option("-t,--threads", threads, "Threads; 0: as many as the processors that may be used")->type_name("N");
    app.add_option("-r,--repetitions", repetitions, "Runs of each, after one to warm up")->type_name("N");
  }
};

/// A folder for the adapters, which is removed in the end.
class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / ("trine-adapters-bench-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(path_);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::filesystem::path path_;
};

Model make_model(const Options& options) {
  const auto* shape = std::ranges::find(kShapes, options.shape, &NamedShape::name);
  if (shape == std::end(kShapes))
    throw example::UsageError("--synthetic: expected a shape of trine-bench, found " + options.shape);
  const Json config = config_of(*shape, options.layers, options.tiny);
  auto weights = std::make_unique<RandomWeights>(tensors_of(config), parse_dtype(options.type).value(),
                                                 default_threads(), [](std::size_t) {});
  return Model::build(config, options.shape, std::move(weights));
}

/// A variant of a test: which adapters its sequences have.
struct Variant {
  std::string name;
  std::vector<std::vector<AdapterUse>> adapters;  // of each sequence
};

class Bench {
 public:
  explicit Bench(const Options& options)
      : options_(options),
        model_(make_model(options)),
        engine_(model_, {.num_threads = options.threads, .activations = ActivationPrecision::native}) {
    const auto is_query_or_value = [](std::string_view module) {
      return module.ends_with(".q_proj") || module.ends_with(".v_proj");
    };
    const auto is_linear = [](std::string_view module) {
      return !module.ends_with("embed_tokens") && !module.ends_with("lm_head");
    };
    write_random_adapter(model_, options.rank, folder_.path() / "query_value", is_query_or_value);
    write_random_adapter(model_, options.rank, folder_.path() / "all_linear", is_linear);
  }

  void run() {
    std::printf("%s, %zu layers, %s, rank %zu; %s, %s, %zu threads\n\n", options_.shape.c_str(),
                model_.info().num_hidden_layers, options_.type.c_str(), options_.rank, cpu_name().c_str(),
                std::string(to_string(default_isa())).c_str(), engine_.options().num_threads);
    std::printf("| test | adapters | tokens/s | min | max | ratio |\n|---|---|---:|---:|---:|---:|\n");
    const std::vector<AdapterUse> query_value = load("query_value", 1);
    const std::vector<AdapterUse> all_linear = load("all_linear", 1);
    const std::vector<Variant> alone = {
        {"none", {{}}}, {"q_proj and v_proj", {query_value}}, {"all linear layers and experts", {all_linear}}};
    if (options_.prompt > 0)
      measure("prefill " + std::to_string(options_.prompt), alone, options_.prompt, options_.prompt);
    if (options_.generated > 0) measure("decode " + std::to_string(options_.generated), alone, 1, options_.generated);
    if (options_.sequences == 0) return;
    for (const auto& [name, one] : {std::pair{"query_value", query_value}, std::pair{"all_linear", all_linear}}) {
      Variant same{"one, on " + std::string(name), {}};
      Variant different{std::to_string(options_.sequences) + ", on " + name, {}};
      for (const AdapterUse& use : load(name, options_.sequences)) {
        same.adapters.push_back(one);
        different.adapters.push_back({use});
      }
      measure(std::to_string(options_.sequences) + " sequences", {same, different}, 1, 16);
    }
  }

 private:
  using Clock = std::chrono::steady_clock;

  // Handles whose weights lie in different places.
  [[nodiscard]] std::vector<AdapterUse> load(const std::string& name, std::size_t count) const {
    std::vector<AdapterUse> adapters;
    for (std::size_t i = 0; i < count; ++i) adapters.push_back({Adapter::load(model_, folder_.path() / name)});
    return adapters;
  }

  // Rows of each sequence and call, and calls until each sequence has read so many tokens.
  void measure(const std::string& test, const std::vector<Variant>& variants, std::size_t rows, std::size_t tokens) {
    std::vector<std::vector<double>> speeds(variants.size());
    for (std::size_t r = 0; r <= options_.repetitions; ++r)
      for (std::size_t v = 0; v < variants.size(); ++v) {
        const double speed = run_once(variants[v], rows, tokens);
        if (r > 0) speeds[v].push_back(speed);
      }
    const double base = statistics_of(speeds.front()).median;
    for (std::size_t v = 0; v < variants.size(); ++v) {
      const Statistics statistics = statistics_of(speeds[v]);
      std::printf("| %s | %s | %.1f | %.1f | %.1f | %.3f |\n", test.c_str(), variants[v].name.c_str(),
                  statistics.median, statistics.min, statistics.max, statistics.median / base);
      example::flush_output();
    }
  }

  double run_once(const Variant& variant, std::size_t rows, std::size_t tokens) {
    std::vector<Sequence> sequences;
    for (const std::vector<AdapterUse>& adapters : variant.adapters)
      sequences.emplace_back(model_, SequenceOptions{.context_length = tokens + 16, .adapters = adapters});
    std::vector<TokenId> ids((tokens + 16) * sequences.size());  // other ones for each sequence
    for (std::size_t i = 0; i < ids.size(); ++i)
      ids[i] = static_cast<TokenId>(splitmix64(i) % model_.info().vocab_size);
    const auto call = [&](std::size_t first, std::size_t count) {
      std::vector<SequenceInput> inputs;
      for (std::size_t s = 0; s < sequences.size(); ++s)
        inputs.push_back(
            {.sequence = &sequences[s], .tokens = std::span(ids).subspan(s * (tokens + 16) + first, count)});
      static_cast<void>(engine_.forward(inputs));
    };
    std::size_t at = 0;
    if (rows == 1) call(0, at = 16);  // some positions to attend to
    const Clock::time_point start = Clock::now();
    for (std::size_t done = 0; done < tokens; done += rows) call(at + done, rows);
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    return static_cast<double>(tokens * sequences.size()) / seconds;
  }

  Options options_;
  Folder folder_;
  Model model_;
  Engine engine_;
};

}  // namespace
}  // namespace trine::bench

int main(int argc, char** argv) {
  example::Program program(
      "trine-adapters-bench",
      "Measures what adapters cost: tokens per second without one, with one on q_proj and v_proj, with one on all\n"
      "linear layers and experts, and of several sequences with one adapter or one each. Variants take turns.",
      "trine-adapters-bench --synthetic qwen3-30b-a3b --layers 6 --type q4 --rank 16");
  trine::bench::Options options;
  options.add_inplace(program);
  return program.run(argc, argv, [&] { trine::bench::Bench(options).run(); });
}
