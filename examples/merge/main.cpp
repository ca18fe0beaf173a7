// SPDX-License-Identifier: Apache-2.0
// Writes a model directory with adapters merged into its weights.
#include <cctype>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <trine/adapters/merge.hpp>
#include <trine/core/printable.hpp>
#include <trine/quant/weight_formats.hpp>

#include "common/interrupt.hpp"
#include "common/model.hpp"
#include "common/output_file.hpp"
#include "common/terminal.hpp"

namespace {

struct Arguments {
  std::string model;
  std::string adapter;
  std::string out;
  std::string dtype = "keep";
  std::string max_shard_size = "5GB";
};

/// "5GB", "500MB", "2GiB", "1000": as Hugging Face's libraries read it.
std::uint64_t parse_size(const std::string& text) {
  constexpr std::pair<std::string_view, std::uint64_t> kUnits[] = {{"GIB", std::uint64_t{1} << 30U},
                                                                   {"MIB", std::uint64_t{1} << 20U},
                                                                   {"KIB", std::uint64_t{1} << 10U},
                                                                   {"GB", 1'000'000'000},
                                                                   {"MB", 1'000'000},
                                                                   {"KB", 1'000},
                                                                   {"", 1}};
  std::uint64_t number = 0;
  std::size_t digits = 0;
  for (; digits < text.size() && digits < 12 && text[digits] >= '0' && text[digits] <= '9'; ++digits)
    number = 10 * number + static_cast<std::uint64_t>(text[digits] - '0');
  std::string unit = text.substr(digits);
  for (char& c : unit) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  for (const auto& [name, bytes] : kUnits)
    if (unit == name && number > 0 && number <= std::numeric_limits<std::uint64_t>::max() / bytes)
      return number * bytes;
  throw example::UsageError("--max-shard-size: expected a size such as 5GB or 500MB, found " + text);
}

std::optional<trine::DType> parse_type(const std::string& text) {
  if (text == "keep") return std::nullopt;
  return trine::parse_dtype(text);
}

/// What the tensors are is the model's fault.
trine::MergeInfo write(const trine::AdapterMerger& merger, const std::vector<trine::AdapterUse>& adapters,
                       const std::string& out, const trine::MergeOptions& options) {
  try {
    return merger.write(adapters, out, options);
  } catch (const trine::WeightError& error) {
    throw example::UnreadableModel(error.what());
  }
}

}  // namespace

int main(int argc, char** argv) {
  example::Program program(
      "trine-merge",
      "Writes the model directory OUT: MODEL with an adapter of PEFT merged into its weights.\n"
      "OUT appears when all of it is on the disk. Programs need no --lora then, and other engines\n"
      "read it; the adapter itself can be given to --lora without merging it.",
      "trine-merge MODEL ADAPTER merged --dtype bf16");
  Arguments arguments;
  example::ModelOptions options;
  program.add_option("MODEL", arguments.model, "The model directory to read")->required();
  program.add_option("ADAPTER", arguments.adapter, "The adapter; :SCALE multiplies its own scale")
      ->type_name("DIR[:SCALE]")
      ->required();
  program.add_option("OUT", arguments.out, "The directory to make")->required();
  options.add_lora(program, "Another adapter, merged after the first; may be given several times");
  program
      .add_option("--dtype", arguments.dtype,
                  "Type of the matrices: keep, bf16, f16 or f32. keep: as they are stored, quantised ones as bf16")
      ->type_name("TYPE")
      ->check(CLI::IsMember({"keep", "bf16", "f16", "f32"}));
  program
      .add_option("--max-shard-size", arguments.max_shard_size,
                  "Most bytes of one file of weights, such as 5GB, 500MB or 2GiB")
      ->type_name("SIZE");
  options.add_allow_unknown(program);
  options.add_threads(program);

  return program.run(argc, argv, [&] {
    const std::uint64_t max_shard_bytes = parse_size(arguments.max_shard_size);
    example::check_output_directory(arguments.out);
    options.directory = arguments.model;
    options.find();
    options.lora.insert(options.lora.begin(), arguments.adapter);
    const example::Interrupt interrupt;
    const trine::AdapterMerger merger =
        example::read_from_model([&] { return trine::AdapterMerger(options.directory, options.load_options()); });
    const std::vector<trine::AdapterUse> adapters = options.load_adapters(merger.model());

    constexpr unsigned kMiB = 20;
    std::optional<example::ProgressBar> bar;
    const trine::MergeOptions merge{.dtype = parse_type(arguments.dtype),
                                    .max_shard_bytes = max_shard_bytes,
                                    .num_threads = options.num_threads,
                                    .cancel = interrupt.token(),
                                    .progress = [&](std::uint64_t done, std::uint64_t total) {
                                      if (!bar) bar.emplace("merging", static_cast<std::size_t>(total >> kMiB), "MiB");
                                      bar->update(static_cast<std::size_t>(done >> kMiB));
                                    }};
    const trine::MergeInfo info = write(merger, adapters, arguments.out, merge);
    bar.reset();
    std::printf("%s: %zu linear maps merged, %zu file%s of weights, %.1f MiB\n",
                trine::printable(arguments.out).c_str(), info.linear_maps, info.num_shards,
                info.num_shards == 1 ? "" : "s", static_cast<double>(info.bytes) / (1U << kMiB));
    if (info.untied) std::printf("The head is a tensor of its own now: the adapter changes only one of the two.\n");
  });
}
