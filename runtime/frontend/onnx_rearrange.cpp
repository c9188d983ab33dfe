// Recognition of index maps by what they do (see onnx_rearrange.h).
#include "runtime/frontend/onnx_rearrange.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>

namespace convsmith::frontend {

namespace {

using Dims = std::vector<int64_t>;

/// A tensor seen with the extents `split`, then transposed: axis i of the result is axis order[i].
struct Permutation {
    Dims split;
    Dims order;

    bool operator==(const Permutation &o) const { return split == o.split && order == o.order; }
};

/// The same map with as few axes as possible: axes of one element dropped, axes that stay neighbours merged.
/// Two permutations of one tensor move elements alike if and only if these agree.
Permutation canonical(const Permutation &p) {
    Dims order;
    std::copy_if(p.order.begin(), p.order.end(), std::back_inserter(order),
                 [&](int64_t axis) { return p.split[axis] != 1; });
    Dims extents = p.split;
    Dims heads; // first axis of each merged run, in the transposed order
    int64_t last = -1;
    for (const int64_t axis : order) {
        int64_t next = last + 1;
        while (last >= 0 && next < axis && p.split[next] == 1) {
            ++next;
        }
        if (last >= 0 && next == axis) {
            extents[heads.back()] *= p.split[axis];
        } else {
            heads.push_back(axis);
        }
        last = axis;
    }
    Dims sorted = heads;
    std::sort(sorted.begin(), sorted.end());
    Permutation result;
    for (const int64_t head : sorted) {
        result.split.push_back(extents[head]);
    }
    for (const int64_t head : heads) {
        result.order.push_back(std::find(sorted.begin(), sorted.end(), head) - sorted.begin());
    }
    return result;
}

/// What an index map is for [n][c][spatial...], and the shape of its result.
struct Candidate {
    Permutation permutation;
    Dims result;
};

Candidate shuffle(const Dims &from, int64_t groups) {
    Dims split = {from[0], groups, from[1] / groups};
    split.insert(split.end(), from.begin() + 2, from.end());
    Dims order(split.size());
    std::iota(order.begin(), order.end(), 0);
    std::swap(order[1], order[2]);
    return {{split, order}, from};
}

/// DepthToSpace (block pixels before channels) and PixelShuffle (after).
Candidate to_space(const Dims &from, int64_t block, bool pixels_first) {
    const int rank = static_cast<int>(from.size()) - 2;
    const int64_t channels = from[1] / static_cast<int64_t>(std::pow(block, rank));
    Candidate made;
    Dims &split = made.permutation.split, &order = made.permutation.order;
    split = {from[0]};
    if (!pixels_first) {
        split.push_back(channels);
    }
    split.insert(split.end(), rank, block);
    if (pixels_first) {
        split.push_back(channels);
    }
    split.insert(split.end(), from.begin() + 2, from.end());
    order = {0, pixels_first ? 1 + rank : 1};
    made.result = {from[0], channels};
    for (int axis = 0; axis < rank; ++axis) {
        order.push_back(2 + rank + axis);
        order.push_back((pixels_first ? 1 : 2) + axis);
        made.result.push_back(from[2 + axis] * block);
    }
    return made;
}

Candidate to_depth(const Dims &from, int64_t block) {
    const int rank = static_cast<int>(from.size()) - 2;
    Candidate made;
    made.permutation.split = {from[0], from[1]};
    made.result = {from[0], from[1] * static_cast<int64_t>(std::pow(block, rank))};
    made.permutation.order = {0};
    for (int axis = 0; axis < rank; ++axis) {
        made.permutation.split.push_back(from[2 + axis] / block);
        made.permutation.split.push_back(block);
        made.permutation.order.push_back(3 + 2 * axis);
        made.result.push_back(from[2 + axis] / block);
    }
    made.permutation.order.push_back(1);
    for (int axis = 0; axis < rank; ++axis) {
        made.permutation.order.push_back(2 + 2 * axis);
    }
    return made;
}

/// The map from `from` to `to` that `permutation` is.
std::optional<RearrangeMatch> recognise(const Dims &from, const Dims &to, const Permutation &permutation) {
    const Permutation want = canonical(permutation);
    const auto matches = [&](const Candidate &candidate) {
        return candidate.result == to && canonical(candidate.permutation) == want;
    };
    if (from == to) {
        for (int64_t groups = 2; groups < from[1]; ++groups) {
            if (from[1] % groups == 0 && matches(shuffle(from, groups))) {
                return RearrangeMatch{Rearrange::Shuffle, static_cast<int>(groups), {}, ""};
            }
        }
        return std::nullopt;
    }
    const bool grows = to[2] > from[2];
    const int64_t block = grows ? to[2] / from[2] : from[2] / std::max<int64_t>(to[2], 1);
    if (block < 2) {
        return std::nullopt;
    }
    if (!grows) {
        return matches(to_depth(from, block)) ? std::optional<RearrangeMatch>(RearrangeMatch{
                                                    Rearrange::SpaceToDepth, static_cast<int>(block), {}, ""})
                                              : std::nullopt;
    }
    for (const Rearrange rearrange : {Rearrange::DepthToSpace, Rearrange::PixelShuffle}) {
        if (matches(to_space(from, block, rearrange == Rearrange::DepthToSpace))) {
            return RearrangeMatch{rearrange, static_cast<int>(block), {}, ""};
        }
    }
    return std::nullopt;
}

/// The only node that reads `value`, if it is a standard `op`; else -1.
int only_consumer(const OnnxGraph &graph, const std::string &value, const char *op) {
    const std::vector<int> &consumers = graph.consumers(value);
    const bool is_it = consumers.size() == 1 && !graph.is_output(value) && graph.is_standard(consumers[0]) &&
                       graph.node(consumers[0]).op_type() == op && graph.node(consumers[0]).input(0) == value;
    return is_it ? consumers[0] : -1;
}

} // namespace

std::optional<RearrangeMatch> spelled_rearrangement(const OnnxGraph &graph, const OnnxShapes &shapes,
                                                    int reshape) {
    const onnx::NodeProto &first = graph.node(reshape);
    if (!graph.is_standard(reshape) || first.op_type() != "Reshape" || first.input_size() < 1) {
        return std::nullopt;
    }
    const std::string &split = first.output(0);
    const int transpose = only_consumer(graph, split, "Transpose");
    const int last = transpose < 0 ? -1 : only_consumer(graph, graph.node(transpose).output(0), "Reshape");
    if (last < 0) {
        return std::nullopt;
    }
    const std::string &output = graph.node(last).output(0);
    if (!is_known(shapes, first.input(0)) || !is_known(shapes, split) || !is_known(shapes, output)) {
        return std::nullopt;
    }
    const Dims from = *shapes.find(first.input(0)), to = *shapes.find(output), middle = *shapes.find(split);
    const Dims order = graph.integers(transpose, "perm");
    Dims axes(middle.size());
    std::iota(axes.begin(), axes.end(), 0);
    if (from.size() < 3 || to.size() != from.size() ||
        !std::is_permutation(order.begin(), order.end(), axes.begin(), axes.end())) {
        return std::nullopt;
    }
    std::optional<RearrangeMatch> match = recognise(from, to, {middle, order});
    if (match) {
        match->nodes = {reshape, transpose, last};
        match->output = output;
    }
    return match;
}

} // namespace convsmith::frontend
