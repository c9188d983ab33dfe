// See onnxruntime_server.h.
#include "bench/peers/onnxruntime_server.h"

#include "bench/onnxruntime_server_js.h"
#include "runtime/frontend/file_io.h"
#include "runtime/process.h"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

extern char **environ;

namespace convsmith::bench {

namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const std::string &what, int error) {
    throw Error(ErrorCode::Io, "onnxruntime: " + what + ": " + std::strerror(error));
}

/// Our environment, and what keeps the C library from giving memory back to the system after each call: ONNX
/// Runtime takes and frees whole tensors in each, and half its time would be page faults.
std::vector<std::string> server_environment() {
    std::vector<std::string> variables = {"MALLOC_MMAP_THRESHOLD_=4000000000",
                                          "MALLOC_TRIM_THRESHOLD_=8000000000", "MALLOC_TOP_PAD_=100000000"};
    for (char **variable = environ; *variable != nullptr; variable++)
        variables.emplace_back(*variable);
    return variables;
}

std::vector<char *> pointers_to(std::vector<std::string> &strings) {
    std::vector<char *> pointers;
    for (std::string &string : strings)
        pointers.push_back(string.data());
    pointers.push_back(nullptr);
    return pointers;
}

} // namespace

std::string onnxruntime_directory() {
    const char *cache = std::getenv("XDG_CACHE_HOME");
    const char *home = std::getenv("HOME");
    if (cache != nullptr && *cache == '/') // the XDG specification says to ignore relative paths
        return (fs::path(cache) / "convsmith-onnxruntime").string();
    if (home != nullptr && *home == '/')
        return (fs::path(home) / ".cache" / "convsmith-onnxruntime").string();
    return "";
}

std::string onnxruntime_version() {
    const std::string directory = onnxruntime_directory();
    const fs::path package = fs::path(directory) / "node_modules" / "onnxruntime-node" / "package.json";
    std::error_code ignored;
    if (directory.empty() || !fs::exists(package, ignored) || !has_program("node"))
        return "";
    const auto json = nlohmann::json::parse(read_file(package.string()), nullptr, false);
    const auto version = json.is_object() ? json.find("version") : json.end();
    return json.is_object() && version != json.end() && version->is_string() ? version->get<std::string>()
                                                                             : "";
}

OnnxruntimeServer::OnnxruntimeServer() {
    const std::string script = files_ / "server.js";
    write_file_atomically(script, kOnnxruntimeServerJs);
    const std::string modules = onnxruntime_directory() + "/node_modules";

    // A socket, not pipes: writing to a process that has ended is then an error and no signal.
    std::array<int, 2> ends = {};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
        fail("socketpair", errno);
    std::vector<std::string> command = {"node", script, modules}, environment = server_environment();
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    const int error = posix_spawnp(&process_, "node", &actions, nullptr, pointers_to(command).data(),
                                   pointers_to(environment).data());
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    socket_ = LineSocket(ends[0]);
    if (error != 0) {
        close(socket_.fd());
        fail("starting node", error);
    }
}

OnnxruntimeServer::~OnnxruntimeServer() {
    close(socket_.fd()); // the server reads the end of its input and exits
    while (waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
    }
}

nlohmann::json OnnxruntimeServer::request(const nlohmann::json &request) {
    std::optional<std::string> line;
    if (socket_.send(request.dump() + "\n"))
        line = socket_.next();
    if (!line)
        fail("its process has ended", EPIPE);
    nlohmann::json answer = nlohmann::json::parse(*line);
    if (answer.contains("error"))
        throw Error(ErrorCode::Unsupported, answer.at("error").get<std::string>());
    return answer;
}

std::string OnnxruntimeServer::new_file() {
    return files_ / std::to_string(names_++);
}

} // namespace convsmith::bench
