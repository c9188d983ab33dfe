// A module of PTX, decoded. Before it: statement.h (text), instruction.h; after it: the machine, which runs
// kernels, and the driver, which loads modules.
#pragma once

#include "tests/emulated/ptx/instruction.h"
#include "tests/emulated/ptx/memory.h"

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace convsmith::ptx {

/// Registers that the machine sets for a thread.
enum class Special : std::uint8_t {
    ThreadX,
    ThreadY,
    ThreadZ,
    BlockThreadsX,
    BlockThreadsY,
    BlockThreadsZ,
    BlockX,
    BlockY,
    BlockZ,
    GridBlocksX,
    GridBlocksY,
    GridBlocksZ,
    Lane,
    Warp,
    BlockWarps
};
constexpr std::size_t kSpecials = 15;

/// Where an instruction stands.
struct Location {
    int line = 0;     ///< of the module's text, from 1
    std::string text; ///< as written, its white space made single blanks
    int call = -1; ///< whose copy of a function it is part of: index in Kernel::calls; -1: the kernel's own
};

/// Bytes of a thread's local memory.
struct LocalRange {
    std::uint32_t offset;
    std::uint32_t bytes;
};

/// A call of a function. Each has a copy of the function's code, with registers and local memory of its own.
struct Call {
    std::string function;
    int line;                      ///< of the call
    int caller;                    ///< the call whose copy it stands in, -1: none
    std::vector<LocalRange> fresh; ///< what holds nothing when the call begins: its results and local memory
};

struct Parameter {
    std::string name;
    std::uint32_t offset; ///< in the launch's parameter block
    std::uint32_t bytes;
};

struct Kernel {
    std::string name;
    std::vector<Instruction> code; ///< ends with an Exit
    std::vector<Location> locations;
    std::vector<Call> calls;
    std::vector<Parameter> parameters;
    std::uint32_t parameter_bytes = 0;

    /// A register that always holds the same bits: an immediate operand or an address.
    struct Constant {
        Operand row;
        std::uint64_t bits;
    };
    std::vector<Constant> constants;
    std::array<Operand, kSpecials> specials; ///< absent: the kernel does not read it
    std::uint32_t register_bytes = 0;        ///< of a warp

    std::uint32_t shared_bytes = 0; ///< static; dynamic shared memory follows, at a multiple of 16 bytes
    std::uint32_t local_bytes = 0;  ///< of a thread, with parameters of calls
    std::uint32_t max_threads = 1024;
};

struct Variable {
    std::string name;
    std::uint64_t address;
    std::uint64_t bytes;
};

struct Module {
    std::vector<std::unique_ptr<const Kernel>> kernels;
    std::vector<Variable> variables; ///< .global and .const
};

/// Reads a module's text and puts its variables into `memory`, to be freed as those of `owner`. Throws
/// InvalidPtx for text that is no PTX; unknown instructions fail only when they are reached.
Module parse_module(std::string_view text, Memory &memory, const void *owner);

} // namespace convsmith::ptx
