// SPDX-License-Identifier: Apache-2.0
// What all programs do alike: exit codes, errors, help.
#ifdef TRINE_PROGRAMS_DIR
#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>

#include "examples/tiny_model.hpp"

namespace trine::test {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

/// Each program with all that it asks for besides the model.
std::vector<std::vector<std::string>> programs() {
  return {{"trine-generate", "-p", "ROMEO", "-n", "1"},
          {"trine-logits", "--tokens", "1,2", "-o", "/dev/null"},
          {"trine-tokenize"},
          {"trine-perplexity", "-f", "-"},
          {"trine-inspect"},
          {"trine-verify"},
          {"trine-routing-report", "-p", "ROMEO", "-o", "/dev/null"}};
}

std::vector<std::string> with(std::vector<std::string> command, const std::vector<std::string>& more) {
  command.insert(command.end(), more.begin(), more.end());
  return command;
}

/// One line on stderr that says which program failed; nothing on stdout.
void expect_error(const Finished& finished, int exit_code, const std::string& text) {
  EXPECT_EQ(finished.exit_code, exit_code) << finished.err;
  EXPECT_THAT(finished.out, IsEmpty());
  EXPECT_THAT(finished.err, StartsWith("trine-"));
  EXPECT_THAT(finished.err, HasSubstr(": error: "));
  EXPECT_THAT(finished.err, HasSubstr(text));
  EXPECT_EQ(std::ranges::count(finished.err, '\n'), 1) << finished.err;
  EXPECT_THAT(finished.err, EndsWith("\n"));
}

TEST(Programs, DoTheirWorkOnAGoodModel) {
  const TinyModel model;
  for (const auto& program : programs()) {
    const Finished finished = run_program(with(program, {"-m", model.name()}), "Hello world");
    EXPECT_EQ(finished.exit_code, 0) << program[0] << ": " << finished.err;
  }
}

TEST(Programs, ExplainThemselves) {
  for (const auto& program : programs()) {
    const Finished help = run_program({program[0], "--help"});
    EXPECT_EQ(help.exit_code, 0);
    EXPECT_THAT(help.err, IsEmpty());
    for (const std::string& part :
         {std::string("--model"), "Example:\n  " + program[0] + " -m ", std::string("Exit codes: 0 done")})
      EXPECT_THAT(help.out, HasSubstr(part)) << program[0];
    const Finished version = run_program({program[0], "--version"});
    EXPECT_EQ(version.exit_code, 0);
    EXPECT_EQ(version.out, program[0] + " " TRINE_VERSION_STRING "\n");
  }
}

TEST(Programs, SuggestTheNearestOption) {
  for (const auto& program : programs())
    expect_error(run_program(with(program, {"-m", "x", "--modle", "y"})), 2, "did you mean --model?");
  expect_error(run_program({"trine-generate", "--tmep", "0.5"}), 2, "unknown option '--tmep': did you mean --temp?");
  expect_error(run_program({"trine-generate", "-m", "x", "--seeed=3"}), 2, "'--seeed': did you mean --seed?");
  expect_error(run_program({"trine-generate", "-m", "x", "-p", "y", "z"}), 2, "unexpected argument 'z'");
}

TEST(Programs, RefuseBadValues) {
  const TinyModel model;
  const std::vector<std::string> generate = {"trine-generate", "-m", model.name(), "-p", "ROMEO"};
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"-n", "many"}, "--predict"},
      {{"-n", "-2"}, "--predict"},
      {{"-n", "99999999999999999999"}, "--predict"},
      {{"-n", "010"}, "--predict"},
      {{"--top-k", "4294967296"}, "--top-k"},
      {{"-s", "1.5"}, "--seed"},
      {{"--temp", "hot"}, "--temp"},
      {{"--temp", "-1"}, "temperature"},
      {{"--temp", "nan"}, "temperature"},
      {{"--top-p", "1.5"}, "top_p"},
      {{"--min-p", "-0.5"}, "min_p"},
      {{"--repeat-penalty", "0"}, "repeat_penalty"},
      {{"--stop", ""}, "stop"},
      {{"-t", "100000"}, "--threads: expected a whole number from 0 to 1024, found '100000'"},
      {{"-t", "-2"}, "--threads"},
      {{"-c", "-2"}, "--ctx-size"},
      {{"-f", "x"}, "excludes"},
      {{"-n"}, "1 required"},
  };
  for (const auto& [arguments, text] : cases) {
    SCOPED_TRACE(arguments[0] + " " + arguments.back());
    const Finished finished = run_program(with(generate, arguments));
    EXPECT_EQ(finished.exit_code, 2) << finished.err;
    EXPECT_THAT(finished.err, StartsWith("trine-generate: error: "));
    EXPECT_THAT(finished.err, HasSubstr(text));
  }
  expect_error(run_program({"trine-generate", "-m", model.name()}), 2, "prompt");
  expect_error(run_program({"trine-generate", "-p", "a"}), 2, "--model");
  expect_error(run_program({"trine-logits", "-m", model.name(), "--tokens", "1,x", "-o", "/dev/null"}), 2, "'x'");
  expect_error(run_program({"trine-logits", "-m", model.name(), "--tokens", "64", "-o", "/dev/null"}), 2, "below 64");
  expect_error(run_program({"trine-logits", "-m", model.name(), "--tokens", ",", "-o", "/dev/null"}), 2, "token");
  expect_error(run_program({"trine-tokenize", "-m", model.name(), "--decode"}, "1 64"), 2, "64");
  expect_error(run_program({"trine-perplexity", "-m", model.name(), "-f", "-"}, "a"), 2, "at least 2 tokens");
}

TEST(Programs, SayWhatIsWrongWithAModel) {
  const TinyModel model;
  const auto all_say = [&](const std::string& directory, const std::string& text, bool tokenizer_too) {
    for (const auto& program : programs()) {
      SCOPED_TRACE(program[0]);
      if (program[0] == "trine-tokenize" && !tokenizer_too) continue;
      expect_error(run_program(with(program, {"-m", directory}), "Hello"), 3, text);
    }
  };
  all_say("/no/such/model", "No such file", true);
  const std::string pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 4976698672\n";
  all_say(model.name() + "/config.json", "", true);  // a file, not a directory

  const std::string config = read_whole(model.path() / "config.json");
  model.write("config.json", config.substr(0, config.size() / 2));
  all_say(model.name(), "config.json: not valid JSON", false);
  auto unknown = nlohmann::json::parse(config);
  unknown["hiden_size"] = 32;
  model.write("config.json", unknown.dump());
  all_say(model.name(), "unknown key 'hiden_size'; the nearest known key is 'hidden_size'", false);
  auto foreign = nlohmann::json::parse(config);
  foreign["model_type"] = "trin";
  model.write("config.json", foreign.dump());
  all_say(model.name(), "model_type", false);
  model.write("config.json", config);

  const std::string weights = read_whole(model.path() / "weights.bin");
  model.write("weights.bin", weights.substr(0, weights.size() - 64));
  all_say(model.name(), "weights.json: nbytes", false);
  model.write("weights.bin", pointer);
  all_say(model.name(), "weights.bin: expected the file itself, found a Git LFS pointer to it: run 'git lfs pull'",
          false);
  model.write("weights.bin", weights);

  model.write("tokenizer.json", pointer);
  expect_error(run_program({"trine-tokenize", "-m", model.name()}, "Hello"), 3,
               "tokenizer.json: expected the file itself");
  model.write("tokenizer.json", "{}");
  expect_error(run_program({"trine-tokenize", "-m", model.name()}, "Hello"), 3, "tokenizer.json");
  expect_error(run_program({"trine-generate", "-m", model.name(), "-p", "Hello"}), 3, "tokenizer.json");
}

TEST(Programs, FindAModelByItsName) {
  const TinyModel model;
  const TemporaryDirectory cache;
  const std::filesystem::path repository = cache.path() / "models--someone--tiny";
  std::filesystem::create_directories(repository / "blobs");
  cache.write("models--someone--tiny/refs/main", "c0ffee");
  std::filesystem::create_directories(repository / "snapshots" / "c0ffee");
  for (const char* name : {"config.json", "weights.json", "weights.bin", "tokenizer.json", "self_test.json"}) {
    std::filesystem::copy_file(model.path() / name, repository / "blobs" / name);
    std::filesystem::create_symlink(std::filesystem::path("../../blobs") / name,
                                    repository / "snapshots" / "c0ffee" / name);
  }
  ::setenv("TRINE_MODELS", cache.path().c_str(), 1);
  for (const auto& program : programs()) {
    const Finished finished = run_program(with(program, {"-m", "someone/tiny"}), "Hello world");
    EXPECT_EQ(finished.exit_code, 0) << program[0] << ": " << finished.err;
    expect_error(run_program(with(program, {"-m", "someone/else"}), "Hello world"), 3,
                 "someone/else: expected a model directory, a GGUF file or the name of a model in a cache, found none");
  }
  const Finished dry = run_program({"trine-quantize", "someone/tiny", "--dry-run"});
  EXPECT_EQ(dry.exit_code, 0) << dry.err;
  cache.write("models--someone--tiny/snapshots/c0ffee/tiny-Q8_0.gguf", "GGUF");
  EXPECT_THAT(run_program({"trine-inspect", "-m", "someone/tiny"}).out, HasSubstr("tiny-Q8_0.gguf: not read"));
  std::filesystem::remove(repository / "blobs" / "config.json");
  for (const auto& program : programs())
    expect_error(run_program(with(program, {"-m", "someone/tiny"}), "Hello world"), 3,
                 "which does not exist; hf download someone/tiny completes it");
  ::unsetenv("TRINE_MODELS");
}

TEST(Programs, SayThatItDoesNotFit) {
  const TinyModel model;
  expect_error(run_program({"trine-generate", "-m", model.name(), "-p", "Hello", "-c", "257"}), 4, "at most 256");
  expect_error(run_program({"trine-generate", "-m", model.name(), "-p", std::string(300, 'a')}), 4, "too long");
  expect_error(run_program({"trine-logits", "-m", model.name(), "--tokens", "1,2,3", "-c", "2", "-o", "/dev/null"}), 4,
               "too long");
  expect_error(run_program({"trine-perplexity", "-m", model.name(), "-f", "-", "-c", "1000"}, "Hello"), 4, "256");
  expect_error(run_program({"trine-inspect", "-m", model.name(), "-c", "1000"}), 4, "256");
}

TEST(Programs, SayThatAFileCannotBeReadOrWritten) {
  const TinyModel model;
  expect_error(run_program({"trine-perplexity", "-m", model.name(), "-f", "/no/such/text"}), 1, "/no/such/text");
  expect_error(run_program({"trine-generate", "-m", model.name(), "-f", "/no/such/text"}), 1, "/no/such/text");
  expect_error(run_program({"trine-logits", "-m", model.name(), "--tokens", "1", "-o", "/no/such/file"}), 1,
               "/no/such/file");
  expect_error(run_program({"trine-logits", "-m", model.name(), "--tokens", "1", "-o", "/dev/full"}), 1, "/dev/full");
  expect_error(run_program({"trine-logits", "-m", model.name(), "--tokens", "1", "-o", "/tmp"}), 1, "directory");
  expect_error(run_program({"trine-logits", "-m", model.name(), "--tokens", "1", "-o", model.name() + "/weights.bin"}),
               2, "model directory");
}

TEST(Programs, LeaveAnOutputAsItWasWhenTheyFail) {
  const TinyModel model;
  const TemporaryDirectory directory;
  const std::string output = directory.write("logits", "as it was").string();
  expect_error(run_program({"trine-logits", "-m", model.name(), "--tokens", "1,999", "-o", output}), 2, "below 64");
  expect_error(run_program({"trine-logits", "-m", model.name(), "--tokens", "1", "-o", output, "--experts",
                            (directory.path() / "no" / "experts").string()}),
               1, "cannot be written");
  EXPECT_EQ(read_whole(output), "as it was");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory.path()), {}), 1) << "nothing is left over";
}

}  // namespace
}  // namespace trine::test
#endif
