// What a plan's time depends on, as numbers that mean the same for every problem: the terms of the analytic
// ranking (estimate.h) and, with the problem's shape, the input of the learned one (cost_model.h).
#pragma once

#include "schedules/plan.h"

#include <array>
#include <map>
#include <string>
#include <vector>

namespace convsmith::autotune {

/// A row of effects.inc.
struct EffectInfo {
    std::string name;
    double weight; ///< of the effect in the logarithm of a plan's time
    std::string doc;
};
const std::vector<EffectInfo> &effect_table();

enum class Effect {
#define CONVSMITH_EFFECT(name_, weight_, doc_) name_,
#include "autotune/effects.inc"
#undef CONVSMITH_EFFECT
};

/// Rows of effects.inc.
constexpr size_t kEffects = 0
#define CONVSMITH_EFFECT(name_, weight_, doc_) +1
#include "autotune/effects.inc"
#undef CONVSMITH_EFFECT
    ;

/// Effects by number of the row.
using Effects = std::array<double, kEffects>;

/// Each effect times its weight: the logarithm of a time up to a constant of the problem.
double weighted_sum(const Effects &effects);

/// Looks at the plans of one problem. `target` must outlive it.
class PlanAnalysis {
public:
    PlanAnalysis(const ConvDesc &desc, const Target &target);

    /// The effects of a plan of the problem.
    Effects effects(const Plan &plan);

    /// The effects, the plan's numbers and the problem's shape in logarithms: as many for every problem and
    /// plan (feature_count).
    std::vector<float> features(const Plan &plan);

private:
    const Plan &derived(const Plan &plan);

    const ConvDesc desc_; ///< kernel_problem
    const Target &target_;
    std::map<std::string, Plan> derived_; ///< the schedule's own numbers, by variant and schedule
    std::vector<float> shape_;
};

/// The length of PlanAnalysis::features.
size_t feature_count();

/// The shape of a problem, each number as log2: channels of a group, groups, positions, taps, stride, ...
std::vector<float> shape_features(const ConvDesc &desc);

/// Positions times output channels that the plan's register tiles compute / that the problem wants: 1 where
/// tiles divide both, and for plans without tiles.
double tile_waste(const ConvDesc &desc, const Plan &plan);

/// The names of the numbers that decide the code of the inner loop, whatever the schedule.
const std::vector<std::string> &tile_numbers();

/// The number called `name`; `otherwise` where the plan has none, or 0.
int number_of(const Plan &plan, const char *name, int otherwise = 1);

} // namespace convsmith::autotune
