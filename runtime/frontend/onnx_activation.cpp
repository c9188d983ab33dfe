// Recognition of activations, by operator and by what a group of element-wise nodes computes.
#include "runtime/frontend/onnx_activation.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <unordered_map>

namespace convsmith::frontend {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Bounds {
    double min = -kInfinity;
    double max = kInfinity;
};

/// Bounds of a Clip: attributes before operator set 11, optional inputs since; nothing if one is computed.
std::optional<Bounds> clip_bounds(const OnnxGraph &graph, int node) {
    Bounds bounds;
    bounds.min = graph.number(node, "min", bounds.min);
    bounds.max = graph.number(node, "max", bounds.max);
    const auto &inputs = graph.node(node).input();
    for (int i = 1; i < inputs.size(); ++i) {
        if (inputs[i].empty()) {
            continue;
        }
        const std::optional<double> bound = graph.scalar(inputs[i]);
        if (!bound) {
            return std::nullopt;
        }
        (i == 1 ? bounds.min : bounds.max) = *bound;
    }
    // Exporters spell "no bound" as the largest float.
    bounds.min = bounds.min <= std::numeric_limits<float>::lowest() ? -kInfinity : bounds.min;
    bounds.max = bounds.max >= std::numeric_limits<float>::max() ? kInfinity : bounds.max;
    return bounds;
}

std::optional<Activation> clip(const OnnxGraph &graph, int node) {
    const std::optional<Bounds> bounds = clip_bounds(graph, node);
    if (!bounds) {
        return std::nullopt;
    }
    if (bounds->min == 0 && bounds->max == 6) {
        return Activation{{epilogue_stage("relu6")}};
    }
    if (bounds->min == 0 && bounds->max == kInfinity) {
        return Activation{{epilogue_stage("relu")}};
    }
    if (bounds->min == -kInfinity && bounds->max == kInfinity) {
        return Activation{};
    }
    // Where the bounds cross, the standard has the upper one win.
    return Activation{{{"clamp", {std::fmin(bounds->min, bounds->max), bounds->max}}}};
}

/// The stage selu has the constants of the paper, which are the standard's defaults; others are an elu,
/// scaled.
Activation selu(const OnnxGraph &graph, int node) {
    constexpr double kAlpha = 1.6732632423543772;
    constexpr double kGamma = 1.0507009873554805;
    const bool is_first = graph.opset() < 6; // whose defaults were rounded otherwise
    const double alpha = graph.number(node, "alpha", is_first ? 1.6732 : kAlpha);
    const double gamma = graph.number(node, "gamma", is_first ? 1.0507 : kGamma);
    if (std::fabs(alpha - kAlpha) < 1e-6 && std::fabs(gamma - kGamma) < 1e-6) {
        return {{epilogue_stage("selu")}};
    }
    return {{{"elu", {alpha}}, epilogue_stage("channel_scale")}, gamma};
}

using Samples = std::vector<double>;
using Environment = std::unordered_map<std::string, Samples>;

/// Dense where activations bend, and far out, where they have settled.
Samples sample_points() {
    Samples points;
    for (int i = -128; i <= 128; ++i) {
        points.push_back(i / 16.0);
    }
    for (const double far : {10.0, 20.0, 50.0, 100.0, 1e3, 1e4}) {
        points.push_back(far);
        points.push_back(-far);
    }
    return points;
}

double softplus(double x) {
    return std::fmax(x, 0) + std::log1p(std::exp(-std::fabs(x)));
}

const std::map<std::string, double (*)(double)> &unary_functions() {
    static const std::map<std::string, double (*)(double)> kFunctions = {
        {"Abs", [](double x) { return std::fabs(x); }},
        {"Erf", [](double x) { return std::erf(x); }},
        {"Exp", [](double x) { return std::exp(x); }},
        {"HardSwish", [](double x) { return x * std::fmin(std::fmax(x + 3, 0), 6) / 6; }},
        {"Identity", [](double x) { return x; }},
        {"Neg", [](double x) { return -x; }},
        {"Relu", [](double x) { return std::fmax(x, 0); }},
        {"Sigmoid", [](double x) { return 1 / (1 + std::exp(-x)); }},
        {"Softplus", softplus},
        {"Tanh", [](double x) { return std::tanh(x); }},
    };
    return kFunctions;
}

const std::map<std::string, double (*)(double, double)> &binary_functions() {
    static const std::map<std::string, double (*)(double, double)> kFunctions = {
        {"Add", [](double a, double b) { return a + b; }},
        {"Sub", [](double a, double b) { return a - b; }},
        {"Mul", [](double a, double b) { return a * b; }},
        {"Div", [](double a, double b) { return a / b; }},
        {"Max", [](double a, double b) { return std::fmax(a, b); }},
        {"Min", [](double a, double b) { return std::fmin(a, b); }},
        {"Pow", [](double a, double b) { return std::pow(a, b); }},
    };
    return kFunctions;
}

/// Samples of an input: computed inside the group, or a scalar constant; nothing for anything else.
std::optional<Samples> samples_of(const OnnxGraph &graph, const Environment &known,
                                  const std::string &value) {
    const auto it = known.find(value);
    if (it != known.end()) {
        return it->second;
    }
    const std::optional<double> scalar = graph.scalar(value);
    return scalar ? std::optional<Samples>(Samples(sample_points().size(), *scalar)) : std::nullopt;
}

Samples clip_samples(const Samples &x, const Bounds &bounds) {
    Samples y = x;
    for (double &value : y) {
        value = std::fmin(std::fmax(value, bounds.min), bounds.max);
    }
    return y;
}

Samples hard_sigmoid_samples(const OnnxGraph &graph, int node, const Samples &x) {
    const double alpha = graph.number(node, "alpha", 0.2);
    const double beta = graph.number(node, "beta", 0.5);
    Samples y = x;
    for (double &value : y) {
        value = std::fmin(std::fmax(alpha * value + beta, 0), 1);
    }
    return y;
}

/// What the node computes on the samples; nothing if it is not element-wise in known values.
std::optional<Samples> evaluate(const OnnxGraph &graph, const Environment &known, int node) {
    const onnx::NodeProto &proto = graph.node(node);
    const int inputs = proto.input_size();
    const std::optional<Samples> a = inputs > 0 ? samples_of(graph, known, proto.input(0)) : std::nullopt;
    if (!a || !graph.is_standard(node) || proto.output_size() != 1) {
        return std::nullopt;
    }
    if (proto.op_type() == "Clip") {
        const std::optional<Bounds> bounds = clip_bounds(graph, node);
        return bounds ? std::optional<Samples>(clip_samples(*a, *bounds)) : std::nullopt;
    }
    if (proto.op_type() == "HardSigmoid") {
        return hard_sigmoid_samples(graph, node, *a);
    }
    Samples y = *a;
    const auto unary = unary_functions().find(proto.op_type());
    if (unary != unary_functions().end() && inputs == 1) {
        std::transform(a->begin(), a->end(), y.begin(), unary->second);
        return y;
    }
    const auto binary = binary_functions().find(proto.op_type());
    const std::optional<Samples> b = inputs == 2 ? samples_of(graph, known, proto.input(1)) : std::nullopt;
    if (binary == binary_functions().end() || !b) {
        return std::nullopt;
    }
    std::transform(a->begin(), a->end(), b->begin(), y.begin(), binary->second);
    return y;
}

/// True if `y` are the values of `stage` at the sample points, up to constants having been rounded to float.
bool computes(const EpilogueStage &stage, const Samples &y) {
    const Samples x = sample_points();
    for (size_t i = 0; i < x.size(); ++i) {
        const double tolerance = 2e-6 * (1 + std::fabs(x[i]));
        if (!(std::fabs(y[i] - epilogue_reference(stage, x[i], 0)) <= tolerance)) {
            return false;
        }
    }
    return true;
}

std::optional<EpilogueStage> stage_computing(const Samples &y) {
    for (const EpilogueInfo &info : epilogue_table()) {
        if (info.operand == Operand::None && info.param_names.empty() &&
            computes(epilogue_stage(info.name), y)) {
            return epilogue_stage(info.name);
        }
    }
    return std::nullopt;
}

/// True if `last` is the only value of the group that anything outside it reads.
bool has_single_exit(const OnnxGraph &graph, const Environment &known, const std::vector<int> &nodes,
                     const std::string &last) {
    for (const auto &[value, samples] : known) {
        if (value == last) {
            continue;
        }
        const std::vector<int> &consumers = graph.consumers(value);
        const bool inside = std::all_of(consumers.begin(), consumers.end(), [&](int consumer) {
            return std::find(nodes.begin(), nodes.end(), consumer) != nodes.end();
        });
        if (!inside || graph.is_output(value)) {
            return false;
        }
    }
    return true;
}

} // namespace

std::optional<Activation> single_activation(const OnnxGraph &graph, int node) {
    static const std::map<std::string, std::string> kPlain = {
        {"HardSwish", "hard_swish"}, {"Mish", "mish"},         {"Relu", "relu"},
        {"Sigmoid", "sigmoid"},      {"Softplus", "softplus"}, {"Tanh", "tanh"}};
    static const std::map<std::string, std::string> kWithAlpha = {
        {"Celu", "celu"}, {"Elu", "elu"}, {"LeakyRelu", "leaky_relu"}};
    const std::string &op = graph.node(node).op_type();
    if (!graph.is_standard(node)) {
        return std::nullopt;
    }
    if (const auto plain = kPlain.find(op); plain != kPlain.end()) {
        return Activation{{epilogue_stage(plain->second)}};
    }
    if (const auto found = kWithAlpha.find(op); found != kWithAlpha.end()) {
        EpilogueStage stage = epilogue_stage(found->second);
        stage.params[0] = graph.number(node, "alpha", stage.params[0]);
        return Activation{{stage}};
    }
    if (op == "HardSigmoid") {
        return Activation{
            {{"hard_sigmoid", {graph.number(node, "alpha", 0.2), graph.number(node, "beta", 0.5)}}}};
    }
    if (op == "Swish" && graph.number(node, "alpha", 1) == 1) {
        return Activation{{epilogue_stage("silu")}};
    }
    if (op == "Gelu") {
        const std::string approximate = graph.text(node, "approximate", "none");
        if (approximate != "none" && approximate != "tanh") {
            graph.fail(node, "attribute approximate is '" + approximate + "', want none or tanh");
        }
        return Activation{{epilogue_stage(approximate == "tanh" ? "fast_gelu" : "gelu")}};
    }
    return op == "Clip" ? clip(graph, node) : op == "Selu" ? std::optional(selu(graph, node)) : std::nullopt;
}

std::optional<ActivationMatch> spelled_activation(const OnnxGraph &graph, const std::string &value) {
    constexpr size_t kMaxNodes = 12; // the longest known spelling, GELU with tanh, has 8
    Environment known = {{value, sample_points()}};
    std::vector<int> nodes;
    std::vector<int> frontier = graph.consumers(value);
    std::optional<EpilogueStage> best;
    size_t best_length = 0; // the nodes of the best match are the first so many of `nodes`
    while (!frontier.empty() && nodes.size() < kMaxNodes) {
        const auto next =
            std::min_element(frontier.begin(), frontier.end()); // graph order: inputs come first
        const int node = *next;
        frontier.erase(next);
        if (std::find(nodes.begin(), nodes.end(), node) != nodes.end()) {
            continue;
        }
        const std::optional<Samples> samples = evaluate(graph, known, node);
        if (!samples) {
            break; // in graph order every later match would have this node as a second exit
        }
        const std::string &output = graph.node(node).output(0);
        nodes.push_back(node);
        known[output] = *samples;
        frontier.insert(frontier.end(), graph.consumers(output).begin(), graph.consumers(output).end());
        const std::optional<EpilogueStage> stage = stage_computing(*samples);
        if (stage && has_single_exit(graph, known, nodes, output)) {
            best = stage;
            best_length = nodes.size();
        }
    }
    if (!best) {
        return std::nullopt;
    }
    nodes.resize(best_length);
    return ActivationMatch{*best, nodes, graph.node(nodes.back()).output(0)};
}

} // namespace convsmith::frontend
