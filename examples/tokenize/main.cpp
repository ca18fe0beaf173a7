// SPDX-License-Identifier: Apache-2.0
// Token ids of a text, and back.
#include <cstdio>
#include <limits>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "common/model.hpp"
#include "common/output_file.hpp"
#include "common/terminal.hpp"
#include "common/token_list.hpp"

int main(int argc, char** argv) {
  example::Program program(
      "trine-tokenize",
      "Prints the tokens of the text on standard input, a line each: the id and the bytes that it\n"
      "stands for. With --decode, prints the text of the ids on standard input.",
      "trine-tokenize -m examples/models/shakespeare --ids < TEXT");
  example::ModelOptions options;
  bool ids_only = false;
  bool json = false;
  bool decode = false;
  bool no_special = false;
  bool parse_special = false;
  options.add_model(program);
  CLI::Option* ids_flag =
      program.add_flag("--ids", ids_only, "Ids only, on one line, as trine-logits --tokens takes them");
  CLI::Option* json_flag = program.add_flag("--json", json, "Ids only, as a JSON list")->excludes(ids_flag);
  program.add_flag("--decode", decode, "Ids, with spaces or commas between, to text")->excludes(ids_flag, json_flag);
  program.add_flag("--no-special", no_special,
                   "Neither add the special tokens that the model expects around a text, nor show any when decoding");
  program.add_flag("--parse-special", parse_special, "Read the names of special tokens in the text as these tokens");

  return program.run(argc, argv, [&] {
    const trine::Tokenizer tokenizer = options.load_tokenizer();
    const std::string input = example::read_text("-");
    if (decode) {
      const auto ids = example::parse_token_ids(input);
      for (const trine::TokenId id : ids) static_cast<void>(tokenizer.token_bytes(id));  // throws unless there is one
      const std::string text = tokenizer.decode(ids, no_special);
      std::fwrite(text.data(), 1, text.size(), stdout);
      return;
    }
    const auto ids = tokenizer.encode(input, {.add_special_tokens = !no_special, .parse_special = parse_special});
    if (json) {
      std::printf("%s\n", nlohmann::json(ids).dump().c_str());
    } else if (ids_only) {
      for (std::size_t i = 0; i < ids.size(); ++i) std::printf(i == 0 ? "%u" : " %u", ids[i]);
      std::printf("\n");
    } else {
      for (const trine::TokenId id : ids)
        std::printf("%u\t%s\n", id, example::escaped(tokenizer.token_bytes(id)).c_str());
    }
  });
}
