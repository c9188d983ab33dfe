// Tuning records as the planner wants them (schedules/tuned_plans.h): what Jit, `build`, `check`, `bench` and
// `explain` plan with unless told otherwise. Before it: lookup.h; after it: make_plan.
#pragma once

#include "runtime/records/lookup.h"
#include "schedules/tuned_plans.h"

#include <memory>
#include <string>

namespace convsmith::autotune {

/// Answers from the layers as they are now, for the machine that this process runs on (look_up). Lines that
/// are no records are passed over.
std::shared_ptr<const TunedPlans> recorded_plans(Layers layers);

/// The same from load_layers(project). "-": null, which is to plan without records. Throws Error(Io) if
/// `project` names a file that is not there or cannot be read.
std::shared_ptr<const TunedPlans> load_recorded_plans(const std::string &project = "");

} // namespace convsmith::autotune
