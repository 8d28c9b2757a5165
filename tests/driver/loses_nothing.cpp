#include "editable_file.hpp"
#include "output_folder.hpp"
#include "running_program.hpp"
#include "temporary_folder.hpp"
#include "text_file.hpp"
#include "training_words.hpp"

#include <mae/core/version.hpp>
#include <mae/io/safetensors.hpp>
#include <mae/io/safetensors_writer.hpp>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <iterator>
#include <limits>
#include <span>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

// A training loses nothing: requirements R9 and R22, by the program as its users run it.

namespace {

namespace fs = std::filesystem;
using json = nlohmann::json;
using words = std::vector<std::string>;

/// A training of the smallest configuration, of `steps` steps: 39 are an epoch.
words training_in(fs::path const& out, std::int64_t steps, words more = {}) {
  more.insert(more.begin(), {"--heldout-images", "32"});
  return training_words("synthetic", "micro8", steps, out, more);
}

constexpr rlim_t room_for_models = 300'000;  // bytes; a training's file has 629,000
constexpr std::int64_t endless = 10'000'000;

/// The same command by a shell, which does `before` to itself first. The words are "$@".
words by_shell(std::string const& script, words const& command) {
  words arguments{"/bin/sh", "-c", script, "sh"};
  arguments.insert(arguments.end(), command.begin(), command.end());
  return arguments;
}

bool holds(std::string const& text, std::string const& part) {
  return text.find(part) != std::string::npos;
}

/// False after two minutes.
bool wait_until(std::function<bool()> const& holds_now) {
  using namespace std::chrono_literals;
  auto const end = std::chrono::steady_clock::now() + 120s;
  while (std::chrono::steady_clock::now() < end) {
    if (holds_now()) return true;
    std::this_thread::sleep_for(2ms);
  }
  return false;
}

std::int64_t count_lines(std::string const& text) {
  return std::ranges::count(text, '\n');
}

/// Waits until a training has written that it has done so many steps.
bool wait_for_steps(fs::path const& out, std::int64_t steps) {
  return wait_until([&] { return count_lines(read_text(out / "metrics.jsonl")) > steps; });
}

bool is_file(fs::path const& path) {
  return fs::is_regular_file(path);
}

std::string metadata_of(fs::path const& file, std::string const& name) {
  return mae::safetensors_file::load(file.string()).metadata().at(name);
}

std::int64_t saved_step(fs::path const& out) {
  return std::stoll(metadata_of(out / "training.safetensors", "step"));
}

std::string status_in(fs::path const& out) {
  return json::parse(read_text(out / "summary.json")).at("status").get<std::string>();
}

/// Every file of a training is there, whole, and nothing else.
void check_complete(fs::path const& out) {
  for (auto const* name : pretrain::output::all) {
    CAPTURE(name);
    CHECK(is_file(out / name));
  }
  CHECK(std::distance(fs::directory_iterator(out), {}) == std::ssize(pretrain::output::all));
  CHECK(saved_step(out) > 0);
}

/// Ends a training as the system does; it leaves every file.
void end(running_program& program, fs::path const& out) {
  program.signal(SIGTERM);
  CHECK(program.wait().exit_code == 0);
  check_complete(out);
}

/// A limit on the sizes of files, for this process and those that it starts.
class file_size_limit {
 public:
  explicit file_size_limit(rlim_t bytes) {
    getrlimit(RLIMIT_FSIZE, &before_);
    rlimit const limited{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limited);
  }
  file_size_limit(file_size_limit const&) = delete;
  file_size_limit& operator=(file_size_limit const&) = delete;
  ~file_size_limit() { setrlimit(RLIMIT_FSIZE, &before_); }

  void lift_for(pid_t process) const { prlimit(process, RLIMIT_FSIZE, &before_, nullptr); }

 private:
  rlimit before_{};
};

}  // namespace

TEST_CASE("the driver says its version, which is the library's") {
  auto const result = run_program({DRIVER, "--version"});
  CHECK(result.exit_code == 0);
  CHECK(result.out == "cifar10_pretrain " MAE_VERSION "\n");
}

// ---- what a training began with ----------------------------------------------------------------

TEST_CASE("what began with --init is resumed, to the same bits as without a break") {
  mae_test::temporary_folder const folder;
  // A checkpoint with statistics of its own and another epsilon than the usual.
  REQUIRE(run_program(training_in(folder / "first", 2, {"--statistics", "imagenet"})).exit_code ==
          0);
  auto const initial = (folder / "first" / "model.safetensors").string();
  {
    auto const file = mae::safetensors_file::load(initial);
    auto metadata = file.metadata();
    metadata["norm_epsilon"] = "1e-12";
    mae::save_safetensors(initial, file.tensors(), metadata);
  }
  auto const whole = run_program(training_in(folder / "whole", 8, {"--init", initial}));
  REQUIRE(whole.exit_code == 0);
  CHECK(whole.err.empty());
  auto const out = folder / "broken";
  running_program program(
      training_in(out, 8, {"--init", initial, "--minutes", "0.0000001"}));  // one step
  REQUIRE(program.wait().exit_code == 0);
  REQUIRE(saved_step(out) == 1);
  auto const resumed = run_program(training_in(out, 8, {"--resume"}));
  CHECK(resumed.exit_code == 0);
  CHECK(resumed.err.empty());
  CHECK(metadata_of(out / "model.safetensors", "norm_epsilon") == "1e-12");
  for (auto const* name : {"training.safetensors", "model.safetensors", "encoder.safetensors"})
    CHECK(read_text(out / name) == read_text(folder / "whole" / name));
  // Its summary repeats the whole of it, not a training that begins with nothing.
  CHECK(holds(read_text(out / "summary.json"), "\"init\":\"" + initial + "\""));

  // What is asked for and contradicts either file is refused.
  auto const other = run_program(training_in(out, 9, {"--resume", "--statistics", "data"}));
  CHECK(other.exit_code == 1);
  CHECK(holds(other.err, "pixel_"));
  auto const against =
      run_program(training_in(folder / "new", 2, {"--init", initial, "--statistics", "data"}));
  CHECK(against.exit_code == 1);
  CHECK(holds(against.err, initial + ": pixel_"));
}

TEST_CASE("statistics that neither the checkpoint nor the user names are said to be assumed") {
  mae_test::temporary_folder const folder;
  REQUIRE(run_program(training_in(folder / "first", 1)).exit_code == 0);
  auto const initial = folder.file("bare.safetensors");
  auto const file = mae::safetensors_file::load((folder / "first" / "model.safetensors").string());
  auto metadata = file.metadata();
  for (auto const* name : {"pixel_mean", "pixel_deviation", "pixel_scale"}) metadata.erase(name);
  mae::save_safetensors(initial, file.tensors(), metadata);
  auto const silent = run_program(training_in(folder / "a", 1, {"--init", initial}));
  CHECK(silent.exit_code == 0);
  CHECK(silent.err.starts_with("assumed: pixels are normalised by the training images' own mean"));
  CHECK(holds(silent.err, "--statistics says otherwise"));
  auto const asked =
      run_program(training_in(folder / "b", 1, {"--init", initial, "--statistics", "imagenet"}));
  CHECK(asked.exit_code == 0);
  CHECK(asked.err.empty());
}

// ---- one folder, one training ------------------------------------------------------------------

TEST_CASE("a second training in a folder is refused by who is there; a killed one is in no way") {
  mae_test::temporary_folder const folder;
  auto const out = folder / "results";
  std::string const left = "model.safetensors.123-4.partial";
  {
    running_program first(training_in(out, endless));
    REQUIRE(wait_for_steps(out, 2));
    write_text((out / left).string(), "torn");  // a save of its own, for all the second knows
    for (words const& more : {words{}, words{"--resume"}}) {
      auto const second = run_program(training_in(out, endless, more));
      CHECK(second.exit_code == 1);
      CHECK(holds(second.err,
                  out.string() + " is being written by process " + std::to_string(first.process()) +
                      " on "));
      CHECK(count_lines(second.err) == 1);
    }
    CHECK(is_file(out / left));
    first.signal(SIGKILL);
    CHECK(first.wait().exit_code == -1);
  }
  write_text((out / "model.safetensors.mine.partial").string(), "the user's");
  REQUIRE(is_file(out / ".lock"));
  fs::remove(out / "training.safetensors");
  CHECK(run_program(training_in(out, 3)).exit_code == 0);
  CHECK_FALSE(is_file(out / left));
  CHECK(is_file(out / "model.safetensors.mine.partial"));
  CHECK_FALSE(is_file(out / ".lock"));
}

TEST_CASE("results need a folder") {
  mae_test::temporary_folder const folder;
  auto const file = folder.file("file");
  write_text(file, "a file");
  auto const result = run_program(training_in(file, 1));
  CHECK(result.exit_code == 1);
  CHECK(result.err ==
        "cifar10_pretrain: --out " + file + " is there, and is no folder: choose another\n");
  CHECK(holds(run_program(training_in(file + "/inner", 1)).err, "create folder"));
  CHECK(read_text(file) == "a file");
}

// ---- saves that fail ---------------------------------------------------------------------------

TEST_CASE("a save that fails on the way is a warning, and the next one follows") {
  mae_test::temporary_folder const folder;
  auto const out = folder / "results";
  auto const notes = folder.file("notes");
  file_size_limit const limit(room_for_models);
  running_program program(by_shell("notes=$1; shift; exec \"$@\" 2> \"$notes\"", [&] {
    auto command = training_in(out, 100);
    command.insert(command.begin(), notes);
    return command;
  }()));
  REQUIRE(wait_until([&] { return holds(read_text(notes), "; the training goes on"); }));
  limit.lift_for(program.process());
  auto const result = program.wait();
  CHECK(result.exit_code == 0);
  CHECK(holds(read_text(notes),
              "warning: " + (out / "training.safetensors").string() +
                  ": write: File too large; the training goes on"));
  check_complete(out);
  CHECK(saved_step(out) == 100);
}

TEST_CASE("a last save that fails is an error, and every other file is there") {
  mae_test::temporary_folder const folder;
  auto const out = folder / "results";
  file_size_limit const limit(room_for_models);
  auto const result = run_program(training_in(out, 5));
  CHECK(result.exit_code == 1);
  CHECK(result.err == "cifar10_pretrain: " + (out / "training.safetensors").string() +
                          ": write: File too large\n");
  for (auto const* name : pretrain::output::all)
    CHECK(is_file(out / name) == (std::string(name) != pretrain::output::training));
  CHECK(status_in(out) == "done");
}

TEST_CASE("metrics that cannot be written wait, and are whole at the end or an error") {
  mae_test::temporary_folder const folder;
  auto const notes = folder.file("notes");
  auto const start = [&](fs::path const& out) {
    auto command = training_in(out, 60, {"--save-every", "0", "--batch-size", "32"});
    command.insert(command.begin(), notes);
    return by_shell("notes=$1; shift; exec \"$@\" 2> \"$notes\"", command);
  };
  {
    auto const out = folder / "lifted";
    file_size_limit const limit(2'000);
    running_program program(start(out));
    REQUIRE(wait_until([&] { return holds(read_text(notes), "every step tries again"); }));
    limit.lift_for(program.process());
    CHECK(program.wait().exit_code == 0);
    CHECK(count_lines(read_text(notes)) == 2);  // one of each file, whose later tries are silent
    CHECK(holds(read_text(notes), "report.html: write: File too large; the training goes on"));
    std::istringstream lines(read_text(out / "metrics.jsonl"));
    std::int64_t step = 0;
    for (std::string line; std::getline(lines, line);)
      if (auto const record = json::parse(line); record.at("kind") == "training")
        CHECK(record.at("step") == ++step);
    CHECK(step == 60);
    check_complete(out);
  }
  auto const out = folder / "limited";
  file_size_limit const limit(10'000);
  CHECK(run_program(start(out)).exit_code == 1);
  CHECK(holds(read_text(notes), "metrics.jsonl: write: File too large"));
  CHECK(is_file(out / "summary.json"));
}

TEST_CASE("a training is saved by the clock, too") {
  mae_test::temporary_folder const folder;
  auto const out = folder / "results";
  running_program program(
      training_in(out, endless, {"--save-every", "0.0001m", "--batch-size", "16"}));
  REQUIRE(wait_until([&] { return is_file(out / "training.safetensors"); }));
  CHECK(saved_step(out) < 625);  // before the first epoch's end
  end(program, out);
}

// ---- what is not finite ------------------------------------------------------------------------

TEST_CASE("a training that has become not finite does not replace its last save, nor is it done") {
  mae_test::temporary_folder const folder;
  auto const out = folder / "results";
  REQUIRE(run_program(training_in(out, 2)).exit_code == 0);
  auto const file = (out / "training.safetensors").string();
  {
    // A moment from which the next update takes a parameter out of all range.
    editable_file saved(file);
    std::string const name = "optimizer.first_moment.norm.weight";
    auto moments = floats_of(saved.tensor(name));
    moments.front() = std::numeric_limits<float>::max();
    saved.tensor(name).bytes = std::as_bytes(std::span(moments));
    saved.save(file);
  }
  fs::remove(out / "summary.json");
  std::string const before = read_text(file);
  std::string const model = read_text(out / "model.safetensors");
  auto const result = run_program(training_in(out, 3, {"--resume"}));
  CHECK(result.exit_code == 1);
  CHECK(result.err == "cifar10_pretrain: " + file + ": not saved: norm.weight is not finite\n");
  CHECK(read_text(file) == before);
  CHECK(read_text(out / "model.safetensors") == model);
  CHECK_FALSE(is_file(out / "summary.json"));
}

TEST_CASE("a training that never was finite leaves no files of a done one") {
  mae_test::temporary_folder const folder;
  auto const out = folder / "results";
  // The first update throws all values to the end of the range.
  auto const result = run_program(training_in(
      out, 100, {"--lr", "1e38", "--warmup-epochs", "0", "--clip", "0", "--weight-decay", "0"}));
  CHECK(result.exit_code == 1);
  CHECK(holds(result.err, " is not finite"));
  for (auto const* name : {"model.safetensors", "encoder.safetensors", "summary.json"})
    CHECK_FALSE(is_file(out / name));
}

// ---- signals and descriptors -------------------------------------------------------------------

TEST_CASE("a terminal that closes, or the system that ends, saves") {
  for (int const signal : {SIGHUP, SIGTERM, SIGINT}) {
    CAPTURE(signal);
    mae_test::temporary_folder const folder;
    auto const out = folder / "results";
    running_program program(training_in(out, endless));
    REQUIRE(wait_for_steps(out, 2));
    program.signal(signal);
    auto const result = program.wait();
    CHECK(result.exit_code == 0);
    CHECK(result.err.empty());
    CHECK(status_in(out) == "interrupted");
    check_complete(out);
  }
}

TEST_CASE("signals that were ignored at the start stay ignored") {
  mae_test::temporary_folder const folder;
  auto const out = folder / "results";
  running_program program(by_shell("trap '' HUP INT; exec \"$@\"", training_in(out, endless)));
  REQUIRE(wait_for_steps(out, 2));
  program.signal(SIGHUP);
  program.signal(SIGINT);
  auto const steps = count_lines(read_text(out / "metrics.jsonl"));
  CHECK(wait_for_steps(out, steps + 50));
  end(program, out);
}

TEST_CASE("a reader that goes away costs its own lines alone, and is an error at the end") {
  mae_test::temporary_folder const folder;
  auto const out = folder / "results";
  running_program program(training_in(out, 40));
  program.stop_reading();
  auto const result = program.wait();
  CHECK(result.exit_code == 1);
  CHECK(result.err.starts_with("cifar10_pretrain: standard output could not be written"));
  CHECK(count_lines(result.err) == 1);
  CHECK(status_in(out) == "done");
  check_complete(out);
}

TEST_CASE("no file takes the number of a standard descriptor that is closed") {
  for (std::string const closed : {"<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-", ">&- 2>&-"}) {
    CAPTURE(closed);
    mae_test::temporary_folder const folder;
    auto const out = folder / "results";
    auto const result = run_program(by_shell("exec \"$@\" " + closed, training_in(out, 2)));
    bool const is_silent = holds(" " + closed, " >&-");
    CHECK(result.exit_code == (is_silent ? 1 : 0));
    CHECK(holds(result.err, "standard output could not be written") ==
          (is_silent && !holds(closed, "2>&-")));
    CHECK(status_in(out) == "done");
    check_complete(out);
  }
}

TEST_CASE("every tool says that nobody reads what it prints") {
  for (std::string const closed : {">&-", "> /dev/full"}) {
    CAPTURE(closed);
    auto const result = run_program(by_shell("exec \"$@\" " + closed, {DRIVER, "--help"}));
    CHECK(result.exit_code == 1);
    CHECK(holds(result.err, "standard output could not be written"));
  }
}
