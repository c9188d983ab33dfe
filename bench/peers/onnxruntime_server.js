// Runs ONNX models with onnxruntime-node for convsmith's bench, which starts this program and sends it one JSON object
// per line on standard input; one line answers each on standard output: the result, or {"error": text}.
//   node onnxruntime_server.js NODE_MODULES
'use strict';
const fs = require('fs');
const path = require('path');

const root = path.join(process.argv[2], 'onnxruntime-node');
const ort = require(root);
// The binding itself: InferenceSession.run() of the package waits for the event loop, which takes longer than a layer.
const { binding, initOrt } = require(path.join(root, 'dist', 'binding.js'));
ort.env.logLevel = 'error';
initOrt();

const models = new Map(); // id -> {layer, feeds, fetches, after}

function session(file, threads, level, extra) {
    const made = new binding.InferenceSession();
    made.loadModel(file, {
        intraOpNumThreads: threads, interOpNumThreads: 1, executionMode: 'sequential', graphOptimizationLevel: level,
        logSeverityLevel: 3, extra: { session: { force_spinning_stop: '1' } }, ...extra,
    });
    return made;
}

function read(file, dims) {
    const bytes = fs.readFileSync(file);
    return new ort.Tensor('float32', new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length)),
        dims);
}

const names = (metadata) => metadata.map((value) => value.name);
const only = (feeds, metadata) => Object.fromEntries(names(metadata).map((name) => [name, feeds[name]]));
const fresh = (metadata) => Object.fromEntries(names(metadata).map((name) => [name, null]));
const run = (of, feeds) => of.run(only(feeds, of.inputMetadata), fresh(of.outputMetadata), {});

const commands = {
    // Writes what ONNX Runtime makes of a model.
    optimize({ model, to, threads }) {
        session(model, threads, 'all', { optimizedModelFilePath: to }).dispose();
        return {};
    },
    // A layer already optimised; `before` and `after`, if there are any, take its tensors to its own layouts and back.
    load({ id, before, layer, after, inputs, threads }) {
        let feeds = Object.fromEntries(inputs.map(({ name, file, dims }) => [name, read(file, dims)]));
        if (before)
            feeds = { ...feeds, ...run(session(before, 1, 'disabled'), feeds) };
        const made = session(layer, threads, 'disabled');
        models.set(id, {
            layer: made, feeds: only(feeds, made.inputMetadata), fetches: run(made, feeds), // results are written there again
            after: after ? session(after, 1, 'disabled') : null,
        });
        return {};
    },
    run({ id, calls }) {
        const { layer, feeds, fetches } = models.get(id);
        layer.run(feeds, fetches, {}); // this core slept while another contestant was measured
        const start = process.hrtime.bigint();
        for (let call = 0; call < calls; call++)
            layer.run(feeds, fetches, {});
        return { ns: Number(process.hrtime.bigint() - start) };
    },
    output({ id, to }) {
        const { layer, feeds, after } = models.get(id);
        let results = run(layer, feeds);
        if (after)
            results = run(after, results);
        const { data, dims } = results.output;
        fs.writeFileSync(to, Buffer.from(data.buffer, data.byteOffset, data.byteLength));
        return { dims };
    },
    drop({ id }) {
        models.delete(id);
        return {};
    },
};

function answer(line) {
    try {
        const request = JSON.parse(line);
        return commands[request.command](request);
    } catch (error) {
        return { error: String(error.message || error) };
    }
}

// Reading blocks, so that nothing here takes time while another contestant is measured.
const block = Buffer.alloc(65536);
let pending = '';
for (;;) {
    const got = fs.readSync(0, block, 0, block.length, null);
    if (got === 0)
        break;
    pending += block.toString('utf8', 0, got);
    for (let end; (end = pending.indexOf('\n')) >= 0; pending = pending.slice(end + 1))
        fs.writeSync(1, JSON.stringify(answer(pending.slice(0, end))) + '\n');
}
