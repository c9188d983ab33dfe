// The grammar of a module: directives, variables, kernels (program.h). Instructions: decode.cpp.
#include "tests/emulated/ptx/program.h"

#include "tests/emulated/ptx/decode.h"
#include "tests/emulated/ptx/kernel_builder.h"
#include "tests/emulated/ptx/statement.h"

#include <algorithm>
#include <initializer_list>

namespace convsmith::ptx {

namespace {

constexpr unsigned kComputeCapability = 80;

struct Declaration {
    std::string_view name;
    Type type = Type::None;
    std::uint32_t alignment = 1;
    std::uint64_t bytes = 0;
    bool is_unsized = false; ///< `name[]`
};

bool is_any_of(std::string_view text, std::initializer_list<std::string_view> names) {
    return std::find(names.begin(), names.end(), text) != names.end();
}

std::string single_spaced(std::string_view text) {
    std::string result;
    for (const char c : text) {
        const bool is_blank = c == ' ' || c == '\t' || c == '\n' || c == '\r';
        if (!is_blank)
            result += c;
        else if (!result.empty() && result.back() != ' ')
            result += ' ';
    }
    return result;
}

class ModuleParser {
public:
    ModuleParser(std::string_view text, Memory &memory, const void *owner)
        : tokens_(text), memory_(memory), owner_(owner) {}

    Module parse();

private:
    void parse_directive();
    void check_target();
    Declaration parse_declaration();
    void parse_variable(Space space);
    void parse_initialiser(const Declaration &declaration, Region &region);
    void parse_function();
    void parse_kernel();
    void parse_parameters(Kernel &kernel);
    void parse_kernel_directives(Kernel &kernel);
    void parse_body(Kernel &kernel);
    void parse_body_directive(KernelBuilder &builder);
    void parse_registers(KernelBuilder &builder);
    void parse_instruction(Kernel &kernel, KernelBuilder &builder);
    std::uint32_t parse_small_number() { return static_cast<std::uint32_t>(parse_number(tokens_)); }
    void skip_statement() {
        while (tokens_.next().text != ";") {
        }
    }
    /// Adds the line to what `action` says of wrong names.
    template<typename Action>
    void locate(const Action &action) {
        try {
            action();
        } catch (const NameError &error) {
            tokens_.fail(error.what());
        }
    }

    TokenStream tokens_;
    Memory &memory_;
    const void *owner_;
    ModuleSymbols symbols_;
    Module module_;
};

Module ModuleParser::parse() {
    while (!tokens_.at_end())
        parse_directive();
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
        parse_kernel();
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

/// `.align 16 .b8 name[64]`; in parameters also `.u64 .ptr .global .align 4 name`.
Declaration ModuleParser::parse_declaration() {
    Declaration declaration;
    std::uint64_t elements = 1;
    while (!tokens_.peek().text.empty() && tokens_.peek().text[0] == '.') {
        const std::string_view word = tokens_.next().text.substr(1);
        if (word == "align")
            declaration.alignment = parse_small_number();
        else if (word == "v2" || word == "v4")
            elements *= word == "v2" ? 2U : 4U;
        else if (parse_type(word) != Type::None)
            declaration.type = parse_type(word);
        else if (!is_any_of(word, {"ptr", "global", "shared", "local", "const", "param"}))
            tokens_.fail("unknown word `." + std::string(word) + "` in a declaration");
    }
    declaration.name = tokens_.next().text;
    while (tokens_.accept("[")) {
        declaration.is_unsized |= tokens_.peek().text == "]";
        elements *= tokens_.peek().text == "]" ? 0 : parse_number(tokens_);
        tokens_.expect("]");
    }
    if (declaration.type == Type::None)
        tokens_.fail("a declaration without a type");
    declaration.bytes = elements * info(declaration.type).bytes;
    declaration.alignment = std::max<std::uint32_t>(declaration.alignment, info(declaration.type).bytes);
    return declaration;
}

/// A variable of the whole module.
void ModuleParser::parse_variable(Space space) {
    const Declaration declaration = parse_declaration();
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

/// Functions are not run: what calls one fails there.
void ModuleParser::parse_function() {
    while (!is_any_of(tokens_.peek().text, {"{", ";"}))
        tokens_.next();
    if (!tokens_.accept(";"))
        tokens_.skip_braces();
}

void ModuleParser::parse_kernel() {
    auto kernel = std::make_unique<Kernel>();
    kernel->name = tokens_.next().text;
    if (tokens_.accept("("))
        parse_parameters(*kernel);
    parse_kernel_directives(*kernel);
    parse_body(*kernel);
    module_.kernels.push_back(std::move(kernel));
}

void ModuleParser::parse_parameters(Kernel &kernel) {
    if (tokens_.accept(")"))
        return;
    do {
        const Declaration declaration = parse_declaration();
        const std::uint32_t offset = (kernel.parameter_bytes + declaration.alignment - 1) /
                                     declaration.alignment * declaration.alignment;
        const auto bytes = static_cast<std::uint32_t>(declaration.bytes);
        kernel.parameters.push_back({std::string(declaration.name), offset, bytes});
        kernel.parameter_bytes = offset + bytes;
    } while (tokens_.accept(","));
    tokens_.expect(")");
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

void ModuleParser::parse_body(Kernel &kernel) {
    KernelBuilder builder(kernel, symbols_);
    tokens_.expect("{");
    for (int depth = 1; depth > 0;) {
        if (tokens_.accept("{")) {
            depth++;
            builder.open_scope();
        } else if (tokens_.accept("}")) {
            depth--;
            builder.close_scope();
        } else if (tokens_.peek(1).text == ":") {
            builder.declare_label(tokens_.next().text);
            tokens_.next();
        } else if (!tokens_.peek().text.empty() && tokens_.peek().text[0] == '.') {
            locate([&] { parse_body_directive(builder); });
        } else if (!tokens_.accept(";")) {
            parse_instruction(kernel, builder);
        }
    }
    locate([&] { builder.finish(); });
}

void ModuleParser::parse_body_directive(KernelBuilder &builder) {
    tokens_.accept(".extern");
    const std::string_view word = tokens_.next().text;
    if (word == ".reg") {
        parse_registers(builder);
    } else if (word == ".local" || word == ".shared") {
        const Declaration declaration = parse_declaration();
        tokens_.expect(";");
        const auto bytes = static_cast<std::uint32_t>(declaration.bytes);
        if (word == ".local")
            builder.declare_local(declaration.name, bytes, declaration.alignment);
        else if (declaration.is_unsized)
            builder.declare_dynamic_shared(declaration.name);
        else
            builder.declare_shared(declaration.name, bytes, declaration.alignment);
    } else if (word == ".param" || word == ".pragma") {
        skip_statement(); // a parameter of a call, which fails where it is reached
    } else if (word == ".loc") {
        for (int i = 0; i < 3; i++)
            tokens_.next();
    } else {
        tokens_.fail("unknown directive `" + std::string(word) + "`");
    }
}

/// `.reg .pred %p<3>;` or `.reg .b32 %temp, %other;`
void ModuleParser::parse_registers(KernelBuilder &builder) {
    const std::string_view type_name = tokens_.next().text;
    const Type type = parse_type(type_name.substr(1));
    if (type == Type::None)
        tokens_.fail("unknown type `" + std::string(type_name) + "`");
    do {
        const std::string_view name = tokens_.next().text;
        if (tokens_.accept("<")) {
            builder.declare_registers(name, parse_small_number(), type);
            tokens_.expect(">");
        } else {
            builder.declare_register(name, type);
        }
    } while (tokens_.accept(","));
    tokens_.expect(";");
}

void ModuleParser::parse_instruction(Kernel &kernel, KernelBuilder &builder) {
    const Statement statement = parse_statement(tokens_);
    const std::string text = single_spaced(statement.text);
    try {
        builder.add(decode(statement, builder), {statement.line, text});
    } catch (const NameError &error) {
        throw Fault(Status::InvalidPtx, "kernel " + kernel.name + ", PTX line " +
                                            std::to_string(statement.line) + " `" + text +
                                            "`: " + error.what());
    }
}

} // namespace

Module parse_module(std::string_view text, Memory &memory, const void *owner) {
    return ModuleParser(text, memory, owner).parse();
}

} // namespace convsmith::ptx
