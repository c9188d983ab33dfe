// What a call of the driver interface is answered with when it, or a kernel, is wrong: a status of CUDA and a
// message. Thrown anywhere below driver*.cpp, which catch it at the interface.
#pragma once

#include <stdexcept>
#include <string>

namespace convsmith::ptx {

/// Values of CUresult; names and texts: status.cpp.
enum class Status : int {
    Success = 0,
    InvalidValue = 1,
    OutOfMemory = 2,
    NotInitialized = 3,
    InvalidDevice = 101,
    InvalidContext = 201,
    NoBinaryForGpu = 209,
    InvalidPtx = 218,
    InvalidHandle = 400,
    NotFound = 500,
    IllegalAddress = 700,
    LaunchOutOfResources = 701,
    LaunchTimeout = 702,
    IllegalInstruction = 715,
    MisalignedAddress = 716,
    LaunchFailed = 719,
    NotSupported = 801,
    Unknown = 999
};

class Fault : public std::runtime_error {
public:
    Fault(Status status, const std::string &message) : std::runtime_error(message), status_(status) {}
    Status status() const { return status_; }

private:
    Status status_;
};

/// CUDA's name of a status, such as CUDA_ERROR_ILLEGAL_ADDRESS; nullptr if `status` is none.
const char *status_name(int status);

/// CUDA's text for a status, such as "an illegal memory access was encountered"; nullptr if `status` is none.
const char *status_text(int status);

/// "0x7f00" for messages.
std::string hex(unsigned long long value);

} // namespace convsmith::ptx
