// See race.h.
#include "autotune/race.h"

#include "generators/error.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace convsmith::autotune {

namespace {

/// The chance of at least `wins` heads in `rounds` throws of a coin.
double sign_test(int wins, int rounds) {
    double term = std::pow(0.5, rounds), sum = 0; // term: exactly k heads
    for (int k = 0; k <= rounds; k++) {
        if (k >= wins)
            sum += term;
        term *= static_cast<double>(rounds - k) / (k + 1);
    }
    return std::min(1.0, sum);
}

class Race {
public:
    Race(size_t count, const std::function<std::optional<double>(size_t i)> &time,
         const std::function<double()> &probe, const RaceOptions &options)
        : time_(time), probe_(probe), options_(options), random_(options.seed) {
        result_.racers.resize(count);
        for (size_t i = 0; i < count; i++)
            alive_.push_back(i);
    }

    RaceResult run() {
        for (const int stage : options_.stages) {
            while (result_.rounds < stage && !is_over())
                round();
            if (is_over())
                break;
            drop_slower_half();
        }
        result_.probe_ns = median(probes_);
        for (size_t i = 0; i < result_.racers.size(); i++)
            compare(i);
        return std::move(result_);
    }

private:
    bool is_over() const { return result_.racers[0].has_failed || (options_.is_over && options_.is_over()); }

    /// Times of one round; kept unless the machine was disturbed.
    void round() {
        std::vector<size_t> order = alive_;
        std::shuffle(order.begin(), order.end(), random_);
        std::vector<std::pair<size_t, double>> times;
        double probe = probe_();
        for (const size_t i : order) {
            if (const std::optional<double> ns = time_(i))
                times.emplace_back(i, *ns);
            else
                fail(i);
        }
        const double after = probe_();
        best_probe_ = std::min({best_probe_, probe, after});
        probe = std::max(probe, after);
        // Without the second condition a race beside a busy process would never end.
        if (probe > options_.disturbed * best_probe_ && result_.disturbed <= result_.rounds) {
            result_.disturbed++;
            return;
        }
        result_.rounds++;
        probes_.push_back(probe);
        for (const auto &[i, ns] : times)
            result_.racers[i].ns.push_back(ns);
    }

    void fail(size_t i) {
        result_.racers[i].has_failed = true;
        alive_.erase(std::find(alive_.begin(), alive_.end(), i));
    }

    /// Ratio and p-value of a contestant over its rounds. The first one is in all rounds, another in the
    /// first few.
    void compare(size_t i) {
        Racer &racer = result_.racers[i];
        const std::vector<double> &first = result_.racers[0].ns;
        std::vector<double> ratios;
        int wins = 0;
        for (size_t round = 0; round < std::min(racer.ns.size(), first.size()); round++) {
            ratios.push_back(racer.ns[round] / first[round]);
            wins += ratios.back() < 1 ? 1 : 0;
        }
        if (ratios.empty())
            return;
        racer.ratio = median(ratios);
        racer.p_value = sign_test(wins, static_cast<int>(ratios.size()));
    }

    void drop_slower_half() {
        for (const size_t i : alive_)
            compare(i);
        std::stable_sort(alive_.begin() + 1, alive_.end(), [&](size_t a, size_t b) {
            return result_.racers[a].ratio < result_.racers[b].ratio;
        });
        alive_.resize(1 + (alive_.size() - 1 + 1) / 2);
    }

    const std::function<std::optional<double>(size_t i)> &time_;
    const std::function<double()> &probe_;
    const RaceOptions &options_;
    std::mt19937_64 random_;
    std::vector<size_t> alive_; ///< 0 first
    std::vector<double> probes_;
    double best_probe_ = std::numeric_limits<double>::infinity();
    RaceResult result_;
};

} // namespace

size_t RaceResult::winner(double least_gain) const {
    constexpr double kDoubt = 0.05;
    size_t best = 0;
    for (size_t i = 1; i < racers.size(); i++) {
        const Racer &racer = racers[i];
        const bool is_faster = !racer.has_failed && racer.ratio < 1 - least_gain && racer.p_value < kDoubt;
        if (is_faster && (best == 0 || racer.ratio < racers[best].ratio))
            best = i;
    }
    return best;
}

RaceResult race(size_t count, const std::function<std::optional<double>(size_t i)> &time,
                const std::function<double()> &probe, const RaceOptions &options) {
    if (count == 0)
        throw Error(ErrorCode::BadArgument, "race: no contestant");
    return Race(count, time, probe, options).run();
}

} // namespace convsmith::autotune
