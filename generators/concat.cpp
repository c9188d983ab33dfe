// Branches on one input, each writing its channel range of one output (Inception block): an update per
// branch, no copy.
#include "generators/composite.h"
#include "generators/composite_pipeline.h"
#include "generators/conv_shape.h"
#include "generators/halide_compat.h"

namespace convsmith {

ConvPipeline concat_pipeline(const ConvDesc &desc, const Packing &packing, const OpInput &) {
    ConvPipeline conv = begin_composite(desc, packing);
    const std::vector<Halide::Var> args = conv.output_args();
    conv.output(args) = Halide::undef(halide_type(desc.out_type));
    int begin = 0;
    for (const ConvDesc &branch : desc.branches) {
        const Halide::Func result = append_chain(conv, branch, conv.input);
        const int channels = stored_channels(last_op(branch));
        const Halide::RDom channel(0, channels, "r_co");
        std::vector<Halide::Expr> from(args.begin(), args.end()), to = from;
        from[0] = channel;
        to[0] = begin + channel;
        conv.output(to) = result(from);
        conv.branch_channels.emplace_back(channel.x);
        begin += channels;
    }
    return conv;
}

} // namespace convsmith
