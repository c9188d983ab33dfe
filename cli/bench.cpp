// `convsmith bench`: times layers and the libraries to compare with. The work is bench/compare.h, the wording
// bench/report.h and bench/page.h.
#include "bench/page.h"
#include "bench/peers/own_plan.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "generators/error.h"
#include "runtime/frontend/file_io.h"

#include <algorithm>
#include <cstdio>
#include <fmt/format.h>
#include <memory>

namespace convsmith::cli {

namespace {

struct BenchOptions {
    SpecOptions specs;
    PlanOptions plan;
    RecordOptions records;
    std::string target;
    std::string filter;
    std::string json;
    std::string html;
    std::vector<std::string> against;
    int threads = 1;
    int rounds = bench::MeasureOptions().rounds;
};

/// The layers to time, and the networks that they are from.
struct Selection {
    std::vector<Layer> layers;
    std::vector<bench::NetworkUse> networks;
};

bool is_selected(const BenchOptions &options, const Layer &layer) {
    return layer.name.find(options.filter) != std::string::npos ||
           layer.desc.key().find(options.filter) != std::string::npos;
}

/// Adds a network's layers; one that is there already, without values of its own, is only counted.
void select_layers(const BenchOptions &options, const Network &network, Selection &selection) {
    for (const SkippedNode &node : network.skipped)
        fmt::print(stderr, "not timed: {} ({}): {}\n", node.name, node.op, node.reason);
    bench::NetworkUse use = {network.name, {}};
    for (const Layer &layer : network.layers) {
        if (!is_selected(options, layer))
            continue;
        if (layer.desc.is_open())
            throw Error(ErrorCode::BadArgument, layer.name + ": sizes are open (0); bench needs them all");
        std::vector<Layer> &layers = selection.layers;
        auto same = std::find_if(layers.begin(), layers.end(), [&](const Layer &one) {
            return one.desc == layer.desc && one.trained.empty() && layer.trained.empty();
        });
        if (same == layers.end())
            same = layers.insert(same, layer);
        else
            same->multiplicity += layer.multiplicity;
        const auto index = static_cast<size_t>(same - layers.begin());
        use.times.resize(layers.size());
        use.times[index] += layer.multiplicity;
    }
    if (network.layers.size() > 1 && !use.times.empty())
        selection.networks.push_back(use);
}

Selection select_layers(const BenchOptions &options, const std::vector<Network> &networks) {
    Selection selection;
    for (const Network &network : networks)
        select_layers(options, network, selection);
    if (selection.layers.empty())
        throw Error(
            ErrorCode::BadArgument,
            fmt::format("bench: no layer to time: no name or key contains --filter '{}'", options.filter));
    return selection;
}

std::string title_of(const std::vector<bench::NetworkUse> &networks) {
    if (networks.size() > 1)
        return fmt::format("{} networks", networks.size());
    return networks.empty() ? "" : networks.front().name;
}

/// "default": plans without tuning records; "db:FILE": with those of another file; else a library.
bench::Peer peer_of(const BenchOptions &options, const std::string &name) {
    const std::string kDb = "db:";
    RecordOptions records;
    if (name.rfind(kDb, 0) == 0)
        records.db = name.substr(kDb.size());
    else if (name == "default")
        records.none = true;
    else
        return bench::find_peer(name);
    return bench::make_own_plan_peer(name, plan_request(options.plan, records, options.threads),
                                     parse_target(options.target));
}

bench::CompareOptions compare_options(const BenchOptions &options) {
    bench::CompareOptions compare;
    compare.threads = options.threads;
    compare.plan = plan_request(options.plan, options.records, options.threads);
    compare.target = parse_target(options.target);
    if (!runs_natively(compare.target))
        throw Error(ErrorCode::Unsupported,
                    "bench: target " + compare.target.name +
                        " does not run on this machine, and an emulator's time is no time");
    compare.measure.rounds = options.rounds;
    if (options.threads != 1) {
        // Thread pools spin for a while after a call: libgomp's 300 thousand times, pthreadpool's a million
        // times a pause of up to 65 cycles, which is 20 ms at 3 GHz.
        compare.measure.idle_ns = 3e7;
        compare.measure.settle_ns = 2e6;
    }
    for (const std::string &name : options.against)
        compare.peers.push_back(peer_of(options, name));
    return compare;
}

/// A layer that cannot be compiled or computed is a failed row, not the end of the run.
bench::LayerResult time_layer(Jit &jit, const Layer &layer, const bench::Machine &machine,
                              const bench::CompareOptions &options) {
    try {
        return bench::compare_layer(jit, layer, machine, options);
    } catch (const Error &error) {
        if (error.code() == ErrorCode::BadArgument)
            throw;
        bench::LayerResult result;
        result.name = layer.name;
        result.desc = layer.desc;
        result.multiplicity = layer.multiplicity;
        result.failure = error.what();
        return result;
    }
}

int run_bench(const BenchOptions &options) {
    const Selection selection = select_layers(options, load_specs(options.specs));
    const std::vector<Layer> &layers = selection.layers;
    const bench::CompareOptions compare = compare_options(options);

    bench::Report report;
    report.title = title_of(selection.networks);
    report.networks = selection.networks;
    report.machine = bench::measure_machine(options.threads);
    report.threads = report.machine.threads;
    report.peers = compare.peers;
    const std::string warning = bench::load_warning(report.machine);
    if (!warning.empty())
        fmt::print(stderr, "warning: {}\n", warning);
    fmt::print("{}\n\n{}\n", bench::machine_text(report), bench::header_text(report));

    Jit jit;
    Progress progress("timing", static_cast<int64_t>(layers.size()));
    int failed = 0;
    for (const Layer &layer : layers) {
        progress.update(static_cast<int64_t>(report.layers.size()), layer.name);
        report.layers.push_back(time_layer(jit, layer, report.machine, compare));
        failed += report.layers.back().ok() ? 0 : 1;
        progress.clear();
        fmt::print("{}\n", bench::layer_text(report.layers.back()));
        std::fflush(stdout);
    }
    fmt::print("\n{}", bench::summary_text(report));
    write_json_file(options.json, bench::to_json(report));
    if (!options.html.empty())
        write_file_atomically(options.html, bench::html_page(report));
    return failed > 0 ? 1 : 0;
}

} // namespace

void add_bench(CLI::App &app, Command &command) {
    CLI::App *bench = app.add_subcommand("bench", "Time layers, beside other libraries if asked");
    const auto options = std::make_shared<BenchOptions>();
    add_spec_options(*bench, options->specs);
    add_plan_options(*bench, options->plan);
    add_record_options(*bench, options->records);
    add_target_option(*bench, options->target);
    add_threads_option(*bench, options->threads);
    bench
        ->add_option(
            "--against", options->against,
            "What to compare with: the libraries onednn, xnnpack, onnxruntime; default: plans without "
            "tuning records; db:FILE: plans with those of another file")
        ->type_name("NAME[,NAME...]")
        ->delimiter(',')
        ->allow_extra_args(false);
    bench->add_option("--rounds", options->rounds, "Interleaved rounds per layer")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    bench->add_option("--filter", options->filter, "Only layers whose name or key contains TEXT")
        ->type_name("TEXT");
    add_json_option(*bench, options->json);
    bench->add_option("--html", options->html, "Also write a page with charts and tables to FILE")
        ->type_name("FILE");
    bench->footer(
        "One thread unless --threads says otherwise. Every result is compared with the oracle "
        "before it is timed. Times are medians; a ratio is the\n"
        "median over rounds of the other library's time / ours, so above 1 convsmith is faster.\n"
        "scripts/install_onnxruntime.sh installs ONNX Runtime (npm).\n\n"
        "Examples:\n"
        "  convsmith bench conv_ci64_i56x56_co64_k3_p1_bias_relu\n"
        "  convsmith bench resnet50.json --against onednn,xnnpack,onnxruntime --html resnet50.html\n"
        "  convsmith bench model.onnx --shape x=1,3,320,320 --threads 2 --filter depthwise\n"
        "  convsmith bench resnet50.json --db tuned.jsonl --against default");
    bench->callback([options, &command] { command.exit_code = run_bench(*options); });
}

} // namespace convsmith::cli
