// Guard pages by mmap and mprotect (see guarded_tensor.h).
#include "runtime/guarded_tensor.h"

#include <fmt/format.h>

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace convsmith {

namespace {

[[noreturn]] void fail(const char *call, size_t bytes) {
    throw Error(ErrorCode::Io,
                fmt::format("guarded tensor: {} of {} bytes failed: {}", call, bytes, std::strerror(errno)));
}

size_t bytes_of(const TensorView &view) {
    return static_cast<size_t>(view.elements()) * dtype_bytes(view.dtype);
}

} // namespace

GuardedTensor::GuardedTensor(DType dtype, const std::vector<int64_t> &shape, Flush flush)
    : page_bytes_(static_cast<size_t>(sysconf(_SC_PAGESIZE))), view_(nullptr, dtype, shape) {
    const size_t bytes = bytes_of(view_);
    const size_t body = (bytes + page_bytes_ - 1) / page_bytes_ * page_bytes_;
    mapping_bytes_ = body + 2 * page_bytes_;
    mapping_ = mmap(nullptr, mapping_bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping_ == MAP_FAILED) {
        fail("mmap", mapping_bytes_);
    }
    char *const first = static_cast<char *>(mapping_) + page_bytes_;
    if (body != 0 && mprotect(first, body, PROT_READ | PROT_WRITE) != 0) {
        munmap(mapping_, mapping_bytes_);
        fail("mprotect", body);
    }
    view_.data = flush == Flush::Begin ? first : first + (body - bytes);
    std::memset(view_.data, 0xff, bytes);
}

GuardedTensor::~GuardedTensor() {
    munmap(mapping_, mapping_bytes_);
}

void GuardedTensor::load_read_only(const TensorView &source) {
    CONVSMITH_CHECK(source.dtype == view_.dtype && source.shape_vector() == view_.shape_vector());
    std::memcpy(view_.data, source.data, bytes_of(source));
    const size_t body = mapping_bytes_ - 2 * page_bytes_;
    if (mprotect(static_cast<char *>(mapping_) + page_bytes_, body, PROT_READ) != 0) {
        fail("mprotect", body);
    }
}

} // namespace convsmith
