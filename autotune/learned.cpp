// See learned.h.
#include "autotune/learned.h"

#include "autotune/cost_model.h"
#include "autotune/effects.h"
#include "autotune/estimate.h"
#include "runtime/records/statistics.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <set>

namespace convsmith::autotune {

namespace {

constexpr double kExploring = 0.1;  ///< of the proposals: any candidate
constexpr int kOfOneTile = 2;       ///< candidates of one register tile in a batch
constexpr size_t kMostPast = 1000;  ///< past plans to train on, nearest problems first: a quarter of a second
constexpr double kOwnWeight = 3;    ///< of a time of this problem; 1 of one of the same shape
constexpr size_t kFewestTimes = 24; ///< before the search may end
constexpr int kPatience = 2;        ///< batches without a gain before it may end
constexpr double kWorthwhile = 0.01; ///< a gain that counts
constexpr double kHopeless = 0.008;  ///< expected gain of the best candidate left that ends the search

/// Plans alike here have the same code in the inner loop.
std::string tile_text(const Plan &plan) {
    std::string text = plan.variant + "/" + plan.schedule;
    for (const std::string &name : tile_numbers())
        text += "," + std::to_string(number_of(plan, name.c_str(), 0));
    return text;
}

/// Predicted logarithms of cost relative to the planner's own plan, of each member for each candidate.
using Forecast = std::vector<std::vector<double>>;

class Learned : public Strategy {
public:
    Learned(const ConvDesc &desc, const Space &space, uint64_t seed, const History &history)
        : space_(space), seed_(seed), random_(seed), estimates_(estimate_costs(desc, space)),
          order_(analytic_order(estimates_)) {
        PlanAnalysis analysis(desc, space.plans.front().target);
        for (const Plan &plan : space.plans) {
            features_.add(analysis.features(plan));
            tiles_.push_back(tile_text(plan));
        }
        add_past(history);
    }

    std::vector<size_t> propose(size_t count) override {
        const Forecast forecast = predict();
        if (is_hopeless(forecast))
            return {};
        std::map<std::string, int> of_tile;
        std::vector<size_t> proposed;
        while (proposed.size() < count) {
            std::optional<size_t> next;
            if (chance() < kExploring && !forecast.empty())
                next = any();
            for (const int most : {kOfOneTile, static_cast<int>(count)}) {
                if (!next)
                    next = favourite(forecast, of_tile, most);
            }
            if (!next)
                break;
            of_tile[tiles_[*next]]++;
            seen_.insert(*next);
            proposed.push_back(*next);
            turn_++;
        }
        return proposed;
    }

    void learn(size_t candidate, std::optional<double> cost) override {
        seen_.insert(candidate);
        if (!cost)
            return;
        best_ = costs_.empty() ? *cost : std::min(best_, *cost);
        costs_[candidate] = *cost;
    }

private:
    double chance() { return std::uniform_real_distribution<double>()(random_); }

    /// What the trees learn: how much slower a plan is than the planner's own beyond what the effects say.
    void add_past(const History &history) {
        for (const PastProblem &past : history) {
            PlanAnalysis analysis(past.desc, space_.plans.front().target);
            const float weight = static_cast<float>(1 / (1 + past.distance));
            const Plan own = make_plan(past.desc, space_.plans.front().target).plan;
            const double own_estimate = weighted_sum(analysis.effects(own));
            for (const PastPlan &known : past.plans) {
                if (past_.labels.size() == kMostPast)
                    return;
                const double estimate = weighted_sum(analysis.effects(known.plan)) - own_estimate;
                past_.features.add(analysis.features(known.plan));
                past_.labels.push_back(static_cast<float>(std::log(known.cost / past.own_cost) - estimate));
                past_.weights.push_back(weight);
            }
        }
    }

    /// What the planner's own plan takes; before it was measured, the median of what was.
    double own_cost() const {
        const auto own = costs_.find(0);
        if (own != costs_.end())
            return own->second;
        std::vector<double> all;
        for (const auto &[candidate, cost] : costs_)
            all.push_back(cost);
        return median(all);
    }

    /// Nothing while there is nothing to learn from.
    Forecast predict() {
        TrainingSet set = past_;
        const double own = own_cost();
        for (const auto &[candidate, cost] : costs_) {
            const auto row =
                features_.values.begin() + static_cast<std::ptrdiff_t>(candidate * features_.width);
            set.features.add({row, row + static_cast<std::ptrdiff_t>(features_.width)});
            set.labels.push_back(
                static_cast<float>(std::log(cost / own) - (estimates_[candidate] - estimates_[0])));
            set.weights.push_back(kOwnWeight);
        }
        if (set.labels.empty())
            return {};
        Forecast forecast;
        for (const std::vector<float> &member : CostModel(set, seed_).predict(features_)) {
            std::vector<double> costs(member.begin(), member.end());
            for (size_t i = 0; i < costs.size(); i++)
                costs[i] += estimates_[i] - estimates_[0];
            forecast.push_back(std::move(costs));
        }
        return forecast;
    }

    /// The best that is left by the member whose turn it is, or by arithmetic.
    std::optional<size_t> favourite(const Forecast &forecast, const std::map<std::string, int> &of_tile,
                                    int most_of_tile) const {
        std::optional<size_t> best;
        double least = 0;
        for (const size_t i : order_) {
            const auto its = of_tile.find(tiles_[i]);
            if (seen_.count(i) != 0 || (its != of_tile.end() && its->second >= most_of_tile))
                continue;
            if (forecast.empty())
                return i;
            const double cost = forecast[turn_ % forecast.size()][i];
            if (!best || cost < least)
                best = i, least = cost;
        }
        return best;
    }

    std::optional<size_t> any() {
        std::vector<size_t> left;
        for (const size_t i : order_) {
            if (seen_.count(i) == 0)
                left.push_back(i);
        }
        if (left.empty())
            return std::nullopt;
        return left[std::uniform_int_distribution<size_t>(0, left.size() - 1)(random_)];
    }

    /// Whether nothing that is left is expected to be worth its measurement.
    bool is_hopeless(const Forecast &forecast) {
        const bool has_gained = best_ < (1 - kWorthwhile) * best_before_;
        if (best_before_ == 0 || has_gained) {
            best_before_ = best_;
            patience_ = kPatience;
        } else {
            patience_--;
        }
        if (forecast.empty() || costs_.size() < kFewestTimes || patience_ > 0)
            return false;
        const double best = std::log(best_ / own_cost());
        for (size_t i = 0; i < space_.plans.size(); i++) {
            double gain = 0;
            for (const std::vector<double> &member : forecast)
                gain += std::max(0.0, best - member[i]) / static_cast<double>(forecast.size());
            if (seen_.count(i) == 0 && gain > kHopeless)
                return false;
        }
        return true;
    }

    const Space &space_;
    const uint64_t seed_;
    std::mt19937_64 random_;
    const std::vector<double> estimates_;
    const std::vector<size_t> order_; ///< of the estimates
    FeatureRows features_;
    std::vector<std::string> tiles_;
    TrainingSet past_;
    std::map<size_t, double> costs_; ///< measured
    std::set<size_t> seen_;          ///< proposed or measured
    double best_ = 0;
    double best_before_ = 0; ///< when a gain was last seen
    int patience_ = kPatience;
    size_t turn_ = 0;
};

} // namespace

std::unique_ptr<Strategy> make_learned(const ConvDesc &desc, const Space &space, uint64_t seed,
                                       const History &history) {
    return std::make_unique<Learned>(desc, space, seed, history);
}

} // namespace convsmith::autotune
