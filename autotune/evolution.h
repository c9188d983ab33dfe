// The strategy `evolutionary` (strategy.h): children of the best candidates so far, and the next by
// arithmetic in between.
#pragma once

#include "autotune/strategy.h"

#include <memory>

namespace convsmith::autotune {

/// Begins with the order of estimate_costs. Once some costs are known, most proposals change one or two
/// numbers of one of the best candidates, or mix two of them; the others go on in that order, so that nothing
/// is left out for ever. `history` is not used.
std::unique_ptr<Strategy> make_evolutionary(const ConvDesc &desc, const Space &space, uint64_t seed,
                                            const History &history);

} // namespace convsmith::autotune
