// See content_hash.h. LLVM computes.
#include "runtime/content_hash.h"

#include <llvm/ADT/StringExtras.h>
#include <llvm/ADT/StringRef.h>
#include <llvm/Support/SHA256.h>

#include <cstring>

namespace convsmith {

Digest digest_of(std::initializer_list<std::string_view> parts) {
    llvm::SHA256 sha;
    for (const std::string_view part : parts)
        sha.update(llvm::StringRef(part.data(), part.size()));
    const auto raw = sha.final(); // a StringRef up to LLVM 14, an array since
    Digest digest;
    std::memcpy(digest.data(), raw.data(), digest.size());
    return digest;
}

std::string hex_of(const Digest &digest) {
    return llvm::toHex(llvm::StringRef(digest.data(), digest.size()), /* LowerCase */ true);
}

} // namespace convsmith
