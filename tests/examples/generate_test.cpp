// SPDX-License-Identifier: Apache-2.0
#ifdef TRINE_PROGRAMS_DIR
#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>

#include "examples/tiny_model.hpp"

namespace trine::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

TEST(TrineGenerate, PrintsTheTextToStdoutAndTheSpeedToStderr) {
  const TinyModel model;
  const Finished finished = run_program({"trine-generate", "-m", model.name(), "-p", "ROMEO", "-n", "20", "-s", "7"});
  EXPECT_EQ(finished.exit_code, 0);
  EXPECT_THAT(finished.out, StartsWith("ROMEO"));
  EXPECT_EQ(finished.out.size(), 5U + 20U + 1U);  // a token is a character here
  EXPECT_THAT(finished.out, Not(HasSubstr("tokens/s")));
  EXPECT_THAT(finished.err, HasSubstr("prefill       5 tokens"));
  EXPECT_THAT(finished.err, HasSubstr("decode       19 tokens"));
  EXPECT_THAT(finished.err, Not(HasSubstr("\033")));  // not a terminal
}

TEST(TrineGenerate, RepeatsATextWithItsSeedOnAnyNumberOfThreads) {
  const TinyModel model;
  const auto text = [&](const char* seed, const char* threads) {
    return run_program({"trine-generate", "-m", model.name(), "-p", "R", "-n", "64", "-s", seed, "-t", threads}).out;
  };
  const std::string once = text("5", "1");
  EXPECT_EQ(once.size(), 66U);
  EXPECT_EQ(text("5", "1"), once);
  EXPECT_EQ(text("5", "3"), once);
  EXPECT_NE(text("6", "1"), once);
}

TEST(TrineGenerate, TakesTheBestTokenAtTemperatureZero) {
  const TinyModel model;
  const Golden& golden = model.golden();
  const auto last = golden.logits.view().row(golden.tokens.size() - 1);
  const auto best = std::ranges::max_element(last) - last.begin();
  const Finished finished = run_program(
      {"trine-generate", "-m", model.name(), "-f", "-", "-n", "1", "--temp", "0", "--no-display-prompt"}, model.text());
  EXPECT_EQ(finished.out, kAlphabet[static_cast<std::size_t>(best)] + std::string("\n"));
}

TEST(TrineGenerate, ReadsOnlyWhatIsNotInThePromptCache) {
  const TinyModel model;
  const std::string file = (std::filesystem::path(model.name()) / "prompt.cache").string();
  const auto generate = [&](const std::string& prompt, bool cached) {
    std::vector<std::string> arguments{"trine-generate", "-m", model.name(), "-p", prompt, "-n", "8"};
    if (cached) arguments.insert(arguments.end(), {"--prompt-cache", file});
    return run_program(arguments);
  };
  EXPECT_EQ(generate("ROMEO AND", true).out, generate("ROMEO AND", false).out);
  const Finished longer = generate("ROMEO AND JULIET", true);
  EXPECT_EQ(longer.out, generate("ROMEO AND JULIET", false).out);
  EXPECT_THAT(longer.err, HasSubstr("9 of 16 tokens of the prompt were in the cache"));
  const Finished same = generate("ROMEO AND JULIET", true);  // the last one is read, for its logits
  EXPECT_EQ(same.out, longer.out);
  EXPECT_THAT(same.err, HasSubstr("15 of 16 tokens of the prompt were in the cache"));
  const Finished other = generate("NONE", true);
  EXPECT_EQ(other.out, generate("NONE", false).out);
}

TEST(TrineGenerate, RefusesADamagedPromptCacheAndKeepsIt) {
  const TinyModel model;
  const std::filesystem::path file = std::filesystem::path(model.name()) / "prompt.cache";
  std::ofstream(file) << "no session";
  const Finished finished =
      run_program({"trine-generate", "-m", model.name(), "-p", "R", "--prompt-cache", file.string()});
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_THAT(finished.err, HasSubstr("prompt.cache: expected a session of at least 56 bytes, found 10"));
  EXPECT_EQ(std::filesystem::file_size(file), 10U);
}

TEST(TrineGenerate, OnlyReadsThePromptWhenNoTokensAreAskedFor) {
  const TinyModel model;
  const Finished finished = run_program({"trine-generate", "-m", model.name(), "-p", "ROMEO", "-n", "0"});
  EXPECT_EQ(finished.exit_code, 0);
  EXPECT_EQ(finished.out, "ROMEO\n");
  EXPECT_THAT(finished.err, Not(HasSubstr("decode")));
}

TEST(TrineGenerate, EndsWhenTheContextIsFull) {
  const TinyModel model;
  const Finished finished =
      run_program({"trine-generate", "-m", model.name(), "-p", "ROMEO", "-n", "100000", "-c", "16"});
  EXPECT_EQ(finished.exit_code, 0);
  EXPECT_EQ(finished.out.size(), 16U + 1U + 1U);  // the last token was sampled but needs no place
  EXPECT_THAT(finished.err, HasSubstr("note: the text ends because the context of 16 tokens is full (-c)\n"));
  const std::vector<std::string> json = {"trine-generate", "-m", model.name(), "-p", "ROMEO", "-c", "16", "--json"};
  EXPECT_EQ(nlohmann::json::parse(run_program(json).out).at("stop_reason"), "context_full");
  EXPECT_THAT(run_program({"trine-generate", "-m", model.name(), "-p", "ROMEO", "-n", "11", "-c", "16"}).err,
              Not(HasSubstr("note:")))
      << "as many as were asked for";
}

TEST(TrineGenerate, EndsAtASpecialTokenThatIsAStopString) {
  const TinyModel model;
  const std::vector<std::string> greedy = {"trine-generate", "-m", model.name(),         "-p", "ROMEO", "-n", "9",
                                           "--temp",         "0",  "--no-display-prompt"};
  const std::string text = run_program(greedy).out;
  const char last = text[7];
  ASSERT_EQ(std::string("ROMEO").find(last), std::string::npos);
  auto tokenizer = nlohmann::json::parse(read_whole(model.path() / "tokenizer.json"));
  const std::size_t id = kAlphabet.find(last);
  tokenizer["model"]["vocab"].erase(last == ' ' ? "\u0120" : last == '\n' ? "\u010A" : std::string(1, last));
  if (last == '9') tokenizer["model"]["unk_token"] = "8";
  tokenizer["added_tokens"] = {{{"id", id},
                                {"content", "<|im_end|>"},
                                {"single_word", false},
                                {"lstrip", false},
                                {"rstrip", false},
                                {"normalized", false},
                                {"special", true}}};
  model.write("tokenizer.json", tokenizer.dump());
  std::vector<std::string> stopped = greedy;
  stopped.insert(stopped.end(), {"--ignore-eos", "--stop", "<|im_end|>", "--json"});
  const auto document = nlohmann::json::parse(run_program(stopped).out);
  EXPECT_EQ(document.at("stop_reason"), "stop_string");
  EXPECT_EQ(document.at("text"), text.substr(0, text.find(last)));
  EXPECT_EQ(document.at("tokens").back(), id);
}

TEST(TrineGenerate, ServesWithThePrefixOfALongerPromptCache) {
  const TinyModel model;
  const std::string file = (std::filesystem::path(model.name()) / "prompt.cache").string();
  const auto generate = [&](const std::string& prompt, std::vector<std::string> more) {
    std::vector<std::string> arguments{"trine-generate", "-m", model.name(), "-p", prompt, "-n", "4"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_program(arguments);
  };
  generate(std::string(80, 'a') + "ROMEO", {"--prompt-cache", file});
  const std::string prompt = std::string(10, 'a') + "JULIET";
  const Finished finished = generate(prompt, {"-c", "24", "--prompt-cache", file});
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_THAT(finished.err, HasSubstr("10 of 16 tokens of the prompt were in the cache"));
  EXPECT_EQ(finished.out, generate(prompt, {}).out);
}

TEST(TrineGenerate, FailsWhereNoLogitIsFinite) {
  const TinyModel model;
  model.poison("norm.weight", 0, 32);
  const Finished finished = run_program({"trine-generate", "-m", model.name(), "-p", "ROMEO", "-n", "9"});
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_THAT(finished.err, HasSubstr("error: position 4: expected finite outputs, found none among 64"));
  EXPECT_THAT(finished.out, Not(HasSubstr("ROMEO")));
}

TEST(TrineGenerate, NotesLogitsThatAreNotFinite) {
  const TinyModel model;
  model.poison("embed_tokens.weight", kAlphabet.find('Z') * 32, 32);
  const std::vector<std::string> command = {"trine-generate", "-m", model.name(), "-p", "ROMEO", "-n", "9", "--json"};
  const Finished finished = run_program(command);
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_EQ(nlohmann::json::parse(finished.out).at("non_finite_logits"), 9);
  EXPECT_THAT(finished.err, HasSubstr("note: 9 logits were not finite\n"));
  const TinyModel sound;
  EXPECT_EQ(
      nlohmann::json::parse(run_program({"trine-generate", "-m", sound.name(), "-p", "ROMEO", "-n", "9", "--json"}).out)
          .at("non_finite_logits"),
      0);
}

TEST(TrineGenerate, EndsBeforeAStopString) {
  const TinyModel model;
  const std::vector<std::string> command = {"trine-generate", "-m", model.name(), "-p", "R", "-n", "30"};
  const std::string whole = run_program(command).out;
  std::vector<std::string> stopped = command;
  stopped.insert(stopped.end(), {"--stop", "unlikely to come", "--stop", whole.substr(10, 3)});
  const std::string text = run_program(stopped).out;
  EXPECT_EQ(text, whole.substr(0, whole.find(whole.substr(10, 3), 1)) + "\n");
}

TEST(TrineGenerate, TakesAPromptOfAnyBytes) {
  const TinyModel model;
  for (const std::string prompt : {"\xFF\xFE", "a\xC3", "\xED\xA0\x80 b", "--help me", "-", "\x1B[31m"}) {
    const Finished finished = run_program({"trine-generate", "-m", model.name(), "-p", prompt, "-n", "3", "--json"});
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    EXPECT_EQ(nlohmann::json::parse(finished.out).at("tokens").size(), 3U);
  }
  EXPECT_EQ(run_program({"trine-generate", "-m", model.name(), "-f", "-", "-n", "0"}, std::string("a\0b", 3)).exit_code,
            0);
}

TEST(TrineGenerate, PrintsOneJsonDocument) {
  const TinyModel model;
  const Finished finished =
      run_program({"trine-generate", "-m", model.name(), "-p", "ROMEO", "-n", "9", "--json", "--show-routing"});
  EXPECT_EQ(finished.exit_code, 0);
  const auto document = nlohmann::json::parse(finished.out);
  EXPECT_EQ(document.at("prompt"), "ROMEO");
  EXPECT_EQ(document.at("text").get<std::string>(), text_of(document.at("tokens")));
  EXPECT_EQ(document.at("stop_reason"), "length");
  EXPECT_EQ(document.at("routing").at("tokens"), 14);
  EXPECT_EQ(document.at("experts").at("0").size(), 14U);
}

TEST(TrineGenerate, ShowsTheExpertsOfEveryToken) {
  const TinyModel model;
  const Golden& golden = model.golden();
  const Finished finished =
      run_program({"trine-generate", "-m", model.name(), "-f", "-", "-n", "0", "--show-routing"}, model.text());
  EXPECT_EQ(finished.exit_code, 0);
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < finished.out.size();) {
    const std::size_t end = finished.out.find('\n', begin);
    lines.push_back(finished.out.substr(begin, end - begin));
    begin = end + 1;
  }
  const auto header = std::ranges::find_if(lines, [](const auto& line) { return line.find("layer 0") < line.size(); });
  ASSERT_NE(header, lines.end());
  for (std::size_t t = 0; t < golden.tokens.size(); ++t) {
    const std::string& line = *(header + 1 + static_cast<std::ptrdiff_t>(t));
    const char character = kAlphabet[golden.tokens[t]];
    EXPECT_THAT(line, HasSubstr(character == '\n' ? "'\\n'" : std::string("'") + character + "'"));
    const std::size_t column = header->find("layer 0");
    EXPECT_EQ(line.substr(column, 2), std::to_string(golden.experts.at(0)[t][0]) + " ") << line;
  }
  EXPECT_THAT(finished.out, HasSubstr("utilization"));
  EXPECT_THAT(finished.out, Not(HasSubstr("\033")));
}

TEST(TrineGenerate, TakesDefaultsFromGenerationConfig) {
  const TinyModel model;
  const auto text = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments = {"trine-generate", "-m", model.name(), "-p", "ROMEO", "--no-display-prompt"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_program(arguments);
  };
  const std::string greedy = text({"--temp", "0", "-n", "9"}).out;
  model.write("generation_config.json", R"({"do_sample": false, "max_new_tokens": 3, "unknown": 1})");
  EXPECT_EQ(text({}).out, greedy.substr(0, 3) + "\n");
  EXPECT_EQ(text({"-n", "9"}).out, greedy);
  EXPECT_NE(text({"-n", "9", "--temp", "3", "--top-k", "0", "--top-p", "1", "--min-p", "0"}).out, greedy);
  model.write("generation_config.json",
              nlohmann::json({{"do_sample", false}, {"eos_token_id", {60, kAlphabet.find(greedy[1])}}}).dump());
  EXPECT_EQ(text({"-n", "9"}).out, greedy.substr(0, greedy[0] == greedy[1] ? 0 : 1) + "\n");
  EXPECT_EQ(text({"-n", "9", "--ignore-eos"}).out, greedy);
  model.write("generation_config.json", R"({"num_beams": 4})");
  const Finished refused = text({"-n", "9", "--temp", "0"});
  EXPECT_EQ(refused.exit_code, 3);
  EXPECT_THAT(refused.err,
              HasSubstr("generation_config.json: num_beams: expected off, all that is supported, found 4"));
  EXPECT_EQ(text({"-n", "9", "--temp", "0", "--ignore-generation-config"}).out, greedy);
}

TEST(TrineGenerate, EndsCleanlyAtCtrlC) {
  const TinyModel model;
  auto config = model.config();
  config["max_position_embeddings"] = 1U << 22U;
  model.write("config.json", config.dump());
  Running program({"trine-generate", "-m", model.name(), "-p", "ROMEO", "-n", "4000000", "-t", "1"});
  while (program.out_so_far().size() < 10) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  program.signal(SIGINT);
  const Finished finished = program.wait();
  EXPECT_EQ(finished.exit_code, 130);
  EXPECT_EQ(finished.out.back(), '\n');
  EXPECT_EQ(finished.err, "trine-generate: error: interrupted\n");
}

TEST(HelloMoe, CompletesAPrompt) {
  const TinyModel model;
  const Finished finished = run_program({"hello_moe", model.name(), "ROMEO"});
  EXPECT_EQ(finished.exit_code, 0);
  EXPECT_THAT(finished.out, StartsWith("ROMEO"));
  EXPECT_THAT(finished.out, HasSubstr("expert utilization 0."));
  const Finished failed = run_program({"hello_moe", "/no/such/model"});
  EXPECT_EQ(failed.exit_code, 1);
  EXPECT_THAT(failed.err, StartsWith("hello_moe: error: /no/such/model"));
}

TEST(CustomExecutor, MakesTheSameTextOnThreadsOfAllKinds) {
  const Finished finished = run_program({"custom_executor", std::string(TRINE_MODELS_DIR) + "/shakespeare"});
  EXPECT_EQ(finished.exit_code, 0) << finished.out << finished.err;
  EXPECT_THAT(finished.out, HasSubstr("a queue of jobs: the same text"));
}

TEST(CustomRouter, SaysWhatItsRoutersChange) {
  const TinyModel model;
  const Finished finished = run_program({"custom_router", model.name(), "To be or not to be"});
  EXPECT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_THAT(finished.out, HasSubstr("as trained                  0.0 %"));
  EXPECT_THAT(finished.out, HasSubstr("kind \"cosine\""));
  EXPECT_THAT(finished.out, HasSubstr("best expert only          100.0 %"));
}

}  // namespace
}  // namespace trine::test
#endif
