// One launch of a kernel as its warps see it: shape, shared memory, stamps of barriers, totals. Before it:
// program.h, memory.h; after it: warp.h (threads) and machine.h (blocks).
#pragma once

#include "tests/emulated/ptx/emulator.h"
#include "tests/emulated/ptx/memory.h"
#include "tests/emulated/ptx/program.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace convsmith::ptx {

struct Extent {
    std::uint32_t x = 1;
    std::uint32_t y = 1;
    std::uint32_t z = 1;

    std::uint64_t count() const { return std::uint64_t{x} * y * z; }
    /// The point of a number that counts x first.
    Extent point(std::uint64_t number) const;
    std::string text() const;
};

struct Launch {
    const Kernel *kernel;
    Extent grid;  ///< blocks
    Extent block; ///< threads
    std::uint32_t dynamic_shared_bytes = 0;
    std::vector<std::byte> parameters; ///< Kernel::parameter_bytes
};

/// What the warps of a block share. Blocks run one after the other in the same state.
struct BlockState {
    BlockState(const Launch &launch, Memory &memory, ConvsmithCudaCounts &counts, std::uint32_t &clock);

    void start_block(std::uint64_t number);
    /// All threads have reached a barrier.
    void pass_barrier();

    const Instruction *code() const { return kernel.code.data(); }
    /// "thread (1,0,0)", the number being the one in its block.
    std::string thread_text(unsigned thread) const;
    /// "PTX line 12 `ret`", and of a function's: " in function f called at line 40".
    std::string line_text(std::size_t instruction) const;
    /// "the access by thread (1,0,0) of block (0,0,0) at PTX line 12 `ret`", of one in this launch.
    std::string access_text(AccessRecord record) const;
    /// Throws a fault of a thread at an instruction.
    [[noreturn]] void fail(Status status, const std::string &what, std::size_t instruction,
                           unsigned thread) const;

    const Launch &launch;
    const Kernel &kernel;
    Memory &memory;
    ConvsmithCudaCounts &counts;

    Region shared;
    Region local;                        ///< local_bytes for each thread
    std::vector<Allocation *> last_hits; ///< by instruction: where its last access to global memory was

    std::uint32_t &clock; ///< the stamp of accesses now; never falls
    std::uint32_t launch_start = 0;
    std::uint32_t block_start = 0;
    std::uint32_t barrier = 0;
    std::uint64_t number = 0; ///< of the block
    Extent index;
    std::uint64_t instruction_limit; ///< of counts.thread_instructions, before the launch is given up

private:
    std::vector<std::uint32_t> block_starts_; ///< by number
};

} // namespace convsmith::ptx
