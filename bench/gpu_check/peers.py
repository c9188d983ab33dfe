#!/usr/bin/env python3
"""Times the layers of a GPU check in cuDNN (through PyTorch) and torchvision, with the device's events: FP32 with
TF32 off and on, the faster of NCHW and channels last.
  peers.py LAYERS.json TIMES.json     the first is convsmith_gpu_check's --layers, the second its --peers"""
import json
import statistics
import sys

import torch

try:
    from torchvision.ops import deform_conv2d
except ImportError:
    deform_conv2d = None


def milliseconds(work):
    """Of one call: the median of five batches of at least 20 ms, as convsmith_gpu_check takes it."""

    def batch(calls):
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        for _ in range(calls):
            work()
        end.record()
        end.synchronize()
        return start.elapsed_time(end)

    batch(3)  # cuDNN searches its algorithms here
    calls = min(max(int(20 * 3 / batch(3)), 3), 2000)
    return statistics.median(batch(calls) / calls for _ in range(5))


def call_of(layer, memory_format):
    x = torch.randn(layer["n"], layer["ci"], *layer["in"], device="cuda").to(memory_format=memory_format)
    shape = (layer["co"], layer["ci"] // layer["groups"], *layer["k"])
    weights = torch.randn(shape, device="cuda").to(memory_format=memory_format)
    numbers = {"stride": layer["stride"], "padding": layer["pad"], "dilation": layer["dilation"]}
    if layer["op"] == "conv":
        return lambda: torch.nn.functional.conv2d(x, weights, groups=layer["groups"], **numbers)
    if layer["op"] != "deform" or deform_conv2d is None:
        return None
    out = [
        (i + 2 * p - d * (k - 1) - 1) // s + 1
        for i, p, d, k, s in zip(layer["in"], layer["pad"], layer["dilation"], layer["k"], layer["stride"])
    ]
    taps = layer["og"] * layer["k"][0] * layer["k"][1]
    offset = torch.randn(layer["n"], 2 * taps, *out, device="cuda")
    mask = torch.rand(layer["n"], taps, *out, device="cuda")
    return lambda: deform_conv2d(x, offset, weights, mask=mask, **numbers)


def main():
    with open(sys.argv[1]) as file:
        layers = json.load(file)
    torch.backends.cudnn.benchmark = True
    times = {"cudnn_fp32": {}, "cudnn_tf32": {}}
    if deform_conv2d is not None:
        times["torchvision"] = {}
    with torch.no_grad():
        for layer in layers:
            for name, tf32 in (("cudnn_fp32", False), ("cudnn_tf32", True)):
                torch.backends.cudnn.allow_tf32 = tf32
                torch.backends.cuda.matmul.allow_tf32 = tf32
                calls = [call_of(layer, f) for f in (torch.contiguous_format, torch.channels_last)]
                if calls[0] is None or (layer["op"] == "deform" and tf32):
                    continue
                peer = "torchvision" if layer["op"] == "deform" else name
                times[peer][layer["name"]] = min(milliseconds(call) for call in calls)
    with open(sys.argv[2], "w") as file:
        json.dump(times, file, indent=1)


main()
