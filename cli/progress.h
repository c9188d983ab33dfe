// A progress bar for work that takes a while: drawn on a terminal once a second has passed, silent when
// standard error is piped. Used by build, check, bench and import.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string>

namespace convsmith::cli {

/// Thread-safe. The bar disappears when the object does, or when `clear` makes room for a line of output.
class Progress {
public:
    /// `what` names the work ("compiling"); `total` steps, 0 if unknown.
    Progress(std::string what, int64_t total);
    ~Progress();
    Progress(const Progress &) = delete;
    Progress &operator=(const Progress &) = delete;

    /// `done` steps are finished; `item` is the one at hand.
    void update(int64_t done, const std::string &item = "");

    /// Wipes the bar; the next update draws it again.
    void clear();

private:
    using Clock = std::chrono::steady_clock;

    void wipe();

    std::string what_;
    int64_t total_;
    bool is_terminal_;
    bool is_drawn_ = false;
    Clock::time_point start_ = Clock::now();
    Clock::time_point drawn_ = start_;
    std::mutex mutex_;
};

} // namespace convsmith::cli
