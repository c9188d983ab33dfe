// A kernel in the making: its names, and the rows of its registers. Before it: statement.h, program.h; after
// it: body.cpp, which declares names, and decode.cpp, which looks up operands.
#pragma once

#include "tests/emulated/ptx/program.h"
#include "tests/emulated/ptx/statement.h"

#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace convsmith::ptx {

/// A name that is unknown or used wrongly; the caller knows the line.
class NameError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Names of a module's variables.
struct ModuleSymbols {
    std::map<std::string, std::uint64_t, std::less<>> addresses; ///< in their state space
    std::uint32_t shared_bytes = 0;                              ///< of its .shared variables
    std::vector<std::string> dynamic_shared;                     ///< .extern .shared arrays
};

/// A variable of the .param space: in the launch's parameter block, or for calls in local memory.
struct ParamVariable {
    std::uint32_t offset = 0;
    std::uint32_t bytes = 0;
    bool is_of_launch = false;
    bool is_writable = false;
};

/// A call of a function that is to be copied.
struct CallSite {
    Instruction in; ///< its guard
    Location location;
    std::string_view function;
    /// The function's names of variables of the caller; those that are writable are results.
    std::vector<std::pair<std::string_view, ParamVariable>> parameters;
};

/// All names are views of the module's text.
class KernelBuilder {
public:
    KernelBuilder(Kernel &kernel, const ModuleSymbols &module);

    void open_scope() { body().scopes.emplace_back(); }
    void close_scope() { body().scopes.pop_back(); }
    void declare_register(std::string_view name, Type type);
    /// `.reg .f32 %f<4>` declares %f0 to %f3.
    void declare_registers(std::string_view prefix, unsigned count, Type type);
    void declare_local(std::string_view name, std::uint32_t bytes, std::uint32_t alignment);
    void declare_shared(std::string_view name, std::uint32_t bytes, std::uint32_t alignment);
    /// Of calls in this scope.
    void declare_parameter(std::string_view name, std::uint32_t bytes, std::uint32_t alignment);
    void declare_dynamic_shared(std::string_view name);
    /// At the next instruction.
    void declare_label(std::string_view name);

    /// A register to read: one named, or one that holds a number or a variable's address. Throws NameError if
    /// there is none of the name, or it is not of this slot (0: a predicate).
    Operand source(const OperandText &text, unsigned slot);
    /// The same of any slot but 0.
    Operand source(const OperandText &text);
    /// A register to write; `_` is one that nothing reads.
    Operand destination(std::string_view name, unsigned slot);
    Operand destination(std::string_view name);
    Operand constant(std::uint64_t bits, unsigned slot);
    /// The predicate that add.cc and the like leave their carry in.
    Operand carry();
    /// nullptr if there is no such variable.
    const ParamVariable *find_parameter(std::string_view name) const;
    /// Number of a label that a branch names, for Instruction::target until finish().
    int label(std::string_view name);

    /// Adds a call; what is declared and added from now on, until end_call(), is the function's body.
    void begin_call(const CallSite &site);
    void end_call();
    /// Whether the code here is part of a call of the function.
    bool is_within(std::string_view function) const;
    /// Number of the label behind the function's body; nothing in the kernel's own code.
    std::optional<int> function_end() const;

    void add(const Instruction &instruction, Location location);
    /// Ends the kernel. Throws NameError if a label is missing.
    void finish();

private:
    struct Family {
        std::string_view prefix;
        unsigned count;
        Type type;
    };
    struct Scope {
        std::unordered_map<std::string_view, Operand> registers;
        std::vector<Family> families;
        std::unordered_map<std::string_view, ParamVariable> parameters;
    };
    /// The names of the kernel, or of one copy of a function.
    struct Body {
        std::string_view function; ///< empty: the kernel
        int call = -1;             ///< index in the kernel's calls
        int end = -1;              ///< label behind the copy
        std::uint32_t local_begin = 0;
        std::vector<Scope> scopes;
        std::unordered_map<std::string_view, int> labels;
        std::unordered_map<std::string_view, std::uint64_t> addresses; ///< of local and shared variables
    };
    struct Label {
        std::string_view name;
        int position = -1; ///< index in the code
    };

    Body &body() { return bodies_.back(); }
    std::uint32_t allocate_local(std::uint32_t bytes, std::uint32_t alignment);
    int new_label(std::string_view name);
    Operand new_row(unsigned slot);
    Operand find_register(std::string_view name);
    Operand find_special(std::string_view name);
    bool find_address(std::string_view name, std::uint64_t &address);
    [[noreturn]] static void fail(const std::string &message);

    Kernel &kernel_;
    const ModuleSymbols &module_;
    std::vector<Body> bodies_; ///< the kernel's, then those of the calls that stand in one another
    std::map<std::pair<std::uint64_t, unsigned>, Operand> constants_; ///< by bits and slot
    /// Of shared variables by where their names stand: all copies of a function have the same ones.
    std::map<const char *, std::uint32_t> shared_;
    std::vector<std::string_view> dynamic_shared_;
    Operand carry_;
    bool is_shared_complete_ = false; ///< dynamic shared memory has its place
    std::vector<Label> labels_;
};

} // namespace convsmith::ptx
