// Limits of the device that the emulator claims to be, those of compute capability 8.0. Used by the driver's
// queries and its checks of launches.
#pragma once

#include <cstdint>

namespace convsmith::ptx {

constexpr int kComputeMajor = 8;
constexpr int kComputeMinor = 0;
constexpr int kDriverVersion = 12000; ///< 12.0

constexpr std::uint32_t kMaxThreads = 1024; ///< of a block
constexpr std::uint32_t kMaxBlockX = 1024;
constexpr std::uint32_t kMaxBlockY = 1024;
constexpr std::uint32_t kMaxBlockZ = 64;
constexpr std::uint32_t kMaxGridX = 0x7fff'ffff;
constexpr std::uint32_t kMaxGridY = 65535;
constexpr std::uint32_t kMaxGridZ = 65535;
constexpr std::uint32_t kMaxShared = 48 * 1024;       ///< of a block, unless its kernel asks for more
constexpr std::uint32_t kMaxSharedOptIn = 163 * 1024; ///< with cuFuncSetAttribute

} // namespace convsmith::ptx
