// SPDX-License-Identifier: Apache-2.0
// Tokens a second of prefill, decode and small batches, beside what the machine could do.
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "common/model.hpp"
#include "common/terminal.hpp"
#include "throughput/report.hpp"
#include "throughput/synthetic_model.hpp"

namespace {

using namespace trine::bench;

struct Options {
  std::string directory;
  std::string shape;
  std::size_t layers = 0;
  std::string type = "bf16";
  std::vector<std::size_t> prefill;
  std::vector<std::size_t> decode;
  std::vector<std::size_t> batch;
  std::vector<std::size_t> threads;
  std::size_t repetitions = 5;
  std::string output = "md";
  double limit_seconds = 1.0;
  bool exact = false;
  bool limits = false;
  bool tiny = false;
  bool serve = false;

  [[nodiscard]] trine::Activations activations() const {
    return exact ? trine::Activations::f32 : trine::Activations::native;
  }
};

void add_options(example::Program& program, Options& options) {
  program.add_option("-m,--model", options.directory, "Model directory")->type_name("DIR");
  program.add_option("--synthetic", options.shape, "Random weights: deepseek-v2-lite, qwen3-30b-a3b or mixtral-8x7b")
      ->type_name("SHAPE");
  program.add_option("--layers", options.layers, "Layers of the synthetic model; 0: all")
      ->type_name("N")
      ->check(example::whole_number())
      ->capture_default_str();
  program.add_option("--type", options.type, "Weights of the synthetic model: f32, bf16, q8 or q4")
      ->type_name("TYPE")
      ->check(CLI::IsMember({"f32", "bf16", "q8", "q4"}))
      ->capture_default_str();
  const auto list = [&](const char* name, std::vector<std::size_t>& values, const char* help) {
    program.add_option(name, values, help)->type_name("N,...")->delimiter(',')->check(example::whole_number());
  };
  list("-p,--n-prompt", options.prefill, "Tokens of a prompt computed at once (default 512)");
  list("-n,--n-gen", options.decode, "Tokens generated one by one (default 64)");
  list("-b,--batch", options.batch, "Tokens computed at once behind a prompt");
  list("-t,--threads", options.threads, "Threads (default: one a core)");
  program.add_option("-r,--repetitions", options.repetitions, "Repetitions of each test")
      ->type_name("N")
      ->check(example::whole_number() & CLI::Range(1, 1000))
      ->capture_default_str();
  program.add_option("-o,--output", options.output, "Format: md or json")
      ->check(CLI::IsMember({"md", "json"}))
      ->capture_default_str();
  program
      .add_option("--limit-seconds", options.limit_seconds, "Time to measure the machine, before and after each test")
      ->type_name("S")
      ->check(CLI::Range(0.01, 60.0))
      ->capture_default_str();
  program.add_flag("--f32-activations", options.exact, "Activations as they are: the arithmetic of the reference");
  program.add_flag("--limits", options.limits, "Measure the machine only");
  program.add_flag("--tiny", options.tiny, "A synthetic model of small widths: to see that it runs");
  program.add_flag("--serve", options.serve, "Read a test a line from standard input, answer a line of JSON each");
}

struct Loaded {
  trine::Json config;
  trine::Model model;
};

Loaded load(const Options& options) {
  if (options.directory.empty() == options.shape.empty())
    throw example::UsageError("expected one of --model and --synthetic");
  if (options.shape.empty()) {
    return example::read_from_model([&] {
      return Loaded{trine::read_json_file(options.directory + "/config.json"), trine::Model::load(options.directory)};
    });
  }
  trine::Json config;
  try {
    config = synthetic_config(options.shape, options.layers, options.tiny);
  } catch (const trine::InputError& error) {
    throw example::UsageError(error.what());
  }
  std::optional<example::ProgressBar> bar;
  const auto progress = [&](std::size_t done, std::size_t total) {
    if (!bar) bar.emplace("making weights", total >> 20U, "MiB");
    bar->update(done >> 20U);
  };
  trine::Model model = make_synthetic(config, trine::parse_dtype(options.type).value(), progress);
  return {std::move(config), std::move(model)};
}

std::vector<Test> tests_of(const Options& options) {
  std::vector<Test> tests;
  for (const std::size_t threads : options.threads) {
    for (const std::size_t rows : options.prefill) tests.push_back({Test::Kind::prefill, rows, threads});
    for (const std::size_t rows : options.decode) tests.push_back({Test::Kind::decode, rows, threads});
    for (const std::size_t rows : options.batch) tests.push_back({Test::Kind::batch, rows, threads});
  }
  std::erase_if(tests, [](const Test& test) { return test.rows == 0; });
  return tests;
}

// {"test": "pp" | "tg" | "batch", "tokens": N (or "rows"), "threads": N, "repetitions": N}
Test parse_test(const trine::Json& request) {
  trine::ObjectReader reader(request, "request");
  Test test;
  test.kind = reader.choice<Test::Kind>(
      "test", {{"pp", Test::Kind::prefill}, {"tg", Test::Kind::decode}, {"batch", Test::Kind::batch}});
  test.rows = reader.integer(reader.has("rows") ? "rows" : "tokens", 1, 1U << 20U);
  test.threads = reader.integer_or("threads", 1, 1024, trine::default_threads());
  return test;
}

void serve(const Options& options, const Loaded& loaded, const Work& work) {
  std::cout << to_json(work).dump() << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    if (line.empty()) continue;
    try {
      const trine::Json request = trine::parse_json(line, "request");
      const Test test = parse_test(request);
      const std::size_t repetitions = request.value("repetitions", std::size_t{1});
      const Result result =
          measure(loaded.model, work, test, repetitions, options.activations(), options.limit_seconds);
      std::cout << to_json(result).dump() << std::endl;
    } catch (const trine::Error& error) {
      std::cout << trine::Json{{"error", error.what()}}.dump() << std::endl;
    }
  }
}

void run_tests(const Options& options, const Loaded& loaded, const Work& work) {
  trine::Json json{{"model", options.shape.empty() ? options.directory : options.shape},
                   {"isa", std::string(to_string(trine::default_isa()))},
                   {"work", to_json(work)},
                   {"results", trine::Json::array()}};
  const bool table = options.output == "md";
  if (table) {
    std::printf("%s, %s: %.2f G parameters, %.2f G active, %.2f bits a weight, %s of weights a token\n\n",
                json["model"].get<std::string>().c_str(), json["isa"].get<std::string>().c_str(),
                work.parameters * 1e-9, (work.active_parameters + work.head_parameters) * 1e-9, work.bits_per_weight,
                example::with_unit(work.bytes_per_token).c_str());
    std::fputs(table_head().c_str(), stdout);
  }
  double peak = 0;
  for (const Test& test : tests_of(options)) {
    const Result result =
        measure(loaded.model, work, test, options.repetitions, options.activations(), options.limit_seconds);
    json["results"].push_back(to_json(result));
    peak = result.peak_bytes;
    if (table) std::fputs(table_row(result).c_str(), stdout);
    std::fflush(stdout);
  }
  if (table) {
    std::printf("\nPeak memory %s.\n", example::with_unit(peak).c_str());
  } else {
    std::printf("%s\n", json.dump(2).c_str());
  }
}

void show_limits(const Options& options) {
  trine::Json all = trine::Json::array();
  if (options.output == "md")
    std::printf("| threads | read GB/s | f32 GFLOP/s | bf16 GFLOP/s | int8 GOP/s |\n|---:|---:|---:|---:|---:|\n");
  for (const std::size_t threads : options.threads) {
    const MachineLimits limits = measure_limits(threads, options.limit_seconds);
    trine::Json entry = to_json(limits);
    entry["threads"] = threads;
    all.push_back(entry);
    if (options.output == "md")
      std::printf("| %zu | %.1f | %.0f | %.0f | %.0f |\n", threads, limits.read_bytes_per_second * 1e-9,
                  limits.f32_operations_per_second * 1e-9, limits.bf16_operations_per_second * 1e-9,
                  limits.int8_operations_per_second * 1e-9);
  }
  if (options.output == "json") std::printf("%s\n", trine::Json{{"limits", all}}.dump(2).c_str());
}

}  // namespace

int main(int argc, char** argv) {
  example::Program program(
      "trine-bench",
      "Measures tokens a second: prefill (pp), decode (tg) and small batches (b), with the share of\n"
      "what the machine could do: weights read at its best rate, products at its arithmetic peak.",
      "trine-bench --synthetic deepseek-v2-lite --layers 6 --type q8 -p 512 -n 64 -t 1,2");
  Options options;
  add_options(program, options);
  return program.run(argc, argv, [&] {
    if (options.threads.empty()) options.threads = {trine::default_threads()};
    for (std::size_t& threads : options.threads)
      if (threads == 0) threads = trine::default_threads();
    if (options.limits) return show_limits(options);
    if (options.prefill.empty() && options.decode.empty() && options.batch.empty()) {
      options.prefill = {512};
      options.decode = {64};
    }
    const Loaded loaded = load(options);
    const Work work = work_of(loaded.model, loaded.config);
    options.serve ? serve(options, loaded, work) : run_tests(options, loaded, work);
  });
}
