// `convsmith check`: compiles, runs and judges layers, case files or random problems. The work is
// runtime/check.h.
#include "runtime/check.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "generators/composite.h"
#include "generators/conv_shape.h"
#include "runtime/kernel.h"
#include "schedules/gpu_driver.h"

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>

namespace convsmith::cli {

namespace {

struct CheckArguments {
    SpecOptions specs;
    PlanOptions plan;
    RecordOptions records;
    std::string target;
    std::string cases;
    std::string json;
    int64_t fuzz = 0;
    uint64_t seed = 1;
    int64_t max_points = 0;
    int64_t max_macs = 0; ///< 0: no limit
    int threads = 0;
    bool verbose = false;
};

/// What to print if the check at hand crashes; a signal handler may only read memory that is ready.
char crash_message[4096];

extern "C" void report_crash(int) {
    // Nothing can be done about a failing write here.
    [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, crash_message, std::strlen(crash_message));
    _exit(1);
}

/// A kernel that touches memory outside its tensors hits a guard page: the process ends, but says which check
/// did.
void report_crashes() {
    for (const int signal : {SIGSEGV, SIGBUS, SIGILL, SIGFPE}) {
        std::signal(signal, report_crash);
    }
}

void prepare_crash_message(const std::string &reproducer) {
    const auto end = fmt::format_to_n(
        crash_message, sizeof crash_message - 1,
        "FAILED: the kernel crashed, probably by an access outside its tensors\n  {}\n", reproducer);
    *end.out = '\0';
}

void print_outcome(const CheckOutcome &outcome, bool verbose) {
    const std::string name = outcome.name == outcome.key ? "" : outcome.name + ": ";
    switch (outcome.verdict) {
    case Verdict::Failed:
        fmt::print("FAILED: {}{}\n", name, outcome.detail);
        fmt::print("  {}\n", outcome.reproducer);
        break;
    case Verdict::Skipped:
        if (verbose) {
            fmt::print("skipped: {}{}\n", name, outcome.detail);
        }
        break;
    case Verdict::Passed:
        if (verbose) {
            fmt::print("passed: {}{} {}: {} outputs, largest error {:.2g} of its bound\n", name, outcome.key,
                       outcome.plan, outcome.checked, outcome.max_bound_ratio);
        }
        break;
    }
    std::fflush(stdout);
}

/// Skipped checks by reason, so that a piped run says what it left out without a line for each.
void print_skipped_reasons(const CheckReport &report) {
    std::map<std::string, int> reasons;
    for (const CheckOutcome &outcome : report.outcomes) {
        if (outcome.verdict == Verdict::Skipped) {
            ++reasons[outcome.detail];
        }
    }
    for (const auto &[reason, count] : reasons) {
        fmt::print("skipped {}: {}\n", count, reason);
    }
}

const char *verdict_name(Verdict verdict) {
    switch (verdict) {
    case Verdict::Passed:
        return "passed";
    case Verdict::Failed:
        return "failed";
    case Verdict::Skipped:
        return "skipped";
    }
    return "";
}

Json report_json(const CheckReport &report, const CheckOptions &options) {
    Json checks = Json::array();
    for (const CheckOutcome &outcome : report.outcomes) {
        checks.push_back({{"name", outcome.name},
                          {"key", outcome.key},
                          {"plan", outcome.plan},
                          {"verdict", verdict_name(outcome.verdict)},
                          {"detail", outcome.detail},
                          {"reproducer", outcome.reproducer},
                          {"checked", outcome.checked},
                          {"max_error", outcome.max_error},
                          {"max_bound_ratio", outcome.max_bound_ratio}});
    }
    return {{"target", options.target.name}, {"seed", options.seed},      {"passed", report.passed},
            {"failed", report.failed},       {"skipped", report.skipped}, {"checks", checks}};
}

/// Moves layers of more MACs than `most` to the skipped ones.
void skip_large_layers(Network &network, int64_t most) {
    std::vector<Layer> kept;
    for (Layer &layer : network.layers) {
        if (!layer.desc.is_open() && mac_count(layer.desc) > most) {
            network.skipped.push_back({layer.name, op_info(whole_op(layer.desc)).name,
                                       fmt::format("more than {} MACs (--max-macs)", most)});
        } else {
            kept.push_back(std::move(layer));
        }
    }
    network.layers = std::move(kept);
}

CheckReport check_specs(const CheckArguments &arguments, const CheckOptions &options) {
    Network network = load_merged(arguments.specs);
    if (arguments.max_macs > 0) {
        skip_large_layers(network, arguments.max_macs);
    }
    CheckReport report = check_layers(network.layers, options);
    for (const SkippedNode &node : network.skipped) {
        CheckOutcome outcome;
        outcome.name = node.name;
        outcome.verdict = Verdict::Skipped;
        outcome.detail = fmt::format("op {}: {}", node.op, node.reason);
        report.add(outcome);
        print_outcome(outcome, arguments.verbose);
    }
    return report;
}

CheckReport run_checks(const CheckArguments &arguments, const CheckOptions &options) {
    if (!arguments.cases.empty()) {
        return check_cases(arguments.cases, options);
    }
    return arguments.fuzz > 0 ? fuzz(arguments.fuzz, options) : check_specs(arguments, options);
}

void require_one_source(const CheckArguments &arguments) {
    const int sources = static_cast<int>(!arguments.specs.specs.empty()) +
                        static_cast<int>(!arguments.cases.empty()) + static_cast<int>(arguments.fuzz > 0);
    if (sources != 1) {
        throw Error(
            ErrorCode::BadArgument,
            fmt::format("check: got {} of SPEC..., --cases DIR, --fuzz N, want exactly one", sources));
    }
}

int run_check(const CheckArguments &arguments) {
    require_one_source(arguments);
    CheckOptions options;
    options.target = parse_target(arguments.target);
    options.request = plan_request(arguments.plan, arguments.records, arguments.threads);
    options.seed = arguments.seed;
    options.max_points = arguments.max_points;
    set_num_threads(arguments.threads);
    if (runner_for(options.target) == RunnerKind::CudaEmulator)
        fmt::print("{}: kernels run in the PTX emulator, on the CPU\n", cuda_driver().missing);

    std::unique_ptr<Progress> progress;
    options.on_progress = [&](const CheckProgress &at) {
        prepare_crash_message(at.reproducer);
        if (!progress) {
            progress = std::make_unique<Progress>("checking", at.total);
        }
        progress->update(at.done, at.failed == 0 ? "" : fmt::format("{} failed", at.failed));
    };
    options.on_outcome = [&](const CheckOutcome &outcome) {
        if (progress && (arguments.verbose || outcome.verdict == Verdict::Failed)) {
            progress->clear();
        }
        print_outcome(outcome, arguments.verbose);
    };
    report_crashes();
    const CheckReport report = run_checks(arguments, options);
    progress.reset();
    write_json_file(arguments.json, report_json(report, options));
    if (!arguments.verbose) {
        print_skipped_reasons(report);
    }
    fmt::print("{}\n", report.summary());
    return report.failed == 0 ? 0 : 1;
}

} // namespace

void add_check(CLI::App &app, Command &command) {
    const auto arguments = std::make_shared<CheckArguments>();
    CLI::App &check = *app.add_subcommand("check", "Compile, run and compare with a reference computation");
    add_spec_options(check, arguments->specs, SpecNeed::Optional);
    check
        .add_option("--max-macs", arguments->max_macs,
                    "Skip layers of SPEC with more multiply-adds, for slow runners; 0 is none")
        ->type_name("N")
        ->check(CLI::Range(0LL, 1'000'000'000'000LL))
        ->capture_default_str();
    check.add_option("--cases", arguments->cases, "Run every case.json and cases.json at or below DIR")
        ->type_name("DIR");
    check.add_option("--fuzz", arguments->fuzz, "Run N random problems")
        ->type_name("N")
        ->check(CLI::Range(1, 1'000'000'000));
    check.add_option("--seed", arguments->seed, "Seed of data and of random problems")
        ->type_name("S")
        ->capture_default_str();
    check
        .add_option("--max-points", arguments->max_points,
                    "Outputs compared per problem; 0 is all of a small one, a sample of a large one")
        ->type_name("N")
        ->check(CLI::Range(0, 1'000'000'000))
        ->capture_default_str();
    add_target_option(check, arguments->target);
    add_plan_options(check, arguments->plan);
    add_record_options(check, arguments->records);
    add_threads_option(check, arguments->threads);
    add_json_option(check, arguments->json);
    check.add_flag("--verbose", arguments->verbose, "A line for every check");
    check.footer(
        "Inputs are small integers, where results must be exact, and uniform numbers, where each\n"
        "output has its own error bound. Kernels run against guard pages. Exit code 1 if any fails.\n\n"
        "Examples:\n"
        "  convsmith check conv_ci64_i56x56_co64_k3_p1_bias_relu\n"
        "  convsmith check resnet50.json --schedule generic\n"
        "  convsmith check conv_ci16_i8x8_co32_k3_p1 --target arm_neon\n"
        "  convsmith check --fuzz 500 --seed 1 --json report.json");
    check.callback([arguments, &command] { command.exit_code = run_check(*arguments); });
}

} // namespace convsmith::cli
