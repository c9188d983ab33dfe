// Instructions that concern more than a lane's own registers (decoder.h): memory, control flow, other lanes.
#include "tests/emulated/ptx/decoder.h"

namespace convsmith::ptx {

namespace {

constexpr Named<AtomicOp> kAtomics[] = {{"add", AtomicOp::Add},       {"min", AtomicOp::Min},
                                        {"max", AtomicOp::Max},       {"and", AtomicOp::And},
                                        {"or", AtomicOp::Or},         {"xor", AtomicOp::Xor},
                                        {"exch", AtomicOp::Exchange}, {"inc", AtomicOp::Increment},
                                        {"dec", AtomicOp::Decrement}, {"cas", AtomicOp::CompareAndSwap}};
constexpr Named<ShuffleMode> kShuffles[] = {{"up", ShuffleMode::Up},
                                            {"down", ShuffleMode::Down},
                                            {"bfly", ShuffleMode::Butterfly},
                                            {"idx", ShuffleMode::Index}};
constexpr Named<VoteMode> kVotes[] = {
    {"all", VoteMode::All}, {"any", VoteMode::Any}, {"uni", VoteMode::Uniform}, {"ballot", VoteMode::Ballot}};
constexpr Named<std::uint8_t> kVectors[] = {{"v2", 2}, {"v4", 4}};

/// How an access is cached. Memory here is seen by all at once.
constexpr std::string_view kCacheModifiers[] = {"ca", "cg", "cs", "cv", "lu", "wb", "wt", "weak"};
constexpr std::string_view kStrongModifiers[] = {"volatile", "relaxed", "acquire", "release", "acq_rel"};
constexpr std::string_view kScopes[] = {"cta", "gpu", "sys"};

} // namespace

void Decoder::activemask() {
    in_.kind = Kind::ActiveMask;
    expect_operands(1);
    set_destination(take_type());
}

void Decoder::decode_access() {
    in_.is_strong = take_all(kStrongModifiers);
    in_.is_constant = take("nc");
    take_all(kScopes);
    take_all(kCacheModifiers);
}

void Decoder::set_address(const OperandText &text) {
    require(text.form == OperandText::Form::Address);
    in_.offset = static_cast<std::int64_t>(text.number);
    if (in_.space == Space::Param) {
        set_parameter(text);
        return;
    }
    if (text.name.empty()) {
        in_.base = kernel_.constant(0, 8);
        return;
    }
    OperandText base;
    base.name = text.name;
    in_.base = kernel_.source(base);
}

/// A variable of the .param space: by its name only.
void Decoder::set_parameter(const OperandText &text) {
    const ParamVariable *variable = kernel_.find_parameter(text.name);
    require(variable != nullptr);
    require(in_.kind == Kind::Load || variable->is_writable);
    in_.offset += variable->offset;
    if (variable->is_of_launch)
        return;
    const std::uint64_t bytes = std::uint64_t{in_.elements} * info(in_.type).bytes;
    if (text.number > variable->bytes || bytes > variable->bytes - text.number)
        throw NameError("`" + std::string(text.name) + "` has only " + std::to_string(variable->bytes) +
                        " bytes");
    in_.base = kernel_.constant(0, 8);
}

/// The registers that are loaded or stored: they may be wider than the type.
void Decoder::set_elements(const OperandText &text, std::array<Operand, 4> &out, bool is_source) {
    const bool is_vector = text.form == OperandText::Form::Vector;
    require((is_vector ? text.elements.size() : 1) == in_.elements);
    for (std::size_t i = 0; i < in_.elements; i++) {
        const OperandText &element = is_vector ? text.elements[i] : text;
        out[i] = is_source ? kernel_.source(element) : kernel_.destination(element.name);
        require(out[i].slot >= info(in_.type).bytes);
    }
}

void Decoder::load() {
    in_.kind = Kind::Load;
    in_.space = take_any(kSpaces).value_or(Space::Generic);
    decode_access();
    in_.elements = take_any(kVectors).value_or(std::uint8_t{1});
    in_.type = take_type();
    require(in_.type != Type::Pred);
    expect_operands(2);
    set_elements(operand(0), in_.dst, false);
    set_address(operand(1));
}

void Decoder::store() {
    in_.kind = Kind::Store;
    in_.space = take_any(kSpaces).value_or(Space::Generic);
    require(in_.space != Space::Const);
    decode_access();
    in_.elements = take_any(kVectors).value_or(std::uint8_t{1});
    in_.type = take_type();
    require(in_.type != Type::Pred);
    expect_operands(2);
    set_address(operand(0));
    set_elements(operand(1), in_.src, true);
}

void Decoder::atomic() {
    decode_atomic(true);
}

void Decoder::reduction() {
    decode_atomic(false);
}

void Decoder::decode_atomic(bool has_destination) {
    in_.space = take_any(kSpaces).value_or(Space::Generic);
    decode_access();
    take("noftz");
    const std::optional<AtomicOp> op = take_any(kAtomics);
    require(op.has_value());
    in_.atomic = *op;
    in_.type = take_type();
    in_.kind = Kind::Atomic;
    in_.is_strong = true;
    const std::size_t sources = in_.atomic == AtomicOp::CompareAndSwap ? 2 : 1;
    const bool is_plain = in_.type != Type::F16 && in_.type != Type::F16x2 && info(in_.type).bytes >= 4;
    require(is_plain &&
            (in_.space == Space::Generic || in_.space == Space::Global || in_.space == Space::Shared));
    require(!info(in_.type).is_float || in_.atomic == AtomicOp::Add || in_.atomic == AtomicOp::Exchange);
    if (has_destination)
        set_destination(in_.type);
    const std::size_t address_index = has_destination ? 1 : 0;
    expect_operands(address_index + 1 + sources);
    set_address(operand(address_index));
    for (std::size_t i = 0; i < sources; i++)
        set_source(i, address_index + 1 + i, in_.type);
}

void Decoder::barrier() {
    take("cta");
    take("aligned");
    if (take("warp")) {
        in_.kind = Kind::WarpBarrier;
        require(take("sync"));
        expect_operands(1);
        set_source(0, 0, Type::B32);
        return;
    }
    // Barriers of some threads only, and those that reduce a predicate, are not known.
    in_.kind = Kind::Barrier;
    require(take("sync"));
    expect_operands(1);
    require(operand(0).form == OperandText::Form::Number);
}

void Decoder::branch() {
    in_.kind = Kind::Branch;
    take("uni");
    expect_operands(1);
    in_.target = kernel_.label(operand(0).name);
}

void Decoder::exit() {
    in_.kind = Kind::Exit;
    take("uni");
    expect_operands(0);
}

/// In a kernel's own code the same as exit.
void Decoder::return_to_caller() {
    exit();
    if (const std::optional<int> end = kernel_.function_end()) {
        in_.kind = Kind::Branch;
        in_.target = *end;
    }
}

void Decoder::fence() {
    in_.kind = Kind::Nothing;
    take_all(kStrongModifiers);
    take("sc");
    take("gl");
    take_all(kScopes);
}

/// dst[0] and predicate dst[1], value src[0], lane src[1], bounds src[2], members src[3].
void Decoder::shuffle() {
    in_.kind = Kind::Shuffle;
    const bool has_members = take("sync");
    const std::optional<ShuffleMode> mode = take_any(kShuffles);
    require(mode.has_value());
    in_.shuffle = *mode;
    require(slot_of(take_type()) == 4);
    expect_operands(has_members ? 5 : 4);
    in_.dst[0] = kernel_.destination(operand(0).name, 4);
    if (!operand(0).second.empty())
        in_.dst[1] = kernel_.destination(operand(0).second, 0);
    for (std::size_t i = 0; i < (has_members ? 4 : 3); i++)
        set_source(i, i + 1, Type::B32);
}

void Decoder::trap() {
    in_.kind = Kind::Trap;
    expect_operands(0);
}

/// dst[0], predicate src[0], members src[3].
void Decoder::vote() {
    in_.kind = Kind::Vote;
    const bool has_members = take("sync");
    const std::optional<VoteMode> mode = take_any(kVotes);
    require(mode.has_value());
    in_.vote = *mode;
    expect_operands(has_members ? 3 : 2);
    set_destination(take_type());
    require((in_.dst[0].slot == 0) == (in_.vote != VoteMode::Ballot));
    in_.src[0] = kernel_.source(operand(1), 0);
    in_.is_source_negated = operand(1).is_negated;
    if (has_members)
        set_source(3, 2, Type::B32);
}

} // namespace convsmith::ptx
