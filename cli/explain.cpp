// `convsmith explain`: for each layer the problem's numbers, the plan with its source and rejected
// alternatives, and the least time that this machine's measured roofline allows.
#include "bench/machine.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "generators/conv_shape.h"
#include "generators/error.h"
#include "generators/signature.h"
#include "runtime/stack_info.h"
#include "schedules/gpu/roofline.h"
#include "schedules/plan.h"

#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <optional>

namespace convsmith::cli {

namespace {

struct ExplainOptions {
    SpecOptions specs;
    PlanOptions plan;
    RecordOptions records;
    std::string target;
    std::string json;
    int threads = 1;
};

/// The least time a layer can take: its arithmetic at the machine's peak, its bytes at memory speed.
struct Roofline {
    double compute_ns = 0;
    double memory_ns = 0;

    bool is_compute_bound() const { return compute_ns >= memory_ns; }
    double ns() const { return std::max(compute_ns, memory_ns); }
};

Roofline roofline(const ConvDesc &desc, const bench::Machine &machine) {
    Roofline roof;
    roof.compute_ns =
        2 * static_cast<double>(mac_count(desc)) / bench::peak_gflops(machine, dtype_bytes(desc.acc_type));
    roof.memory_ns = static_cast<double>(byte_count(desc)) / machine.copy_gb_per_s;
    return roof;
}

/// "f32 nhwc 1x56x56x64", "any" for what the call decides.
std::string tensor_text(DType type, const std::vector<int64_t> &shape, const std::string &order) {
    std::vector<std::string> extents;
    for (const int64_t extent : shape) {
        extents.push_back(extent > 0 ? std::to_string(extent) : "any");
    }
    return fmt::format("{} {} {}", dtype_name(type), order, fmt::join(extents, "x"));
}

void print_row(const char *label, const std::string &text) {
    fmt::print("  {:<12} {}\n", label, text);
}

void print_problem(const ConvDesc &desc) {
    print_row("input", tensor_text(desc.in_type, input_shape(desc), layout_name(desc.in_layout, desc.rank)));
    if (op_info(desc.op).has_filter)
        print_row("filter",
                  tensor_text(desc.weight_type, filter_shape(desc),
                              desc.op == Op::Deconv ? "ci, co/groups, kernel:" : "co, ci/groups, kernel:"));
    print_row("parameters", std::to_string(parameter_count(desc)));
    if (desc.is_open()) {
        print_row("output", "sizes are known at the call");
        return;
    }
    print_row("output",
              tensor_text(desc.out_type, output_shape(desc), layout_name(desc.out_layout, desc.rank)));
    print_row("MACs", fmt::format("{} ({})", mac_count(desc), si(static_cast<double>(mac_count(desc)))));
    print_row("bytes", fmt::format("{} ({}B)", byte_count(desc), si(static_cast<double>(byte_count(desc)))));
    print_row("intensity", fmt::format("{:.3g} operations per byte", *operations_per_byte(costs_of(desc))));
}

Json problem_json(const Layer &layer) {
    const ConvDesc &desc = layer.desc;
    Json json = {{"name", layer.name},
                 {"key", desc.key()},
                 {"multiplicity", layer.multiplicity},
                 {"input", input_shape(desc)},
                 {"filter", filter_shape(desc)},
                 {"parameters", parameter_count(desc)}};
    if (!desc.is_open()) {
        json["output"] = output_shape(desc);
        json["macs"] = mac_count(desc);
        json["bytes"] = byte_count(desc);
        json["intensity"] = *operations_per_byte(costs_of(desc));
    }
    return json;
}

/// A plan of the generic schedule that nobody asked for or measured is said to be a fallback.
void explain_plan(const ConvDesc &desc, const PlanChoice &choice, bool is_schedule_free, Json &json) {
    const bool is_fallback = is_schedule_free && !choice.is_tuned && choice.plan.schedule == "generic";
    print_row("plan", choice.plan.text());
    print_row("source",
              choice.source + (is_fallback ? ", fallback: no tuned schedule takes this problem" : ""));
    const double error = choice.plan.relative_error();
    print_row("accuracy",
              fmt::format("{} ({}): {}", accuracy_name(choice.accuracy), choice.accuracy_source,
                          error > 0 ? fmt::format("errors up to {:g} of the largest result", error)
                                    : "errors of a sum"));
    for (const std::string &reason : choice.passed_over)
        print_row("passed over", reason);
    Json rejected = Json::array();
    for (const Rejection &rejection : choice.rejected) {
        print_row("rejected", fmt::format("{}: {}", rejection.schedule, rejection.reason));
        rejected.push_back({{"schedule", rejection.schedule}, {"reason", rejection.reason}});
    }
    json["plan"] = choice.plan.text();
    json["variant"] = choice.plan.variant;
    json["schedule"] = choice.plan.schedule;
    json["target"] = choice.plan.target.halide;
    json["params"] = choice.plan.params;
    const Packing packing = choice.plan.packing(desc);
    json["packing"] = {
        {"co_block", packing.co_block}, {"tile", packing.tile}, {"by_group", packing.by_group}};
    json["accuracy"] = {{"allowed", accuracy_name(choice.accuracy)},
                        {"source", choice.accuracy_source},
                        {"relative_error", choice.plan.relative_error()}};
    json["source"] = choice.source;
    json["tuned"] = choice.is_tuned;
    json["passed_over"] = choice.passed_over;
    json["fallback"] = is_fallback;
    json["rejected"] = rejected;
}

/// Of a GPU's kernel: what a block does and what bounds it, by the model that the planner chooses with.
void explain_blocks(const ConvDesc &desc, const Plan &plan, Json &json) {
    const gpu::Device &device = gpu::planned_device();
    const std::optional<gpu::Roofline> roof = gpu::plan_roofline(desc, plan, device);
    if (!roof) {
        print_row("roofline", "no model of this schedule");
        return;
    }
    print_row("blocks",
              fmt::format("{:.0f} of {} threads, each {:.4g} FMAs ({:.0f} % needed), {:.4g} bytes of shared "
                          "memory, {:.4g} of global memory",
                          roof->blocks, roof->threads, roof->fmas, 100 * roof->useful, roof->shared_bytes,
                          roof->global_bytes));
    print_row("roofline",
              fmt::format("{:.0f} % of FP32 peak at most, bound by {}; some {} registers, {:.0f} % of a "
                          "multiprocessor's warps (model of {}, not measured)",
                          100 * roof->of_peak, roof->bound, roof->registers, 100 * roof->occupancy,
                          device.name));
    json["roofline"] = {{"blocks", roof->blocks},
                        {"threads", roof->threads},
                        {"fmas_per_block", roof->fmas},
                        {"needed", roof->useful},
                        {"shared_bytes_per_block", roof->shared_bytes},
                        {"global_bytes_per_block", roof->global_bytes},
                        {"instructions_per_block", roof->instructions},
                        {"registers", roof->registers},
                        {"occupancy", roof->occupancy},
                        {"of_fp32_peak", roof->of_peak},
                        {"bound", roof->bound},
                        {"model", device.name}};
}

void explain_roofline(const ConvDesc &desc, const std::optional<bench::Machine> &machine, Json &json) {
    if (desc.is_open() || !machine) {
        print_row("roofline", desc.is_open() ? "needs sizes" : "not known: the target does not run here");
        return;
    }
    const Roofline roof = roofline(desc, *machine);
    print_row("roofline",
              fmt::format("{:.1f} us at least, bound by {} (arithmetic {:.1f} us, memory {:.1f} us)",
                          roof.ns() / 1e3, roof.is_compute_bound() ? "arithmetic" : "memory",
                          roof.compute_ns / 1e3, roof.memory_ns / 1e3));
    json["roofline"] = {{"compute_ns", roof.compute_ns},
                        {"memory_ns", roof.memory_ns},
                        {"bound", roof.is_compute_bound() ? "compute" : "memory"}};
}

Json machine_json(const bench::Machine &machine) {
    return {{"cpu", machine.cpu},
            {"threads", machine.threads},
            {"vector_unit", machine.vector_unit},
            {"peak_gflops", machine.peak_gflops},
            {"copy_gb_per_s", machine.copy_gb_per_s}};
}

void run_explain(const ExplainOptions &options) {
    const Target target = parse_target(options.target);
    const PlanRequest request = plan_request(options.plan, options.records, options.threads);
    const Network network = load_merged(options.specs);
    std::vector<PlanChoice> choices;
    for (const Layer &layer : network.layers) {
        choices.push_back(make_plan(layer.desc, target, request));
    }
    std::optional<bench::Machine> machine;
    if (!is_gpu(target) && runs_natively(target) && !network.layers.empty()) {
        machine = bench::measure_machine(options.threads);
        fmt::print("roofline of {}, measured now: {:.3g} GFLOP/s f32 on {} thread{}, memory {:.3g} GB/s\n",
                   machine->cpu, machine->peak_gflops, machine->threads, machine->threads == 1 ? "" : "s",
                   machine->copy_gb_per_s);
    }
    Json layers = Json::array();
    for (size_t i = 0; i < network.layers.size(); ++i) {
        const Layer &layer = network.layers[i];
        Json json = problem_json(layer);
        fmt::print("{}\n", layer.desc.key());
        if (layer.name != layer.desc.key()) {
            print_row("layer",
                      layer.name + (layer.multiplicity > 1 ? fmt::format(" x{}", layer.multiplicity) : ""));
        }
        print_problem(layer.desc);
        print_row("target", fmt::format("{} ({})", target.name, target.halide));
        explain_plan(layer.desc, choices[i], request.schedule.empty(), json);
        if (is_gpu(target))
            explain_blocks(layer.desc, choices[i].plan, json);
        else
            explain_roofline(layer.desc, machine, json);
        layers.push_back(json);
    }
    Json skipped = Json::array();
    for (const SkippedNode &node : network.skipped) {
        fmt::print("not compiled: {} ({}): {}\n", node.name, node.op, node.reason);
        skipped.push_back({{"name", node.name}, {"op", node.op}, {"reason", node.reason}});
    }
    write_json_file(
        options.json,
        {{"machine", machine ? machine_json(*machine) : Json()}, {"layers", layers}, {"skipped", skipped}});
}

} // namespace

void add_explain(CLI::App &app, Command &) {
    const auto options = std::make_shared<ExplainOptions>();
    CLI::App &explain = *app.add_subcommand("explain", "Show how a layer would be computed, and why");
    add_spec_options(explain, options->specs);
    add_target_option(explain, options->target);
    add_plan_options(explain, options->plan);
    add_record_options(explain, options->records);
    add_threads_option(explain, options->threads);
    add_json_option(explain, options->json);
    explain.footer("Examples:\n"
                   "  convsmith explain conv_ci64_i56x56_co64_k3_p1_bias_relu\n"
                   "  convsmith explain resnet50.json --target arm_neon --json plans.json\n"
                   "  convsmith explain model.onnx --shape x=1,3,320,320 --schedule generic");
    explain.callback([options] { run_explain(*options); });
}

} // namespace convsmith::cli
