// `convsmith import`: an ONNX model as a layer list, with an account of every node that is not in it.
#include "cli/commands.h"
#include "cli/options.h"
#include "generators/conv_shape.h"
#include "generators/error.h"

#include <fmt/format.h>

#include <cstdio>
#include <map>
#include <memory>

namespace convsmith::cli {

namespace {

struct ImportCommand {
    std::string model;
    std::string output;
    ModelOptions reading;
    std::string json;
};

Json summary_json(const Network &network) {
    Json layers = Json::array();
    for (const Layer &layer : network.layers) {
        layers.push_back({{"name", layer.name}, {"key", layer.desc.key()}});
    }
    Json skipped = Json::array();
    for (const SkippedNode &node : network.skipped) {
        skipped.push_back({{"name", node.name}, {"op", node.op}, {"reason", node.reason}});
    }
    return {{"network", network.name}, {"layers", layers}, {"skipped", skipped}};
}

/// Skipped nodes by operator and reason: count, and the names as far as they fit.
void print_skipped(const std::vector<SkippedNode> &skipped) {
    std::map<std::pair<std::string, std::string>, std::vector<std::string>> groups;
    for (const SkippedNode &node : skipped) {
        groups[{node.op, node.reason}].push_back(node.name);
    }
    constexpr size_t kNames = 3;
    for (auto &[group, names] : groups) {
        const size_t count = names.size();
        names.resize(std::min(count, kNames));
        fmt::print("  {:>4} {:<20} {} ({}{})\n", count, group.first, group.second, fmt::join(names, ", "),
                   count > kNames ? ", ..." : "");
    }
}

void run_import(const ImportCommand &options) {
    const Network network = import_onnx(options.model, import_options(options.reading));
    if (network.layers.empty()) {
        const std::string first = network.skipped.empty() ? "" : ": " + network.skipped.front().reason;
        throw Error(ErrorCode::Unsupported, fmt::format("{}: none of {} nodes can be imported as a layer{}",
                                                        options.model, network.skipped.size(), first));
    }
    save_layer_list(network, options.output);
    write_json_file(options.json, summary_json(network));
    double macs = 0;
    double parameters = 0;
    for (const Layer &layer : network.layers) {
        macs += static_cast<double>(mac_count(layer.desc)) * layer.multiplicity;
        parameters += static_cast<double>(parameter_count(layer.desc)) * layer.multiplicity;
    }
    fmt::print("{}: {} layers, {} MACs, {} parameters -> {}\n", network.name, network.layers.size(), si(macs),
               si(parameters), options.output);
    if (!network.skipped.empty()) {
        fmt::print("{} nodes are not part of a layer (all are listed in {}):\n", network.skipped.size(),
                   options.output);
        print_skipped(network.skipped);
    }
}

} // namespace

void add_import(CLI::App &app, Command &) {
    const auto options = std::make_shared<ImportCommand>();
    CLI::App &import = *app.add_subcommand("import", "Write the layers of an ONNX model as a layer list");
    import.add_option("MODEL", options->model, "Model to read (.onnx)")->required()->type_name("");
    import.add_option("-o,--output", options->output, "Layer list to write (.json)")
        ->required()
        ->type_name("FILE");
    add_model_options(import, options->reading);
    add_json_option(import, options->json);
    import.footer(
        "Batch norm and activations are fused into the layer before them; weights stay in the model: give\n"
        "the .onnx file itself to build, check or bench to use them.\n\n"
        "Examples:\n"
        "  convsmith import detector.onnx -o layers.json --shape x=1,3,320,320");
    import.callback([options] { run_import(*options);
});
} // namespace convsmith::cli

} // namespace convsmith::cli
