// `convsmith info`: parameters, work, traffic and shapes of layers, and what the stack of them sees. Needs no
// compiler and no target. The numbers are runtime/stack_info.h's.
#include "cli/commands.h"
#include "cli/options.h"
#include "runtime/stack_info.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>

namespace convsmith::cli {

namespace {

struct InfoOptions {
    SpecOptions specs;
    std::string json;
};

/// Gaps of a receptive field and remarks that are printed; JSON has all.
constexpr size_t kPrintedRanges = 12;
constexpr size_t kPrintedRemarks = 4;

std::string number_text(const std::optional<int64_t> &value) {
    return value ? std::to_string(*value) : "-";
}

std::string intensity_text(const Costs &costs) {
    const std::optional<double> intensity = operations_per_byte(costs);
    return intensity ? fmt::format("{:.3g}", *intensity) : "-";
}

/// "1x56x56x64 nhwc", "?" for what the call decides.
std::string output_text(const ConvDesc &desc) {
    std::string text;
    for (const int64_t extent : output_shape(desc)) {
        text += (text.empty() ? "" : "x") + (extent == 0 ? "?" : std::to_string(extent));
    }
    return text + " " + layout_name(desc.out_layout, desc.rank);
}

void print_costs(const Costs &costs, const std::string &output, const std::string &name) {
    fmt::print("{:>12} {:>14} {:>12} {:>9}  {:<22} {}\n", costs.parameters, number_text(costs.macs),
               number_text(costs.bytes), intensity_text(costs), output, name);
}

void print_layers(const std::vector<Layer> &layers) {
    fmt::print("{:>12} {:>14} {:>12} {:>9}  {:<22} {}\n", "parameters", "MACs", "bytes", "ops/byte", "output",
               "layer");
    for (const Layer &layer : layers) {
        const std::string times = layer.multiplicity > 1 ? fmt::format(" x{}", layer.multiplicity) : "";
        print_costs(costs_of(layer.desc), output_text(layer.desc), layer.name + times);
    }
    print_costs(costs_of(layers), layers.empty() ? "" : output_text(layers.back().desc), "total");
}

std::string unseen_text(const ReceptiveField &field) {
    std::string text;
    size_t printed = 0;
    for (const auto &[first, last] : unseen_ranges(field)) {
        if (printed++ == kPrintedRanges) {
            return text + ", ...";
        }
        text += (text.empty() ? "" : ", ") + std::to_string(first);
        text += first == last ? "" : fmt::format("-{}", last);
    }
    return text;
}

void print_field(const StackField &stack) {
    const int rank = static_cast<int>(stack.axes.size());
    for (int axis = 0; axis < rank; ++axis) {
        const ReceptiveField &field = stack.axes[axis];
        const std::string holes = field.holes() == 0 ? "every cell is seen"
                                                     : fmt::format("{} cells are never seen (gridding): {}",
                                                                   field.holes(), unseen_text(field));
        fmt::print("receptive field {}{}: {} cells, stride {}, {}\n", axis_name(axis, rank),
                   stack.is_chain ? "" : " (as if the layers ran one after another)", field.extent,
                   field.stride, holes);
    }
    for (size_t i = 0; i < std::min(stack.remarks.size(), kPrintedRemarks); ++i) {
        fmt::print("{}\n", stack.remarks[i]);
    }
    if (stack.remarks.size() > kPrintedRemarks) {
        fmt::print("... and {} more remarks\n", stack.remarks.size() - kPrintedRemarks);
    }
}

template<typename Number>
Json json_or_null(const std::optional<Number> &value) {
    return value ? Json(*value) : Json();
}

Json costs_json(const Costs &costs) {
    return {{"parameters", costs.parameters},
            {"macs", json_or_null(costs.macs)},
            {"bytes", json_or_null(costs.bytes)},
            {"intensity", json_or_null(operations_per_byte(costs))}};
}

Json layer_json(const Layer &layer) {
    Json json = {{"name", layer.name}, {"key", layer.desc.key()}, {"multiplicity", layer.multiplicity}};
    json.update(costs_json(costs_of(layer.desc)));
    json["output"] = output_shape(layer.desc);
    return json;
}

Json field_json(const StackField &stack) {
    Json axes = Json::array();
    const int rank = static_cast<int>(stack.axes.size());
    for (int axis = 0; axis < rank; ++axis) {
        const ReceptiveField &field = stack.axes[axis];
        axes.push_back({{"axis", std::string(1, axis_name(axis, rank))},
                        {"extent", field.extent},
                        {"stride", field.stride},
                        {"holes", field.holes()},
                        {"unseen", unseen_ranges(field)}});
    }
    return axes;
}

void run_info(const InfoOptions &options) {
    const Network network = load_merged(options.specs);
    const StackField stack = stack_field(network.layers);
    print_layers(network.layers);
    print_field(stack);
    Json layers = Json::array(), skipped = Json::array();
    for (const Layer &layer : network.layers) {
        layers.push_back(layer_json(layer));
    }
    for (const SkippedNode &node : network.skipped) {
        fmt::print("not counted: {} ({}): {}\n", node.name, node.op, node.reason);
        skipped.push_back({{"name", node.name}, {"op", node.op}, {"reason", node.reason}});
    }
    write_json_file(options.json, {{"layers", layers},
                                   {"total", costs_json(costs_of(network.layers))},
                                   {"receptive_field", field_json(stack)},
                                   {"is_chain", stack.is_chain},
                                   {"remarks", stack.remarks},
                                   {"skipped", skipped}});
}

} // namespace

void add_info(CLI::App &app, Command &) {
    const auto options = std::make_shared<InfoOptions>();
    CLI::App &info =
        *app.add_subcommand("info", "Count parameters, work and traffic; show what a stack sees");
    add_spec_options(info, options->specs);
    add_json_option(info, options->json);
    info.footer(
        "All layers of all SPECs are one stack in order. Bytes count input, weights, second tensors and "
        "output\n"
        "once per layer; ops are two per MAC; totals count a layer as often as it is repeated. The "
        "receptive\n"
        "field is what one output of the last layer sees of the first one's input: cells from first to last, "
        "the\n"
        "distance between neighbouring outputs, and cells in between that no path reaches.\n\n"
        "Examples:\n"
        "  convsmith info resnet50.json\n"
        "  convsmith info conv_ci3_i100x100_co128_k3_p1_bias conv_ci128_i100x100_co128_k3_p1_bias\n"
        "  convsmith info conv_ci8_i32x32_co8_k3_p2_d2 conv_ci8_i32x32_co8_k3_p2_d2 --json stack.json");
    info.callback([options] { run_info(*options); });
}

} // namespace convsmith::cli
