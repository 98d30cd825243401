#!/usr/bin/env python3
"""Measures Sightline beside what Python users would take instead, in one run, and prints Markdown tables.

    python3 -m venv venv && venv/bin/pip install numpy pillow onnxruntime openvino faiss-cpu
    venv/bin/python scripts/beside_python.py --sightline target/release/sightline --photos photos

- Networks: `sightline bench extract`, ONNX Runtime and OpenVINO run the same ONNX file (`sightline model export`) on the same
  noise with the same number of threads.
- JPEG to tensor: `sightline bench prepare` beside Pillow and NumPy, one thread.
- Exact search: `sightline bench search` beside FAISS's flat index on the same rows (skipped where faiss is missing).
- Graph of neighbours: `sightline bench graph` beside a search of all rows among themselves by FAISS's flat index.
- k-means: `sightline bench kmeans` beside FAISS's Clustering on the same vectors, which gives the same words.

Every measurement runs in a process of its own, so that its peak memory is its own; the contenders take turns, `--passes` times,
and the best pass counts. CPU time is given beside wall time, because it suffers less from what else the machine does.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time

# The modules of each part, and the packages that bring them.
NEEDED = {
    "networks": {"numpy": "numpy", "onnxruntime": "onnxruntime", "openvino": "openvino"},
    "prepare": {"numpy": "numpy", "PIL": "pillow"},
    "search": {"numpy": "numpy"},
    "graph": {"numpy": "numpy", "faiss": "faiss-cpu"},
    "kmeans": {"numpy": "numpy", "faiss": "faiss-cpu"},
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sightline", default="target/release/sightline", help="the command to measure")
    parser.add_argument("--arch", default="resnet18/gem,resnet50/gem,resnet101/gem", help="architectures, with seeded weights")
    parser.add_argument("--size", default="224,512,1024", help="sides of the square pictures")
    parser.add_argument("--device", default="cpu", help="devices of sightline, such as cpu,ort")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5, help="timed rounds of a process, after one that warms up")
    parser.add_argument("--passes", type=int, default=2, help="how often the contenders take turns")
    parser.add_argument("--photos", help="folder of JPEG files for JPEG to tensor; without it that part is left out")
    parser.add_argument("--photo-size", default="512,1024", help="longer sides for JPEG to tensor")
    parser.add_argument("--search", default="100000x512x1000", help="ROWSxDIMxQUERIES of exact search, k = 50; or none")
    parser.add_argument("--graph", default="100000x512x50", help="ROWSxDIMxK of the graph of neighbours")
    parser.add_argument("--kmeans", default="1000000x128x4096x10", help="ROWSxDIMxWORDSxITERATIONS of k-means")
    parser.add_argument("--only", default="networks,prepare,search,graph,kmeans", help="parts to measure")
    arguments = parser.parse_args()
    parts = arguments.only.split(",")
    unknown = [part for part in parts if part not in NEEDED]
    if unknown:
        sys.exit(f"There is no part {', '.join(unknown)}: --only takes {', '.join(NEEDED)}.")
    needed = {module: package for part in parts for module, package in NEEDED[part].items()}
    missing = [package for module, package in needed.items() if importlib.util.find_spec(module) is None]
    if missing:
        sys.exit(
            f"This script compares with Python packages that are not installed: {', '.join(missing)}.\n"
            f"Install them, for example:\n  python3 -m venv venv && venv/bin/pip install {' '.join(needed.values())} faiss-cpu\n"
            f"and run it again with venv/bin/python."
        )
    if not os.path.isfile(arguments.sightline):
        sys.exit(
            f"{arguments.sightline} is not there. Build it with `cargo build --release -p sightline-cli`, "
            "or name another with --sightline."
        )
    with tempfile.TemporaryDirectory() as folder:
        if "networks" in parts:
            networks(arguments, folder)
        if "prepare" in parts and arguments.photos:
            prepare(arguments)
        if "search" in parts and arguments.search != "none":
            search(arguments, folder)
        if "graph" in parts:
            graph(arguments)
        if "kmeans" in parts:
            kmeans(arguments)


# ---------------------------------------------------------------------------------------------------------------------
# The parent: contenders in turn, tables.


def networks(arguments, folder):
    """Images a second and peak memory."""
    rows = []
    for arch in arguments.arch.split(","):
        path = os.path.join(folder, arch.replace("/", "-").replace(":", "-") + ".onnx")
        sightline(arguments, ["model", "export", "seeded", "--arch", arch, "-o", path], threads=False)
        for size in arguments.size.split(","):
            ours = ["bench", "extract", "--json", "--arch", arch, "--size", size, "--rounds", str(arguments.rounds), "--device"]
            contenders = {
                f"Sightline, {device}": lambda device=device: of_sightline(json.loads(sightline(arguments, ours + [device]))[0])
                for device in arguments.device.split(",")
            }
            for name in ("onnxruntime", "openvino"):
                contenders[name] = lambda name=name: child(name, path, size, arguments.threads, arguments.rounds)
            best = in_turn(contenders, arguments.passes)
            least = best["onnxruntime"]["cpu_s"]
            for name, result in best.items():
                rows.append(
                    [
                        arch,
                        size,
                        result.get("runtime") or name,
                        f"{1 / result['min_s']:.2f}",
                        f"{result['min_s'] * 1e3:.1f}",
                        f"{result['cpu_s'] * 1e3:.0f}",
                        f"{result['cpu_s'] / least:.2f}",
                        f"{result['peak'] / 1e6:.0f}",
                    ]
                )
                say(rows[-1])
    table(
        f"Networks, {arguments.threads} threads, one picture at a time",
        ["network", "pixels a side", "run by", "images/s", "ms", "CPU ms", "CPU time / ONNX Runtime's", "peak MB"],
        rows,
    )


def of_sightline(result):
    times = result["times"]
    # Processor time comes in steps of 10 ms; where it is not known, wall time stands for it.
    cpu = times["cpu_min_s"] or times["min_s"]
    return {"runtime": f"Sightline, {result['device']} ({result['runtime']})", "min_s": times["min_s"], "cpu_s": cpu, "peak": result["peak_memory"] or 0}


def prepare(arguments):
    """JPEG to tensor on one thread."""
    rows = []
    for size in arguments.photo_size.split(","):
        line = ["bench", "prepare", arguments.photos, "--recipe", "cirtorch", "--size", size, "--json"]
        line += ["--rounds", str(arguments.rounds)]

        def ours():
            result = json.loads(sightline(arguments, line))[0]
            count = result["pictures"]
            cpu = result["times"]["cpu_min_s"] or result["times"]["min_s"]
            return {"min_s": result["times"]["min_s"] / count, "cpu_s": cpu / count, "pictures": count}

        best = in_turn(
            {"Sightline": ours, "Pillow and NumPy": lambda: child("pillow", arguments.photos, size, 1, arguments.rounds)},
            arguments.passes,
        )
        pillow = best["Pillow and NumPy"]["cpu_s"]
        for name, result in best.items():
            row = [size, name, result["pictures"], f"{result['min_s'] * 1e3:.2f}", f"{result['cpu_s'] * 1e3:.2f}", f"{result['cpu_s'] / pillow:.2f}"]
            rows.append([str(cell) for cell in row])
            say(rows[-1])
    table(
        "JPEG to tensor (recipe cirtorch), one thread",
        ["longer side at most", "by", "pictures", "ms a picture", "CPU ms", "CPU time / Pillow's"],
        rows,
    )


def search(arguments, folder):
    """The 50 best rows."""
    rows, dim, queries = arguments.search.split("x")
    path = os.path.join(folder, "noise.npy")
    line = ["bench", "search", "--rows", rows, "--dim", dim, "--queries", queries, "-k", "50", "--wanted", "1"]
    line += ["--rounds", str(arguments.rounds), "--keep", path, "--json"]

    def ours():
        result = json.loads(sightline(arguments, line))["top_k"]
        return {"min_s": result["min_s"], "cpu_s": result["cpu_min_s"] or result["min_s"]}

    contenders = {"Sightline": ours}
    if importlib.util.find_spec("faiss"):
        ours()  # writes the rows, where they are not there yet
        contenders["FAISS IndexFlatIP"] = lambda: child("faiss", path, queries, arguments.threads, arguments.rounds)
    else:
        print("FAISS is not installed (pip install faiss-cpu): exact search is measured alone.", file=sys.stderr)
    best = in_turn(contenders, arguments.passes)
    table(
        f"Exact search: {queries} queries, {rows} rows of {dim} float32 values, the best 50, {arguments.threads} threads",
        ["by", "ms", "CPU ms"],
        [[name, f"{result['min_s'] * 1e3:.1f}", f"{result['cpu_s'] * 1e3:.0f}"] for name, result in best.items()],
    )


def graph(arguments):
    """Whole graphs, without a round to warm up."""
    rows, dim, k = arguments.graph.split("x")
    line = ["bench", "graph", "--rows", rows, "--dim", dim, "-k", k, "--json"]

    def ours():
        result = json.loads(sightline(arguments, line))
        times = result["times"]
        cpu = times["cpu_min_s"] or times["min_s"]
        return {"min_s": times["min_s"], "cpu_s": cpu, "peak": result["memory"] or 0, "first": result["first"]}

    best = in_turn(
        {"Sightline": ours, "FAISS IndexFlatIP": lambda: child("graph", rows, dim, arguments.threads, k)},
        arguments.passes,
    )
    theirs = best["FAISS IndexFlatIP"]
    same = sum(len(set(a) & set(b)) for a, b in zip(best["Sightline"]["first"], theirs["first"]))
    table(
        f"The {k} neighbours of each of {rows} descriptors of {dim} float32 values, {arguments.threads} threads",
        ["by", "s", "FAISS's / it", "CPU s", "FAISS's / it", "peak MB", "neighbours of the first rows that are FAISS's"],
        [
            [
                name,
                f"{result['min_s']:.1f}",
                f"{theirs['min_s'] / result['min_s']:.2f}",
                f"{result['cpu_s']:.1f}",
                f"{theirs['cpu_s'] / result['cpu_s']:.2f}",
                f"{result['peak'] / 1e6:.0f}",
                f"{same} of {sum(map(len, theirs['first']))}",
            ]
            for name, result in best.items()
        ],
    )


def kmeans(arguments):
    """Whole trainings, without a round to warm up."""
    rows, dim, words, iterations = arguments.kmeans.split("x")
    line = ["bench", "kmeans", "--rows", rows, "--dim", dim, "--words", words, "--iterations", iterations, "--json"]

    def ours():
        result = json.loads(sightline(arguments, line))
        times = result["times"]
        return {"min_s": times["min_s"], "cpu_s": times["cpu_min_s"] or times["min_s"], "objective": result["objective"]}

    best = in_turn(
        {"Sightline": ours, "FAISS Clustering": lambda: child("kmeans", rows, dim, arguments.threads, words, iterations)},
        arguments.passes,
    )
    least = best["FAISS Clustering"]
    table(
        f"k-means: {rows} vectors of {dim} float32 values into {words} words, {iterations} iterations, {arguments.threads} threads",
        ["by", "s", "/ FAISS's", "CPU s", "/ FAISS's", "objective"],
        [
            [
                name,
                f"{result['min_s']:.1f}",
                f"{result['min_s'] / least['min_s']:.2f}",
                f"{result['cpu_s']:.1f}",
                f"{result['cpu_s'] / least['cpu_s']:.2f}",
                f"{result['objective']:.7e}",
            ]
            for name, result in best.items()
        ],
    )


def in_turn(contenders, passes):
    """The best of several passes of each; memory is the most that was seen."""
    best = {}
    for _ in range(passes):
        for name, measure in contenders.items():
            result = measure()
            before = best.setdefault(name, result)
            for key in ("min_s", "cpu_s"):
                before[key] = min(before[key], result[key])
            if "peak" in result:
                before["peak"] = max(before["peak"], result["peak"])
    return best


def sightline(arguments, line, threads=True):
    """What the command prints."""
    command = [arguments.sightline, "--quiet"] + (["--threads", str(arguments.threads)] if threads else []) + line
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"`{' '.join(command)}` failed; what it said stands above.")
    return done.stdout


def child(what, *arguments):
    """Measures one contender in a process of its own."""
    command = [sys.executable, os.path.abspath(__file__), "--child", what] + [str(argument) for argument in arguments]
    environment = dict(os.environ, OMP_NUM_THREADS=str(arguments[2]))  # threads stand third for all
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=environment)
    if done.returncode != 0:
        sys.exit(f"measuring {what} failed; what it said stands above.")
    return json.loads(done.stdout)


def table(title, head, rows):
    print(f"\n{title}\n")
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for row in rows:
        print("| " + " | ".join(row) + " |")
    sys.stdout.flush()


def say(row):
    print("  ".join(row), file=sys.stderr)


# ---------------------------------------------------------------------------------------------------------------------
# The children: one contender, one configuration, a line of JSON.


def measured(rounds, work):
    """Least wall and processor seconds of `work` after one round that warms up, and the peak memory so far."""
    work()
    wall, processor = [], []
    for _ in range(rounds):
        start, before = time.perf_counter(), time.process_time()
        work()
        wall.append(time.perf_counter() - start)
        processor.append(time.process_time() - before)
    return {"min_s": min(wall), "cpu_s": min(processor), "peak": peak_memory()}


def peak_memory():
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


# Centres of `sightline bench kmeans` where none are asked for.
CENTRES = 2000


def noise(first, count, seed):
    """The noise of `sightline bench` (crates/sightline/src/bench/noise.rs)."""
    import numpy as np

    bits = (np.arange(first, first + count, dtype=np.uint64) + np.uint64(seed << 44)) * np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (bits >> np.uint64(40)).astype(np.float32) / np.float32(1 << 23) - np.float32(1)


def run_onnxruntime(path, size, threads, rounds):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    image = noise(0, 3 * size * size, 1).reshape(1, 3, size, size)
    result = measured(rounds, lambda: session.run(None, {name: image}))
    return dict(result, runtime=f"ONNX Runtime {onnxruntime.__version__}")


def run_openvino(path, size, threads, rounds):
    import openvino

    core = openvino.Core()
    settings = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, "INFERENCE_PRECISION_HINT": "f32"}
    model = core.read_model(path)
    model.reshape([1, 3, size, size])
    request = core.compile_model(model, "CPU", settings).create_infer_request()
    image = noise(0, 3 * size * size, 1).reshape(1, 3, size, size)
    result = measured(rounds, lambda: request.infer([image], share_inputs=True))
    return dict(result, runtime=f"OpenVINO {openvino.__version__.split('-')[0]}")


def run_pillow(folder, size, threads, rounds):
    """cirtorch's way: open, RGB, `thumbnail` with Lanczos, to [0, 1], mean and deviation, channels first."""
    import io

    import numpy as np
    from PIL import Image

    names = sorted(
        os.path.join(below, name)
        for below, _, files in os.walk(folder)
        for name in files
        if name.lower().endswith((".jpg", ".jpeg"))
    )[:200]
    files = [open(name, "rb").read() for name in names]
    mean = np.array([0.485, 0.456, 0.406], np.float32).reshape(3, 1, 1)
    deviation = np.array([0.229, 0.224, 0.225], np.float32).reshape(3, 1, 1)

    def work():
        for file in files:
            picture = Image.open(io.BytesIO(file)).convert("RGB")
            picture.thumbnail((size, size), Image.Resampling.LANCZOS)
            tensor = np.asarray(picture).transpose(2, 0, 1).astype(np.float32)
            tensor /= 255
            tensor -= mean
            tensor /= deviation

    result = measured(rounds, work)
    count = len(files)
    return dict(result, min_s=result["min_s"] / count, cpu_s=result["cpu_s"] / count, pictures=count)


def run_faiss(path, queries, threads, rounds):
    import faiss
    import numpy as np

    faiss.omp_set_num_threads(threads)
    rows = np.load(path)
    dim = rows.shape[1]
    index = faiss.IndexFlatIP(dim)
    index.add(rows)
    asked = noise(0, queries * dim, 2).reshape(queries, dim)
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    return measured(rounds, lambda: index.search(asked, 50))


def run_kmeans(rows, dim, threads, words, iterations):
    """The vectors of crates/sightline/src/bench/kmeans.rs; faiss as jenicek/asmk calls it."""
    import faiss
    import numpy as np

    rows = int(rows)
    faiss.omp_set_num_threads(threads)
    vectors = noise(0, rows * dim, 1).reshape(rows, dim)
    centres = noise(0, CENTRES * dim, 2).reshape(CENTRES, dim)
    for first in range(0, rows, CENTRES):
        part = vectors[first : first + CENTRES]
        part += np.float32(2) * centres[: len(part)]
    clustering = faiss.Clustering(dim, words)
    clustering.niter = iterations
    start, before = time.perf_counter(), time.process_time()
    clustering.train(vectors, faiss.IndexFlatL2(dim))
    stats = clustering.iteration_stats
    return {
        "min_s": time.perf_counter() - start,
        "cpu_s": time.process_time() - before,
        "objective": stats.at(stats.size() - 1).obj,
    }


def clusters(first, count, dim, centres, stream, numbers):
    """The rows of crates/sightline/src/bench/clusters.rs."""
    import numpy as np

    rows = noise(first * dim, count * dim, stream).reshape(count, dim)
    rows += noise(0, centres * dim, 21).reshape(centres, dim)[numbers % centres]
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def run_graph(rows, dim, threads, k):
    import faiss
    import numpy as np

    rows = int(rows)
    faiss.omp_set_num_threads(threads)
    index = faiss.IndexFlatIP(dim)
    vectors = np.ascontiguousarray(clusters(0, rows, dim, rows // 10, 22, np.arange(rows)))
    index.add(vectors)
    start, before = time.perf_counter(), time.process_time()
    _, lists = index.search(vectors, k)
    result = {"min_s": time.perf_counter() - start, "cpu_s": time.process_time() - before, "peak": peak_memory()}
    return dict(result, first=lists[:3].tolist())


CHILDREN = {"graph": run_graph, "kmeans": run_kmeans, "onnxruntime": run_onnxruntime, "openvino": run_openvino, "pillow": run_pillow, "faiss": run_faiss}

if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        measure, path, *numbers = sys.argv[2:]
        print(json.dumps(CHILDREN[measure](path, *map(int, numbers))))
    else:
        main()
