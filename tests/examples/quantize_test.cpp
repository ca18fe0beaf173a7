// SPDX-License-Identifier: Apache-2.0
// trine-quantize as its users run it.
#ifdef TRINE_PROGRAMS_DIR
#include <cstdint>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "examples/tiny_model.hpp"

namespace trine::test {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

class TrineQuantize : public ::testing::Test {
 protected:
  [[nodiscard]] Finished quantize(std::vector<std::string> options) const {
    options.insert(options.begin(), {"trine-quantize", model_.name(), out_});
    return run_program(options);
  }
  [[nodiscard]] bool left_nothing() const { return std::filesystem::is_empty(directory_.path()); }

  const TinyModel model_{"full_attention"};  // in f32
  const TemporaryDirectory directory_;
  const std::string out_ = (directory_.path() / "out").string();
};

TEST_F(TrineQuantize, WritesAModelThatRuns) {
  const Finished finished = quantize({"--type", "bf16"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_THAT(finished.out, HasSubstr("experts"));
  EXPECT_THAT(finished.out, HasSubstr("norms, biases"));
  EXPECT_THAT(finished.out, HasSubstr("total"));
  EXPECT_THAT(finished.err, HasSubstr("self_test.json was copied"));
  EXPECT_EQ(read_whole(std::filesystem::path(out_) / "tokenizer.json"), read_whole(model_.path() / "tokenizer.json"));
  const Finished generated = run_program({"trine-generate", "-m", out_, "-p", "A", "-n", "3", "--ignore-eos"});
  EXPECT_EQ(generated.exit_code, 0) << generated.err;
}

TEST_F(TrineQuantize, LeavesOutTensorsThatNobodyKnows) {
  for (const char* name : {"layers.0.x_of_a_fork", "y_of_a_fork.weight"}) model_.add_tensor(name);
  EXPECT_EQ(quantize({}).exit_code, 3);
  const Finished finished = quantize({"--allow-unknown", "*"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_THAT(finished.err,
              HasSubstr("note: unknown tensors are left out: layers.0.x_of_a_fork, y_of_a_fork.weight\n"));
  const Finished inspected = run_program({"trine-inspect", "-m", out_});
  EXPECT_EQ(inspected.exit_code, 0) << inspected.err;
}

TEST_F(TrineQuantize, WritesAModelThatVerifiesWhereNothingIsLost) {
  ASSERT_EQ(quantize({"--type", "f32"}).exit_code, 0);
  const Finished verified = run_program({"trine-verify", "-m", out_});
  EXPECT_EQ(verified.exit_code, 0) << verified.err;
}

TEST_F(TrineQuantize, WritesEveryTypeAndMixture) {
  for (const char* type :
       {"q8", "q6", "q6a", "q5_m", "q5a", "q4_m", "q4a", "q4", "q3_m", "q3a", "bf16", "f16", "f32"}) {
    const std::string out = (directory_.path() / type).string();
    const Finished finished = run_program({"trine-quantize", model_.name(), out, "--type", type});
    ASSERT_EQ(finished.exit_code, 0) << type << finished.err;
    const Finished generated = run_program({"trine-generate", "-m", out, "-p", "A", "-n", "3", "--ignore-eos"});
    EXPECT_EQ(generated.exit_code, 0) << type << generated.err;
  }
  const Finished wrong = quantize({"--type", "q4_k"});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("the nearest one is 'q4_m'"));
}

TEST_F(TrineQuantize, CalibratesAndCompares) {
  const std::filesystem::path text = directory_.path() / "text";
  std::ofstream(text) << "AB BA AAB BBA ABAB BABA A B AA BB";
  const std::string first = (directory_.path() / "first").string();
  const Finished calibrated = run_program({"trine-quantize", model_.name(), first, "--type", "q4a", "--calibrate",
                                           text.string(), "--compare", text.string(), "--json"});
  ASSERT_EQ(calibrated.exit_code, 0) << calibrated.err;
  const auto document = nlohmann::json::parse(calibrated.out);
  EXPECT_GT(document.at("calibration").at("tokens"), 0);
  EXPECT_FALSE(document.at("calibration").at("experts").empty());
  EXPECT_GT(document.at("comparison").at("kl_divergence"), 0.0);
  EXPECT_FALSE(document.at("comparison").at("layers").empty());
  // What was kept gives the same weights, and is kept again.
  const std::string kept = first + "/calibration.safetensors";
  const Finished again = quantize({"--type", "q4a", "--calibration", kept});
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(again.out, HasSubstr("calibration    "));
  EXPECT_EQ(read_whole(std::filesystem::path(out_) / "weights.bin"),
            read_whole(std::filesystem::path(first) / "weights.bin"));
  const std::string plain = (directory_.path() / "plain").string();
  ASSERT_EQ(run_program({"trine-quantize", model_.name(), plain, "--type", "q4a"}).exit_code, 0);
  EXPECT_NE(read_whole(std::filesystem::path(plain) / "weights.bin"),
            read_whole(std::filesystem::path(first) / "weights.bin"));

  const Finished against =
      run_program({"trine-perplexity", "-m", first, "--against", model_.name(), "-f", text.string()});
  ASSERT_EQ(against.exit_code, 0) << against.err;
  for (const char* line : {"change", "KL divergence", "same best", "experts        changed"})
    EXPECT_THAT(against.out, HasSubstr(line));
  EXPECT_THAT(calibrated.err, HasSubstr(" tokens: a calibration wants some thousand\n"));
  EXPECT_THAT(calibrated.err, Not(HasSubstr("quantised already")));
  const Finished twice = run_program({"trine-quantize", first, (directory_.path() / "twice").string(), "--type", "q8"});
  EXPECT_EQ(twice.exit_code, 0);
  EXPECT_THAT(twice.err, HasSubstr("tensors are quantised already, such as in q4a: errors add up"));
  const Finished other = run_program({"trine-quantize", std::string(TRINE_MODELS_DIR) + "/shakespeare",
                                      (directory_.path() / "other").string(), "--calibration", kept});
  EXPECT_EQ(other.exit_code, 2) << other.err;
  EXPECT_THAT(other.err, HasSubstr("expected statistics of the tensors of "));
  const Finished missing = quantize({"--calibration", (directory_.path() / "none").string()});
  EXPECT_EQ(missing.exit_code, 1) << missing.err;
  EXPECT_THAT(missing.err, HasSubstr("none: cannot be opened"));
}

TEST_F(TrineQuantize, FindsTypesForASize) {
  const std::filesystem::path text = directory_.path() / "text";
  std::ofstream(text) << "AB BA AAB BBA ABAB BABA A B AA BB";
  const Finished finished = quantize({"--target-bits", "12", "--calibrate", text.string(), "--compare", text.string()});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  EXPECT_LT(finished.out.find("predicted KL divergence"), finished.out.find("bits/weight       error"))
      << "the plan comes first\n"
      << finished.out;
  const Finished plan = quantize({"--target-bits", "12", "--calibrate", text.string(), "--dry-run", "--json"});
  ASSERT_EQ(plan.exit_code, 0) << plan.err;
  const auto document = nlohmann::json::parse(plan.out);
  const double bits = document.at("total").at("bits_per_weight").get<double>();
  EXPECT_LE(bits, 12.0);
  EXPECT_GT(bits, 10.0);
  EXPECT_EQ(document.at("target").at("bytes"), document.at("total").at("bytes_after"));
  EXPECT_GT(document.at("target").at("predicted_kl_divergence"), 0.0);
  EXPECT_FALSE(document.at("target").at("measured").empty());
  for (const auto& [name, tensor] : document.at("target").at("tensors").items())
    EXPECT_GE(tensor.at("kl_divergence"), 0.0) << name;
  const Finished as_bytes = quantize({"--target-bytes", document.at("target").at("bytes").dump(), "--calibrate",
                                      text.string(), "--dry-run", "--json"});
  EXPECT_EQ(nlohmann::json::parse(as_bytes.out).at("target").at("tensors"), document.at("target").at("tensors"));

  const Finished small = quantize({"--target-bits", "1", "--calibrate", text.string()});
  EXPECT_EQ(small.exit_code, 2);
  EXPECT_THAT(small.err, HasSubstr("bits per weight, the smallest that is possible, found "));
  const Finished without = quantize({"--target-bits", "12"});
  EXPECT_EQ(without.exit_code, 2);
  EXPECT_THAT(without.err,
              HasSubstr("expected --calibrate FILE, the text on which the types are measured, found none"));
  EXPECT_EQ(quantize({"--target-bits", "12", "--type", "q8", "--calibrate", text.string()}).exit_code, 2);
  EXPECT_EQ(quantize({"--target-bits", "0.5", "--calibrate", text.string()}).exit_code, 2);
}

TEST_F(TrineQuantize, Writes8And4Bits) {
  const std::string packed = (directory_.path() / "q4").string();
  const Finished smaller = run_program({"trine-quantize", model_.name(), packed, "--type", "q4", "--json"});
  ASSERT_EQ(smaller.exit_code, 0) << smaller.err;
  const Finished finished = quantize({"--json"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const auto q4 = nlohmann::json::parse(smaller.out).at("total");
  const auto q8 = nlohmann::json::parse(finished.out).at("total");
  EXPECT_LT(q4.at("bytes_after"), q8.at("bytes_after"));
  EXPECT_LT(q8.at("bytes_after"), q8.at("bytes_before"));
  EXPECT_GT(q4.at("error"), q8.at("error"));
  EXPECT_GT(q8.at("error").get<double>(), 0.0);
  for (const std::string& directory : {packed, out_}) {
    const Finished generated = run_program({"trine-generate", "-m", directory, "-p", "A", "-n", "3", "--ignore-eos"});
    EXPECT_EQ(generated.exit_code, 0) << generated.err;
  }
}

TEST_F(TrineQuantize, PrintsSizesWithoutWriting) {
  const Finished text = run_program({"trine-quantize", model_.name(), "--dry-run", "--type", "bf16"});
  ASSERT_EQ(text.exit_code, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr("bits/weight"));
  EXPECT_THAT(text.out, Not(HasSubstr("error"))) << "nothing was rounded";

  const Finished planned = quantize({"--dry-run", "--json", "--type", "bf16"});
  ASSERT_EQ(planned.exit_code, 0) << planned.err;
  EXPECT_TRUE(left_nothing());
  const Finished written = quantize({"--json", "--type", "bf16"});
  ASSERT_EQ(written.exit_code, 0) << written.err;
  const auto before = nlohmann::json::parse(planned.out);
  const auto after = nlohmann::json::parse(written.out);
  ASSERT_EQ(before.at("classes").size(), after.at("classes").size());
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < before.at("classes").size(); ++i) {
    const auto& row = after.at("classes")[i];
    for (const char* key : {"class", "from", "to", "tensors", "parameters", "bytes_before", "bytes_after"})
      EXPECT_EQ(before.at("classes")[i].at(key), row.at(key));
    EXPECT_FALSE(before.at("classes")[i].contains("error"));
    EXPECT_GE(row.at("error").get<double>(), 0.0);
    EXPECT_LT(row.at("error").get<double>(), 0.004) << "half a unit of 8 bits";
    sum += row.at("bytes_after").get<std::uint64_t>();
  }
  EXPECT_EQ(after.at("total").at("bytes_after"), sum);
  EXPECT_GE(std::filesystem::file_size(std::filesystem::path(out_) / "weights.bin"), sum);
}

TEST_F(TrineQuantize, TakesRules) {
  const Finished finished =
      quantize({"--dry-run", "--json", "--type", "f16", "--rule", "experts.*=f32", "--rule", "experts.1.=bf16"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  std::map<std::string, std::set<std::string>> types;
  const auto document = nlohmann::json::parse(finished.out);
  for (const auto& row : document.at("classes")) types[row.at("class")].insert(row.at("to"));
  EXPECT_EQ(types.at("experts"), (std::set<std::string>{"f32", "bf16", "bf16_panels"})) << "8 columns make no panels";
  EXPECT_EQ(types.at("attention"), (std::set<std::string>{"f16"}));
}

TEST_F(TrineQuantize, ReportsThePerplexityOfBoth) {
  const std::string text = directory_.write("text", model_.text()).string();
  const Finished finished = quantize({"--type", "bf16", "--perplexity", text, "-c", "16", "-t", "1", "--json"});
  ASSERT_EQ(finished.exit_code, 0) << finished.err;
  const auto found = nlohmann::json::parse(finished.out).at("perplexity");
  for (const auto& [directory, key] : {std::pair(model_.name(), "before"), std::pair(out_, "after")}) {
    const Finished scored = run_program({"trine-perplexity", "-m", directory, "-f", text, "-c", "16", "--json"});
    ASSERT_EQ(scored.exit_code, 0) << scored.err;
    EXPECT_EQ(found.at(key), nlohmann::json::parse(scored.out).at("perplexity")) << key;
  }
  EXPECT_NE(found.at("before"), found.at("after"));
  EXPECT_NEAR(found.at("change").get<double>(),
              found.at("after").get<double>() / found.at("before").get<double>() - 1.0, 1e-12);
}

TEST_F(TrineQuantize, ReadsTheTextBeforeItWrites) {
  const Finished missing = quantize({"--type", "bf16", "--perplexity", (directory_.path() / "none").string()});
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_TRUE(left_nothing());
}

TEST_F(TrineQuantize, EndsWithTheCodeOfWhatIsWrong) {
  struct Case {
    std::vector<std::string> command;
    int code;
    const char* message;
  };
  const std::string empty = (directory_.path() / "none").string();
  const std::vector<Case> cases = {
      {{"trine-quantize", model_.name()}, 2, "OUT: expected a directory to make, found none"},
      {{"trine-quantize"}, 2, "IN is required"},
      {{"trine-quantize", model_.name(), out_, "--typ", "q8"}, 2, "unknown option '--typ': did you mean --type?"},
      {{"trine-quantize", model_.name(), out_, "--type", "q5"},
       2,
       "expected q3_m, q4_m, q5_m, q6, q8, q6a, q5a, q4a, q3a, q4, bf16, f16 or f32, found 'q5'"},
      {{"trine-quantize", model_.name(), out_, "--rule", "x"}, 2, "rule 'x': expected PATTERN=TYPE"},
      {{"trine-quantize", model_.name(), out_, "--rule", "exprts=q4"}, 2, "rule 'exprts=q4': expected a tensor with"},
      {{"trine-quantize", model_.name(), model_.name()}, 2, "lies in the model that is read"},
      {{"trine-quantize", empty, out_}, 3, "none/config.json: cannot be opened"},
      {{"trine-quantize", model_.name(), empty + "/out", "--type", "bf16"}, 1, "cannot be made"},
      {{"trine-quantize", "/no/model", empty + "/out"}, 1, "none/out: cannot be made: No such file or directory"},
      {{"trine-quantize", model_.name(), TRINE_MODELS_DIR, "--type", "bf16"}, 1, "expected a name that is free"}};
  for (const Case& one : cases) {
    const Finished finished = run_program(one.command);
    EXPECT_EQ(finished.exit_code, one.code) << finished.err;
    EXPECT_THAT(finished.err, HasSubstr(one.message));
    EXPECT_THAT(finished.out, IsEmpty());
  }
  EXPECT_TRUE(left_nothing());
}

}  // namespace
}  // namespace trine::test
#endif
