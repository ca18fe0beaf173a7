// SPDX-License-Identifier: Apache-2.0
// Every option of every program with every value that its documentation names, and options that people bring along from
// other programs.
#ifdef TRINE_PROGRAMS_DIR
#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include <trine/platform/execution_context.hpp>
#include <trine/quant/kv_cache_dtype.hpp>

#include "common/llama_cpp_options.hpp"
#include "common/terminal.hpp"
#include "examples/tiny_model.hpp"
#include "support/random_adapter.hpp"

namespace trine::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

/// An option with all of its documented values; one of no value is a flag.
struct OptionValues {
  std::string option;
  std::vector<std::string> values;
};
struct ProgramOptions {
  std::string program;
  std::vector<std::string> always;    // of each call
  std::vector<OptionValues> options;  // call i has value i of each of them, as long as there is one
};

template <class Names>
std::vector<std::string> names_of(const Names& table) {
  std::vector<std::string> names;
  for (const auto& [value, name] : table) names.emplace_back(name);
  return names;
}

class Options : public testing::Test {
 protected:
  Options() { write_random_adapter(Model::load(model_.path()), 2, 1, 0.1F, lora_); }

  [[nodiscard]] std::vector<ProgramOptions> programs() const {
    const OptionValues threads{"-t", {"0", "1", "-1"}};
    const OptionValues activations{"--activations", names_of(kActivationPrecisionNames)};
    const OptionValues cache_types{"--cache-type", names_of(kKvCacheDtypeNames)};
    const OptionValues attention{"--attention", {"full", "chunked:8", "chunked:8:4"}};
    const OptionValues context{"-c", {"0", "64"}};
    const OptionValues reproducible{"--reproducible", {}};
    const OptionValues allow_unknown{"--allow-unknown", {"x_of_a_fork", "*.scale"}};
    const OptionValues lora{"--lora", {adapter_, adapter_ + ":-0.5"}};
    const std::vector<OptionValues> sampling = {{"-n", {"2", "-1", "0"}},
                                                {"-s", {"7", "-1"}},
                                                {"--temp", {"0", "0.8"}},
                                                {"--top-k", {"0", "40"}},
                                                {"--top-p", {"1", "0.95"}},
                                                {"--min-p", {"0", "0.05"}},
                                                {"--repeat-penalty", {"1.1"}},
                                                {"--repeat-last-n", {"-1", "64"}},
                                                {"--stop", {"x"}},
                                                {"--ignore-generation-config", {}}};
    std::vector<ProgramOptions> all = {
        {"trine-generate",
         {"-m", model_.name(), "-c", "64"},
         {{"-p", {"A", "B", "C"}},
          {"--ignore-eos", {}},
          {"--no-display-prompt", {}},
          {"--json", {}},
          threads,
          activations,
          cache_types,
          attention,
          reproducible,
          lora,
          allow_unknown}},
        {"trine-generate",
         {"-m", model_.name()},
         {{"-f", {"-", text_}}, {"-c", {"16", "0"}}, {"-n", {"2", "0"}}, {"--show-routing", {}}}},
        {"trine-generate", {"-m", model_.name(), "-p", "A", "-n", "1"}, {{"--prompt-cache", {in("new.cache")}}}},
        {"trine-chat",
         {"-m", model_.name(), "-c", "200"},
         {{"--template", {"chatml", "plain", "{{ messages[0].content }}", text_}},
          {"--system", {"S", "T"}},
          {"--template-vars", {"{\"enable_thinking\": false}"}},
          {"--ignore-eos", {}},
          {"--no-stats", {}},
          threads,
          activations,
          cache_types,
          attention,
          reproducible,
          lora,
          allow_unknown}},
        {"trine-logits",
         {"-m", model_.name(), "-o", in("logits")},
         {{"--tokens", {"1,2", "1", "2"}},
          {"--experts", {in("experts.json")}},
          {"-b", {"1", "512"}},
          context,
          threads,
          activations,
          cache_types,
          attention,
          reproducible,
          lora,
          allow_unknown}},
        {"trine-logits", {"-m", model_.name(), "-o", "/dev/null"}, {{"-p", {"A"}}}},
        {"trine-logits",
         {"-m", std::string(TRINE_TEST_DATA) + "/grid_classification", "-o", "/dev/null"},
         {{"--features", {features_}}}},
        {"trine-perplexity",
         {"-m", model_.name()},
         {{"-f", {"-", text_, text_}},
          {"--against", {model_.name()}},
          {"--json", {}},
          context,
          threads,
          activations,
          cache_types,
          attention,
          reproducible,
          lora,
          allow_unknown}},
        {"trine-inspect", {"-m", model_.name()}, {context, cache_types, allow_unknown, {"--json", {}}}},
        {"trine-quantize",
         {model_.name()},
         {{"", in_each({"q1", "q2", "q3", "q4", "q5", "q6", "q7", "q8", "q9", "q10", "q11", "q12", "q13"})},
          {"--type", {"q8", "q6", "q5_m", "q4_m", "q3_m", "q6a", "q5a", "q4a", "q3a", "q4", "bf16", "f16", "f32"}},
          {"--calibrate", {"-", text_}},
          {"--rule", {"experts=keep", "experts.*=f32"}},
          {"--perplexity", {text_}},
          {"-c", {"16"}},
          {"--json", {}},
          allow_unknown,
          threads}},
        {"trine-quantize",
         {model_.name(), in("calibrated"), "--type", "q4a"},
         {{"--calibration", {in("q1") + "/calibration.safetensors"}}, {"--compare", {text_}}}},
        {"trine-quantize", {model_.name()}, {{"--dry-run", {}}}},
        {"trine-quantize", {model_.name(), "--calibrate", text_, "--dry-run"}, {{"--target-bits", {"12", "11"}}}},
        {"trine-quantize",
         {model_.name(), "--calibrate", text_, "--dry-run"},
         {{"--target-bytes", {"1GiB", "100000000"}}}},
        {"trine-merge",
         {model_.name(), adapter_},
         {{"", {in("m1"), in("m2"), in("m3"), in("m4")}},
          {"--dtype", {"keep", "bf16", "f16", "f32"}},
          {"--max-shard-size", {"5GB", "1MiB", "2KB"}},
          lora,
          allow_unknown,
          threads}},
        {"trine-verify",
         {"-m", model_.name()},
         {threads, allow_unknown, {"--tolerance", {"0.01", "1"}}, {"--json", {}}}},
        {"trine-verify",
         {"-m", model_.name(), "--against", reference_, "--tolerance", "1"},
         {{"--tokens", {"1,2", "3,4", "5,6", "7,8"}}, activations, allow_unknown}},
        {"trine-verify", {"-m", model_.name(), "--against", reference_of_a_, "--tolerance", "1"}, {{"-p", {"A"}}}},
        {"trine-tokenize", {"-m", model_.name()}, {{"--ids", {}}, {"--no-special", {}}, {"--parse-special", {}}}},
        {"trine-tokenize", {"-m", model_.name()}, {{"--json", {}}}},
        {"trine-tokenize", {"-m", model_.name()}, {{"--decode", {}}}},
        {"trine-routing-report",
         {"-m", model_.name(), "-o", in("figure.svg")},
         {{"-p", {"A", "B", "C"}},
          {"--csv", {in("routing.csv")}},
          {"--layers", {"0", "0-1"}},
          {"--top", {"0", "1"}},
          {"--sort", {}},
          {"--show", {"1"}},
          {"--title", {"x"}},
          context,
          allow_unknown,
          threads}},
        {"trine-routing-report", {"-m", model_.name(), "-o", "/dev/null"}, {{"-f", {"-"}}}},
        {"trine-maintenance",
         {"-m", std::string(TRINE_MODELS_DIR) + "/engine-life"},
         {{"-f", {readings_, readings_, readings_}},
          {"--column", {"T24=sensor_2"}},
          {"--unit", {"1", "2"}},
          {"--all", {}},
          {"--alarm", {"0", "0.5", "1"}},
          {"--to-failure", {}},
          {"--pictures", {in("pictures")}},
          {"--json", {}},
          threads}},
        {"trine-maintenance",
         {"-m", std::string(TRINE_MODELS_DIR) + "/engine-life", "-f", readings_},
         {{"--rul", {true_lives_}}}}};
    for (const auto& option : sampling)
      for (const std::size_t i : {std::size_t{0}, std::size_t{3}}) all[i].options.push_back(option);
    return all;
  }

  [[nodiscard]] std::string in(const char* name) const { return (directory_.path() / name).string(); }
  [[nodiscard]] std::vector<std::string> in_each(std::initializer_list<const char*> names) const {
    std::vector<std::string> paths;
    for (const char* name : names) paths.push_back(in(name));
    return paths;
  }

  const TinyModel model_{"full_attention"};
  // Logits that are far from all others, as NumPy writes them: any finite logit is within once the largest of them.
  [[nodiscard]] std::string reference(const char* name, std::size_t tokens) const {
    const std::size_t vocab = model_.golden().logits.view().extent(1);
    const std::vector<float> logits(tokens * vocab, 1e30F);
    const std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(tokens) + ", " +
                               std::to_string(vocab) + "), }\n";
    std::string file = "\x93NUMPY";
    file += {'\1', '\0', static_cast<char>(header.size()), '\0'};
    return directory_
        .write(name, file + header + std::string(reinterpret_cast<const char*>(logits.data()), 4 * logits.size()))
        .string();
  }

  const TemporaryDirectory lora_;
  const std::string adapter_ = lora_.path().string();
  const TemporaryDirectory directory_;
  const std::string text_ = directory_.write("text", "Hello world").string();
  const std::string reference_ = reference("two.npy", 2);
  const std::string reference_of_a_ = reference(
      "a.npy", nlohmann::json::parse(run_program({"trine-tokenize", "-m", model_.name(), "--json"}, "A").out).size());
  // Two engines of a file of C-MAPSS after their first cycle, and what was left to them.
  const std::string readings_ =
      directory_
          .write("readings",
                 [] {
                   const std::string rest =
                       " 1 -0.0007 -0.0004 100.0 518.67 641.82 1589.70 1400.60 14.62 21.61 554.36 2388.06 9046.19 1.30 "
                       "47.47 521.66 2388.02 8138.62 8.4195 0.03 392 2388 100.00 39.06 23.4190\n";
                   return "1" + rest + "2" + rest;
                 }())
          .string();
  const std::string true_lives_ = directory_.write("lives", "112\n98\n").string();
  const std::string features_ = directory_
                                    .write("features.csv",
                                           [] {
                                             std::string lines;
                                             for (int i = 0; i < 7; ++i) lines += "1,2,3,4,5\n";
                                             return lines;
                                           }())
                                    .string();
};

std::vector<std::string> words_of(const std::string& text, char between) {
  std::vector<std::string> words;
  std::istringstream stream(text);
  for (std::string word; std::getline(stream, word, between);)
    if (!word.empty()) words.push_back(word);
  return words;
}

TEST_F(Options, TakeEveryDocumentedValue) {
  std::map<std::string, std::set<std::string>> tried;
  for (const ProgramOptions& one : programs()) {
    std::size_t calls = 1;
    for (const OptionValues& option : one.options) calls = std::max(calls, option.values.size());
    for (std::size_t i = 0; i < calls; ++i) {
      std::vector<std::string> command = one.always;
      command.insert(command.begin(), one.program);
      for (const OptionValues& option : one.options) {
        const bool flag = option.values.empty();
        if (flag ? i > 0 : i >= option.values.size()) continue;
        if (!option.option.empty()) command.push_back(option.option);
        if (!flag) command.push_back(option.values[i]);
      }
      const Finished finished = run_program(command, one.program == "trine-tokenize" ? "1 2" : "Hello");
      EXPECT_EQ(finished.exit_code, 0) << testing::PrintToString(command) << "\n" << finished.err;
      for (const std::string& word : command)
        if (word.starts_with("-")) tried[one.program].insert(word);
    }
  }
  for (const auto& [program, names] : tried) {
    const std::string help = run_program({program, "--help"}).out;
    for (const std::string& line : words_of(help, '\n')) {
      const std::size_t begin = line.find_first_not_of(' ');
      if (begin == std::string::npos || begin == 0 || begin > 4 || line[begin] != '-') continue;
      const std::string all_names = line.substr(begin, line.find_first_of(" {", begin) - begin);
      const auto is_tried = [&names = names](const std::string& name) { return names.contains(name); };
      const std::vector<std::string> known = words_of(all_names, ',');
      if (all_names == "--version" || all_names == "-h,--help") continue;
      EXPECT_TRUE(std::ranges::any_of(known, is_tried)) << program << " " << all_names << " is not in the table above";
    }
  }
}

#ifdef TRINE_HAS_BENCH
// What it measures takes a while, so each call is refused after its options were read, for the last one.
TEST_F(Options, OfTheBenchTakeEveryDocumentedValue) {
  const std::vector<OptionValues> options = {
      {"--synthetic",
       {"deepseek-v2-lite", "deepseek-v3", "deepseek-v3.2", "qwen3-30b-a3b", "qwen3-next-80b-a3b", "qwen3.5-35b-a3b",
        "mixtral-8x7b", "trine-3d", "trine-3d-strided", "trine-3d-routed", "trine-full"}},
      {"--type", {"f32", "bf16", "bf16_panels", "q8", "q6a", "q5a", "q4a", "q3a", "q4"}},
      {"--activations", names_of(kActivationPrecisionNames)},
      {"--cache-type", names_of(kKvCacheDtypeNames)},
      {"--latent-form", names_of(kMlaFormNames)},
      {"--lora", {adapter_, adapter_ + ":0.5"}},
      {"--executor", {"pool"}},
      {"--allow-unknown", {"a", "b*"}},
      {"--no-limits", {}},
      {"-o", {"json", "md"}},
      {"-t", {"0", "1,2", "-1"}}};
  for (std::size_t i = 0; i < 10; ++i) {
    std::vector<std::string> command = {"trine-bench"};
    for (const OptionValues& option : options) {
      if (option.values.empty() && i == 0) command.push_back(option.option);
      if (i < option.values.size()) command.insert(command.end(), {option.option, option.values[i]});
    }
    command.insert(command.end(), {"--attention", "chunky"});
    EXPECT_THAT(run_program(command).err, StartsWith("trine-bench: error: attention: expected full, chunked"))
        << testing::PrintToString(command);
  }
}
#endif

TEST_F(Options, SayWhatToWriteInPlaceOfThoseOfLlamaCpp) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"-ngl", "99"}, "unknown option '-ngl': trine runs on CPUs"},
      {{"-ngl99"}, "unknown option '-ngl': trine runs on CPUs"},
      {{"-b512"}, "unknown option '-b': how many tokens of a prompt"},
      {{"--keep", "8"}, "unknown option '--keep': a text ends where the context is full"},
      {{"--keel", "8"}, "unknown option '--keel' (--help explains)"},
      {{"--sed", "8"}, "unknown option '--sed': did you mean --seed?"},
      {{"--topk", "8"}, "unknown option '--topk': did you mean --top-k?"},
      {{"-n", "-2"}, "expected a whole number from 0 on, found '-2'"},
      {{"-c", "-1"}, "expected a whole number from 0 on, found '-1'"},
      {{"--top-k", "-1"}, "expected a whole number from 0 on, found '-1'"},
      {{"-t", "-2"}, "expected a whole number from 0 to 1024, found '-2'"},
      {{"--n-gpu-layers=99"}, "unknown option '--n-gpu-layers': trine runs on CPUs"},
      {{"-fa"}, "unknown option '-fa': attention is always computed in blocks"},
      {{"-ctk", "q8_0"}, "--cache-type TYPE"},
      {{"--no-mmap"}, "weights are always mapped"},
      {{"-i"}, "trine-chat has conversations"},
      {{"-T", "4"}, "unknown option '-T' (--help explains)"},
      {{"--completely-different"}, "unknown option '--completely-different' (--help explains)"}};
  for (const auto& [arguments, text] : cases) {
    std::vector<std::string> command = {"trine-generate", "-m", model_.name(), "-p", "-ngl"};  // a prompt, no option
    command.insert(command.end(), arguments.begin(), arguments.end());
    const Finished finished = run_program(command);
    EXPECT_EQ(finished.exit_code, 2);
    EXPECT_THAT(finished.err, HasSubstr(text));
  }
}

TEST_F(Options, HaveAdviceForNamesThatPeopleType) {
  for (const char* name : {"-ngl",
                           "--gpu-layers",
                           "-sm",
                           "-mg",
                           "-ts",
                           "--mlock",
                           "--no-mmap",
                           "-ctk",
                           "-ctv",
                           "-b",
                           "-ub",
                           "-tb",
                           "-i",
                           "-cnv",
                           "-sys",
                           "--chat-template",
                           "--jinja",
                           "-hf",
                           "--max-tokens",
                           "--mirostat",
                           "--grammar",
                           "--lora-scaled",
                           "--control-vector",
                           "-md",
                           "--rope-scale",
                           "-e",
                           "-co",
                           "--verbose"})
    EXPECT_NE(example::advice_on_option(name), "") << name;
  for (const char* name : {"", "-", "--", "-n", "-ng", "ngl", "ngl --gpu-layers", "-ngl ", "--gpu", "--nonsense"})
    EXPECT_EQ(example::advice_on_option(name), "") << name;
}

TEST_F(Options, TakeMinusOneAsLlamaCppDoes) {
  const std::vector<std::string> generate = {"trine-generate", "-m", model_.name(), "-p", "A", "-c", "24"};
  const auto run = [&](std::vector<std::string> more) {
    more.insert(more.begin(), generate.begin(), generate.end());
    return run_program(more);
  };
  const Finished whole = run({"-n", "-1", "--ignore-eos", "-t", "-1"});
  EXPECT_EQ(whole.exit_code, 0) << whole.err;
  EXPECT_EQ(whole.out.size(), 24U + 1U + 1U) << "to the end of the context; a token is a character here";

  const Finished any = run({"-n", "8", "--seed", "-1"});
  ASSERT_THAT(any.err, StartsWith("seed "));
  const std::string seed = any.err.substr(5, any.err.find('\n') - 5);
  EXPECT_EQ(run({"-n", "8", "--seed", seed}).out, any.out);
  EXPECT_THAT(run({"-n", "1", "--seed", "-1"}).err, Not(StartsWith("seed " + seed + "\n"))) << "a chance of 1 in 2^32";
  EXPECT_THAT(run({"-n", "1", "--seed", seed}).err, Not(HasSubstr("seed")));
}

TEST_F(Options, SayWhatAMissingOrEmptyPromptMeans) {
  const Finished missing = run_program({"trine-generate", "-m", model_.name()}, "piped in");
  EXPECT_EQ(missing.exit_code, 2);
  EXPECT_THAT(missing.err, HasSubstr("a prompt is missing: -p TEXT, -f FILE or, for standard input, -f -"));
  const Finished empty = run_program({"trine-generate", "-m", model_.name(), "-p", ""});
  EXPECT_EQ(empty.exit_code, 2);
  EXPECT_THAT(empty.err, HasSubstr("the prompt is empty, and the model has no token that a text begins with"));

  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"trine-perplexity"}, "a text is missing: -f FILE or, for standard input, -f -"},
      {{"trine-perplexity", "-p", "A"}, "unknown option '-p': a text to score comes from a file, -f FILE, or from"},
      {{"trine-routing-report", "-o", "/dev/null"}, "a text is missing: -p TEXT, -f FILE or, for standard input, -f -"},
      {{"trine-logits", "-o", "/dev/null"},
       "an input is missing: --tokens IDS, -p TEXT or --features FILE; a text on "},
      {{"trine-chat", "-p", "A"}, "unknown option '-p': messages come from standard input, a line each"},
      {{"trine-chat", "-f", text_}, "unknown option '-f': messages come from standard input, a line each"}};
  for (auto [command, text] : cases) {
    command.insert(command.begin() + 1, {"-m", model_.name()});
    const Finished finished = run_program(command, "piped in");
    EXPECT_EQ(finished.exit_code, 2) << testing::PrintToString(command);
    EXPECT_THAT(finished.err, HasSubstr(text));
  }
  EXPECT_EQ(
      run_program({"trine-routing-report", "-m", model_.name(), "-o", "/dev/null", "-p", "A", "-f", "-"}).exit_code, 2);
}

TEST_F(Options, AllowUnknownLetsEveryProgramReadTheModelOfAFork) {
  model_.add_tensor("x_of_a_fork");
  std::vector<std::vector<std::string>> commands = {
      {"trine-inspect", "-m", model_.name()},
      {"trine-generate", "-m", model_.name(), "-p", "A", "-n", "1"},
      {"trine-chat", "-m", model_.name(), "--template", "plain", "-n", "1"},
      {"trine-logits", "-m", model_.name(), "--tokens", "1,2", "-o", "/dev/null"},
      {"trine-perplexity", "-m", model_.name(), "-f", text_},
      {"trine-quantize", model_.name(), in("quantized")},
      {"trine-routing-report", "-m", model_.name(), "-p", "A", "-o", "/dev/null"},
      {"trine-verify", "-m", model_.name()}};
#ifdef TRINE_HAS_BENCH
  commands.push_back({"trine-bench", "-m", model_.name(), "-p", "4", "-n", "0", "-r", "1", "--no-limits"});
#endif
  for (std::vector<std::string>& command : commands) {
    const Finished refused = run_program(command, "Hello");
    EXPECT_EQ(refused.exit_code, 3) << command[0];
    EXPECT_THAT(refused.err, HasSubstr("unexpected tensor 'x_of_a_fork'")) << command[0];
    command.insert(command.end(), {"--allow-unknown", "nothing", "--allow-unknown", "x_*"});
    const Finished allowed = run_program(command, "Hello");
    EXPECT_EQ(allowed.exit_code, 0) << command[0] << "\n" << allowed.err;
  }
}

TEST_F(Options, SayThatAModelIsADirectoryOrAGgufFile) {
  for (const std::string program : {"trine-inspect", "trine-verify", "trine-perplexity"}) {
    std::vector<std::string> command = {program, "-m", directory_.write("model.bin", "GGML").string()};
    if (program == "trine-perplexity")
      command.insert(command.end(), {"-f", directory_.write("text", "a b c").string()});
    const Finished finished = run_program(command);
    EXPECT_EQ(finished.exit_code, 3);
    EXPECT_THAT(finished.err, HasSubstr("model.bin: expected a model directory (config.json, weights, tokenizer.json) "
                                        "or a GGUF file, found another file"));
    command[2] = directory_.write("model.gguf", "GGUF").string();
    EXPECT_THAT(run_program(command).err, HasSubstr("model.gguf: header: expected 4 more bytes"));  // a cut one
  }
}

TEST(Figures, OfNothingAreDashes) {
  EXPECT_EQ(example::fixed(0.5, 2), "0.50");
  EXPECT_EQ(example::percent(0.5, 1), "50.0 %");
  EXPECT_EQ(example::fixed(std::nan(""), 2), "-");
  EXPECT_EQ(example::percent(std::nan(""), 1), "-");
}

}  // namespace
}  // namespace trine::test
#endif
