// oneDNN as a peer, at its best: every tensor in the layout that oneDNN chooses, weights reordered
// beforehand, epilogue as fused post-ops. Before it: onednn_primitive.h (what to run); after it: compare.h.
#include "bench/peers/peer_op.h"
#ifdef CONVSMITH_HAVE_ONEDNN
#include "bench/peers/onednn_primitive.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <omp.h>
#endif

namespace convsmith::bench {

#ifdef CONVSMITH_HAVE_ONEDNN

namespace {

using dnnl::memory;

/// A primitive with its memory in the layouts it asked for.
class OnednnOp : public PeerOp {
public:
    /// Reads the result of `before` in place if both agree about its layout.
    OnednnOp(const ConvDesc &op, const OracleTensors &tensors, const dnnl::engine &engine,
             const OnednnPrimitive &primitive, const OnednnOp *before)
        : op_(op), tensors_(tensors), engine_(engine), stream_(engine), primitive_(primitive),
          dst_(primitive.dst, engine) {
        const bool in_place = before != nullptr && before->primitive_.dst == primitive.src;
        arguments_[DNNL_ARG_SRC] =
            in_place ? before->dst_ : reordered(user_input(op), tensors.get("input").data, primitive.src);
        if (!filter_shape(op).empty())
            arguments_[DNNL_ARG_WEIGHTS] =
                reordered(user_filter(op), tensors.get("filter").data, primitive.weights);
        if (op.has_operand(Operand::Bias))
            arguments_[DNNL_ARG_BIAS] = reordered({{op.co}, memory::data_type::f32, memory::format_tag::a},
                                                  tensors.get("bias").data, primitive.bias);
        arguments_[DNNL_ARG_DST] = dst_;
    }

    void run() override {
        primitive_.primitive.execute(stream_, arguments_);
        stream_.wait();
    }

    Tensor output() override {
        if (op_.has_operand(Operand::Residual)) {
            memory residual(user_output(op_), engine_, tensors_.get("residual").data);
            dnnl::reorder(residual, dst_).execute(stream_, residual, dst_);
        }
        run();
        Tensor result(DType::F32, stored_shape(op_));
        memory user(user_output(op_), engine_, result.data());
        dnnl::reorder(dst_, user).execute(stream_, dst_, user);
        stream_.wait();
        return result;
    }

    std::string implementation() const override { return primitive_.implementation; }

private:
    memory reordered(const memory::desc &from_desc, void *data, const memory::desc &to_desc) {
        memory from(from_desc, engine_, data);
        memory to(to_desc, engine_);
        dnnl::reorder(from, to).execute(stream_, from, to);
        stream_.wait();
        return to;
    }

    ConvDesc op_;
    OracleTensors tensors_;
    dnnl::engine engine_;
    dnnl::stream stream_;
    OnednnPrimitive primitive_;
    memory dst_;
    std::unordered_map<int, memory> arguments_;
};

double fastest_run_ns(PeerOp &op) {
    constexpr int kRuns = 5;
    double best = std::numeric_limits<double>::infinity();
    for (int run = 0; run < kRuns; run++) {
        const auto start = std::chrono::steady_clock::now();
        op.run();
        best = std::min(
            best, std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count());
    }
    return best;
}

/// The op with the input in each layout worth trying; the fastest.
std::variant<std::shared_ptr<OnednnOp>, NotPrepared> make_op(const ConvDesc &op, const OracleTensors &tensors,
                                                             const dnnl::engine &engine,
                                                             const OnednnOp *before) {
    std::shared_ptr<OnednnOp> best;
    double best_ns = 0;
    NotPrepared reason{"oneDNN: no layout to try"};
    const std::vector<memory::format_tag> layouts = source_layouts(op);
    for (const memory::format_tag layout : layouts) {
        try {
            const auto primitive = make_onednn_primitive(op, layout, engine);
            if (const auto *not_prepared = std::get_if<NotPrepared>(&primitive))
                return *not_prepared;
            const auto candidate =
                std::make_shared<OnednnOp>(op, tensors, engine, std::get<OnednnPrimitive>(primitive), before);
            const double ns = layouts.size() > 1 ? fastest_run_ns(*candidate) : 0;
            if (best == nullptr || ns < best_ns) {
                best = candidate;
                best_ns = ns;
            }
        } catch (const dnnl::error &error) {
            reason.reason = std::string("oneDNN: ") + error.what();
        }
    }
    if (best == nullptr)
        return reason;
    return best;
}

std::string library_version() {
    const dnnl::version_t *version = dnnl::version();
    return std::to_string(version->major) + "." + std::to_string(version->minor) + "." +
           std::to_string(version->patch);
}

PeerResult prepare(const ConvDesc &desc, const OracleTensors &tensors, int threads) {
    omp_set_num_threads(threads > 0 ? threads : omp_get_num_procs());
    const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
    std::shared_ptr<OnednnOp> before;
    return prepare_ops(desc, tensors, [&](const ConvDesc &op, const OracleTensors &operands) -> PeerOpResult {
        auto made = make_op(op, operands, engine, before.get());
        if (const auto *not_prepared = std::get_if<NotPrepared>(&made))
            return *not_prepared;
        before = std::get<std::shared_ptr<OnednnOp>>(made);
        return std::shared_ptr<PeerOp>(before);
    });
}

} // namespace

Peer make_onednn_peer() {
    return {"onednn", library_version(), prepare};
}

#else

Peer make_onednn_peer() {
    return absent_peer("onednn", "oneDNN was absent when this program was built (libdnnl-dev)");
}

#endif

} // namespace convsmith::bench
