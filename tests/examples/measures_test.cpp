// SPDX-License-Identifier: Apache-2.0
// The programs that measure and check: logits, perplexity, tokenize, inspect, verify, routing report.
#ifdef TRINE_PROGRAMS_DIR
#include <cmath>
#include <cstring>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "examples/tiny_model.hpp"
#include "support/safetensors_file_writer.hpp"

namespace trine::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

std::string joined(const std::vector<std::uint32_t>& ids) {
  std::string text;
  for (const auto id : ids) text += (text.empty() ? "" : ",") + std::to_string(id);
  return text;
}

// A line for each site of each frame, as trine-logits --features reads them.
std::string to_csv(View<const float, 3> features) {
  std::ostringstream text;
  text.precision(9);
  text << "names,of,columns,are,skipped\n";
  for (std::size_t i = 0; i < features.size(); ++i)
    text << features.span()[i] << ((i + 1) % features.extent(2) == 0 ? "\r\n" : ", ");
  return text.str();
}

// Runs trine-logits on a golden model and expects what the reference found.
void expect_golden(const std::filesystem::path& directory, const std::vector<std::string>& options) {
  const Golden golden = read_golden(directory);
  const TemporaryDirectory output;
  const std::string logits = (output.path() / "logits").string();
  const std::string experts = (output.path() / "experts").string();
  std::vector<std::string> command = {"trine-logits", "-m", directory.string(), "-o", logits, "--experts", experts};
  command.insert(command.end(), options.begin(), options.end());
  if (golden.tokens.empty()) {
    command.insert(command.end(), {"--features", output.write("x.csv", to_csv(golden.features.view())).string()});
  } else {
    command.insert(command.end(), {"--tokens", joined(golden.tokens)});
  }
  const Finished finished = run_program(command);
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_THAT(finished.out, IsEmpty());

  const std::string bytes = read_whole(logits);
  ASSERT_EQ(bytes.size(), golden.logits.size() * sizeof(float));
  std::vector<float> found(golden.logits.size());
  std::memcpy(found.data(), bytes.data(), bytes.size());
  float largest = 0.0F;
  for (const float value : golden.logits.view().span()) largest = std::max(largest, std::abs(value));
  for (std::size_t i = 0; i < found.size(); ++i)
    ASSERT_NEAR(found[i], golden.logits.view().span()[i], 1e-4F * largest) << "logit " << i;
  const auto chosen = nlohmann::json::parse(read_whole(experts));
  EXPECT_EQ(chosen.size(), golden.experts.size());
  for (const auto& [layer, tokens] : golden.experts) EXPECT_EQ(chosen.at(std::to_string(layer)), tokens);
  for (const auto& entry : std::filesystem::directory_iterator(output.path()))
    EXPECT_NE(entry.path().extension(), ".partial");
}

TEST(TrineLogits, WritesTheGoldenLogitsAndExperts) {
  for (const auto& directory : golden_directories()) {
    SCOPED_TRACE(directory.filename().string());
    expect_golden(directory, {});
  }
}

TEST(TrineLogits, ComputesTokensOneByOneWhenAsked) {
  for (const auto& directory : golden_directories()) {
    SCOPED_TRACE(directory.filename().string());
    expect_golden(directory, {"--batch-size", "1"});
  }
  const Finished none = run_program({"trine-logits", "-m", golden_directories()[0].string(), "--tokens", "1", "-o",
                                     "/dev/null", "--batch-size", "0"});
  EXPECT_EQ(none.exit_code, 2);
  EXPECT_THAT(none.err, HasSubstr("--batch-size"));
}

TEST(TrineLogits, TakesATextInPlaceOfTokens) {
  const TinyModel model;
  const TemporaryDirectory output;
  const std::string by_tokens = (output.path() / "tokens").string();
  const std::string by_text = (output.path() / "text").string();
  ASSERT_EQ(
      run_program({"trine-logits", "-m", model.name(), "-o", by_tokens, "--tokens", joined(model.golden().tokens)})
          .exit_code,
      0);
  ASSERT_EQ(run_program({"trine-logits", "-m", model.name(), "-o", by_text, "-p", model.text()}).exit_code, 0);
  EXPECT_EQ(read_whole(by_tokens), read_whole(by_text));
}

TEST(TrineLogits, NamesTheLineOfFeaturesThatIsWrong) {
  const std::string model = std::string(TRINE_TEST_DATA) + "/grid_classification";  // frames of 7 sites, 5 features
  const TemporaryDirectory directory;
  const std::map<std::string, std::string> cases = {{"1,2,3,4,5\n1,2,3,4\n", "line 2: expected 5 numbers, found 4"},
                                                    {"1,2,3,4,5\n1,2,x,4,5\n", "line 2: expected finite numbers"},
                                                    {"1,2,3,4,nan\n", "line 1: expected finite numbers"},
                                                    {"1,2,3,4,\n", "line 1: expected finite numbers"},
                                                    {"1,2,3,4,5\n", "whole frames of 7 lines, found 1"},
                                                    {"a,b,c,d,e\n", "found 0"},
                                                    {"", "found 0"}};
  for (const auto& [csv, text] : cases) {
    const std::string file = directory.write("features.csv", csv).string();
    const Finished finished = run_program({"trine-logits", "-m", model, "--features", file, "-o", "/dev/null"});
    EXPECT_EQ(finished.exit_code, 2) << csv;
    EXPECT_THAT(finished.err, HasSubstr(text)) << csv;
  }
  const Finished tokens = run_program({"trine-logits", "-m", model, "--tokens", "1", "-o", "/dev/null"});
  EXPECT_EQ(tokens.exit_code, 2);
  EXPECT_THAT(tokens.err, HasSubstr("this model takes features"));
}

TEST(TrinePerplexity, AgreesWithTheGoldenLogitsInDoublePrecision) {
  const TinyModel model;
  const Golden& golden = model.golden();
  const auto scored = static_cast<double>(golden.tokens.size() - 1);
  double sum = 0.0;
  double squares = 0.0;
  for (std::size_t t = 0; t + 1 < golden.tokens.size(); ++t) {
    double exponentials = 0.0;
    for (const float logit : golden.logits.view().row(t)) exponentials += std::exp(static_cast<double>(logit));
    const double nll = std::log(exponentials) - static_cast<double>(golden.logits.view()(t, golden.tokens[t + 1]));
    sum += nll;
    squares += nll * nll;
  }
  double utilization = 0.0;  // over the tokens that are read: all but the last
  for (const auto& [layer, tokens] : golden.experts) {
    std::map<std::uint32_t, double> load;
    double total = 0.0;
    for (std::size_t t = 0; t + 1 < tokens.size(); ++t)
      for (const auto e : tokens[t]) load[e] += 1.0, total += 1.0;
    double entropy = 0.0;
    for (const auto& [expert, count] : load) entropy -= count / total * std::log(count / total);
    const double experts = model.config().at("moe").at("num_experts");
    utilization += std::exp(entropy) / experts / static_cast<double>(golden.experts.size());
  }
  const double perplexity = std::exp(sum / scored);
  const double variance = (squares - sum * sum / scored) / (scored - 1.0);

  const Finished finished = run_program({"trine-perplexity", "-m", model.name(), "-f", "-", "--json"}, model.text());
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const auto document = nlohmann::json::parse(finished.out);
  EXPECT_NEAR(document.at("perplexity").get<double>() / perplexity, 1.0, 1e-3);
  EXPECT_NEAR(document.at("perplexity_error").get<double>() / (perplexity * std::sqrt(variance / scored)), 1.0, 1e-3);
  EXPECT_NEAR(document.at("bits_per_byte").get<double>(), sum / std::log(2.0) / scored, 1e-3);  // a byte a token
  EXPECT_NEAR(document.at("utilization").get<double>(), utilization, 1e-9);
  EXPECT_EQ(document.at("tokens"), golden.tokens.size());
}

TEST(TrinePerplexity, ForgetsAtTheEndOfAWindow) {
  const TinyModel model;
  const auto perplexity = [&](const std::string& text, const char* window) {
    return nlohmann::json::parse(
               run_program({"trine-perplexity", "-m", model.name(), "-f", "-", "-c", window, "--json"}, text).out)
        .at("perplexity")
        .get<double>();
  };
  // A window of 4 inputs and 4 targets, twice: the second window sees nothing of the first.
  EXPECT_NEAR(perplexity("abcdabcda", "4"), perplexity("abcda", "4"), 1e-9);
  EXPECT_GT(std::abs(perplexity("abcdabcda", "8") - perplexity("abcda", "8")), 1e-3);
}

TEST(TrinePerplexity, FailsWhereATokenHasNoProbability) {
  const TinyModel none;
  none.poison("norm.weight", 0, 32);
  const TinyModel one;
  one.poison("embed_tokens.weight", kAlphabet.find('Z') * 32, 32);
  const auto score = [](const TinyModel& model) {
    return run_program({"trine-perplexity", "-m", model.name(), "-f", "-", "-c", "4"}, "abcdabcda");
  };
  EXPECT_EQ(score(none).exit_code, 1);
  EXPECT_THAT(score(none).err, HasSubstr("error: position 0: expected finite outputs, found none among 64"));
  EXPECT_EQ(score(one).exit_code, 1);
  EXPECT_THAT(score(one).err, HasSubstr("error: token 1: expected finite logits to score it by, found others"));
  EXPECT_THAT(score(one).out, IsEmpty());
}

TEST(TrinePerplexity, CountsTheLogitsThatAreNotFinite) {
  const TinyModel model;
  const Finished finished =
      run_program({"trine-perplexity", "-m", model.name(), "-f", "-", "--json", "--reproducible"}, model.text());
  EXPECT_EQ(nlohmann::json::parse(finished.out).at("non_finite_logits"), 0);
}

TEST(TrineLogits, FailsWhereNoLogitIsFinite) {
  const TinyModel model;
  model.poison("norm.weight", 0, 32);
  const Finished finished = run_program({"trine-logits", "-m", model.name(), "--tokens", "2,3", "-o", "/dev/null"});
  EXPECT_EQ(finished.exit_code, 1);
  EXPECT_THAT(finished.err, HasSubstr("position 0: expected finite outputs"));
}

// A model whose head has no numbers for one token, which is nowhere in its input.
TEST(LogitsThatAreNotFinite, AreNotedByEveryProgramThatComputesThem) {
  const TinyModel model("full_attention_softmax_top_k");
  const std::size_t hidden = model.config().at("hidden_size");
  model.poison("lm_head.weight", kAlphabet.find('Z') * hidden, hidden);
  auto test = model.self_test();
  test["cases"][0]["top_logits"] = nlohmann::json::array();  // the experts are left to compare
  model.write("self_test.json", test.dump());
  const TemporaryDirectory directory;
  const auto in = [&](const char* name) { return (directory.path() / name).string(); };
  const std::vector<std::pair<std::vector<std::string>, std::string>> commands = {
      {{"trine-logits", "-m", model.name(), "--tokens", "2,3", "-o", in("logits")}, "2"},
      {{"trine-generate", "-m", model.name(), "-p", "ROMEO", "-n", "3", "--ignore-eos"}, "3"},
      {{"trine-chat", "-m", model.name(), "--template", "plain", "-n", "3", "--ignore-eos"}, "3"},
      {{"trine-routing-report", "-m", model.name(), "-p", "ROMEO", "-c", "2", "-o", in("figure.svg")}, "3"},
#ifdef TRINE_HAS_BENCH
      {{"trine-bench", "-m", model.name(), "-p", "8", "-n", "4", "-r", "2", "-t", "1", "--no-limits"}, "5"},
#endif
      {{"trine-verify", "-m", model.name()}, std::to_string(model.golden().tokens.size())}};
  for (const auto& [command, count] : commands) {
    const Finished finished = run_program(command, "Hello");
    EXPECT_EQ(finished.exit_code, 0) << command[0] << "\n" << finished.err;
    EXPECT_THAT(finished.err, HasSubstr("note: " + count + " logits were not finite\n")) << command[0];
  }
  const Finished json = run_program({"trine-verify", "-m", model.name(), "--json"});
  EXPECT_EQ(nlohmann::json::parse(json.out).at("non_finite_logits"), model.golden().tokens.size());
}

TEST(TrinePerplexity, ShowsItsProgressOnATerminalOnly) {
  const TinyModel model;
  const std::vector<std::string> command = {"trine-perplexity", "-m", model.name(), "-f", "-", "-c", "16"};
  const std::string text(2000, 'a');
  EXPECT_THAT(run_program(command, text).err, IsEmpty());

  const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY);
  if (terminal < 0 || ::grantpt(terminal) != 0 || ::unlockpt(terminal) != 0) GTEST_SKIP() << "no terminals here";
  Running program(command, text, ::ptsname(terminal));
  std::string shown;
  char part[4096];
  ssize_t count = 0;  // until the program ends, the only one that holds the other side
  while ((count = ::read(terminal, part, sizeof part)) > 0) shown.append(part, static_cast<std::size_t>(count));
  ::close(terminal);
  EXPECT_EQ(program.wait().exit_code, 0);
  EXPECT_THAT(shown, HasSubstr("scoring"));
  EXPECT_THAT(shown, HasSubstr(" tokens/s  "));
  EXPECT_THAT(shown, HasSubstr(" left"));
  EXPECT_THAT(shown, ::testing::EndsWith("\r\033[K")) << "taken away in the end";
}

TEST(TrineTokenize, AgreesWithTheGoldensAndBack) {
  const auto cases = nlohmann::json::parse(read_whole(std::string(TRINE_TEST_DATA) + "/tokenizer/cases.json"));
  const std::string model = std::string(TRINE_TEST_DATA) + "/tokenizer/shakespeare";
  std::size_t seen = 0;
  for (const auto& one : cases.at("cases")) {
    if (seen++ % 8 != 0) continue;  // the tokenizer's own tests take them all
    const std::string text = one.at("text");
    const auto ids = one.at("ids").at("shakespeare").get<std::vector<std::uint32_t>>();
    const Finished json = run_program({"trine-tokenize", "-m", model, "--json"}, text);
    EXPECT_EQ(nlohmann::json::parse(json.out), nlohmann::json(ids)) << text;
    const Finished line = run_program({"trine-tokenize", "-m", model, "--ids"}, text);
    EXPECT_EQ(run_program({"trine-tokenize", "-m", model, "--decode"}, line.out).out, text);
  }
}

TEST(TrineTokenize, PrintsALineForEachToken) {
  const TinyModel model;
  EXPECT_EQ(run_program({"trine-tokenize", "-m", model.name()}, "A b\n").out, "2\tA\n0\t \n29\tb\n1\t\\n\n");
  EXPECT_EQ(run_program({"trine-tokenize", "-m", model.name(), "--ids"}, "A b\n").out, "2 0 29 1\n");
  EXPECT_EQ(run_program({"trine-tokenize", "-m", model.name()}, "").out, "");
  EXPECT_EQ(run_program({"trine-tokenize", "-m", model.name(), "--decode"}, "2,0, 29\n1").out, "A b\n");
  EXPECT_EQ(run_program({"trine-tokenize", "-m", model.name()}, "\xFF\xC3").exit_code, 0);
}

TEST(TrineInspect, CountsByHand) {
  const std::string model = std::string(TRINE_TEST_DATA) + "/full_attention";
  const auto document = nlohmann::json::parse(run_program({"trine-inspect", "-m", model, "-c", "100", "--json"}).out);
  std::size_t parameters = 0;
  std::size_t bytes = 0;
  std::size_t experts = 0;
  const auto manifest = nlohmann::json::parse(read_whole(model + "/weights.json"));
  for (const auto& [name, tensor] : manifest.at("tensors").items()) {
    std::size_t size = 1;
    for (const std::size_t extent : tensor.at("shape")) size *= extent;
    parameters += size;
    if (name.find(".experts.") != std::string::npos) experts += size;
    bytes += tensor.at("nbytes").get<std::size_t>();
  }
  EXPECT_EQ(document.at("parameters").at("total"), parameters);
  EXPECT_EQ(document.at("parameters").at("active"), parameters - experts * 3 / 5);  // 2 of 5 experts; a tied head
  EXPECT_EQ(document.at("has_weights"), true);
  EXPECT_EQ(document.at("weight_bytes"), bytes);
  EXPECT_EQ(document.at("context"), 100);
  EXPECT_EQ(document.at("memory_bytes"), bytes + document.at("cache_bytes").get<std::size_t>());
  EXPECT_GE(document.at("cache_bytes"), 100U * 2 * 2 * 12 * 2);  // keys and values, 2 heads of 12, at least 2 bytes
  EXPECT_THAT(run_program({"trine-inspect", "-m", model}).out, HasSubstr("memory needed"));
}

// What a published config.json says, before anybody downloads 480 GiB: the figure of keras_hub's gpt_oss_120b_en.
TEST(TrineInspect, NeedsNoWeights) {
  const TemporaryDirectory directory;
  const std::filesystem::path configs = std::filesystem::path(TRINE_TEST_DATA) / "published_configs";
  std::filesystem::copy_file(configs / "openai__gpt-oss-120b.json", directory.path() / "config.json");
  const std::string model = directory.path().string();
  const Finished finished = run_program({"trine-inspect", "-m", model, "--json"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const auto document = nlohmann::json::parse(finished.out);
  EXPECT_EQ(document.at("parameters").at("total"), 116829156672U);
  EXPECT_EQ(document.at("has_weights"), false);
  EXPECT_GT(document.at("tensors").at("u8").at("bytes").get<std::uint64_t>(), std::uint64_t{50} << 30U);
  EXPECT_THAT(run_program({"trine-inspect", "-m", model}).out,
              HasSubstr("parameters from the configuration; no weights here"));
  EXPECT_EQ(run_program({"trine-logits", "-m", model, "--tokens", "1", "-o", "/dev/null"}).exit_code, 3);
}

// Weights of 129 GiB in a file with nothing in it: pages that are read count as held.
TEST(TrineInspect, ReadsNoWeights) {
  const TinyModel model("full_attention");
  auto config = model.config();
  auto manifest = nlohmann::json::parse(read_whole(model.path() / "weights.json"));
  const std::size_t width = std::size_t{1} << 16U;
  config["moe"]["intermediate_size"] = width;
  config["hidden_size"] = width;
  config["attention"]["num_heads"] = 4;
  std::uint64_t offset = 0;
  for (auto& [name, tensor] : manifest.at("tensors").items()) {
    std::uint64_t size = 1;
    for (auto& extent : tensor.at("shape")) {
      if (extent == 32 || extent == 8) extent = width;  // hidden_size, intermediate_size
      size *= extent.get<std::uint64_t>();
    }
    tensor["nbytes"] = size * (tensor.at("dtype") == "f32" ? 4 : 2);
    tensor["offset"] = offset;
    offset = (offset + tensor.at("nbytes").get<std::uint64_t>() + 63) / 64 * 64;
  }
  manifest["nbytes"] = offset;
  model.write("config.json", config.dump());
  model.write("weights.json", manifest.dump());
  std::error_code error;
  std::filesystem::resize_file(model.path() / "weights.bin", offset, error);
  if (error) GTEST_SKIP() << "no sparse files here: " << error.message();
  const Finished finished = run_program({"trine-inspect", "-m", model.name(), "--json"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_GT(nlohmann::json::parse(finished.out).at("weight_bytes").get<std::uint64_t>(), std::uint64_t{120} << 30U);
  EXPECT_LT(finished.peak_kib, 1L << 20U);
}

TEST(TrineInspect, SaysWhatIsNotUsed) {
  const std::filesystem::path golden = std::filesystem::path(TRINE_TEST_DATA) / "families" / "llama_defaults";
  const TemporaryDirectory model;
  const std::string name = model.path().string();
  std::filesystem::copy_file(golden / "model.safetensors", model.path() / "model.safetensors");
  auto config = nlohmann::json::parse(read_whole(golden / "config.json"));
  config.update({{"unsloth_version", "2025.3.19"}, {"license", "mit"}, {"top_k", 50}});
  model.write("config.json", config.dump());
  const Finished text = run_program({"trine-inspect", "-m", name});
  EXPECT_THAT(text.out, HasSubstr("\nnot used       license, unsloth_version: says where the file comes from\n"
                                  "               top_k: a setting of generation: generation_config.json counts\n"));
  const auto document = nlohmann::json::parse(run_program({"trine-inspect", "-m", name, "--json"}).out);
  EXPECT_EQ(document.at("notes").size(), 3U);
  EXPECT_EQ(document.at("notes")[0],
            (nlohmann::json{{"subject", "license"}, {"text", "says where the file comes from"}}));

  config["fork_option"] = "on";
  model.write("config.json", config.dump());
  const Finished unknown = run_program({"trine-inspect", "-m", name});
  EXPECT_EQ(unknown.exit_code, 3);
  EXPECT_THAT(unknown.err,
              HasSubstr("unknown key 'fork_option'; allow_unknown (--allow-unknown fork_option) ignores it"));
}

TEST(TrineInspect, NamesAnUnknownArchitectureBeforeItLooksForWeights) {
  const TemporaryDirectory model;
  model.write("config.json", R"({"model_type": "gpt2"})");
  const Finished finished = run_program({"trine-inspect", "-m", model.path().string()});
  EXPECT_EQ(finished.exit_code, 3);
  EXPECT_THAT(
      finished.err,
      HasSubstr("config.json: model_type: 'gpt2' is not supported; supported are afmoe, cohere2_moe, deepseek_v2, "));
}

TEST(TrineVerify, TellsAGoodModelFromAChangedOne) {
  const TinyModel model;
  const Finished good = run_program({"trine-verify", "-m", model.name()});
  EXPECT_EQ(good.exit_code, 0) << good.err;
  EXPECT_THAT(good.out, HasSubstr("passed"));
  EXPECT_THAT(good.err, IsEmpty());

  auto other_expert = model.self_test();
  auto& choice = other_expert["cases"][0]["experts"]["0"][0];
  std::swap(choice[0], choice[1]);
  model.write("self_test.json", other_expert.dump());
  const Finished wrong_expert = run_program({"trine-verify", "-m", model.name(), "--json"});
  EXPECT_EQ(wrong_expert.exit_code, 5);
  EXPECT_EQ(nlohmann::json::parse(wrong_expert.out).at("wrong_expert_choices"), 1);
  EXPECT_THAT(wrong_expert.err, HasSubstr("case 0: layer 0, token 0"));

  auto other_logit = model.self_test();
  auto& logit = other_logit["cases"][0]["top_logits"][3]["logits"][5];
  logit = logit.get<float>() + 0.5F;
  model.write("self_test.json", other_logit.dump());
  const Finished wrong_logit = run_program({"trine-verify", "-m", model.name()});
  EXPECT_EQ(wrong_logit.exit_code, 5);
  EXPECT_THAT(wrong_logit.out, HasSubstr("FAILED"));
  EXPECT_THAT(wrong_logit.err, HasSubstr("position 3, token id 5"));
  EXPECT_EQ(run_program({"trine-verify", "-m", model.name(), "--tolerance", "0.9"}).exit_code, 0);
}

TEST(TrineVerify, ComparesWithLogitsOfAnotherImplementation) {
  const std::filesystem::path data(TRINE_TEST_DATA);
  const Golden golden = read_golden(data / "families" / "qwen3_moe");
  const auto values = golden.logits.view().span();
  const std::string logits(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  std::vector<std::int64_t> ids(golden.tokens.begin(), golden.tokens.end());
  const std::vector<std::size_t> shape = {golden.logits.view().extent(0), golden.logits.view().extent(1)};
  SafetensorsFileWriter writer;
  writer.add("logits", "F32", shape, logits);
  writer.add("input_ids", "I64", {ids.size()}, {reinterpret_cast<const char*>(ids.data()), 8 * ids.size()});
  std::size_t choices = 0;
  for (const auto& [layer, tokens] : golden.experts) {
    std::string experts;
    for (const auto& chosen : tokens) experts.append(reinterpret_cast<const char*>(chosen.data()), 4 * chosen.size());
    writer.add("experts." + std::to_string(layer), "U32", {ids.size(), tokens.front().size()}, experts);
    choices += tokens.size();
  }
  const TemporaryDirectory directory;
  const std::string file = directory.write("reference.safetensors", writer.file()).string();

  // The directory of a checkpoint, and the GGUF file of the same numbers.
  for (const auto& model : {data / "families" / "qwen3_moe", data / "gguf_models" / "qwen3_moe.gguf"}) {
    const Finished good = run_program({"trine-verify", "-m", model.string(), "--against", file});
    EXPECT_EQ(good.exit_code, 0) << good.err;
    EXPECT_THAT(good.out, HasSubstr("passed"));
    EXPECT_THAT(good.out, HasSubstr("experts  " + std::to_string(choices) + " of " + std::to_string(choices)));
  }
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + std::to_string(shape[0]) + ", " +
                       std::to_string(shape[1]) + "), }\n";
  std::string npy = "\x93NUMPY";
  npy += {'\1', '\0', static_cast<char>(header.size()), '\0'};
  const std::string array = directory.write("logits.npy", npy + header + logits).string();
  const std::string model = (data / "families" / "qwen3_moe").string();
  const Finished by_tokens =
      run_program({"trine-verify", "-m", model, "--against", array, "--tokens", joined(golden.tokens), "--json"});
  EXPECT_EQ(by_tokens.exit_code, 0) << by_tokens.err;
  const auto document = nlohmann::json::parse(by_tokens.out);
  EXPECT_TRUE(document.at("passed").get<bool>());
  EXPECT_EQ(document.at("tokens"), golden.tokens.size());
  EXPECT_EQ(document.at("same_best_token"), golden.tokens.size());

  // Other tokens give other logits.
  std::vector<std::uint32_t> turned(golden.tokens.rbegin(), golden.tokens.rend());
  const Finished bad = run_program({"trine-verify", "-m", model, "--against", array, "--tokens", joined(turned)});
  EXPECT_EQ(bad.exit_code, 5);
  EXPECT_THAT(bad.out, HasSubstr("FAILED"));
  EXPECT_THAT(bad.err, HasSubstr("the logits differ by more than the tolerance"));

  EXPECT_EQ(run_program({"trine-verify", "-m", model, "--against", array}).exit_code, 2);
  EXPECT_EQ(run_program({"trine-verify", "-m", model, "--tokens", "1,2"}).exit_code, 2);
  const Finished none = run_program({"trine-verify", "-m", (data / "gguf_models" / "qwen3_moe.gguf").string()});
  EXPECT_EQ(none.exit_code, 2);
  EXPECT_THAT(none.err, HasSubstr("a GGUF file has no self_test.json"));
}

TEST(TrineInspect, ShowsAGgufFile) {
  const std::string file = (std::filesystem::path(TRINE_TEST_DATA) / "gguf_models" / "qwen3_moe.gguf").string();
  const Finished finished = run_program({"trine-inspect", "-m", file});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_THAT(finished.out, HasSubstr("architecture   qwen3_moe"));
  EXPECT_THAT(finished.out, HasSubstr("16.00 bits each"));
  EXPECT_THAT(finished.out, HasSubstr("  general.architecture = \"qwen3moe\"\n"));
  EXPECT_THAT(finished.out, HasSubstr("  qwen3moe.expert_count = "));
  const Finished json = run_program({"trine-inspect", "-m", file, "--json"});
  const auto document = nlohmann::json::parse(json.out);
  EXPECT_TRUE(document.at("has_weights").get<bool>());
  EXPECT_EQ(document.at("metadata").at("general.architecture"), "\"qwen3moe\"");
  bool has_experts = false;
  for (const auto& row : document.at("tensors_by_role")) {
    if (row.at("role") != "experts") continue;
    has_experts = true;
    EXPECT_EQ(row.at("bits_per_value"), 16.0);
  }
  EXPECT_TRUE(has_experts);
}

TEST(TrineVerify, TellsAModelWithoutFiniteLogits) {
  const TinyModel model;
  model.poison("norm.weight", 0, 32);
  const Finished finished = run_program({"trine-verify", "-m", model.name()});
  EXPECT_EQ(finished.exit_code, 5);
  EXPECT_THAT(finished.err, HasSubstr("case 0: position 0: expected finite outputs, found none among 64"));
}

TEST(TrineVerify, RefusesASelfTestThatTestsNothing) {
  const TinyModel model;
  auto none = model.self_test();
  none["cases"] = nlohmann::json::array();
  model.write("self_test.json", none.dump());
  EXPECT_EQ(run_program({"trine-verify", "-m", model.name()}).exit_code, 3);
  auto foreign = model.self_test();
  foreign["cases"][0]["tokens"][0] = 64;
  model.write("self_test.json", foreign.dump());
  EXPECT_EQ(run_program({"trine-verify", "-m", model.name()}).exit_code, 3);
  model.write("self_test.json", "[");
  EXPECT_EQ(run_program({"trine-verify", "-m", model.name()}).exit_code, 3);
  std::filesystem::remove(model.path() / "self_test.json");
  EXPECT_EQ(run_program({"trine-verify", "-m", model.name()}).exit_code, 3);
}

TEST(TrineRoutingReport, DrawsASelfContainedFigure) {
  const TinyModel model;
  const TemporaryDirectory output;
  const std::string figure = (output.path() / "figure.svg").string();
  const std::string csv = (output.path() / "routing.csv").string();
  const Finished finished = run_program({"trine-routing-report", "-m", model.name(), "-p", "To be", "-o", figure,
                                         "--csv", csv, "--title", "<script>&\"x\""});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const std::string svg = read_whole(figure);
  EXPECT_THAT(svg, StartsWith("<svg xmlns=\"http://www.w3.org/2000/svg\""));
  EXPECT_THAT(svg, HasSubstr("&lt;script&gt;&amp;&quot;x&quot;"));
  EXPECT_THAT(svg, Not(HasSubstr("<script")));
  EXPECT_THAT(svg, Not(HasSubstr("href")));
  EXPECT_THAT(svg, HasSubstr("Routing of 5 tokens"));
  EXPECT_THAT(read_whole(csv), StartsWith("layer,token,rank,expert,weight\n0,0,0,"));
}

}  // namespace
}  // namespace trine::test
#endif
