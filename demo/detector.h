// The demo's network: the layers of a text detector with their C names in the library that was built
// from them, and the operands of each. Between `convsmith build` and the C host (prepare), and after it
// (report).
#pragma once

#include "demo/picture.h"
#include "runtime/frontend/network.h"
#include "runtime/oracle.h"

#include <string>
#include <vector>

namespace convsmith::demo {

/// A layer and how the library calls it.
struct DemoLayer {
    Layer layer;
    std::string id;   ///< C name without the library's prefix
    std::string plan; ///< of the class that runs on this machine
};

/// What both steps start from.
struct Detector {
    std::vector<DemoLayer> layers;
    Picture picture; ///< the photograph at the model's size

    /// The model at `model`, imported with an input of `size` x `size`; names and plans from the manifest of
    /// `library`; the photograph at `photo` (PPM). Throws Error.
    Detector(const std::string &model, const std::string &library, const std::string &photo);

    /// Operands of layer `i`: the model's weights, and the photograph for the first layer. Inner layers get
    /// seeded random input, because some operators between them are not layers.
    Problem problem(size_t i) const;
};

/// Reads exactly the elements of `tensor`, or writes them. Throws Error(Io).
void read_raw(const std::string &path, const Tensor &tensor);
void write_raw(const std::string &path, const Tensor &tensor);

/// Writes layers.inc, <id>.input and <id>.more (residual and gate) for the C host into `directory`.
void prepare(const Detector &detector, const std::string &directory);

/// Judges what the host wrote, on this machine (`directory`) and elsewhere (`others`: name, directory),
/// writes `grid` and prints the table. Returns the number of layers that are wrong somewhere.
struct OtherMachine {
    std::string name;
    std::string directory;
};
int report(const Detector &detector, const std::string &directory, const std::vector<OtherMachine> &others,
           const std::string &grid);

} // namespace convsmith::demo
