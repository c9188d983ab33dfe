// convsmith itself as a peer, with plans made in another way than those that are timed: before and after
// tuning in one run.
#pragma once

#include "bench/peers/peer.h"
#include "schedules/plan.h"

#include <string>

namespace convsmith::bench {

/// Computes what `request` asks for; not prepared where the planner or the compiler refuses it.
Peer make_own_plan_peer(const std::string &name, const PlanRequest &request, const Target &target);

} // namespace convsmith::bench
