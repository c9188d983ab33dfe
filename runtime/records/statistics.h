// Times of repeated measurements in a few numbers. Used by the tuner, its database (record.h) and bench.
#pragma once

#include <vector>

namespace convsmith::autotune {

/// Time of one call in nanoseconds, over the rounds of a measurement.
struct Timing {
    double min = 0;
    double median = 0;
    int rounds = 0;
    double spread = 0; ///< half of all rounds lie within this many percent of the median: quartile distance
};

/// The timing of one time per round; all zero for none.
Timing timing_of(const std::vector<double> &times);

/// Middle element, or the mean of the middle two; 0 for none.
double median(std::vector<double> values);

/// (upper quartile - lower quartile) / median in percent, quartiles by linear interpolation; 0 for none.
double quartile_spread(std::vector<double> values);

/// exp(mean(log(values))); 0 for none.
double geometric_mean(const std::vector<double> &values);

} // namespace convsmith::autotune
