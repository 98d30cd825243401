"""jenicek/asmk on the data of `sightline bench asmk`, step by step, in processor seconds of one thread.

    pip install numpy faiss-cpu asmk
    python scripts/asmk_beside_python.py --images 2000 --features 1000               # drawn words (Zipf)
    python scripts/asmk_beside_python.py --images 2000 --features 300 --words 4096 --quantise --queries 20

The data are made by the same formulas, so the best scores printed at the end are those of
`sightline bench asmk --json` (`best_scores`) up to rounding.
"""
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse, json, resource, time
import numpy as np
from asmk import codebook as codebooks, index as indexes, inverted_file, kernel as kernels

STEP = 0x9E3779B97F4A7C15
CLASSES, NOISE = 50, 0.5


def splitmix(z):
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z


def noise(first, count, stream):
    """`values` of crates/sightline/src/bench/noise.rs."""
    index = np.arange(first, first + count, dtype=np.uint64) + np.uint64(stream << 44)
    z = splitmix(index * np.uint64(STEP))
    z ^= z >> np.uint64(31)
    return (z >> np.uint64(40)).astype(np.float32) / np.float32(1 << 23) - np.float32(1)


def uniform(name, count):
    """The formula of tests/golden/README.md, seed 1."""
    state = 0xCBF29CE484222325
    for byte in name.encode():
        state = (state ^ byte) * 0x100000001B3 % 2**64
    state = np.uint64(state ^ STEP)
    z = splitmix(state + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(STEP))
    z ^= z >> np.uint64(31)
    return 2 * (z >> np.uint64(40)).astype(np.float64) / 2**24 - 1


class Data:
    def __init__(self, args):
        self.args = args
        if args.quantise:
            self.centroids = uniform("asmk.perf.codebook", args.words * args.dim).astype(np.float32)
            self.base = uniform("asmk.perf.base", CLASSES * args.features * args.dim).reshape(CLASSES, -1)
        else:
            self.centroids = np.zeros(args.words * args.dim, np.float32)
            shares = np.cumsum(1 / np.arange(1, args.words + 1, dtype=np.float64) ** args.zipf)
            self.cumulated = shares / shares[-1]
        self.centroids = self.centroids.reshape(args.words, args.dim)

    def draw(self, first, count, stream):
        share = (noise(first, count, stream).astype(np.float64) + 1) / 2
        return np.minimum(np.searchsorted(self.cumulated, share, side="right"), self.args.words - 1)

    def of_formula(self, tag, i):
        n = self.args.features * self.args.dim
        rows = self.base[i % CLASSES] + NOISE * uniform(f"asmk.perf.{tag}.{i}", n)
        return rows.astype(np.float32).reshape(-1, self.args.dim)

    def image(self, i):
        """Descriptors, and words where they are drawn."""
        a = self.args
        if a.quantise:
            return self.of_formula("db", i), None
        rows = noise(i * a.features * a.dim, a.features * a.dim, 12).reshape(-1, a.dim)
        return rows, self.draw(i * a.features, a.features, 11).reshape(-1, 1)

    def query(self, q):
        a = self.args
        if a.quantise:
            return self.of_formula("q", q), None
        rows, words = self.image(q * 7919 % a.images)
        rows = rows + np.float32(NOISE) * noise(q * rows.size, rows.size, 14).reshape(rows.shape)
        more = a.assign - 1
        others = self.draw(q * a.features * more, a.features * more, 13).reshape(-1, more)
        return rows, np.hstack([words, others])


class Timer:
    def __init__(self):
        self.cpu = self.wall = 0.0

    def __call__(self, work):
        cpu, wall = time.process_time(), time.perf_counter()
        result = work()
        self.cpu += time.process_time() - cpu
        self.wall += time.perf_counter() - wall
        return result

    def each(self, count):
        return {"s": self.wall / count, "cpu_s": self.cpu / count}


parser = argparse.ArgumentParser()
parser.add_argument("--images", type=int, default=2000)
parser.add_argument("--features", type=int, default=1000)
parser.add_argument("--dim", type=int, default=128)
parser.add_argument("--words", type=int, default=65536)
parser.add_argument("--zipf", type=float, default=1.0)
parser.add_argument("--quantise", action="store_true")
parser.add_argument("--float", action="store_true")
parser.add_argument("--idf", action="store_true")
parser.add_argument("--assign", type=int, default=5)
parser.add_argument("--queries", type=int, default=20)
parser.add_argument("-k", type=int, default=100)
args = parser.parse_args()

data = Data(args)
book = codebooks.Codebook(size=args.words, index_factory=indexes.initialize_index(gpu_id=None))
book.centroids = data.centroids
if args.quantise:
    book.index(data.centroids)
kernel = kernels.ASMKKernel(book, binary=not args.float)
ivf = inverted_file.IVF.initialize_empty(codebook_size=args.words, use_idf=args.idf)

quantise, aggregate, add = Timer(), Timer(), Timer()
parts = []
at_once = max(1, 2**18 // args.features)
for first in range(0, args.images, at_once):
    images = range(first, min(first + at_once, args.images))
    rows, words = zip(*(data.image(i) for i in images))
    rows, ids = np.vstack(rows), np.repeat(np.fromiter(images, np.int64), args.features)
    if args.quantise:
        words = quantise(lambda: book.quantize(rows, multiple_assignment=1)[1])
    else:
        words = np.vstack(words)
    parts.append(aggregate(lambda: kernel.aggregate(rows, words, ids)))
des, words, ids = (np.concatenate(column) for column in zip(*parts))
del parts, rows
add(lambda: ivf.add(des, words, ids.astype(np.int64)))
entries = len(words)

similar = lambda *a: kernel.similarity(*a, alpha=3.0, similarity_threshold=0.0)
asked, in_search, each, best = Timer(), Timer(), [], []
for q in range(args.queries):
    rows, words = data.query(q)

    def ask():
        own = book.quantize(rows, multiple_assignment=args.assign)[1] if args.quantise else words
        query = kernel.aggregate_image(rows, own)
        return in_search(lambda: ivf.search(*query, similarity_func=similar, topk=args.k))

    start = time.perf_counter()
    found = asked(ask)
    each.append(time.perf_counter() - start)
    best.append(float(found[1][0]))
each.sort()
print(json.dumps({
    "images": args.images,
    "entries": entries,
    "quantise": quantise.each(1),
    "aggregate": aggregate.each(1),
    "add": add.each(1),
    "query": asked.each(args.queries),
    "search_alone": in_search.each(args.queries),
    "query_p50_s": each[len(each) // 2],
    "query_p99_s": each[-1 - len(each) // 100],
    "payload_bytes": entries * (des.itemsize * des.shape[1] + 8),
    "allocated_bytes": sum(v.nbytes for v in ivf.ivf_vecs if v is not None)
    + sum(v.nbytes for v in ivf.ivf_image_ids if v is not None),
    "peak_memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    "best_scores": best[:3],
}, indent=2))
