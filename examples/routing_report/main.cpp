// SPDX-License-Identifier: Apache-2.0
// Runs a text through a model and draws which experts did the work.
#include <cstdio>
#include <filesystem>
#include <string>

#include <trine/generate/session.hpp>
#include <trine/platform/atomic_file.hpp>

#include "common/interrupt.hpp"
#include "common/model.hpp"
#include "common/output_file.hpp"
#include "routing_picture.hpp"

int main(int argc, char** argv) {
  example::Program program(
      "trine-routing-report",
      "Runs a text through a model and draws a figure (SVG): how much each expert of each layer had\n"
      "to do, and which experts served which token.",
      "trine-routing-report -m examples/models/shakespeare -p \"To be, or not to be\" -o routing.svg");
  example::ModelOptions options;
  std::string prompt;
  std::string file;
  std::string output;
  std::string csv;
  example::PictureText text;
  options.add_model(program);
  options.add_allow_unknown(program);
  auto* input = program.add_option_group("input", "One of these");
  input->add_option("-p,--prompt", prompt, "The text")->type_name("TEXT");
  input->add_option("-f,--file", file, "A file with the text; -: standard input")->type_name("FILE");
  input->require_option(1);
  program.add_option("-o,--output", output, "Where the figure goes")->required()->type_name("FILE");
  program.add_option("--csv", csv, "Where all decisions go: layer,token,rank,expert,weight")->type_name("FILE");
  program.add_option("--show", text.tokens_shown, "How many tokens are drawn; the load counts all")
      ->type_name("N")
      ->check(example::whole_number());
  program.add_option("--title", text.model, "Name of the model; empty: that of its directory");
  options.add_threads(program);

  return program.run(argc, argv, [&] {
    example::check_outputs({{"--output", output}, {"--csv", csv}}, {{"--file", file}}, options.directory);
    const trine::Model model = options.load();
    if (!model.info().is_routed()) throw trine::InputError("this model is dense, it has no routers");
    const trine::Tokenizer tokenizer = options.load_tokenizer();
    const auto ids = tokenizer.encode(file.empty() ? prompt : example::read_text(file));
    const example::Interrupt interrupt;
    trine::RoutingTrace trace;
    trine::Session session(model, {.threads = options.threads, .observer = &trace});
    session.forward(ids, trine::OutputRows::last, interrupt.token());

    for (const trine::TokenId id : ids)
      text.tokens.emplace_back(tokenizer.has_token(id) ? tokenizer.token_bytes(id) : "?");
    if (text.model.empty()) text.model = std::filesystem::canonical(options.directory).filename().string();
    text.model = example::escaped(text.model);
    text.architecture = model.info().summary;
    trine::AtomicFile picture(output);
    picture.write(example::routing_picture(trace, text));
    if (!csv.empty()) {
      trine::AtomicFile table(csv);
      table.write(trace.to_csv());
      table.commit();
    }
    picture.commit();
    std::fprintf(stderr, "%s: %zu tokens, utilization %.3f\n", output.c_str(), ids.size(),
                 trace.stats().overall().utilization);
  });
}
