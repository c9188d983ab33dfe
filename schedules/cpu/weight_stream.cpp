// See weight_stream.h.
#include "schedules/cpu/weight_stream.h"

#include <memory>

namespace convsmith::cpu {
namespace {

using Halide::Expr;
using Halide::Internal::Call;
using Halide::Internal::For;
using Halide::Internal::ProducerConsumer;
using Halide::Internal::Stmt;

constexpr int kLineBytes = 64;

/// What one tile prefetches ahead of itself: what memory delivers while it answers.
constexpr int kAheadBytes = 16 * 1024;

/// Where the first load of a buffer begins, outside of loops.
class FirstLoad : public Halide::Internal::IRVisitor {
public:
    explicit FirstLoad(const std::string &buffer) : buffer_(buffer) {}

    Expr index; ///< undefined if there is none
    int element_bytes = 0;

private:
    using IRVisitor::visit;

    void visit(const For *) override {}

    void visit(const Halide::Internal::Load *load) override {
        if (index.defined() || load->name != buffer_)
            return;
        const auto *const vector = load->index.as<Halide::Internal::Ramp>();
        index = vector ? vector->base : load->index;
        element_bytes = load->type.bytes();
    }

    std::string buffer_;
};

/// Puts the prefetches before the first weights that an iteration of the innermost loop loads.
class PrefetchWeights : public Halide::Internal::IRMutator {
public:
    PrefetchWeights(std::string filter, const WeightStream &stream)
        : filter_(std::move(filter)), tiles_("." + stream.tiles.name()), stream_(stream) {}

private:
    using IRMutator::visit;

    Stmt visit(const For *loop) override {
        const bool is_of_tiles = Halide::Internal::ends_with(loop->name, tiles_);
        const For *const outer = is_of_tiles ? std::exchange(tile_loop_, loop) : tile_loop_;
        is_first_ = true;
        Stmt same = IRMutator::visit(loop);
        tile_loop_ = outer;
        return same;
    }

    Stmt visit(const ProducerConsumer *node) override {
        FirstLoad load(filter_);
        if (node->is_producer && is_first_)
            node->body.accept(&load);
        if (!load.index.defined())
            return IRMutator::visit(node);
        is_first_ = false;
        return Halide::Internal::Block::make(prefetches(load), node);
    }

    Stmt prefetches(const FirstLoad &load) const {
        const int line = kLineBytes / load.element_bytes, lines = std::max(1, stream_.step / line);
        const int64_t *const tiles =
            tile_loop_ != nullptr ? Halide::Internal::as_const_int(tile_loop_->extent) : nullptr;
        const bool is_shared = tiles != nullptr && *tiles > 1;
        const int share = is_shared ? static_cast<int>((lines + *tiles - 1) / *tiles) : lines;
        const Expr tile =
            is_shared ? Halide::Internal::Variable::make(Halide::Int(32), tile_loop_->name) : Expr(0);
        // From the last line down: LLVM turns a sum of parts that share no bits into an `or`, which keeps it
        // from addressing by the pointer of the weights.
        const int ahead = static_cast<int>(is_shared ? stream_.block : kAheadBytes / load.element_bytes);
        const Expr last = load.index - tile * share % lines * line + (ahead + (lines - 1) * line);
        std::vector<Stmt> all;
        for (int i = 0; i < share; i++) {
            const Expr buffer = Halide::Internal::Variable::make(Halide::Handle(), filter_);
            const Expr one = Call::make(Halide::Float(32), Call::prefetch, {buffer, last - i * line, 1, line},
                                        Call::Intrinsic);
            all.push_back(Halide::Internal::Evaluate::make(one));
        }
        return Halide::Internal::simplify(Halide::Internal::Block::make(all));
    }

    std::string filter_, tiles_;
    WeightStream stream_;
    const For *tile_loop_ = nullptr; ///< the innermost loop of tiles around
    bool is_first_ = false;          ///< no weights of the innermost loop were met yet
};

} // namespace

void prefetch_weights(ConvPipeline &conv, const WeightStream &stream) {
    conv.passes.push_back(std::make_shared<PrefetchWeights>(conv.filter.name(), stream));
}

} // namespace convsmith::cpu
