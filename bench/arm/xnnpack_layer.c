/* The same layer (macros as of the compiler's command) by XNNPACK, on one thread (see convsmith_layer.c). */
#include <xnnpack.h>

#include <math.h>
#include <stdlib.h>

int main(int argc, char **argv) {
    const int calls = argc > 1 ? atoi(argv[1]) : 1;
    const size_t out = (EXTENT + 2 * PAD - TAPS) / STRIDE + 1, slack = 64;
    float *kernel = calloc((size_t)CHANNELS * TAPS * TAPS * (INPUTS / GROUPS), sizeof(float));
    float *bias = calloc(CHANNELS, sizeof(float));
    float *input = calloc((size_t)EXTENT * EXTENT * INPUTS + slack, sizeof(float)); /* it reads beyond */
    float *output = calloc(out * out * CHANNELS + slack, sizeof(float));
    xnn_operator_t op = NULL;
    int i;
    if (xnn_initialize(NULL) != xnn_status_success ||
        xnn_create_convolution2d_nhwc_f32(PAD, PAD, PAD, PAD, TAPS, TAPS, STRIDE, STRIDE, 1, 1, GROUPS,
                                          INPUTS / GROUPS, CHANNELS / GROUPS, INPUTS, CHANNELS, kernel, bias,
                                          0, INFINITY, 0, &op) != xnn_status_success ||
        xnn_setup_convolution2d_nhwc_f32(op, 1, EXTENT, EXTENT, input, output, NULL) != xnn_status_success)
        return 1;
    for (i = 0; i < calls; i++) {
        if (xnn_run_operator(op, NULL) != xnn_status_success)
            return 1;
    }
    return 0;
}
