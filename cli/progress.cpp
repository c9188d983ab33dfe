// The progress bar.
#include "cli/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

namespace convsmith::cli {

namespace {

size_t terminal_width() {
    winsize size = {};
    const bool is_known = ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return is_known ? size.ws_col : 80;
}

} // namespace

Progress::Progress(std::string what, int64_t total)
    : what_(std::move(what)), total_(total), is_terminal_(::isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
    clear();
}

void Progress::update(int64_t done, const std::string &item) {
    using namespace std::chrono_literals;
    if (!is_terminal_) {
        return;
    }
    const std::lock_guard<std::mutex> lock(mutex_);
    const Clock::time_point now = Clock::now();
    if (now - start_ < 1s || (is_drawn_ && now - drawn_ < 100ms)) {
        return;
    }
    constexpr int kWidth = 24;
    const int filled =
        total_ > 0 ? static_cast<int>(std::clamp<int64_t>(done * kWidth / total_, 0, kWidth)) : 0;
    std::string line = total_ > 0 ? fmt::format("{} [{:=<{}}{:{}}] {}/{} {}", what_, "", filled, "",
                                                kWidth - filled, done, total_, item)
                                  : fmt::format("{} {} {}", what_, done, item);
    line.resize(std::min(line.size(), terminal_width() - 1));
    fmt::print(stderr, "\r\033[K{}", line);
    std::fflush(stderr);
    is_drawn_ = true;
    drawn_ = now;
}

void Progress::clear() {
    const std::lock_guard<std::mutex> lock(mutex_);
    wipe();
}

void Progress::wipe() {
    if (is_drawn_) {
        fmt::print(stderr, "\r\033[K");
        std::fflush(stderr);
        is_drawn_ = false;
    }
}

} // namespace convsmith::cli
