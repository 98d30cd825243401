#!/usr/bin/env python3
"""Measures CSA's re-ranking network in Sightline beside ONNX Runtime, in one run, and prints a Markdown table.

    python3 -m venv venv && venv/bin/pip install numpy onnxruntime
    venv/bin/python scripts/csa_in_onnxruntime.py --sightline target/release/sightline

`sightline bench csa --export` writes the network with seeded weights; ONNX Runtime runs that file, and the same network written as
PyTorch exports it (tokens in rows, `MatMul` in place of 1x1 convolutions), which this script makes of the file's weights where the package
`onnx` is installed. All run on the same noise with the same number of threads. The contenders take turns, `--passes` times, each in a
process of its own; the least time counts, and the median of the passes is beside it.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

import numpy


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sightline", default="target/release/sightline", help="the command to measure")
    for name, default in [("tokens", 1025), ("anchors", 512), ("width", 768), ("heads", 12), ("depth", 2)]:
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--threads", default="1,2", help="numbers of threads")
    parser.add_argument("--batch", default="1,4", help="numbers of queries that are run together")
    parser.add_argument("--rounds", type=int, default=5, help="timed rounds of a process, after one that warms up")
    parser.add_argument("--passes", type=int, default=3, help="how often the contenders take turns")
    parser.add_argument("--by", default="sightline", help="what runs it in sightline: sightline,rten")
    parser.add_argument("--child", nargs=4, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        return child(arguments, *arguments.child)
    with tempfile.TemporaryDirectory() as folder:
        exported = os.path.join(folder, "csa.onnx")
        run(arguments, ["--rounds", "1", "--export", exported])
        files = {"ONNX Runtime, exported file": exported}
        try:
            files["ONNX Runtime, tokens in rows"] = in_rows(arguments, exported, os.path.join(folder, "rows.onnx"))
        except ImportError:
            print("The package onnx is not installed: the exported file alone is measured.", file=sys.stderr)
        rows = []
        for threads in arguments.threads.split(","):
            for batch in arguments.batch.split(","):
                rows += compare(arguments, files, threads, batch)
        head = ["threads", "batch", "run by", "ms a query", "median", "/ the best of ONNX Runtime", "CPU ms", "largest difference"]
        print("\n| " + " | ".join(head) + " |\n|" + "---|" * len(head))
        for row in rows:
            print("| " + " | ".join(row) + " |")


def compare(arguments, files, threads, batch):
    """Rows of the table, for some threads and queries at once."""
    contenders = {}
    for name in arguments.by.split(","):
        line = ["--rounds", str(arguments.rounds), "--threads", threads, "--queries", batch, "--batch", batch, "--by", name]
        contenders["Sightline" if name == "sightline" else f"Sightline, {name}"] = lambda line=line: of_sightline(run(arguments, line))
    for name, path in files.items():
        layout = "rows" if "rows" in name else "map"
        contenders[name] = lambda path=path, layout=layout: json.loads(
            subprocess.run(
                [sys.executable, __file__, "--child", path, layout, threads, batch, "--tokens", str(arguments.tokens)]
                + ["--anchors", str(arguments.anchors), "--rounds", str(arguments.rounds)],
                check=True,
                capture_output=True,
                text=True,
            ).stdout
        )
    results = {name: [] for name in contenders}
    for _ in range(arguments.passes):
        for name, measure in contenders.items():
            results[name].append(measure())
            print(f"{threads} threads, batch {batch}, {name}: {results[name][-1]['ms']:.1f} ms a query", file=sys.stderr)
    least = {name: min(result["ms"] for result in passes) for name, passes in results.items()}
    rival = min(ms for name, ms in least.items() if name.startswith("ONNX"))
    ours = numpy.array(next(iter(results.values()))[0]["scores"])
    rows = []
    for name, passes in results.items():
        difference = numpy.abs(numpy.array(passes[0]["scores"]) - ours).max()
        median = statistics.median(result["median"] for result in passes)
        cpu = min(result["cpu"] for result in passes)
        row = [f"{least[name]:.1f}", f"{median:.1f}", f"{least[name] / rival:.2f}", f"{cpu:.0f}", f"{difference:.1e}"]
        rows.append([threads, batch, name] + row)
    return rows


def run(arguments, line):
    sizes = [f"--{name}={getattr(arguments, name)}" for name in ("tokens", "anchors", "width", "heads", "depth")]
    done = subprocess.run([arguments.sightline, "bench", "csa", "--json"] + sizes + line, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)[0]


def of_sightline(result):
    times, queries = result["times"], result["queries"]
    ms = lambda seconds: 1e3 * seconds / queries
    return {"ms": ms(times["min_s"]), "median": ms(times["median_s"]), "cpu": ms(times["cpu_min_s"] or 0), "scores": result["scores"]}


def child(arguments, path, layout, threads, batch):
    """ONNX Runtime alone."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(threads)
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    batch = int(batch)
    affinity = noise(0, batch * arguments.anchors * arguments.tokens, 1).reshape(batch, arguments.anchors, arguments.tokens)
    affinity = affinity[..., None] if layout == "map" else numpy.ascontiguousarray(affinity.transpose(0, 2, 1))
    feed = {session.get_inputs()[0].name: affinity}
    walls, cpus = [], []
    for _ in range(arguments.rounds + 1):
        wall, cpu = time.perf_counter(), time.process_time()
        scores = session.run(None, feed)[0]
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    ms = lambda seconds: 1e3 * seconds / batch
    result = {"ms": ms(min(walls[1:])), "median": ms(statistics.median(walls[1:])), "cpu": ms(min(cpus[1:])), "scores": scores[0].tolist()}
    print(json.dumps(result))


def noise(first, count, seed):
    """The noise of `sightline bench` (crates/sightline/src/bench/noise.rs)."""
    index = numpy.arange(first, first + count, dtype=numpy.uint64)
    bits = (index + numpy.uint64(seed << 44)) * numpy.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
    return (bits >> numpy.uint64(40)).astype(numpy.float32) / numpy.float32(1 << 23) - numpy.float32(1)


def in_rows(arguments, exported, path):
    """The network as PyTorch exports it, `[N, T, L]` -> `[N, T - 1]`, with the weights of the exported file in their order."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    wide, heads = arguments.width, arguments.heads
    kept = [numpy_helper.to_array(tensor) for tensor in onnx.load(exported).graph.initializer]
    kept = [tensor for tensor in kept if tensor.dtype == numpy.float32 and tensor.ndim > 0]
    kernels = iter([tensor for tensor in kept if tensor.ndim == 4 and tensor.shape[2:] == (1, 1) and tensor.size > 1])
    vectors = iter([tensor for tensor in kept if tensor.ndim == 1])
    nodes, weights = [], []

    def constant(value):
        weights.append(numpy_helper.from_array(numpy.asarray(value), f"w{len(weights)}"))
        return weights[-1].name

    def node(kind, *inputs, **attributes):
        nodes.append(helper.make_node(kind, list(inputs), [f"v{len(nodes)}"], **attributes))
        return nodes[-1].output[0]

    def linear(x):
        matrix = next(kernels)
        product = node("MatMul", x, constant(numpy.ascontiguousarray(matrix[:, :, 0, 0].T)))
        return node("Add", product, constant(next(vectors)))

    def norm(x):
        return node("LayerNormalization", x, constant(next(vectors)), constant(next(vectors)), axis=-1, epsilon=1e-5)

    number = lambda value: constant(numpy.float32(value))
    ints = lambda *values: constant(numpy.array(values, numpy.int64))
    x = linear("affinity")
    for _ in range(arguments.depth):
        divided = node("Reshape", linear(norm(x)), ints(0, 0, 3, heads, wide // heads))
        turned = node("Transpose", divided, perm=[2, 0, 3, 1, 4])
        q, k, v = [node("Gather", turned, constant(numpy.int64(part)), axis=0) for part in range(3)]
        logits = node("MatMul", q, node("Transpose", k, perm=[0, 1, 3, 2]))
        seen = node("MatMul", node("Softmax", node("Mul", logits, number((wide // heads) ** -0.5)), axis=-1), v)
        joined = node("Reshape", node("Transpose", seen, perm=[0, 2, 1, 3]), ints(0, 0, wide))
        x = node("Add", x, linear(joined))
        hidden = linear(norm(x))
        lifted = node("Add", node("Erf", node("Div", hidden, number(2**0.5))), number(1))
        gelu = node("Mul", node("Mul", hidden, lifted), number(0.5))
        x = node("Add", x, linear(gelu))
    length = node("Clip", node("ReduceL2", x, axes=[-1], keepdims=1), number(1e-12))
    unit = node("Div", x, length)
    query = node("Slice", unit, ints(0), ints(1), ints(1))
    others = node("Slice", unit, ints(1), ints(2**62), ints(1))
    scores = node("MatMul", others, node("Transpose", query, perm=[0, 2, 1]))
    nodes.append(helper.make_node("Squeeze", [scores, ints(2)], ["scores"]))
    tensor = lambda name, shape: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
    graph = helper.make_graph(nodes, "csa", [tensor("affinity", ["N", "T", arguments.anchors])], [tensor("scores", ["N", None])], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, path)
    return path


if __name__ == "__main__":
    main()
