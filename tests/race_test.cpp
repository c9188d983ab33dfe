// Races and strategies without a kernel: made-up times, made-up noise.
#include "autotune/race.h"
#include "autotune/strategy.h"
#include "tests/error_of.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

namespace convsmith::autotune {
namespace {

/// Contestants with given times, a probe of 50 us, and noise of some percent on everything.
struct Track {
    std::vector<double> us;
    double noise = 0;
    std::mt19937_64 random{3};
    std::vector<int> blocks = std::vector<int>(us.size());
    double slowdown = 1;

    double noisy(double value) {
        return value * slowdown * (1 + noise * std::normal_distribution<double>()(random));
    }
    RaceResult run(const RaceOptions &options = {}) {
        return race(
            us.size(),
            [&](size_t i) -> std::optional<double> {
                blocks[i]++;
                return us[i] > 0 ? std::optional<double>(noisy(1000 * us[i])) : std::nullopt;
            },
            [&] { return noisy(50000); }, options);
    }
};

TEST(Race, FastestWinsAndTheSlowDropOut) {
    Track track{{100, 90, 120, 80, 150, 130, 110, 140}};
    const RaceResult result = track.run();
    EXPECT_EQ(result.winner(), 3u);
    EXPECT_NEAR(result.racers[3].ratio, 0.8, 1e-9);
    EXPECT_EQ(result.rounds, 27);
    EXPECT_EQ(track.blocks[0], 27); // the one to beat stays
    EXPECT_EQ(track.blocks[3], 27);
    EXPECT_EQ(track.blocks[4], 1);
    EXPECT_LT(std::accumulate(track.blocks.begin(), track.blocks.end(), 0), 8 * 27 / 2);
    EXPECT_NEAR(result.probe_ns, 50000, 1);
}

TEST(Race, GainWithinTheNoiseIsNoGain) {
    int wins = 0;
    for (int seed = 0; seed < 50; seed++) {
        Track track{{100, 100, 100}, 0.01};
        track.random.seed(seed);
        wins += track.run().winner() != 0 ? 1 : 0;
    }
    EXPECT_LE(wins, 2);
}

TEST(Race, GainBeyondTheNoiseIsFound) {
    for (int seed = 0; seed < 20; seed++) {
        Track track{{100, 104, 95, 101}, 0.01};
        track.random.seed(seed);
        EXPECT_EQ(track.run().winner(), 2u) << seed;
    }
}

TEST(Race, DisturbedRoundsDoNotCount) {
    Track track{{100, 90}};
    int probes = 0;
    const RaceResult result = race(
        2, [&](size_t i) { return std::optional<double>(1000 * track.us[i]); },
        [&] { return ++probes % 6 == 0 ? 60000.0 : 50000.0; });
    EXPECT_EQ(result.rounds, 27);
    EXPECT_GT(result.disturbed, 5);
    EXPECT_NEAR(result.probe_ns, 50000, 1);
    EXPECT_EQ(result.winner(), 1u);
}

TEST(Race, MachineThatIsAlwaysDisturbedDoesNotStopTheRace) {
    Track track{{100, 80}, 0.2};
    const RaceResult result = track.run();
    EXPECT_EQ(result.rounds, 27);
    EXPECT_EQ(result.winner(), 1u);
}

TEST(Race, ContestantThatFailsIsOutAndTheOthersGoOn) {
    Track track{{100, 0, 90}};
    const RaceResult result = track.run();
    EXPECT_TRUE(result.racers[1].has_failed);
    EXPECT_EQ(track.blocks[1], 1);
    EXPECT_EQ(result.winner(), 2u);
}

TEST(Race, OneContestantIsTimedAllTheSame) {
    Track track{{100}};
    EXPECT_EQ(track.run().racers[0].ns.size(), 27u);
}

TEST(Race, EndsWhenItIsOver) {
    Track track{{100, 50}};
    int asked = 0;
    RaceOptions options;
    options.is_over = [&] { return ++asked > 4; };
    const RaceResult result = track.run(options);
    EXPECT_LE(result.rounds, 4);
    EXPECT_EQ(result.winner(), 0u); // too few rounds to be sure
}

TEST(Strategy, ProposesEveryCandidateOnce) {
    const ConvDesc desc = ConvDesc::parse("conv_ci32_i9x9_co32_k3_p1");
    const Space space = enumerate_space(desc, parse_target("x86_avx2"));
    for (const StrategyInfo &row : strategy_table()) {
        const auto strategy = row.make(desc, space, 1, {}), again = row.make(desc, space, 1, {});
        std::vector<size_t> all;
        for (;;) {
            const std::vector<size_t> some = strategy->propose(100);
            EXPECT_EQ(some, again->propose(100)) << row.name;
            if (some.empty())
                break;
            all.insert(all.end(), some.begin(), some.end());
        }
        std::sort(all.begin(), all.end());
        ASSERT_EQ(all.size(), space.plans.size()) << row.name;
        EXPECT_TRUE(std::adjacent_find(all.begin(), all.end()) == all.end()) << row.name;
    }
}

TEST(Strategy, AnalyticTriesEveryVariantsDefaultEarly) {
    const ConvDesc desc = ConvDesc::parse("conv_ci64_i28x28_co64_k3_p1");
    const Space space = enumerate_space(desc, parse_target("x86_avx2"));
    const std::vector<size_t> first = strategy_info("analytic").make(desc, space, 1, {})->propose(16);
    EXPECT_EQ(first.front(), 0u); // the planner's own
    for (const size_t index : first)
        EXPECT_EQ(space.plans[index].schedule, "x86_avx2") << space.plans[index].text();
}

TEST(Strategy, EvolutionFindsTheBestOfASmoothSpaceSooner) {
    const ConvDesc desc = ConvDesc::parse("conv_ci32_i14x14_co32_k3_p1");
    PlanRequest fixed;
    fixed.variant = "direct";
    fixed.schedule = "x86_avx2";
    const Space space = enumerate_space(desc, parse_target("x86_avx2"), fixed);
    // Made-up costs whose best is far from what arithmetic prefers.
    const auto cost_of = [&](size_t i) {
        const Params &p = space.plans[i].params;
        return 1 + std::fabs(p.at("co_vectors") - 1) + 0.2 * std::fabs(p.at("tile_p") - 3) +
               0.1 * std::fabs(p.at("rows") - 4);
    };
    const auto best_of_first = [&](const char *name) {
        const auto strategy = strategy_info(name).make(desc, space, 1, {});
        double best = 1e9;
        for (int batch = 0; batch < 10; batch++) {
            for (const size_t i : strategy->propose(16)) {
                strategy->learn(i, cost_of(i));
                best = std::min(best, cost_of(i));
            }
        }
        return best;
    };
    EXPECT_LT(best_of_first("evolutionary"), best_of_first("analytic"));
    EXPECT_LE(best_of_first("evolutionary"), 1.2);
}

TEST(Strategy, UnknownNameListsTheKnownOnes) {
    EXPECT_NE(error_of([] { strategy_info("genetic"); }).find("analytic, learned, evolutionary, random"),
              std::string::npos);
}

} // namespace
} // namespace convsmith::autotune
