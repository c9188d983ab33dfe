// Choice of outputs to judge (see oracle_samples.h).
#include "runtime/oracle_samples.h"

#include "runtime/random.h"

#include <algorithm>
#include <set>

namespace convsmith {

namespace {

int64_t flat_index(const std::vector<int64_t> &shape, const std::vector<int64_t> &at) {
    int64_t flat = 0;
    for (size_t d = 0; d < shape.size(); ++d) {
        flat = flat * shape[d] + at[d];
    }
    return flat;
}

/// Coordinates along an axis where a tile, vector or padding case may end.
std::vector<int64_t> special_coordinates(int64_t extent) {
    std::set<int64_t> special;
    for (const int64_t edge : {0, 1, 2, 3}) {
        special.insert({edge, extent - 1 - edge});
    }
    for (const int64_t block : {4, 5, 6, 8, 12, 16, 32, 64}) {
        special.insert({block - 1, block, extent / block * block - 1, extent / block * block});
    }
    std::vector<int64_t> legal;
    std::copy_if(special.begin(), special.end(), std::back_inserter(legal),
                 [&](int64_t x) { return x >= 0 && x < extent; });
    return legal;
}

} // namespace

std::vector<int64_t> sample_points(const std::vector<int64_t> &shape, int64_t count, uint64_t seed) {
    Random random(seed);
    std::set<int64_t> points;
    std::vector<int64_t> at(shape.size());
    for (unsigned corner = 0; corner < 1u << shape.size(); ++corner) {
        for (size_t d = 0; d < shape.size(); ++d) {
            at[d] = (corner >> d & 1) != 0 ? shape[d] - 1 : 0;
        }
        points.insert(flat_index(shape, at));
    }
    for (size_t d = 0; d < shape.size(); ++d) {
        for (const int64_t x : special_coordinates(shape[d])) {
            for (size_t other = 0; other < shape.size(); ++other) {
                at[other] = random.below(shape[other]);
            }
            at[d] = x;
            if (static_cast<int64_t>(points.size()) < count) {
                points.insert(flat_index(shape, at));
            }
        }
    }
    int64_t total = 1;
    for (const int64_t extent : shape) {
        total *= extent;
    }
    count = std::min(count, total);
    for (int64_t draw = 0; draw < 4 * count && static_cast<int64_t>(points.size()) < count; ++draw) {
        points.insert(random.below(total));
    }
    return {points.begin(), points.end()};
}

} // namespace convsmith
