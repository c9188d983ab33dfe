// The grammar of a module: directives, variables, kernels, functions (program.h). Their code: body.cpp.
#include "tests/emulated/ptx/program.h"

#include "tests/emulated/ptx/body.h"
#include "tests/emulated/ptx/declaration.h"
#include "tests/emulated/ptx/kernel_builder.h"
#include "tests/emulated/ptx/statement.h"

#include <algorithm>

namespace convsmith::ptx {

namespace {

constexpr unsigned kComputeCapability = 80;

class ModuleParser {
public:
    ModuleParser(std::string_view text, Memory &memory, const void *owner)
        : tokens_(text), memory_(memory), owner_(owner) {}

    Module parse();

private:
    void parse_directive();
    void check_target();
    void parse_variable(Space space);
    void parse_initialiser(const Declaration &declaration, Region &region);
    void parse_function();
    void parse_kernel();
    void parse_kernel_parameters(Kernel &kernel);
    void parse_kernel_directives(Kernel &kernel);
    void skip_to_body();
    std::uint32_t parse_small_number() { return static_cast<std::uint32_t>(parse_number(tokens_)); }
    TokenStream tokens_;
    Memory &memory_;
    const void *owner_;
    ModuleSymbols symbols_;
    Functions functions_;
    std::vector<std::size_t> kernels_; ///< tokens that are their names
    Module module_;
};

Module ModuleParser::parse() {
    while (!tokens_.at_end())
        parse_directive();
    // A function may be defined behind the kernel that calls it.
    for (const std::size_t kernel : kernels_) {
        tokens_.seek(kernel);
        parse_kernel();
    }
    return std::move(module_);
}

void ModuleParser::parse_directive() {
    const std::string_view word = tokens_.next().text;
    if (is_any_of(word, {".visible", ".extern", ".weak", ".common", ".version"})) {
        if (word == ".version")
            tokens_.next();
    } else if (word == ".target") {
        check_target();
    } else if (word == ".address_size") {
        if (parse_small_number() != 64)
            tokens_.fail("only addresses of 64 bits are known");
    } else if (word == ".entry") {
        kernels_.push_back(tokens_.position());
        skip_to_body();
        tokens_.skip_braces();
    } else if (word == ".func") {
        parse_function();
    } else if (word == ".global") {
        parse_variable(Space::Global);
    } else if (word == ".const") {
        parse_variable(Space::Const);
    } else if (word == ".shared") {
        parse_variable(Space::Shared);
    } else if (word == ".file") {
        tokens_.next();
        tokens_.next();
    } else if (word == ".section") {
        tokens_.next();
        tokens_.skip_braces();
    } else {
        tokens_.fail("unknown directive `" + std::string(word) + "`");
    }
}

void ModuleParser::check_target() {
    const std::string_view target = tokens_.next().text;
    unsigned capability = 0;
    for (const char c : target.substr(std::min(target.size(), std::string_view("sm_").size())))
        capability = c >= '0' && c <= '9' ? capability * 10 + static_cast<unsigned>(c - '0') : capability;
    if (capability > kComputeCapability)
        throw Fault(Status::NoBinaryForGpu, "the module is for " + std::string(target) +
                                                ", the emulator is sm_" + std::to_string(kComputeCapability));
    while (tokens_.accept(","))
        tokens_.next();
}

/// A variable of the whole module.
void ModuleParser::parse_variable(Space space) {
    const Declaration declaration = parse_declaration(tokens_);
    const std::string name(declaration.name);
    if (space == Space::Shared) {
        tokens_.expect(";");
        if (declaration.is_unsized) {
            symbols_.dynamic_shared.push_back(name);
            return;
        }
        std::uint32_t &end = symbols_.shared_bytes;
        end = (end + declaration.alignment - 1) / declaration.alignment * declaration.alignment;
        symbols_.addresses[name] = end;
        end += static_cast<std::uint32_t>(declaration.bytes);
        return;
    }
    Allocation &allocation = memory_.allocate(declaration.bytes, owner_);
    allocation.is_constant = space == Space::Const;
    // Variables without a value are zeros.
    if (declaration.bytes != 0)
        std::memset(allocation.region.data(), 0, declaration.bytes);
    allocation.region.set_initialised(0, declaration.bytes);
    if (tokens_.accept("="))
        parse_initialiser(declaration, allocation.region);
    tokens_.expect(";");
    symbols_.addresses[name] = allocation.base;
    module_.variables.push_back({name, allocation.base, declaration.bytes});
}

void ModuleParser::parse_initialiser(const Declaration &declaration, Region &region) {
    const unsigned bytes = info(declaration.type).bytes;
    std::uint64_t offset = 0;
    int depth = 0;
    do {
        if (tokens_.accept("{")) {
            depth++;
        } else if (tokens_.accept("}")) {
            depth--;
        } else if (!tokens_.accept(",")) {
            const std::uint64_t value = parse_number(tokens_);
            if (offset + bytes > declaration.bytes)
                tokens_.fail("`" + std::string(declaration.name) + "` has more values than elements");
            std::memcpy(region.data() + offset, &value, bytes);
            offset += bytes;
        }
    } while (depth > 0);
}

/// Directives such as .noreturn say nothing that matters here.
void ModuleParser::skip_to_body() {
    while (!is_any_of(tokens_.peek().text, {"{", ";"}))
        tokens_.next();
}

void ModuleParser::parse_function() {
    Function function;
    if (tokens_.accept("("))
        function.results = parse_parameters(tokens_);
    const std::string_view name = tokens_.next().text;
    if (tokens_.accept("("))
        function.parameters = parse_parameters(tokens_);
    skip_to_body();
    Function &known = functions_[name];
    if (tokens_.accept(";")) {
        if (!known.body)
            known = std::move(function);
        return;
    }
    if (known.body)
        tokens_.fail("function `" + std::string(name) + "` is defined twice");
    function.body = tokens_.position() + 1;
    known = std::move(function);
    tokens_.skip_braces();
}

void ModuleParser::parse_kernel() {
    auto kernel = std::make_unique<Kernel>();
    kernel->name = tokens_.next().text;
    if (tokens_.accept("("))
        parse_kernel_parameters(*kernel);
    parse_kernel_directives(*kernel);
    parse_body(tokens_, *kernel, symbols_, functions_);
    module_.kernels.push_back(std::move(kernel));
}

void ModuleParser::parse_kernel_parameters(Kernel &kernel) {
    for (const Declaration &declaration : parse_parameters(tokens_)) {
        const std::uint32_t offset = (kernel.parameter_bytes + declaration.alignment - 1) /
                                     declaration.alignment * declaration.alignment;
        const auto bytes = static_cast<std::uint32_t>(declaration.bytes);
        kernel.parameters.push_back({std::string(declaration.name), offset, bytes});
        kernel.parameter_bytes = offset + bytes;
    }
}

void ModuleParser::parse_kernel_directives(Kernel &kernel) {
    while (tokens_.peek().text != "{") {
        const std::string_view word = tokens_.next().text;
        std::uint32_t product = 1;
        do {
            product *= parse_small_number();
        } while (tokens_.accept(","));
        if (word == ".maxntid" || word == ".reqntid")
            kernel.max_threads = std::min(kernel.max_threads, product);
        else if (!is_any_of(word, {".minnctapersm", ".maxnreg"}))
            tokens_.fail("unknown directive `" + std::string(word) + "` of a kernel");
    }
}

} // namespace

Module parse_module(std::string_view text, Memory &memory, const void *owner) {
    return ModuleParser(text, memory, owner).parse();
}

} // namespace convsmith::ptx
