/* Calls the one layer of a library that convsmith wrote as `counted` (layer name: layer) as often as its
 * argument says, on one thread. The difference of two runs is what calls cost (scripts/static_arm.sh). */
#include "counted.h"

#include <stdlib.h>

static float *floats(size_t count) {
    const size_t bytes = (count * sizeof(float) + 63) / 64 * 64;
    float *data = aligned_alloc(64, bytes);
    size_t i;
    for (i = 0; data != NULL && i < count; i++)
        data[i] = (float)(i % 7) / 8;
    return data;
}

int main(int argc, char **argv) {
    const int calls = argc > 1 ? atoi(argv[1]) : 1;
    counted_layer_args args = {floats(COUNTED_LAYER_INPUT_ELEMENTS), floats(COUNTED_LAYER_FILTER_ELEMENTS),
                               floats(CHANNELS), floats(COUNTED_LAYER_OUTPUT_ELEMENTS)};
    int i, code = counted_set_num_threads(1) < 0;
    for (i = 0; i < calls && code == 0; i++)
        code = counted_layer(&args);
    return code;
}
