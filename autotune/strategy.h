// Search strategies: in which order the candidates of a space are tried. Interchangeable; each is told what
// every candidate it proposed has cost.
#pragma once

#include "autotune/history.h"
#include "autotune/space.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace convsmith::autotune {

class Strategy {
public:
    virtual ~Strategy() = default;

    /// The next candidates to try, at most `count`, as indices into Space::plans; none twice, and only what
    /// `learn` has not been told. Fewer only at the end: nothing is left, or nothing that promises a gain.
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
    /// `history`: what is known of other problems. `space`, which has a plan at least, must outlive the
    /// strategy. The same arguments give the same proposals.
    std::unique_ptr<Strategy> (*make)(const ConvDesc &desc, const Space &space, uint64_t seed,
                                      const History &history);
};
const std::vector<StrategyInfo> &strategy_table();

/// The row called `name`. Throws Error(BadArgument) listing the known names.
const StrategyInfo &strategy_info(const std::string &name);

/// What a run searches with: the best plans of similar problems, at most `batch`, then the strategy's own
/// order. Throws Error(BadArgument) as strategy_info does.
std::unique_ptr<Strategy> make_strategy(const std::string &name, const ConvDesc &desc, const Space &space,
                                        uint64_t seed, const History &history, size_t batch);

/// Adds to `batch`, up to `size` candidates, what the strategy proposes and `known` does not hold.
void fill_batch(std::vector<size_t> &batch, size_t size, const std::set<size_t> &known, Strategy &strategy);

/// Proposes `first`, each of them once, then what `strategy` does.
std::unique_ptr<Strategy> begin_with(std::vector<size_t> first, std::unique_ptr<Strategy> strategy);

} // namespace convsmith::autotune
