// The driver's entries for memory and copies (cuda_api.h). A copy is done when its entry returns, whatever
// the stream. Device to host copies may read what nothing wrote: programs copy whole buffers back, gaps
// between rows included.
#include "tests/emulated/ptx/driver.h"

#include <cstring>
#include <iterator>

using namespace convsmith::ptx;

namespace {

/// Counts a copy from or to memory of the host's that the driver would have to copy through its own.
void count_pageable(Driver &driver, const void *host, std::size_t bytes) {
    auto block = driver.host_memory.upper_bound(const_cast<void *>(host));
    const bool is_pinned = block != driver.host_memory.begin() &&
                           static_cast<const std::byte *>(host) + bytes <=
                               std::prev(block)->second.memory.get() + std::prev(block)->second.bytes;
    driver.machine.counts.pageable_copy_bytes += is_pinned ? 0 : bytes;
}

void copy_to_device(Driver &driver, CUdeviceptr to, const void *from, std::size_t bytes) {
    if (bytes == 0)
        return;
    check_pointer(from, "the source of a copy to the device");
    count_pageable(driver, from, bytes);
    Allocation &allocation = driver.memory.find_range(to, bytes, "copy to the device");
    const std::uint64_t offset = to - allocation.base;
    std::memcpy(allocation.region.data() + offset, from, bytes);
    allocation.region.set_initialised(offset, bytes);
}

void copy_to_host(Driver &driver, void *to, CUdeviceptr from, std::size_t bytes) {
    if (bytes == 0)
        return;
    check_pointer(to, "the destination of a copy to the host");
    count_pageable(driver, to, bytes);
    Allocation &allocation = driver.memory.find_range(from, bytes, "copy to the host");
    std::memcpy(to, allocation.region.data() + (from - allocation.base), bytes);
}

void copy_on_device(Driver &driver, CUdeviceptr to, CUdeviceptr from, std::size_t bytes) {
    if (bytes == 0)
        return;
    const Allocation &source = driver.memory.find_range(from, bytes, "copy from the device");
    Allocation &target = driver.memory.find_range(to, bytes, "copy to the device");
    target.region.copy(to - target.base, source.region, from - source.base, bytes);
}

/// One side of a copy of rows.
struct Side {
    int type; ///< CU_MEMORYTYPE_*
    std::size_t x, y, z;
    std::size_t pitch, height;

    /// Bytes from the start to a row.
    std::size_t offset(std::size_t row, std::size_t plane) const {
        return ((z + plane) * height + y + row) * pitch + x;
    }
};

void check_side(const Side &side, const CUDA_MEMCPY3D &copy, const std::string &name) {
    if (side.type != CU_MEMORYTYPE_HOST && side.type != CU_MEMORYTYPE_DEVICE)
        throw Fault(Status::NotSupported, name + " of a 3D copy is neither host nor device memory");
    const bool has_rows = copy.Height > 1 || copy.Depth > 1 || side.y > 0 || side.z > 0;
    if (has_rows && side.pitch < side.x + copy.WidthInBytes)
        throw Fault(Status::InvalidValue, name + " of a 3D copy: rows of " + std::to_string(side.pitch) +
                                              " bytes, of which " +
                                              std::to_string(side.x + copy.WidthInBytes) + " are asked for");
    if ((copy.Depth > 1 || side.z > 0) && side.height < side.y + copy.Height)
        throw Fault(Status::InvalidValue, name + " of a 3D copy: planes of " + std::to_string(side.height) +
                                              " rows, of which " + std::to_string(side.y + copy.Height) +
                                              " are asked for");
}

void copy_row(Driver &driver, const CUDA_MEMCPY3D &copy, std::size_t to, std::size_t from) {
    const bool to_host = copy.dstMemoryType == CU_MEMORYTYPE_HOST,
               from_host = copy.srcMemoryType == CU_MEMORYTYPE_HOST;
    if (to_host && from_host)
        std::memcpy(static_cast<std::byte *>(copy.dstHost) + to,
                    static_cast<const std::byte *>(copy.srcHost) + from, copy.WidthInBytes);
    else if (to_host)
        copy_to_host(driver, static_cast<std::byte *>(copy.dstHost) + to, copy.srcDevice + from,
                     copy.WidthInBytes);
    else if (from_host)
        copy_to_device(driver, copy.dstDevice + to, static_cast<const std::byte *>(copy.srcHost) + from,
                       copy.WidthInBytes);
    else
        copy_on_device(driver, copy.dstDevice + to, copy.srcDevice + from, copy.WidthInBytes);
}

void copy_rows(Driver &driver, const CUDA_MEMCPY3D *description) {
    check_pointer(description, "the description of a 3D copy");
    const CUDA_MEMCPY3D &copy = *description;
    const Side source = {copy.srcMemoryType, copy.srcXInBytes, copy.srcY,
                         copy.srcZ,          copy.srcPitch,    copy.srcHeight};
    const Side target = {copy.dstMemoryType, copy.dstXInBytes, copy.dstY,
                         copy.dstZ,          copy.dstPitch,    copy.dstHeight};
    check_side(source, copy, "the source");
    check_side(target, copy, "the destination");
    if (source.type == CU_MEMORYTYPE_HOST)
        check_pointer(copy.srcHost, "the source of a 3D copy");
    if (target.type == CU_MEMORYTYPE_HOST)
        check_pointer(copy.dstHost, "the destination of a 3D copy");
    for (std::size_t plane = 0; plane < copy.Depth; plane++) {
        for (std::size_t row = 0; row < copy.Height; row++)
            copy_row(driver, copy, target.offset(row, plane), source.offset(row, plane));
    }
}

template<typename Value>
void set_memory(Driver &driver, CUdeviceptr to, Value value, std::size_t count) {
    if (count == 0)
        return;
    if (to % sizeof(Value) != 0)
        throw Fault(Status::InvalidValue, "memset at " + hex(to) + ", which is not aligned for its elements");
    if (count > Memory::kBytes)
        throw Fault(Status::InvalidValue, "memset of more elements than the device has bytes");
    Allocation &allocation = driver.memory.find_range(to, count * sizeof(Value), "memset");
    const std::uint64_t offset = to - allocation.base;
    for (std::size_t i = 0; i < count; i++)
        std::memcpy(allocation.region.data() + offset + i * sizeof(Value), &value, sizeof value);
    allocation.region.set_initialised(offset, count * sizeof(Value));
}

/// Writes an attribute of a pointer as the type that CUDA gives it.
template<typename Value>
void set_attribute(void *out, Value value) {
    std::memcpy(out, &value, sizeof value);
}

void allocate_host(Driver &driver, void **memory, std::size_t bytes) {
    check_pointer(memory, "the address");
    if (bytes == 0)
        throw Fault(Status::InvalidValue, "an allocation of 0 bytes");
    auto allocation = std::make_unique<std::byte[]>(bytes);
    *memory = allocation.get();
    driver.host_memory[*memory] = {std::move(allocation), bytes};
}

} // namespace

// NOLINTBEGIN(readability-identifier-naming): CUDA's names

CUresult cuMemGetInfo_v2(std::size_t *free_bytes, std::size_t *total_bytes) {
    return answer_in_context([&](Driver &driver, CUcontext) {
        check_pointer(free_bytes, "the free size");
        check_pointer(total_bytes, "the total size");
        *free_bytes = driver.memory.free_bytes();
        *total_bytes = Memory::kBytes;
    });
}

CUresult cuMemAlloc_v2(CUdeviceptr *address, std::size_t bytes) {
    return answer_in_context([&](Driver &driver, CUcontext context) {
        check_pointer(address, "the address");
        if (bytes == 0)
            throw Fault(Status::InvalidValue, "an allocation of 0 bytes");
        *address = driver.memory.allocate(bytes, context).base;
    });
}

CUresult cuMemFree_v2(CUdeviceptr address) {
    return answer_in_context([&](Driver &driver, CUcontext) { driver.memory.free(address); });
}

CUresult cuMemAllocHost_v2(void **memory, std::size_t bytes) {
    return answer_in_context([&](Driver &driver, CUcontext) { allocate_host(driver, memory, bytes); });
}

CUresult cuMemHostAlloc(void **memory, std::size_t bytes, unsigned) {
    return answer_in_context([&](Driver &driver, CUcontext) { allocate_host(driver, memory, bytes); });
}

CUresult cuMemFreeHost(void *memory) {
    return answer_in_context([&](Driver &driver, CUcontext) {
        if (driver.host_memory.erase(memory) == 0)
            throw Fault(Status::InvalidValue, "free of host memory that the driver did not allocate");
    });
}

CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void *from, std::size_t bytes) {
    return answer_in_context([&](Driver &driver, CUcontext) { copy_to_device(driver, to, from, bytes); });
}

CUresult cuMemcpyDtoH_v2(void *to, CUdeviceptr from, std::size_t bytes) {
    return answer_in_context([&](Driver &driver, CUcontext) { copy_to_host(driver, to, from, bytes); });
}

CUresult cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, std::size_t bytes) {
    return answer_in_context([&](Driver &driver, CUcontext) { copy_on_device(driver, to, from, bytes); });
}

CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, std::size_t bytes, CUstream stream) {
    return answer_in_context([&](Driver &driver, CUcontext) {
        driver.check_stream(stream);
        copy_to_device(driver, to, from, bytes);
    });
}

CUresult cuMemcpyDtoHAsync_v2(void *to, CUdeviceptr from, std::size_t bytes, CUstream stream) {
    return answer_in_context([&](Driver &driver, CUcontext) {
        driver.check_stream(stream);
        copy_to_host(driver, to, from, bytes);
    });
}

CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, std::size_t bytes, CUstream stream) {
    return answer_in_context([&](Driver &driver, CUcontext) {
        driver.check_stream(stream);
        copy_on_device(driver, to, from, bytes);
    });
}

CUresult cuMemcpy3D_v2(const CUDA_MEMCPY3D *copy) {
    return answer_in_context([&](Driver &driver, CUcontext) { copy_rows(driver, copy); });
}

CUresult cuMemcpy3DAsync_v2(const CUDA_MEMCPY3D *copy, CUstream stream) {
    return answer_in_context([&](Driver &driver, CUcontext) {
        driver.check_stream(stream);
        copy_rows(driver, copy);
    });
}

CUresult cuMemsetD8_v2(CUdeviceptr to, unsigned char value, std::size_t count) {
    return answer_in_context([&](Driver &driver, CUcontext) { set_memory(driver, to, value, count); });
}

CUresult cuMemsetD32_v2(CUdeviceptr to, unsigned value, std::size_t count) {
    return answer_in_context([&](Driver &driver, CUcontext) { set_memory(driver, to, value, count); });
}

CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, std::size_t count, CUstream stream) {
    return answer_in_context([&](Driver &driver, CUcontext) {
        driver.check_stream(stream);
        set_memory(driver, to, value, count);
    });
}

CUresult cuMemsetD32Async(CUdeviceptr to, unsigned value, std::size_t count, CUstream stream) {
    return answer_in_context([&](Driver &driver, CUcontext) {
        driver.check_stream(stream);
        set_memory(driver, to, value, count);
    });
}

CUresult cuPointerGetAttribute(void *value, int attribute, CUdeviceptr address) {
    return answer_initialised([&](Driver &driver) {
        check_pointer(value, "the value");
        const Allocation &allocation = driver.memory.find_range(address, 1, "query of a pointer");
        switch (attribute) { // CU_POINTER_ATTRIBUTE_*
        case 1:              // CONTEXT
            set_attribute(value, allocation.owner);
            break;
        case 2: // MEMORY_TYPE
            set_attribute(value, CU_MEMORYTYPE_DEVICE);
            break;
        case 3: // DEVICE_POINTER
            set_attribute(value, address);
            break;
        case 9: // DEVICE_ORDINAL
            set_attribute(value, CUdevice{0});
            break;
        case 11: // RANGE_START_ADDR
            set_attribute(value, CUdeviceptr{allocation.base});
            break;
        case 12: // RANGE_SIZE
            set_attribute(value, std::size_t{allocation.region.size()});
            break;
        default:
            throw Fault(Status::InvalidValue,
                        "pointer attribute " + std::to_string(attribute) + " is not known");
        }
    });
}

// NOLINTEND(readability-identifier-naming)
