// See evolution.h.
#include "autotune/evolution.h"

#include "autotune/estimate.h"

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <utility>

namespace convsmith::autotune {

namespace {

constexpr size_t kParents = 8;     ///< best candidates that have children
constexpr double kChildren = 0.75; ///< of the proposals, once there are parents
constexpr double kMixing = 0.3;    ///< of the children: numbers of two parents
constexpr int kAttempts = 20;      ///< to find a child that is in the space and new

class Evolution : public Strategy {
public:
    Evolution(const ConvDesc &desc, const Space &space, uint64_t seed) : space_(space), random_(seed) {
        order_ = analytic_order(estimate_costs(desc, space));
        for (size_t i = 0; i < space.plans.size(); i++) {
            const Plan &plan = space.plans[i];
            indices_[plan.text()] = i;
            for (const auto &[name, value] : plan.params)
                values_[pair_of(plan)][name].insert(value);
        }
    }

    std::vector<size_t> propose(size_t count) override {
        std::vector<size_t> proposed;
        while (proposed.size() < count) {
            std::optional<size_t> next;
            if (!best_.empty() && chance() < kChildren)
                next = child();
            if (!next)
                next = next_in_order();
            if (!next)
                break;
            proposed.push_back(*next);
            known_.insert(*next);
        }
        return proposed;
    }

    void learn(size_t candidate, std::optional<double> cost) override {
        known_.insert(candidate);
        if (!cost)
            return;
        best_.emplace(*cost, candidate);
        if (best_.size() > kParents)
            best_.erase(std::prev(best_.end()));
    }

private:
    static std::string pair_of(const Plan &plan) { return plan.variant + "/" + plan.schedule; }

    double chance() { return std::uniform_real_distribution<double>()(random_); }
    size_t below(size_t end) { return std::uniform_int_distribution<size_t>(0, end - 1)(random_); }

    /// Better ones more often.
    const Plan &parent() {
        const size_t rank = std::min(below(best_.size()), below(best_.size()));
        return space_.plans[std::next(best_.begin(), static_cast<std::ptrdiff_t>(rank))->second];
    }

    std::optional<size_t> next_in_order() {
        while (next_ < order_.size() && known_.count(order_[next_]) != 0)
            next_++;
        return next_ < order_.size() ? std::optional<size_t>(order_[next_++]) : std::nullopt;
    }

    std::optional<size_t> child() {
        for (int attempt = 0; attempt < kAttempts; attempt++) {
            Plan plan = parent();
            const Plan &other = parent();
            if (chance() < kMixing && pair_of(other) == pair_of(plan)) {
                for (auto &[name, value] : plan.params)
                    value = chance() < 0.5 ? value : other.params.at(name);
            } else {
                step(plan);
                if (chance() < 0.5)
                    step(plan);
            }
            const auto found = indices_.find(plan.text());
            if (found != indices_.end() && known_.count(found->second) == 0)
                return found->second;
        }
        return std::nullopt;
    }

    /// One number to a neighbouring value.
    void step(Plan &plan) {
        if (plan.params.empty())
            return;
        const auto number =
            std::next(plan.params.begin(), static_cast<std::ptrdiff_t>(below(plan.params.size())));
        const std::set<int> &values = values_[pair_of(plan)][number->first];
        const auto at = values.find(number->second);
        if (at == values.end() || values.size() < 2)
            return;
        const bool goes_up = at == values.begin() || (std::next(at) != values.end() && chance() < 0.5);
        number->second = goes_up ? *std::next(at) : *std::prev(at);
    }

    const Space &space_;
    std::mt19937_64 random_;
    std::vector<size_t> order_; ///< by arithmetic
    size_t next_ = 0;
    std::map<std::string, size_t> indices_;                              ///< by Plan::text
    std::map<std::string, std::map<std::string, std::set<int>>> values_; ///< of each pair's numbers
    std::set<size_t> known_;                                             ///< proposed or measured
    std::set<std::pair<double, size_t>> best_;                           ///< cost and candidate
};

} // namespace

std::unique_ptr<Strategy> make_evolutionary(const ConvDesc &desc, const Space &space, uint64_t seed,
                                            const History &) {
    return std::make_unique<Evolution>(desc, space, seed);
}

} // namespace convsmith::autotune
