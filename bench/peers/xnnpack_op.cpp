// See xnnpack_op.h. Compiles with the 2022 snapshot of Debian 12 and with later ones, which split setup into
// reshape and setup (CONVSMITH_XNNPACK_RESHAPE); those of their functions that changed again are left out.
#include "bench/peers/xnnpack_op.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace convsmith::bench {

namespace {

/// Height and width of a 1D or 2D extent list; `missing` stands for the height of a 1D problem.
struct Plane {
    Plane(const Spatial &values, int rank, int missing)
        : h(rank == 1 ? missing : values[0]), w(values[rank - 1]) {}
    int h, w;
};

/// A window in both axes. Windows of ceil mode that overhang the end are padded as far as they reach.
struct Window {
    explicit Window(const ConvDesc &op)
        : kernel(op.kernel, op.rank, 1), stride(op.stride, op.rank, 1), dilation(op.dilation, op.rank, 1),
          in(op.in, op.rank, 1), begin(op.pad_begin, op.rank, 0), end(op.pad_end, op.rank, 0) {
        if (!op_info(op.op).is_pool)
            return;
        const Plane out(out_extents(op), op.rank, 1);
        const auto reach = [](int outputs, int step, int taps, int apart) {
            return (outputs - 1) * step + effective_kernel(taps, apart);
        };
        end.h = std::max(end.h, reach(out.h, stride.h, kernel.h, dilation.h) - in.h - begin.h);
        end.w = std::max(end.w, reach(out.w, stride.w, kernel.w, dilation.w) - in.w - begin.w);
    }
    Plane kernel, stride, dilation, in, begin, end;
};

/// To [co][k...][ci / g] from [co][ci / g][k...], or a transposed convolution's [ci][co / g][k...].
Tensor to_ohwi(const ConvDesc &op, const TensorView &filter) {
    const int64_t ci = op.ci / op.groups, co = op.co / op.groups;
    const int64_t taps = spatial_product(op.kernel, op.rank);
    Tensor result(DType::F32, {op.co, taps, ci});
    const float *from = static_cast<const float *>(filter.data);
    float *to = result.as<float>();
    for (int64_t g = 0; g < op.groups; g++)
        for (int64_t o = 0; o < co; o++)
            for (int64_t tap = 0; tap < taps; tap++)
                for (int64_t i = 0; i < ci; i++)
                    *to++ = op.op == Op::Deconv ? from[((g * ci + i) * co + o) * taps + tap]
                                                : from[((g * co + o) * ci + i) * taps + tap];
    return result;
}

/// XNNPACK may read past the end of an input, and any output may be one.
std::vector<float> with_slack(int64_t elements) {
    return std::vector<float>(static_cast<size_t>(elements) + XNN_EXTRA_BYTES / sizeof(float));
}

#ifdef CONVSMITH_XNNPACK_RESHAPE
#define CONVSMITH_XNNPACK_CACHES nullptr, nullptr,
#else
#define CONVSMITH_XNNPACK_CACHES
#endif

/// A convolution or deconvolution with its weights; both have the same arguments.
template<typename Create>
xnn_status create_filtered(Create create, const ConvDesc &op, const OracleTensors &tensors,
                           const Clamp &clamp, xnn_operator_t &made) {
    const Window w(op);
    const Tensor filter = to_ohwi(op, tensors.get("filter"));
    return create(w.begin.h, w.end.w, w.end.h, w.begin.w, w.kernel.h, w.kernel.w, w.stride.h, w.stride.w,
                  w.dilation.h, w.dilation.w, op.groups, op.ci / op.groups, op.co / op.groups, op.ci, op.co,
                  filter.as<float>(), static_cast<const float *>(tensors.get("bias").data), clamp.min,
                  clamp.max, 0, CONVSMITH_XNNPACK_CACHES & made);
}

} // namespace

bool is_global_average(const ConvDesc &op) {
    if (op.op != Op::AvgPool)
        return false;
    for (int axis = 0; axis < op.rank; axis++)
        if (op.kernel[axis] != op.in[axis] || op.pad_begin[axis] > 0 || op.pad_end[axis] > 0 ||
            op.dilation[axis] > 1)
            return false;
    return true;
}

XnnpackOp::XnnpackOp(const ConvDesc &op, const OracleTensors &tensors, pthreadpool_t threads,
                     std::shared_ptr<const XnnpackOp> before)
    : op_(op), threads_(threads), before_(std::move(before)),
      output_(with_slack(TensorView(nullptr, DType::F32, stored_shape(op)).elements())) {
    if (before_)
        return;
    const TensorView &given = tensors.get("input");
    input_ = with_slack(given.elements());
    std::memcpy(input_.data(), given.data, static_cast<size_t>(given.elements()) * sizeof(float));
}

const float *XnnpackOp::input() const {
    return before_ ? before_->output_.data() : input_.data();
}

bool XnnpackOp::create(const OracleTensors &tensors, const Clamp &clamp) {
    const bool is_global = is_global_average(op_);
    operator_.reset(op_.op == Op::Conv      ? create_convolution(tensors, clamp)
                    : op_.op == Op::Deconv  ? create_deconvolution(tensors, clamp)
                    : op_.op == Op::MaxPool ? create_max_pool(clamp)
                    : is_global             ? create_global_average(clamp)
                                            : create_average_pool(clamp));
    return status_ == xnn_status_success;
}

void XnnpackOp::run() {
    xnn_run_operator(operator_.get(), threads_);
}

Tensor XnnpackOp::output() {
    run();
    Tensor copy(DType::F32, stored_shape(op_));
    std::memcpy(copy.data(), output_.data(), copy.bytes());
    return copy;
}

xnn_operator_t XnnpackOp::create_convolution(const OracleTensors &tensors, const Clamp &clamp) {
    const Window w(op_);
    xnn_operator_t op = nullptr;
    status_ = create_filtered(xnn_create_convolution2d_nhwc_f32, op_, tensors, clamp, op);
    if (status_ != xnn_status_success)
        return op;
#ifdef CONVSMITH_XNNPACK_RESHAPE
    size_t workspace_bytes = 0, workspace_alignment = 0, out_h = 0, out_w = 0;
    status_ = xnn_reshape_convolution2d_nhwc_f32(op, op_.n, w.in.h, w.in.w, &workspace_bytes,
                                                 &workspace_alignment, &out_h, &out_w, threads_);
    if (status_ != xnn_status_success)
        return op;
    workspace_ = Tensor(DType::U8, {static_cast<int64_t>(workspace_bytes) + 1});
    status_ = xnn_setup_convolution2d_nhwc_f32(op, workspace_.data(), input(), output_.data());
#else
    status_ = xnn_setup_convolution2d_nhwc_f32(op, op_.n, w.in.h, w.in.w, input(), output_.data(), threads_);
#endif
    return op;
}

#if !defined(CONVSMITH_XNNPACK_RESHAPE) || defined(CONVSMITH_XNNPACK_RESHAPE_MORE)

xnn_operator_t XnnpackOp::create_deconvolution(const OracleTensors &tensors, const Clamp &clamp) {
    const Window w(op_);
    const Plane adjust(op_.out_pad, op_.rank, 0);
    xnn_operator_t op = nullptr;
    status_ = create_filtered(xnn_create_deconvolution2d_nhwc_f32, op_, tensors, clamp, op);
    if (status_ != xnn_status_success)
        return op;
#ifdef CONVSMITH_XNNPACK_RESHAPE
    size_t out_h = 0, out_w = 0;
    status_ = xnn_reshape_deconvolution2d_nhwc_f32(op, op_.n, w.in.h, w.in.w, adjust.h, adjust.w, &out_h,
                                                   &out_w, threads_);
    if (status_ == xnn_status_success)
        status_ = xnn_setup_deconvolution2d_nhwc_f32(op, input(), output_.data());
#else
    status_ = xnn_setup_deconvolution2d_nhwc_f32(op, op_.n, w.in.h, w.in.w, adjust.h, adjust.w, input(),
                                                 output_.data(), threads_);
#endif
    return op;
}

xnn_operator_t XnnpackOp::create_max_pool(const Clamp &clamp) {
    const Window w(op_);
    xnn_operator_t op = nullptr;
    status_ =
        xnn_create_max_pooling2d_nhwc_f32(w.begin.h, w.end.w, w.end.h, w.begin.w, w.kernel.h, w.kernel.w,
                                          w.stride.h, w.stride.w, w.dilation.h, w.dilation.w,
#ifndef CONVSMITH_XNNPACK_RESHAPE
                                          op_.ci, op_.ci, op_.ci,
#endif
                                          clamp.min, clamp.max, 0, &op);
    if (status_ != xnn_status_success)
        return op;
#ifdef CONVSMITH_XNNPACK_RESHAPE
    size_t out_h = 0, out_w = 0;
    status_ = xnn_reshape_max_pooling2d_nhwc_f32(op, op_.n, w.in.h, w.in.w, op_.ci, op_.ci, op_.ci, &out_h,
                                                 &out_w, threads_);
    if (status_ == xnn_status_success)
        status_ = xnn_setup_max_pooling2d_nhwc_f32(op, input(), output_.data());
#else
    status_ = xnn_setup_max_pooling2d_nhwc_f32(op, op_.n, w.in.h, w.in.w, input(), output_.data(), threads_);
#endif
    return op;
}

#else

xnn_operator_t XnnpackOp::create_deconvolution(const OracleTensors &, const Clamp &) {
    status_ = xnn_status_unsupported_parameter;
    return nullptr;
}

xnn_operator_t XnnpackOp::create_max_pool(const Clamp &) {
    status_ = xnn_status_unsupported_parameter;
    return nullptr;
}

#endif

#ifndef CONVSMITH_XNNPACK_RESHAPE

xnn_operator_t XnnpackOp::create_average_pool(const Clamp &clamp) {
    const Window w(op_);
    xnn_operator_t op = nullptr;
    status_ = xnn_create_average_pooling2d_nhwc_f32(w.begin.h, w.end.w, w.end.h, w.begin.w, w.kernel.h,
                                                    w.kernel.w, w.stride.h, w.stride.w, op_.ci, op_.ci,
                                                    op_.ci, clamp.min, clamp.max, 0, &op);
    if (status_ == xnn_status_success)
        status_ = xnn_setup_average_pooling2d_nhwc_f32(op, op_.n, w.in.h, w.in.w, input(), output_.data(),
                                                       threads_);
    return op;
}

xnn_operator_t XnnpackOp::create_global_average(const Clamp &clamp) {
    const auto pixels = static_cast<size_t>(spatial_product(op_.in, op_.rank));
    xnn_operator_t op = nullptr;
    status_ = xnn_create_global_average_pooling_nwc_f32(op_.ci, op_.ci, op_.ci, clamp.min, clamp.max, 0, &op);
    if (status_ == xnn_status_success)
        status_ =
            xnn_setup_global_average_pooling_nwc_f32(op, op_.n, pixels, input(), output_.data(), threads_);
    return op;
}

#else

xnn_operator_t XnnpackOp::create_average_pool(const Clamp &) {
    status_ = xnn_status_unsupported_parameter;
    return nullptr;
}

xnn_operator_t XnnpackOp::create_global_average(const Clamp &) {
    status_ = xnn_status_unsupported_parameter;
    return nullptr;
}

#endif

} // namespace convsmith::bench
