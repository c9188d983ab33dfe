/* A user's program: averages three neighbours with the library's layer "blur" and prints the result. */
#include <demo.h>

#include <stdio.h>
#include <stdlib.h>

int main(void) {
    const float weights[3] = {1.0f, 1.0f, 1.0f};
    const float input[DEMO_BLUR_INPUT_ELEMENTS] = {1.0f, 2.0f, 3.0f, 4.0f};
    float output[DEMO_BLUR_OUTPUT_ELEMENTS];
    demo_blur_args args;
    int i, error;
    void *packed = NULL;
    if (posix_memalign(&packed, DEMO_FILTER_ALIGNMENT, DEMO_BLUR_FILTER_ELEMENTS * sizeof(float)) != 0)
        return 1;
    error = demo_blur_pack(weights, (float *)packed);
    args.input = input;
    args.filter = (const float *)packed;
    args.output = output;
    if (error == 0)
        error = demo_blur(&args);
    free(packed);
    if (error != 0) {
        fprintf(stderr, "demo_blur: %s\n", demo_error_text(error));
        return 1;
    }
    for (i = 0; i < DEMO_BLUR_OUTPUT_ELEMENTS; i++)
        printf("%g%c", output[i], i + 1 < DEMO_BLUR_OUTPUT_ELEMENTS ? ' ' : '\n');
    return 0;
}
