// See picture.h.
#include "demo/picture.h"

#include "generators/error.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <png.h>

namespace convsmith::demo {

namespace {

void paste(const Picture &from, int x0, int y0, Picture &into) {
    for (int y = 0; y < from.height; y++)
        std::copy_n(from.pixel(0, y), 3 * from.width, into.pixel(x0, y0 + y));
}

Picture grey_map(const float *values, int width, int height) {
    const auto [least, greatest] = std::minmax_element(values, values + static_cast<size_t>(width) * height);
    const float range = std::max(*greatest - *least, 1e-20f);
    Picture picture(width, height, 0);
    for (size_t i = 0; i < picture.rgb.size(); i++)
        picture.rgb[i] = static_cast<uint8_t>(std::lround(255 * (values[i / 3] - *least) / range));
    return picture;
}

} // namespace

Picture::Picture(int width_, int height_, uint8_t grey)
    : width(width_), height(height_), rgb(static_cast<size_t>(3) * width_ * height_, grey) {}

Picture read_ppm(const std::string &path) {
    std::ifstream file(path, std::ios::binary);
    std::string magic;
    int width = 0, height = 0, most = 0;
    file >> magic >> width >> height >> most;
    if (!file || magic != "P6" || most != 255 || width < 1 || height < 1)
        throw Error(ErrorCode::Io, path + ": want a binary PPM with 8 bits per channel");
    file.get();
    Picture picture(width, height, 0);
    file.read(reinterpret_cast<char *>(picture.rgb.data()), static_cast<std::streamsize>(picture.rgb.size()));
    if (!file)
        throw Error(ErrorCode::Io, path + ": the file ends before its last pixel");
    return picture;
}

void write_png(const Picture &picture, const std::string &path) {
    png_image image = {};
    image.version = PNG_IMAGE_VERSION;
    image.width = picture.width;
    image.height = picture.height;
    image.format = PNG_FORMAT_RGB;
    if (!png_image_write_to_file(&image, path.c_str(), 0, picture.rgb.data(), 0, nullptr))
        throw Error(ErrorCode::Io, path + ": " + image.message);
}

Picture shrink(const Picture &picture, int width, int height) {
    CONVSMITH_CHECK(width <= picture.width && height <= picture.height);
    const auto edge = [](int i, int to, int from) { return static_cast<int>(int64_t(i) * from / to); };
    Picture result(width, height, 0);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            int sum[3] = {}, count = 0;
            for (int v = edge(y, height, picture.height); v < edge(y + 1, height, picture.height); v++)
                for (int u = edge(x, width, picture.width); u < edge(x + 1, width, picture.width);
                     u++, count++)
                    for (int c = 0; c < 3; c++)
                        sum[c] += picture.pixel(u, v)[c];
            for (int c = 0; c < 3; c++)
                result.pixel(x, y)[c] = static_cast<uint8_t>(sum[c] / count);
        }
    return result;
}

Tensor normalized(const Picture &picture) {
    constexpr float kMean[] = {0.485f, 0.456f, 0.406f};
    constexpr float kDeviation[] = {0.229f, 0.224f, 0.225f};
    Tensor tensor(DType::F32, {1, 3, picture.height, picture.width});
    float *out = tensor.as<float>();
    for (int c = 0; c < 3; c++)
        for (int y = 0; y < picture.height; y++)
            for (int x = 0; x < picture.width; x++)
                *out++ = (static_cast<float>(picture.pixel(x, y)[2 - c]) / 255 - kMean[c]) / kDeviation[c];
    return tensor;
}

Picture feature_grid(const Picture &picture, const TensorView &maps) {
    constexpr int kGap = 4;
    constexpr uint8_t kBackground = 255;
    const int channels = static_cast<int>(maps.shape[1]);
    const int height = static_cast<int>(maps.shape[2]), width = static_cast<int>(maps.shape[3]);
    const int columns = static_cast<int>(std::ceil(std::sqrt(channels)));
    const int rows = (channels + columns - 1) / columns;
    const int left = picture.width + kGap;
    Picture grid(left + columns * (width + kGap), std::max(picture.height, rows * (height + kGap)),
                 kBackground);
    paste(picture, 0, 0, grid);
    for (int c = 0; c < channels; c++) {
        const float *values = static_cast<const float *>(maps.data) + static_cast<size_t>(c) * width * height;
        paste(grey_map(values, width, height), left + c % columns * (width + kGap),
              c / columns * (height + kGap), grid);
    }
    return grid;
}

} // namespace convsmith::demo
