// Search strategies: in which order the candidates of a space are tried. Interchangeable; each is told what
// every candidate it proposed has cost.
#pragma once

#include "autotune/space.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace convsmith::autotune {

class Strategy {
public:
    virtual ~Strategy() = default;

    /// The next candidates to try, at most `count`, as indices into Space::plans; none twice, fewer only at
    /// the end.
    virtual std::vector<size_t> propose(size_t count) = 0;

    /// The cost (Record::cost) of a candidate, or nothing for one that failed.
    virtual void learn(size_t /* candidate */, std::optional<double> /* cost */) {}
};

/// The candidates in the order of the space. No row of the table: for plans that the caller lists.
std::unique_ptr<Strategy> make_in_order(const Space &space);

/// A row of `convsmith tune --strategy`.
struct StrategyInfo {
    std::string name;
    std::string doc;
    /// `space` must outlive the strategy. The same arguments give the same proposals.
    std::unique_ptr<Strategy> (*make)(const ConvDesc &desc, const Space &space, uint64_t seed);
};
const std::vector<StrategyInfo> &strategy_table();

/// The row called `name`. Throws Error(BadArgument) listing the known names.
const StrategyInfo &strategy_info(const std::string &name);

} // namespace convsmith::autotune
