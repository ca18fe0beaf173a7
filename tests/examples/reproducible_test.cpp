// SPDX-License-Identifier: Apache-2.0
// --reproducible of the programs: latent attention keeps to one form, whatever the rows of a pass.
#ifdef TRINE_PROGRAMS_DIR
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "examples/tiny_model.hpp"

namespace trine::test {
namespace {

using ::testing::HasSubstr;

TEST(Reproducible, LogitsHaveTheSameBitsHoweverThePromptIsCut) {
  const TemporaryDirectory directory;
  const auto logits = [&](const char* prefill_chunk, bool reproducible) {
    const std::string file = (directory.path() / "logits").string();
    std::vector<std::string> command = {"trine-logits",
                                        "-m",
                                        std::string(TRINE_MODELS_DIR) + "/deepseek-v3-shakespeare",
                                        "-p",
                                        "ROMEO:\nBut, soft! what light through yonder window breaks?\n",
                                        "-o",
                                        file,
                                        "-b",
                                        prefill_chunk};
    if (reproducible) command.emplace_back("--reproducible");
    const Finished finished = run_program(command);
    EXPECT_EQ(finished.exit_code, 0) << finished.err;
    return read_whole(file);
  };
  const std::string whole = logits("512", true);
  EXPECT_FALSE(whole.empty());
  EXPECT_TRUE(logits("1", true) == whole);
  EXPECT_TRUE(logits("3", true) == whole);
  EXPECT_FALSE(logits("1", false) == logits("512", false)) << "the two forms round differently";
}

/// A small model of latent attention whose products stay finite in one form: in the other, which --reproducible takes,
/// queries are multiplied with the weights of the keys, of which the latents are too small to make up for.
class OneFormOverflows {
 public:
  OneFormOverflows() {
    const std::filesystem::path golden = std::filesystem::path(TRINE_TEST_DATA) / "families" / "deepseek_v3_fused";
    directory_.write("config.json", read_whole(golden / "config.json"));
    directory_.write("tokenizer.json", read_whole(TinyModel().path() / "tokenizer.json"));
    std::string file = read_whole(golden / "model.safetensors");
    for (const char* layer : {"model.layers.0.self_attn.", "model.layers.1.self_attn."}) {
      scale(file, std::string(layer) + "q_b_proj.weight", 30);
      scale(file, std::string(layer) + "kv_b_proj.weight", 102);
      scale(file, std::string(layer) + "kv_a_layernorm.weight", -120);
      scale(file, std::string(layer) + "kv_a_proj_with_mqa.weight", -30, 16);  // the part that is rotated
    }
    directory_.write("model.safetensors", file);
  }
  [[nodiscard]] std::string name() const { return directory_.path().string(); }

 private:
  // Rows from `first` on times 2^exponent, in f32.
  static void scale(std::string& file, const std::string& tensor, int exponent, std::size_t first = 0) {
    std::uint64_t length = 0;
    std::memcpy(&length, file.data(), sizeof length);
    const auto entry = nlohmann::json::parse(file.substr(8, length)).at(tensor);
    if (entry.at("dtype") != "F32") throw std::runtime_error(tensor + " is not in f32");
    const auto offsets = entry.at("data_offsets").get<std::vector<std::size_t>>();
    const std::size_t skipped = first * entry.at("shape").back().get<std::size_t>() * sizeof(float);
    for (std::size_t at = 8 + length + offsets[0] + skipped; at < 8 + length + offsets[1]; at += sizeof(float)) {
      float value = 0.0F;
      std::memcpy(&value, file.data() + at, sizeof value);
      value = std::ldexp(value, exponent);
      std::memcpy(file.data() + at, &value, sizeof value);
    }
  }

  TemporaryDirectory directory_;
};

TEST(Reproducible, FixesTheFormInEveryProgramThatHasTheOption) {
  const OneFormOverflows model;
  const std::string text = "Hello world this is a text of so many tokens that the other form costs less";
  for (const std::vector<std::string>& options :
       std::vector<std::vector<std::string>>{{"trine-generate", "-p", text, "-n", "1"},
                                             {"trine-chat", "--template", "plain", "-n", "1"},
                                             {"trine-logits", "-p", text, "-o", "/dev/null"},
                                             {"trine-perplexity", "-f", "-"}}) {
    std::vector<std::string> command = options;
    command.insert(command.end(), {"-m", model.name(), "--activations", "f32"});
    const Finished automatic = run_program(command, text);
    EXPECT_EQ(automatic.exit_code, 0) << command[0] << "\n" << automatic.err;
    command.emplace_back("--reproducible");
    const Finished fixed = run_program(command, text);
    EXPECT_EQ(fixed.exit_code, 1) << command[0];
    EXPECT_THAT(fixed.err, HasSubstr("expected finite outputs")) << command[0];
  }
}

}  // namespace
}  // namespace trine::test
#endif
