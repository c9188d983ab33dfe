// What a plan keeps at a time, beside the caches that should hold it, and what it computes for nothing: plans
// far beyond measure are not worth compiling. Used by space.h. Before it: the planner, which says what is
// legal.
#pragma once

#include "schedules/plan.h"

#include <cstdint>
#include <string>

namespace convsmith::autotune {

/// Bytes of padded or transformed input that a block of the plan keeps, by the schedule's own numbers; 0
/// where the schedule keeps no such block or it is not known.
int64_t block_bytes(const ConvDesc &desc, const Plan &plan);

/// Why the plan keeps too much; empty if it does not. A block may take 8 times the cache that it is meant for
/// (L1 where planes are computed alone, else L2), or what it takes with the numbers that the schedule
/// derives.
std::string over_capacity(const ConvDesc &desc, const Plan &plan, const Plan &derived);

/// Why the plan's register tiles fit the problem badly; empty if they do not: they compute more than twice
/// what is wanted (tile_waste), and more than with the numbers that the schedule derives.
std::string over_waste(const ConvDesc &desc, const Plan &plan, const Plan &derived);

} // namespace convsmith::autotune
