// ONNX Runtime as a peer: onnxruntime-node from npm, in a process of its own that is fed one model per layer.
// At its best: optimised by ONNX Runtime itself, weights packed, the reorders into and out of its blocked
// layout not timed. Before it: onnx_model.h; after it: compare.h.
#include "bench/peers/onnx_model.h"
#include "bench/peers/onnx_split.h"
#include "bench/peers/onnxruntime_server.h"
#include "bench/peers/peer_op.h"
#include "generators/composite.h"
#include "runtime/frontend/file_io.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <utility>

namespace convsmith::bench {

namespace {

using Json = nlohmann::json;

/// A call of the binding from JavaScript takes some 10 us: a request computes the layer so often that this is
/// less than one percent.
constexpr double kRunNs = 2e6;
constexpr int kMostCopies = 64;

/// A layer that the server has loaded.
class OnnxruntimeLayer {
public:
    OnnxruntimeLayer(std::shared_ptr<OnnxruntimeServer> server, const ConvDesc &desc, const OnnxModel &model,
                     int threads)
        : server_(std::move(server)), desc_(desc), threads_(threads) {
        const std::string whole = store(model.bytes), optimized = server_->new_file();
        server_->request(
            {{"command", "optimize"}, {"model", whole}, {"to", optimized}, {"threads", threads}});
        split_ = split_model(read_file(optimized));
        inputs_ = Json::array();
        for (const auto &[name, tensor] : model.inputs)
            inputs_.push_back({{"name", name},
                               {"file", store({static_cast<const char *>(tensor.data()), tensor.bytes()})},
                               {"dims", tensor.shape()}});
        load(split_.layer);
        const double ns = run_ns(1);
        if (split_.repeatable && ns < kRunNs) {
            copies_ = std::clamp(static_cast<int>(std::ceil(kRunNs / ns)), 2, kMostCopies);
            drop();
            load(repeated_layer(split_.layer, copies_));
        }
    }
    ~OnnxruntimeLayer() {
        try {
            drop();
        } catch (const Error &) { // its process has ended, and the layer with it
        }
    }
    OnnxruntimeLayer(const OnnxruntimeLayer &) = delete;
    OnnxruntimeLayer &operator=(const OnnxruntimeLayer &) = delete;

    /// Nanoseconds that `calls` computations of the layer take.
    double time(int64_t calls) {
        const int64_t runs = (calls + copies_ - 1) / copies_;
        return run_ns(runs) * static_cast<double>(calls) / static_cast<double>(runs * copies_);
    }

    Tensor output() {
        const std::string file = server_->new_file();
        server_->request({{"command", "output"}, {"id", id_}, {"to", file}});
        const std::string bytes = read_file(file);
        std::filesystem::remove(file);
        Tensor first(DType::F32, {static_cast<int64_t>(bytes.size() / sizeof(float))});
        std::memcpy(first.data(), bytes.data(), first.bytes());
        const ConvDesc &last = last_op(desc_);
        const std::vector<int64_t> shape = stored_shape(last);
        if (TensorView(nullptr, DType::F32, shape).elements() != first.elements())
            throw Error(ErrorCode::Unsupported, "another output shape");
        const TensorView as_rows(first.data(), DType::F32, {shape[0], first.elements() / shape[0]});
        return placed_in_output(desc_, from_channels_first(as_rows, last.out_layout, shape));
    }

    std::string implementation() const { return split_.operators; }

private:
    std::string store(std::string_view bytes) {
        if (bytes.empty())
            return "";
        std::string file = server_->new_file();
        write_file_atomically(file, bytes);
        return file;
    }

    void load(const std::string &layer) {
        static int ids = 0;
        id_ = ids++;
        server_->request({{"command", "load"},
                          {"id", id_},
                          {"before", store(split_.before)},
                          {"layer", store(layer)},
                          {"after", store(split_.after)},
                          {"inputs", inputs_},
                          {"threads", threads_}});
    }

    void drop() { server_->request({{"command", "drop"}, {"id", id_}}); }

    double run_ns(int64_t runs) {
        return server_->request({{"command", "run"}, {"id", id_}, {"calls", runs}}).at("ns").get<double>();
    }

    std::shared_ptr<OnnxruntimeServer> server_;
    ConvDesc desc_;
    int threads_;
    SplitModel split_;
    Json inputs_;
    int copies_ = 1;
    int id_ = 0;
};

PeerResult prepare(const ConvDesc &desc, const OracleTensors &tensors, int threads) {
    const std::string limits = common_peer_limits(desc);
    if (!limits.empty())
        return NotPrepared{limits};
    const auto model = make_onnx_model(desc, tensors);
    if (const auto *not_prepared = std::get_if<NotPrepared>(&model))
        return *not_prepared;
    static std::weak_ptr<OnnxruntimeServer> running; // one for all layers that are prepared at a time
    try {
        std::shared_ptr<OnnxruntimeServer> server = running.lock();
        if (server == nullptr)
            running = server = std::make_shared<OnnxruntimeServer>();
        const auto layer =
            std::make_shared<OnnxruntimeLayer>(server, desc, std::get<OnnxModel>(model), threads);
        PreparedPeer prepared;
        prepared.call = [layer] { layer->time(1); };
        prepared.output = [layer] { return layer->output(); };
        prepared.implementation = layer->implementation();
        prepared.block = [layer](int64_t calls) { return layer->time(calls); };
        prepared.process = server->process();
        return prepared;
    } catch (const Error &error) {
        return NotPrepared{std::string("ONNX Runtime: ") + error.what()};
    }
}

} // namespace

Peer make_onnxruntime_peer() {
    const std::string version = onnxruntime_version();
    if (version.empty())
        return absent_peer("onnxruntime",
                           "ONNX Runtime is absent: scripts/install_onnxruntime.sh installs it (npm)");
    return {"onnxruntime", version, prepare};
}

} // namespace convsmith::bench
