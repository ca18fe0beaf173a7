// SPDX-License-Identifier: Apache-2.0
// How long will each engine run, and how probable is a failure soon?
#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <trine/platform/atomic_file.hpp>

#include "common/interrupt.hpp"
#include "common/model.hpp"
#include "common/output_file.hpp"
#include "engine_picture.hpp"
#include "engine_table.hpp"
#include "forecast.hpp"
#include "preparation.hpp"

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

/// The true life after the last row of each engine: RUL_FD001.txt of C-MAPSS. Throws FileError, InputError.
[[nodiscard]] std::vector<double> read_true_lives(const std::string& path, std::size_t engines) {
  const std::string text = example::read_text(path);
  std::vector<double> lives;
  for (const std::string_view field : example::detail::fields_of(text, false)) {
    double value = 0.0;
    const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
    if (error != std::errc() || end != field.data() + field.size() || !(value >= 0.0) || !std::isfinite(value))
      throw trine::InputError(path + ": expected numbers of cycles, found " + trine::in_quotes(field));
    lives.push_back(value);
  }
  if (lives.size() != engines)
    throw trine::InputError(path + ": expected a number for each of " + std::to_string(engines) + " engines, found " +
                            std::to_string(lives.size()));
  return lives;
}

/// A name of a file from the name of an engine, whatever that is.
[[nodiscard]] std::string picture_name(const std::string& unit) {
  std::string name = "engine-";
  for (const char c : unit)
    name += (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ? c : '_';
  return name + ".svg";
}

class Maintenance {
 public:
  explicit Maintenance(example::Program& program) {
    options_.add_model(program);
    program
        .add_option("-f,--file", file_,
                    "Readings: a C-MAPSS text file, or CSV with the columns unit, cycle and those of the\n"
                    "model's preparation.json; -: standard input")
        ->required()
        ->type_name("FILE");
    program.add_option("--column", columns_, "The column NAME of the file is COLUMN of the model: T24=sensor_2")
        ->type_name("NAME=COLUMN")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    program.add_option("--unit", units_, "Only this engine; may be given several times")
        ->type_name("UNIT")
        ->expected(1)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    program.add_flag("--all", all_, "Every cycle, not the last one of each engine only");
    program.add_option("--alarm", alarm_, "An engine alarms at the first cycle whose risk is at least this")
        ->type_name("RISK")
        ->check(CLI::Range(0.0, 1.0).description(""));
    auto* truth = program.add_option_group("truth", "What is known of the end; errors are then shown");
    truth->add_option("--rul", true_lives_, "A file with the cycles left after the last row of each engine")
        ->type_name("FILE");
    truth->add_flag("--to-failure", to_failure_,
                    "Every engine ran until it failed: after its last row it had 0 cycles left");
    truth->require_option(-1);  // at most one
    program
        .add_option("--pictures", pictures_, "A folder for a figure (SVG) of each engine; it is made if it is missing")
        ->type_name("DIR");
    options_.add_threads(program);
    program.add_flag("--json", json_, "One JSON document instead of text");
  }

  void run() {
    std::map<std::string, std::string> renamed;
    for (const std::string& given : columns_) {
      const std::size_t equals = given.find('=');
      if (equals == std::string::npos || equals == 0 || equals + 1 == given.size())
        throw example::UsageError("--column: expected NAME=COLUMN, found " + trine::in_quotes(given));
      renamed[given.substr(0, equals)] = given.substr(equals + 1);
    }
    if (!pictures_.empty()) example::check_output_directory(pictures_);
    const trine::Model model = options_.load();
    const trine::ModelInfo& info = model.info();
    if (info.num_features == 0)
      throw example::UnreadableModel(options_.directory + ": expected a model of sensor readings, found one of tokens");
    if (info.output != trine::OutputKind::regression)
      throw example::UnreadableModel(options_.directory + ": expected a model with output.kind regression, found " +
                                     std::string(to_string(info.output)));
    const auto preparation = example::read_from_model(
        [&] { return example::Preparation::load(fs::path(options_.directory) / "preparation.json", info); });
    const std::string source = file_ == "-" ? "standard input" : file_;
    std::vector<example::Engine> engines =
        example::read_engines(example::read_text(file_), source, preparation.sensors, renamed);
    const std::vector<double> lives =
        true_lives_.empty() ? std::vector<double>() : read_true_lives(true_lives_, engines.size());
    for (const std::string& unit : units_)
      if (std::ranges::none_of(engines, [&](const auto& engine) { return engine.unit == unit; }))
        throw example::UsageError(source + ": no unit " + trine::in_quotes(unit));
    if (!pictures_.empty()) fs::create_directories(pictures_);

    const example::Interrupt interrupt;
    example::Forecaster forecaster(model, preparation, options_.num_threads);
    example::ForecastErrors errors;
    Json document = Json::array();
    if (!json_) print_heading(!lives.empty() || to_failure_);
    std::set<std::string> picture_names;  // of units such as a/1 and a_1
    std::size_t cycles = 0;
    for (const auto& engine : engines) cycles += is_wanted(engine) ? engine.cycles.size() : 0;
    {
      example::ProgressBar bar("forecasting", cycles, "cycles");
      std::size_t done = 0;
      for (std::size_t i = 0; i < engines.size(); ++i) {
        const example::Engine& engine = engines[i];
        if (!is_wanted(engine)) continue;
        if (engine.missing_cycles > 0)
          notes_.push_back("unit " + engine.unit + ": " + std::to_string(engine.missing_cycles) +
                           " cycles are missing; the model takes the rows for consecutive ones");
        example::History history = forecaster.run(engine, alarm_, interrupt.token());
        if (to_failure_) history.true_life = 0.0;
        if (!lives.empty()) history.true_life = lives[i];
        if (history.true_life) errors.add(history.cycles.back().life, *history.true_life, preparation.cap);
        if (!pictures_.empty()) {
          std::string name = picture_name(engine.unit);
          if (!picture_names.insert(name).second) name = picture_name(engine.unit + "-engine-" + std::to_string(i + 1));
          trine::AtomicFile picture(fs::path(pictures_) / name);
          picture.write(example::engine_picture(
              history, preparation, {engine.unit, fs::path(options_.directory).filename().string(), alarm_}));
          picture.commit();
        }
        if (json_)
          document.push_back(to_json(engine, history));
        else
          print(engine, history);
        bar.update(done += engine.cycles.size());
      }
    }
    for (const std::string& note : notes_) std::fprintf(stderr, "note: %s\n", trine::printable(note).c_str());
    if (json_) {
      Json all = {{"cap", preparation.cap}, {"horizon", preparation.horizon}, {"alarm", alarm_}, {"engines", document}};
      if (errors.engines > 0) {
        all["rmse"] = errors.rmse();
        all["nasa_score"] = errors.nasa_score;
      }
      std::printf("%s\n", all.dump(2).c_str());
    } else if (errors.engines > 0 && !to_failure_) {
      std::printf("%zu engines: RMSE %.2f cycles, NASA score %.0f (lives capped at %.0f)\n", errors.engines,
                  errors.rmse(), errors.nasa_score, preparation.cap);
    }
  }

 private:
  [[nodiscard]] bool is_wanted(const example::Engine& engine) const {
    return units_.empty() || std::ranges::find(units_, engine.unit) != units_.end();
  }

  static void print_heading(bool with_truth) {
    std::printf("%-10s %7s %10s %7s %7s%s\n", "unit", "cycle", "remaining", "risk", "alarm",
                with_truth ? "    true" : "");
  }

  void print(const example::Engine& engine, const example::History& history) const {
    for (std::size_t i = all_ ? 0 : history.cycles.size() - 1; i < history.cycles.size(); ++i) {
      const example::Forecast& now = history.cycles[i];
      const bool alarmed = history.alarm_cycle && *history.alarm_cycle <= now.cycle;
      std::printf("%-10s %7s %10.1f %7.3f %7s", example::escaped(engine.unit).c_str(),
                  std::to_string(now.cycle).c_str(), now.life, now.risk,
                  alarmed ? std::to_string(*history.alarm_cycle).c_str() : "-");
      if (const auto truth = history.true_life_at(i)) std::printf(" %7.0f", *truth);
      std::printf("\n");
    }
  }

  [[nodiscard]] Json to_json(const example::Engine& engine, const example::History& history) const {
    const auto of = [&](std::size_t i) {
      const example::Forecast& now = history.cycles[i];
      Json one = {{"cycle", now.cycle}, {"remaining", now.life}, {"risk", now.risk}};
      if (const auto truth = history.true_life_at(i)) one["true_remaining"] = *truth;
      one["expert_share"] = now.expert_share;
      return one;
    };
    Json one = {{"unit", engine.unit}, {"alarm_cycle", nullptr}};
    if (history.alarm_cycle) one["alarm_cycle"] = *history.alarm_cycle;
    one["missing_cycles"] = engine.missing_cycles;
    one["last"] = of(history.cycles.size() - 1);
    if (all_)
      for (std::size_t i = 0; i < history.cycles.size(); ++i) one["cycles"].push_back(of(i));
    return one;
  }

  example::ModelOptions options_;
  std::string file_;
  std::vector<std::string> columns_;
  std::vector<std::string> units_;
  std::string true_lives_;
  std::string pictures_;
  double alarm_ = 0.5;
  bool all_ = false;
  bool to_failure_ = false;
  bool json_ = false;
  std::vector<std::string> notes_;
};

}  // namespace

int main(int argc, char** argv) {
  example::Program program("trine-maintenance",
                           "Reads the sensors of engines cycle by cycle and says, from what was seen so far, how many\n"
                           "cycles each engine has left and how probable a failure soon is.",
                           "trine-maintenance -m examples/models/engine-life -f test_FD001.txt --rul RUL_FD001.txt");
  Maintenance maintenance(program);
  return program.run(argc, argv, [&] { maintenance.run(); });
}
