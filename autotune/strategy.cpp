// The table of strategies and those that need no measurements: see strategy.h.
#include "autotune/strategy.h"

#include "autotune/estimate.h"
#include "autotune/evolution.h"
#include "autotune/learned.h"
#include "generators/error.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <set>

namespace convsmith::autotune {

namespace {

/// Candidates in an order that is known from the start.
class Ordered : public Strategy {
public:
    explicit Ordered(std::vector<size_t> order) : order_(std::move(order)) {}

    std::vector<size_t> propose(size_t count) override {
        std::vector<size_t> proposed;
        for (; next_ < order_.size() && proposed.size() < count; next_++) {
            if (known_.count(order_[next_]) == 0)
                proposed.push_back(order_[next_]);
        }
        return proposed;
    }

    void learn(size_t candidate, std::optional<double>) override { known_.insert(candidate); }

private:
    std::vector<size_t> order_;
    size_t next_ = 0;
    std::set<size_t> known_;
};

/// See begin_with.
class BeginsWith : public Strategy {
public:
    BeginsWith(std::vector<size_t> first, std::unique_ptr<Strategy> then)
        : first_(std::move(first)), then_(std::move(then)) {}

    std::vector<size_t> propose(size_t count) override {
        std::vector<size_t> proposed;
        const auto add = [&](size_t candidate) {
            if (known_.insert(candidate).second)
                proposed.push_back(candidate);
        };
        for (; next_ < first_.size() && proposed.size() < count; next_++)
            add(first_[next_]);
        while (proposed.size() < count) {
            const std::vector<size_t> more = then_->propose(count - proposed.size());
            if (more.empty())
                break;
            for (const size_t candidate : more)
                add(candidate);
        }
        return proposed;
    }

    void learn(size_t candidate, std::optional<double> cost) override {
        known_.insert(candidate);
        then_->learn(candidate, cost);
    }

private:
    std::vector<size_t> first_;
    size_t next_ = 0;
    std::set<size_t> known_;
    std::unique_ptr<Strategy> then_;
};

std::vector<size_t> all_of(const Space &space) {
    std::vector<size_t> order(space.plans.size());
    std::iota(order.begin(), order.end(), size_t{0});
    return order;
}

std::unique_ptr<Strategy> make_random(const ConvDesc &, const Space &space, uint64_t seed, const History &) {
    std::vector<size_t> order = all_of(space);
    std::mt19937_64 random(seed);
    std::shuffle(order.begin(), order.end(), random);
    return std::make_unique<Ordered>(std::move(order));
}

std::unique_ptr<Strategy> make_analytic(const ConvDesc &desc, const Space &space, uint64_t, const History &) {
    return std::make_unique<Ordered>(analytic_order(estimate_costs(desc, space)));
}

} // namespace

std::unique_ptr<Strategy> make_in_order(const Space &space) {
    return std::make_unique<Ordered>(all_of(space));
}

const std::vector<StrategyInfo> &strategy_table() {
    static const std::vector<StrategyInfo> kTable = {
        {"analytic", "the most promising by arithmetic first", make_analytic},
        {"learned", "what trees, trained on all records, expect to gain", make_learned},
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

void fill_batch(std::vector<size_t> &batch, size_t size, const std::set<size_t> &known, Strategy &strategy) {
    while (batch.size() < size) {
        const std::vector<size_t> proposed = strategy.propose(size - batch.size());
        if (proposed.empty())
            return;
        for (const size_t i : proposed) {
            if (known.count(i) == 0 && std::find(batch.begin(), batch.end(), i) == batch.end())
                batch.push_back(i);
        }
    }
}

std::unique_ptr<Strategy> begin_with(std::vector<size_t> first, std::unique_ptr<Strategy> strategy) {
    return std::make_unique<BeginsWith>(std::move(first), std::move(strategy));
}

std::unique_ptr<Strategy> make_strategy(const std::string &name, const ConvDesc &desc, const Space &space,
                                        uint64_t seed, const History &history, size_t batch) {
    return begin_with(plans_to_begin_with(desc, space, history, batch),
                      strategy_info(name).make(desc, space, seed, history));
}

} // namespace convsmith::autotune
