// Loads, stores and atomics of a warp, lane by lane, and the checks that each access passes (warp.h).
#include "tests/emulated/ptx/warp.h"

namespace convsmith::ptx {

/// One access by each of some lanes; arrays are by lane.
struct LaneAccesses {
    const Instruction &in;
    AccessKind kind;
    unsigned bytes;       ///< of a lane
    unsigned threads = 1; ///< that a lane stands for
    std::array<std::uint64_t, kLanes> addresses;
    std::array<std::uint64_t, kLanes> offsets; ///< in their region
    std::array<std::byte *, kLanes> places;    ///< the bytes themselves

    LaneAccesses(const Instruction &in, AccessKind kind, unsigned bytes) : in(in), kind(kind), bytes(bytes) {}
};

namespace {

bool is_read(AccessKind kind) {
    return kind != AccessKind::Write;
}

/// Whether each thread has its own, where nothing races. Parameters of calls lie in local memory.
bool is_of_thread(Space space) {
    return space == Space::Local || space == Space::Param;
}

bool is_write(AccessKind kind) {
    return kind == AccessKind::Write || kind == AccessKind::Update;
}

const char *name(Space space) {
    constexpr const char *names[] = {"generic", "global", "shared", "local", "parameter", "constant"};
    return names[static_cast<std::size_t>(space)];
}

/// "shared read of 4 bytes at 0x10".
std::string describe(Space space, AccessKind kind, unsigned bytes, std::uint64_t address) {
    const char *const what = kind == AccessKind::Update ? "atomic" : is_write(kind) ? "write" : "read";
    return std::string(name(space)) + " " + what + " of " + std::to_string(bytes) +
           (bytes == 1 ? " byte" : " bytes") + " at " + hex(address);
}

/// The state space of a generic address, which becomes an offset in it.
Space resolve(std::uint64_t &address) {
    if (address - kSharedWindow < kWindowBytes) {
        address -= kSharedWindow;
        return Space::Shared;
    }
    if (address - kLocalWindow < kWindowBytes) {
        address -= kLocalWindow;
        return Space::Local;
    }
    return Space::Global;
}

template<typename T>
T updated(AtomicOp op, T old, T operand, T replacement) {
    if constexpr (std::is_integral_v<T>) {
        switch (op) {
        case AtomicOp::And:
            return old & operand;
        case AtomicOp::Or:
            return old | operand;
        case AtomicOp::Xor:
            return old ^ operand;
        case AtomicOp::Min:
            return old < operand ? old : operand;
        case AtomicOp::Max:
            return old > operand ? old : operand;
        case AtomicOp::Increment:
            return old >= operand ? T{0} : static_cast<T>(old + 1);
        case AtomicOp::Decrement:
            return old == 0 || old > operand ? operand : static_cast<T>(old - 1);
        case AtomicOp::CompareAndSwap:
            return old == operand ? replacement : old;
        case AtomicOp::Add:
            return static_cast<T>(static_cast<std::uint64_t>(old) + static_cast<std::uint64_t>(operand));
        case AtomicOp::Exchange:
            break;
        }
        return operand;
    } else {
        return op == AtomicOp::Add ? old + operand : operand;
    }
}

} // namespace

void Warp::load(const Instruction &in, std::uint32_t active) {
    const bool is_signed = info(in.type).is_signed;
    switch (info(in.type).bytes) {
    case 1:
        is_signed ? load_as<std::int8_t>(in, active) : load_as<std::uint8_t>(in, active);
        break;
    case 2:
        is_signed ? load_as<std::int16_t>(in, active) : load_as<std::uint16_t>(in, active);
        break;
    case 4:
        is_signed ? load_as<std::int32_t>(in, active) : load_as<std::uint32_t>(in, active);
        break;
    default:
        load_as<std::uint64_t>(in, active);
        break;
    }
}

template<typename T>
void Warp::load_as(const Instruction &in, std::uint32_t active) {
    if (in.space == Space::Param && !in.base.is_present()) {
        load_parameter<T>(in, active);
        return;
    }
    const unsigned elements = in.elements;
    const AccessKind kind = in.is_constant ? AccessKind::ReadConstant : AccessKind::Read;
    LaneAccesses accesses(in, kind, elements * sizeof(T));
    locate(accesses, active);
    for (unsigned i = 0; i < elements; i++) {
        std::byte *const row = registers_ + in.dst[i].row;
        const unsigned slot = in.dst[i].slot;
        for_lanes(active,
                  [&](unsigned lane) { put(row, lane, get<T>(accesses.places[lane], i, sizeof(T)), slot); });
    }
}

template<typename T>
void Warp::load_parameter(const Instruction &in, std::uint32_t active) {
    const std::vector<std::byte> &parameters = block_.launch.parameters;
    const auto offset = static_cast<std::uint64_t>(in.offset);
    if (offset + in.elements * sizeof(T) > parameters.size())
        fail(Status::IllegalAddress,
             describe(Space::Param, AccessKind::Read, in.elements * sizeof(T), offset), in,
             static_cast<unsigned>(__builtin_ctz(active)));
    for (unsigned i = 0; i < in.elements; i++) {
        T value;
        std::memcpy(&value, parameters.data() + offset + i * sizeof(T), sizeof value);
        for_lanes_in_order(
            active, [&](unsigned lane) { put(registers_ + in.dst[i].row, lane, value, in.dst[i].slot); });
    }
}

void Warp::store(const Instruction &in, std::uint32_t active) {
    switch (info(in.type).bytes) {
    case 1:
        store_as<std::uint8_t>(in, active);
        break;
    case 2:
        store_as<std::uint16_t>(in, active);
        break;
    case 4:
        store_as<std::uint32_t>(in, active);
        break;
    default:
        store_as<std::uint64_t>(in, active);
        break;
    }
}

template<typename T>
void Warp::store_as(const Instruction &in, std::uint32_t active) {
    const unsigned elements = in.elements;
    LaneAccesses accesses(in, AccessKind::Write, elements * sizeof(T));
    locate(accesses, active);
    for (unsigned i = 0; i < elements; i++) {
        const std::byte *const row = registers_ + in.src[i].row;
        const unsigned slot = in.src[i].slot;
        for_lanes(active, [&](unsigned lane) {
            const T value = get<T>(row, lane, slot);
            std::memcpy(accesses.places[lane] + i * sizeof(T), &value, sizeof value);
        });
    }
}

void Warp::update(const Instruction &in, std::uint32_t active) {
    switch (in.type) {
    case Type::S32:
        update_as<std::int32_t>(in, active);
        break;
    case Type::S64:
        update_as<std::int64_t>(in, active);
        break;
    case Type::F32:
        update_as<float>(in, active);
        break;
    case Type::F64:
        update_as<double>(in, active);
        break;
    default:
        info(in.type).bytes == 4 ? update_as<std::uint32_t>(in, active)
                                 : update_as<std::uint64_t>(in, active);
        break;
    }
}

template<typename T>
void Warp::update_as(const Instruction &in, std::uint32_t active) {
    LaneAccesses accesses(in, AccessKind::Update, sizeof(T));
    locate(accesses, active);
    for_lanes_in_order(active, [&](unsigned lane) {
        std::byte *const place = accesses.places[lane];
        T old;
        std::memcpy(&old, place, sizeof old);
        const T operand = get<T>(registers_ + in.src[0].row, lane);
        const T replacement = in.src[1].is_present() ? get<T>(registers_ + in.src[1].row, lane) : T{0};
        const T value = updated(in.atomic, old, operand, replacement);
        std::memcpy(place, &value, sizeof value);
        if (in.dst[0].is_present())
            put(registers_ + in.dst[0].row, lane, old);
    });
}

/// Finds, checks and records the accesses of the active lanes.
void Warp::locate(LaneAccesses &accesses, std::uint32_t active) {
    const Instruction &in = accesses.in;
    const std::byte *const base = registers_ + in.base.row;
    const auto offset = static_cast<std::uint64_t>(in.offset);
    std::uint64_t *const addresses = accesses.addresses.data();
    if (in.base.slot == 8)
        for_lanes(active, [&](unsigned lane) { addresses[lane] = get<std::uint64_t>(base, lane) + offset; });
    else
        for_lanes(active, [&](unsigned lane) { addresses[lane] = get<std::uint32_t>(base, lane) + offset; });
    const auto first = static_cast<unsigned>(__builtin_ctz(active));
    std::uint64_t difference = 0;
    for_lanes(active, [&](unsigned lane) { difference |= addresses[lane] ^ addresses[first]; });
    if (difference == 0 && !is_write(accesses.kind) && !is_of_thread(in.space) &&
        in.space != Space::Generic) {
        // One value for all lanes, such as a weight: one access, by several threads.
        accesses.threads = count_lanes(active);
        locate_in(accesses, in.space, 1U << first);
        std::byte *const place = accesses.places[first];
        for_lanes(active, [&](unsigned lane) { accesses.places[lane] = place; });
    } else if (in.space == Space::Generic) {
        locate_generic(accesses, active);
    } else {
        locate_in(accesses, in.space, active);
    }
}

void Warp::locate_generic(LaneAccesses &accesses, std::uint32_t active) {
    std::array<std::uint32_t, 3> lanes{};
    constexpr Space spaces[] = {Space::Global, Space::Shared, Space::Local};
    for_lanes_in_order(active, [&](unsigned lane) {
        const Space space = resolve(accesses.addresses[lane]);
        lanes[space == Space::Global ? 0 : space == Space::Shared ? 1 : 2] |= 1U << lane;
    });
    for (std::size_t i = 0; i < lanes.size(); i++) {
        if (lanes[i] != 0)
            locate_in(accesses, spaces[i], lanes[i]);
    }
}

/// The same, of addresses in a state space.
void Warp::locate_in(LaneAccesses &accesses, Space space, std::uint32_t active) {
    std::uint64_t low_bits = 0;
    for_lanes(active, [&](unsigned lane) { low_bits |= accesses.addresses[lane]; });
    if ((low_bits & (accesses.bytes - 1)) != 0) {
        for_lanes_in_order(active, [&](unsigned lane) {
            if ((accesses.addresses[lane] & (accesses.bytes - 1)) != 0)
                reject(accesses, space, lane, Status::MisalignedAddress,
                       ", which is no multiple of " + std::to_string(accesses.bytes));
        });
    }
    const std::uint64_t bytes = std::uint64_t{accesses.bytes} * accesses.threads * count_lanes(active);
    const std::uint64_t read = is_read(accesses.kind) ? bytes : 0,
                        written = is_write(accesses.kind) ? bytes : 0;
    accesses.offsets = accesses.addresses;
    if (space == Space::Shared) {
        check_inside(accesses, space, active, block_.shared.size());
        block_.counts.shared_load_bytes += read;
        block_.counts.shared_store_bytes += written;
        check_bytes(accesses, space, active, block_.shared);
    } else if (is_of_thread(space)) {
        check_inside(accesses, space, active, block_.kernel.local_bytes);
        for_lanes_in_order(active, [&](unsigned lane) {
            accesses.offsets[lane] += std::uint64_t{thread(lane)} * block_.kernel.local_bytes;
        });
        check_bytes(accesses, space, active, block_.local);
    } else {
        block_.counts.global_load_bytes += read;
        block_.counts.global_store_bytes += written;
        locate_global(accesses, active);
    }
}

/// Lanes mostly access the same allocation, and the one of the last time.
void Warp::locate_global(LaneAccesses &accesses, std::uint32_t active) {
    Allocation *&last = block_.last_hits[index_of(accesses.in)];
    while (active != 0) {
        const auto first = static_cast<unsigned>(__builtin_ctz(active));
        if (!last || !last->contains(accesses.addresses[first], accesses.bytes))
            last = &find_allocation(accesses, first);
        const std::uint64_t base = last->base, size = last->region.size();
        const std::uint64_t end =
            size < accesses.bytes ? 0 : size - accesses.bytes + 1; // of offsets that fit
        std::uint32_t inside = 0;
        for_lanes(active, [&](unsigned lane) {
            const std::uint64_t offset = accesses.addresses[lane] - base;
            accesses.offsets[lane] = offset;
            inside |= static_cast<std::uint32_t>(offset < end) << lane;
        });
        check_bytes(accesses, Space::Global, inside, last->region);
        active &= ~inside;
    }
}

/// Throws unless the accesses end within `size`.
void Warp::check_inside(const LaneAccesses &accesses, Space space, std::uint32_t active,
                        std::uint64_t size) const {
    const std::uint64_t end = size < accesses.bytes ? 0 : size - accesses.bytes + 1;
    std::uint32_t outside = 0;
    for_lanes(active, [&](unsigned lane) {
        outside |= static_cast<std::uint32_t>(accesses.offsets[lane] >= end) << lane;
    });
    if (outside != 0)
        reject(accesses, space, static_cast<unsigned>(__builtin_ctz(outside)), Status::IllegalAddress,
               std::string(", outside the ") + (space == Space::Shared ? "block's " : "thread's ") +
                   std::to_string(size) + " bytes of " + name(space) + " memory");
}

/// Of accesses within a region: that what they read was written, and that they do not race.
void Warp::check_bytes(LaneAccesses &accesses, Space space, std::uint32_t active, Region &region) {
    const unsigned bytes = accesses.bytes;
    if (is_read(accesses.kind)) {
        std::uint32_t unwritten = 0;
        for_lanes(active, [&](unsigned lane) {
            const bool is_written = region.is_initialised(accesses.offsets[lane], bytes);
            unwritten |= static_cast<std::uint32_t>(!is_written) << lane;
        });
        if (unwritten != 0)
            reject(accesses, space, static_cast<unsigned>(__builtin_ctz(unwritten)), Status::LaunchFailed,
                   space == Space::Shared
                       ? ", which nothing in this block has written yet (is a barrier missing?)"
                       : ", which nothing has written");
    }
    if (!is_of_thread(space))
        check_races(accesses, space, active, region);
    std::byte *const data = region.data();
    for_lanes(active, [&](unsigned lane) { accesses.places[lane] = data + accesses.offsets[lane]; });
    if (is_write(accesses.kind))
        for_lanes_in_order(active,
                           [&](unsigned lane) { region.set_initialised(accesses.offsets[lane], bytes); });
}

void Warp::check_races(const LaneAccesses &accesses, Space space, std::uint32_t active,
                       Region &region) const {
    const auto instruction = static_cast<std::uint32_t>(index_of(accesses.in));
    const bool is_strong = accesses.in.is_strong;
    Access access = {{},
                     space == Space::Shared ? block_.block_start : block_.launch_start,
                     block_.block_start,
                     block_.barrier,
                     warp_sync_};
    const char *const conflict = accesses.kind == AccessKind::ReadConstant
                                     ? ", through the read-only cache, races with "
                                     : " races with ";
    region.shadow.prepare(region.size(), accesses.bytes);
    for_lanes_in_order(active, [&](unsigned lane) {
        access.record =
            AccessRecord(block_.clock, thread(lane), instruction, is_strong, accesses.threads > 1);
        const AccessRecord other =
            region.shadow.access(accesses.offsets[lane], accesses.bytes, accesses.kind, access);
        if (other)
            reject(accesses, space, lane, Status::LaunchFailed, conflict + block_.access_text(other));
    });
}

/// Where no allocation holds a lane's bytes, or kernels may not write it, throws.
Allocation &Warp::find_allocation(const LaneAccesses &accesses, unsigned lane) const {
    const std::uint64_t address = accesses.addresses[lane];
    Allocation *const allocation = block_.memory.find(address);
    if (!allocation)
        reject(accesses, Space::Global, lane, Status::IllegalAddress,
               ", which is " + block_.memory.describe(address));
    if (!allocation->contains(address, accesses.bytes))
        reject(accesses, Space::Global, lane, Status::IllegalAddress,
               ", which runs over the end of the " + std::to_string(allocation->region.size()) +
                   " bytes at " + hex(allocation->base));
    if (is_write(accesses.kind) && allocation->is_constant)
        reject(accesses, Space::Global, lane, Status::IllegalAddress, ", which is constant memory");
    return *allocation;
}

void Warp::reject(const LaneAccesses &accesses, Space space, unsigned lane, Status status,
                  const std::string &why) const {
    fail(status, describe(space, accesses.kind, accesses.bytes, accesses.addresses[lane]) + why, accesses.in,
         lane);
}

} // namespace convsmith::ptx
