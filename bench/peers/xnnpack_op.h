// One op of XNNPACK: convolution, transposed convolution or pool, 2D (1D is one row), channels last. Before
// it: a descriptor that xnnpack.cpp has found to be within XNNPACK's limits; after it: its calls.
#pragma once

#include "bench/peers/peer_op.h"

#include <limits>
#include <pthreadpool.h>
#include <xnnpack.h>

namespace convsmith::bench {

/// What XNNPACK does after the sum, the maximum or the mean.
struct Clamp {
    float min = -std::numeric_limits<float>::infinity();
    float max = std::numeric_limits<float>::infinity();
};

/// An operator of XNNPACK with its tensors.
class XnnpackOp : public PeerOp {
public:
    /// Reads the result of `before` in place, if there is one.
    XnnpackOp(const ConvDesc &op, const OracleTensors &tensors, pthreadpool_t threads,
              std::shared_ptr<const XnnpackOp> before);

    /// Creates the operator, which packs the weights. False: XNNPACK refused, status() says how.
    bool create(const OracleTensors &tensors, const Clamp &clamp);
    xnn_status status() const { return status_; }

    void run() override;
    Tensor output() override;

private:
    xnn_operator_t create_convolution(const OracleTensors &tensors, const Clamp &clamp);
    xnn_operator_t create_deconvolution(const OracleTensors &tensors, const Clamp &clamp);
    xnn_operator_t create_max_pool(const Clamp &clamp);
    xnn_operator_t create_average_pool(const Clamp &clamp);
    xnn_operator_t create_global_average(const Clamp &clamp);

    const float *input() const;

    struct DeleteOperator {
        void operator()(xnn_operator_t op) const { xnn_delete_operator(op); }
    };

    ConvDesc op_;
    pthreadpool_t threads_;
    std::shared_ptr<const XnnpackOp> before_;
    std::vector<float> input_, output_;
    Tensor workspace_;
    xnn_status status_ = xnn_status_success;
    std::unique_ptr<std::remove_pointer_t<xnn_operator_t>, DeleteOperator> operator_;
};

/// True if XNNPACK has an operator of its own for it: a mean over the whole image.
bool is_global_average(const ConvDesc &op);

} // namespace convsmith::bench
