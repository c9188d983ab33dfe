// The state of a launch, and messages about its threads (launch.h).
#include "tests/emulated/ptx/launch.h"

#include <algorithm>

namespace convsmith::ptx {

namespace {

/// A launch that runs longer is taken for one that never ends: some minutes here, where tests' kernels take
/// seconds.
constexpr std::uint64_t kMostThreadInstructions = std::uint64_t{1} << 36;

} // namespace

Extent Extent::point(std::uint64_t number) const {
    const auto part = [](std::uint64_t value) { return static_cast<std::uint32_t>(value); };
    return {part(number % x), part(number / x % y), part(number / x / y)};
}

std::string Extent::text() const {
    return "(" + std::to_string(x) + "," + std::to_string(y) + "," + std::to_string(z) + ")";
}

BlockState::BlockState(const Launch &launch, Memory &memory, ConvsmithCudaCounts &counts,
                       std::uint32_t &clock)
    : launch(launch), kernel(*launch.kernel), memory(memory), counts(counts),
      shared(kernel.shared_bytes + launch.dynamic_shared_bytes),
      local(launch.block.count() * kernel.local_bytes), last_hits(kernel.code.size(), nullptr), clock(clock),
      launch_start(++clock), instruction_limit(counts.thread_instructions + kMostThreadInstructions) {}

void BlockState::start_block(std::uint64_t block_number) {
    number = block_number;
    index = launch.grid.point(number);
    block_start = barrier = ++clock;
    block_starts_.push_back(block_start);
    shared.forget_writes();
    local.forget_writes();
}

void BlockState::pass_barrier() {
    barrier = ++clock;
    counts.barriers++;
}

std::string BlockState::thread_text(unsigned thread) const {
    return "thread " + launch.block.point(thread).text();
}

std::string BlockState::line_text(std::size_t instruction) const {
    const Location &location = kernel.locations[instruction];
    std::string text = "PTX line " + std::to_string(location.line) + " `" + location.text + "`";
    for (int index = location.call; index >= 0;) {
        const Call &call = kernel.calls[static_cast<std::size_t>(index)];
        text += " in function " + call.function + " called at line " + std::to_string(call.line);
        index = call.caller;
    }
    return text;
}

std::string BlockState::access_text(AccessRecord record) const {
    const auto after = std::upper_bound(block_starts_.begin(), block_starts_.end(), record.stamp());
    const auto block = static_cast<std::uint64_t>(after - block_starts_.begin()) - 1;
    const char *const who =
        record.is_by_several() ? "the accesses by several threads, among them " : "the access by ";
    return who + thread_text(record.thread()) + " of block " + launch.grid.point(block).text() + " at " +
           line_text(record.instruction());
}

void BlockState::fail(Status status, const std::string &what, std::size_t instruction,
                      unsigned thread) const {
    throw Fault(status, what + "; kernel " + kernel.name + ", " + line_text(instruction) + ", block " +
                            index.text() + ", " + thread_text(thread));
}

} // namespace convsmith::ptx
