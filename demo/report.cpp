// The demo's table (see detector.h): every layer's output against the oracle, its time against this machine's
// peak and oneDNN.
#include "autotune/measure.h"
#include "bench/machine.h"
#include "bench/peers/peer.h"
#include "demo/detector.h"
#include "generators/conv_shape.h"
#include "generators/error.h"
#include "generators/variant.h"

#include <fmt/format.h>
#include <fstream>
#include <map>

namespace convsmith::demo {

namespace {

constexpr int64_t kCheckPoints = 20000;

std::map<std::string, double> read_times(const std::string &path) {
    std::map<std::string, double> times;
    std::ifstream file(path);
    std::string id;
    double microseconds = 0;
    while (file >> id >> microseconds)
        times[id] = microseconds;
    return times;
}

/// `relative_error`: of the plan's variant.
Judgement judge_output(const Problem &problem, const std::string &path, const Tensor &output,
                       double relative_error) {
    read_raw(path, output);
    JudgeOptions options;
    options.max_points = kCheckPoints;
    options.relative_error = relative_error;
    return judge(problem.desc, problem.view(), output.view(), options);
}

/// Microseconds of a peer on one thread; 0 if it has no right answer.
double peer_time(const bench::Peer &peer, const Problem &problem) {
    const bench::PeerResult result = peer.prepare(problem.desc, problem.view(), 1);
    const auto *prepared = std::get_if<bench::PreparedPeer>(&result);
    if (!prepared)
        return 0;
    JudgeOptions options;
    options.max_points = kCheckPoints;
    if (!judge(problem.desc, problem.view(), prepared->output().view(), options).ok())
        return 0;
    autotune::MeasureOptions measure_options;
    measure_options.block_ns = 2e6;
    return 1e-3 * autotune::measure({{peer.name, prepared->call}}, measure_options)[0].ns.median;
}

struct Totals {
    double us = 0, us_beside_peer = 0, peer_us = 0, macs = 0;
    int right = 0, wrong = 0;
};

std::string kind_of(const ConvDesc &desc) {
    std::string kernel;
    for (int axis = 0; axis < desc.rank; axis++)
        kernel += (axis > 0 ? "x" : "") + std::to_string(desc.kernel[axis]);
    std::string kind = "dense";
    if (desc.op != Op::Conv)
        kind = op_info(desc.op).name;
    else if (desc.groups == desc.ci && desc.groups > 1)
        kind = "depthwise";
    else if (spatial_product(desc.kernel, desc.rank) == 1)
        kind = "pointwise";
    return fmt::format("{} {} {}->{}", kind, kernel, desc.ci, desc.co);
}

/// One row of the table.
void report_layer(const DemoLayer &demo_layer, const Problem &problem, double us,
                  const bench::Machine &machine, Totals &totals) {
    const double peer_us = peer_time(bench::find_peer("onednn"), problem);
    const auto macs = static_cast<double>(mac_count(problem.desc));
    const double gflops = 2e-3 * macs / us;
    totals.us += us;
    totals.macs += macs;
    if (peer_us > 0) {
        totals.us_beside_peer += us;
        totals.peer_us += peer_us;
    }
    fmt::print("{:<28} {:<50} {:>9.1f} {:>8.2f} {:>6.1f} {:>10} {:>6}", kind_of(problem.desc),
               demo_layer.plan, us, gflops, 100 * gflops / machine.peak_gflops,
               peer_us > 0 ? fmt::format("{:.1f}", peer_us) : "-",
               peer_us > 0 ? fmt::format("{:.2f}", peer_us / us) : "-");
}

} // namespace

int report(const Detector &detector, const std::string &directory, const std::vector<OtherMachine> &others,
           const std::string &grid) {
    const bench::Machine machine = bench::measure_machine(1);
    const std::string warning = bench::load_warning(machine);
    if (!warning.empty())
        fmt::print("warning: {}\n", warning);
    fmt::print("{}: measured peak {:.1f} GFLOP/s on one thread\n\n", machine.cpu, machine.peak_gflops);
    fmt::print("{:<28} {:<50} {:>9} {:>8} {:>6} {:>10} {:>6}  {}\n", "layer", "plan", "us", "GFLOP/s",
               "% peak", "oneDNN us", "ratio", "error / bound");

    const std::map<std::string, double> times = read_times(directory + "/times.txt");
    Totals totals;
    std::string complaints;
    for (size_t i = 0; i < detector.layers.size(); i++) {
        const DemoLayer &demo_layer = detector.layers[i];
        const Problem problem = detector.problem(i);
        const Tensor output(problem.desc.out_type, output_shape(problem.desc));
        bool right = true;
        for (const OtherMachine &other : others) {
            // No plan for another machine class is approximate.
            const Judgement judgement =
                judge_output(problem, other.directory + "/" + demo_layer.id + ".output", output, 0);
            right &= judgement.ok();
            complaints += judgement.ok() ? ""
                                         : fmt::format("{} on {}: {}\n", demo_layer.layer.name, other.name,
                                                       judgement.first_wrong);
        }
        const Judgement judgement =
            judge_output(problem, directory + "/" + demo_layer.id + ".output", output,
                         variant_info(demo_layer.plan.substr(0, demo_layer.plan.find('/'))).relative_error);
        right &= judgement.ok();
        complaints +=
            judgement.ok() ? "" : fmt::format("{}: {}\n", demo_layer.layer.name, judgement.first_wrong);
        if (i == 0)
            write_png(feature_grid(detector.picture, output.view()), grid);
        report_layer(demo_layer, problem, times.at(demo_layer.id), machine, totals);
        fmt::print("  {:.3f}{}\n", judgement.max_bound_ratio, right ? "" : " WRONG");
        (right ? totals.right : totals.wrong)++;
    }
    fmt::print("\n{} layers: {:.1f} us, {:.2f} GFLOP/s, {:.1f} % of peak", detector.layers.size(), totals.us,
               2e-3 * totals.macs / totals.us, 0.2 * totals.macs / totals.us / machine.peak_gflops);
    if (totals.peer_us > 0)
        fmt::print("; oneDNN / ours on the layers that both run: {:.2f}",
                   totals.peer_us / totals.us_beside_peer);
    fmt::print("\n{}", complaints);
    std::string where = "this machine";
    for (const OtherMachine &other : others)
        where += " and " + other.name;
    fmt::print("{} layers equal the oracle on {}, {} do not\nfeature maps of the first layer: {}\n",
               totals.right, where, totals.wrong, grid);
    return totals.wrong;
}

} // namespace convsmith::demo
