// ONNX Runtime in a process of its own: onnxruntime-node (npm) run by Node.js, spoken to in lines of JSON
// (onnxruntime_server.js). Before it: onnxruntime.cpp, which makes models; after it: nothing of ours.
#pragma once

#include "runtime/line_socket.h"
#include "runtime/temp_dir.h"

#include <nlohmann/json.hpp>
#include <string>
#include <sys/types.h>

namespace convsmith::bench {

/// Where scripts/install_onnxruntime.sh installs the package: $XDG_CACHE_HOME/convsmith-onnxruntime, else
/// ~/.cache/convsmith-onnxruntime. Empty if neither variable says.
std::string onnxruntime_directory();

/// Version of the package installed there; empty if it or Node.js is not there.
std::string onnxruntime_version();

/// The running process. Ends with the object.
class OnnxruntimeServer {
public:
    /// Throws Error(Io) if it cannot be started.
    OnnxruntimeServer();
    ~OnnxruntimeServer();
    OnnxruntimeServer(const OnnxruntimeServer &) = delete;
    OnnxruntimeServer &operator=(const OnnxruntimeServer &) = delete;

    /// The answer to a request (the commands are in onnxruntime_server.js). Throws Error(Unsupported) with
    /// the message of ONNX Runtime if it refuses, Error(Io) if the process has ended.
    nlohmann::json request(const nlohmann::json &request);

    pid_t process() const { return process_; }

    /// A file name of its own in the directory for models and tensors.
    std::string new_file();

private:
    TempDir files_;
    LineSocket socket_{-1};
    pid_t process_ = -1;
    int names_ = 0;
};

} // namespace convsmith::bench
