// The strategies that need no measurements: see strategy.h.
#include "autotune/strategy.h"

#include "autotune/estimate.h"
#include "autotune/evolution.h"
#include "generators/error.h"

#include <algorithm>
#include <numeric>
#include <random>

namespace convsmith::autotune {

namespace {

/// Candidates in an order that is known from the start.
class Ordered : public Strategy {
public:
    explicit Ordered(std::vector<size_t> order) : order_(std::move(order)) {}

    std::vector<size_t> propose(size_t count) override {
        const size_t end = std::min(order_.size(), next_ + count);
        std::vector<size_t> proposed(order_.begin() + static_cast<std::ptrdiff_t>(next_),
                                     order_.begin() + static_cast<std::ptrdiff_t>(end));
        next_ = end;
        return proposed;
    }

private:
    std::vector<size_t> order_;
    size_t next_ = 0;
};

std::vector<size_t> all_of(const Space &space) {
    std::vector<size_t> order(space.plans.size());
    std::iota(order.begin(), order.end(), size_t{0});
    return order;
}

std::unique_ptr<Strategy> make_random(const ConvDesc &, const Space &space, uint64_t seed) {
    std::vector<size_t> order = all_of(space);
    std::mt19937_64 random(seed);
    std::shuffle(order.begin(), order.end(), random);
    return std::make_unique<Ordered>(std::move(order));
}

std::unique_ptr<Strategy> make_analytic(const ConvDesc &desc, const Space &space, uint64_t) {
    const std::vector<double> costs = estimate_costs(desc, space);
    std::vector<size_t> order = all_of(space);
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return costs[a] < costs[b]; });
    return std::make_unique<Ordered>(std::move(order));
}

} // namespace

std::unique_ptr<Strategy> make_in_order(const Space &space) {
    return std::make_unique<Ordered>(all_of(space));
}

const std::vector<StrategyInfo> &strategy_table() {
    static const std::vector<StrategyInfo> kTable = {
        {"analytic", "the most promising by arithmetic first", make_analytic},
        {"evolutionary", "changes of the best so far", make_evolutionary},
        {"random", "any order", make_random},
    };
    return kTable;
}

const StrategyInfo &strategy_info(const std::string &name) {
    std::string names;
    for (const StrategyInfo &row : strategy_table()) {
        if (row.name == name)
            return row;
        names += (names.empty() ? "" : ", ") + row.name;
    }
    throw Error(ErrorCode::BadArgument, "strategy: got '" + name + "', want one of " + names);
}

} // namespace convsmith::autotune
