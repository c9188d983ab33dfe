// The grammar of bodies, and how calls are expanded (body.h). A copy of the function stands where the call
// does, so that threads that part in it meet again behind it, as they do behind any other code.
#include "tests/emulated/ptx/body.h"

#include "tests/emulated/ptx/decode.h"

#include <algorithm>

namespace convsmith::ptx {

namespace {

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

/// A call's operands: `(results), function, (arguments)`, both lists optional.
struct CallOperands {
    std::vector<OperandText> results;
    std::string_view function;
    std::vector<OperandText> arguments;
    bool has_prototype = false; ///< of a function that only its address names
};

CallOperands call_operands(const Statement &statement) {
    const std::vector<OperandText> &operands = statement.operands;
    const auto is_list = [&](std::size_t i) {
        return i < operands.size() && operands[i].form == OperandText::Form::List;
    };
    CallOperands call;
    std::size_t next = 0;
    if (is_list(next))
        call.results = operands[next++].elements;
    if (next == operands.size() || operands[next].form != OperandText::Form::Name)
        throw NameError("a function's name is expected");
    call.function = operands[next++].name;
    if (is_list(next))
        call.arguments = operands[next++].elements;
    call.has_prototype = next < operands.size();
    return call;
}

class BodyParser {
public:
    BodyParser(TokenStream &tokens, Kernel &kernel, const ModuleSymbols &module, const Functions &functions)
        : tokens_(tokens), kernel_(kernel), functions_(functions), builder_(kernel, module) {}

    void parse();

private:
    void parse_block();
    void parse_directive();
    void parse_registers();
    void parse_instruction();
    void parse_call(const Statement &statement, const Location &location);
    const char *refusal(const CallOperands &call) const;
    void bind(const std::vector<OperandText> &actual, const std::vector<Declaration> &formal, bool is_result,
              CallSite &site) const;
    /// Adds the line to what `action` says of wrong names.
    template<typename Action>
    void locate(const Action &action) {
        try {
            action();
        } catch (const NameError &error) {
            tokens_.fail(error.what());
        }
    }

    TokenStream &tokens_;
    Kernel &kernel_;
    const Functions &functions_;
    KernelBuilder builder_;
};

void BodyParser::parse() {
    tokens_.expect("{");
    parse_block();
    locate([&] { builder_.finish(); });
}

/// Up to the brace that closes the body.
void BodyParser::parse_block() {
    for (int depth = 1; depth > 0;) {
        if (tokens_.accept("{")) {
            depth++;
            builder_.open_scope();
        } else if (tokens_.accept("}")) {
            depth--;
            builder_.close_scope();
        } else if (tokens_.peek(1).text == ":") {
            builder_.declare_label(tokens_.next().text);
            tokens_.next();
        } else if (!tokens_.peek().text.empty() && tokens_.peek().text[0] == '.') {
            locate([&] { parse_directive(); });
        } else if (!tokens_.accept(";")) {
            parse_instruction();
        }
    }
}

void BodyParser::parse_directive() {
    tokens_.accept(".extern");
    const std::string_view word = tokens_.next().text;
    if (word == ".reg") {
        parse_registers();
    } else if (word == ".local" || word == ".shared" || word == ".param") {
        const Declaration declaration = parse_declaration(tokens_);
        tokens_.expect(";");
        const auto bytes = static_cast<std::uint32_t>(declaration.bytes);
        if (word == ".local")
            builder_.declare_local(declaration.name, bytes, declaration.alignment);
        else if (word == ".param")
            builder_.declare_parameter(declaration.name, bytes, declaration.alignment);
        else if (declaration.is_unsized)
            builder_.declare_dynamic_shared(declaration.name);
        else
            builder_.declare_shared(declaration.name, bytes, declaration.alignment);
    } else if (is_any_of(word, {".pragma", ".callprototype", ".calltargets"})) {
        while (tokens_.next().text != ";") {
        }
    } else if (word == ".loc") {
        for (int i = 0; i < 3; i++)
            tokens_.next();
    } else {
        tokens_.fail("unknown directive `" + std::string(word) + "`");
    }
}

/// `.reg .pred %p<3>;` or `.reg .b32 %temp, %other;`
void BodyParser::parse_registers() {
    const std::string_view type_name = tokens_.next().text;
    const Type type = parse_type(type_name.substr(1));
    if (type == Type::None)
        tokens_.fail("unknown type `" + std::string(type_name) + "`");
    do {
        const std::string_view name = tokens_.next().text;
        if (tokens_.accept("<")) {
            builder_.declare_registers(name, static_cast<unsigned>(parse_number(tokens_)), type);
            tokens_.expect(">");
        } else {
            builder_.declare_register(name, type);
        }
    } while (tokens_.accept(","));
    tokens_.expect(";");
}

void BodyParser::parse_instruction() {
    const Statement statement = parse_statement(tokens_);
    const Location location = {statement.line, single_spaced(statement.text)};
    try {
        if (statement.opcode == "call")
            parse_call(statement, location);
        else
            builder_.add(decode(statement, builder_), location);
    } catch (const NameError &error) {
        throw Fault(Status::InvalidPtx, "kernel " + kernel_.name + ", PTX line " +
                                            std::to_string(location.line) + " `" + location.text +
                                            "`: " + error.what());
    }
}

void BodyParser::parse_call(const Statement &statement, const Location &location) {
    const CallOperands call = call_operands(statement);
    CallSite site = {guarded(statement, builder_), location, call.function, {}};
    if (const char *const reason = refusal(call)) {
        site.in.kind = Kind::Unsupported;
        site.in.refusal = reason;
        builder_.add(site.in, location);
        return;
    }
    const Function &function = functions_.at(call.function);
    bind(call.results, function.results, true, site);
    bind(call.arguments, function.parameters, false, site);
    builder_.begin_call(site);
    const std::size_t behind_call = tokens_.position();
    tokens_.seek(*function.body);
    parse_block();
    tokens_.seek(behind_call);
    builder_.end_call();
}

/// Why a call of which nothing is wrong cannot be executed; nullptr if it can.
const char *BodyParser::refusal(const CallOperands &call) const {
    const auto is_register = [](const Declaration &formal) { return formal.is_register; };
    const auto is_variable = [&](const OperandText &actual) {
        return actual.form == OperandText::Form::Name && builder_.find_parameter(actual.name) != nullptr;
    };
    const auto are_variables = [&](const std::vector<OperandText> &actual) {
        return std::all_of(actual.begin(), actual.end(), is_variable);
    };
    if (call.has_prototype || call.function[0] == '%')
        return "the emulator does not execute calls by address";
    if (is_any_of(call.function, {"vprintf", "malloc", "free", "__assertfail"}))
        return "the emulator lacks the functions that a driver brings";
    const auto found = functions_.find(call.function);
    if (found == functions_.end() || !found->second.body)
        throw NameError("the module does not define function `" + std::string(call.function) + "`");
    const Function &function = found->second;
    if (builder_.is_within(call.function))
        return "the emulator does not execute recursive calls";
    if (!are_variables(call.results) || !are_variables(call.arguments) ||
        std::any_of(function.results.begin(), function.results.end(), is_register) ||
        std::any_of(function.parameters.begin(), function.parameters.end(), is_register))
        return "the emulator passes only .param variables to functions";
    return nullptr;
}

/// A function's parameters are the caller's variables: in the function results can only be written, arguments
/// only be read, so that none of them needs a copy.
void BodyParser::bind(const std::vector<OperandText> &actual, const std::vector<Declaration> &formal,
                      bool is_result, CallSite &site) const {
    const char *const what = is_result ? " results" : " arguments";
    if (actual.size() != formal.size())
        throw NameError("the call has " + std::to_string(actual.size()) + what + ", the function " +
                        std::to_string(formal.size()));
    for (std::size_t i = 0; i < actual.size(); i++) {
        const std::string name(actual[i].name);
        ParamVariable variable = *builder_.find_parameter(name);
        if (variable.bytes != formal[i].bytes)
            throw NameError("`" + name + "` has " + std::to_string(variable.bytes) + " bytes, `" +
                            std::string(formal[i].name) + "` " + std::to_string(formal[i].bytes));
        if (is_result && !variable.is_writable)
            throw NameError("`" + name + "` cannot be written");
        for (const auto &[other_name, other] : site.parameters) {
            if (other.is_writable && !variable.is_of_launch && other.offset == variable.offset)
                throw NameError("`" + name + "` cannot be a result and something else");
        }
        variable.is_writable = is_result;
        site.parameters.emplace_back(formal[i].name, variable);
    }
}

} // namespace

void parse_body(TokenStream &tokens, Kernel &kernel, const ModuleSymbols &module,
                const Functions &functions) {
    BodyParser(tokens, kernel, module, functions).parse();
}

} // namespace convsmith::ptx
