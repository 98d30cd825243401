#!/usr/bin/env python3
"""The original re-ranking methods in NumPy and SciPy, on the data of `sightline bench rerank`.

    pip install numpy scipy faiss-cpu
    python scripts/rerank_beside_python.py --method k-reciprocal --images 5000
    python scripts/rerank_beside_python.py --method diffusion --images 5000

Written anew from the published algorithms, step by step as their programs do it:

- k-reciprocal: zhunzhong07/person-re-ranking, python-version/re_ranking_ranklist.py. Distances of all rows in one matrix, a whole sort of each,
  encodings in another matrix: 8 N^2 bytes of distances and order and as much again for encodings, so it ends where memory does.
- diffusion: fyang93/diffusion, rank.py `search`. Neighbours by FAISS's flat index, a sparse Laplacian, for each image SciPy's conjugate gradients
  on its part among the n_trunc nearest, queries times images at the end.

Images and queries are made by the same formulas, so the answers printed at the end are those of `sightline bench rerank --json`
(`first`, `right`) up to rounding; scores of k-reciprocal are minus its distances.
"""

import argparse
import json
import os
import sys
import time

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("--method", choices=["k-reciprocal", "diffusion"], required=True)
parser.add_argument("--images", type=int, default=5000)
parser.add_argument("--dim", type=int, default=512)
parser.add_argument("--queries", type=int, default=70)
parser.add_argument("--centres", type=int, help="default: one for ten images")
parser.add_argument("--threads", type=int, default=1)
parser.add_argument("--k1", type=int, default=20)
parser.add_argument("--k2", type=int, default=6)
parser.add_argument("--lambda", type=float, default=0.3, dest="share")
parser.add_argument("--n-trunc", type=int, default=1000)
parser.add_argument("--kd", type=int, default=50)
args = parser.parse_args()
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = str(args.threads)

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import numpy as np
from beside_python import clusters, peak_memory


def k_reciprocal(queries, images, k1, k2, share):
    """The final distances [Q, G]."""
    rows = np.concatenate([queries, images])
    count = len(rows)
    squares = (rows * rows).sum(1)
    distance = np.maximum(squares[:, None] + squares[None] - 2 * rows @ rows.T, 0)
    distance = np.transpose(distance / np.max(distance, axis=0)).astype(np.float32)
    order = np.argsort(distance).astype(np.int32)
    encoded = np.zeros_like(distance)

    def reciprocal(i, k):
        forward = order[i, : k + 1]
        backward = order[forward, : k + 1]
        return forward[np.where(backward == i)[0]]

    for i in range(count):
        own = reciprocal(i, k1)
        expanded = own
        for candidate in own:
            theirs = reciprocal(candidate, int(np.around(k1 / 2)))
            if len(np.intersect1d(theirs, own)) > 2 / 3 * len(theirs):
                expanded = np.append(expanded, theirs)
        expanded = np.unique(expanded)
        weight = np.exp(-distance[i, expanded])
        encoded[i, expanded] = weight / np.sum(weight)
    original = distance[: len(queries)]
    if k2 != 1:
        averaged = np.zeros_like(encoded)
        for i in range(count):
            averaged[i] = np.mean(encoded[order[i, :k2]], axis=0)
        encoded = averaged
    del order
    inverted = [np.where(encoded[:, i] != 0)[0] for i in range(count)]
    jaccard = np.zeros_like(original)
    for i in range(len(queries)):
        least = np.zeros(count, np.float32)
        for column in np.where(encoded[i] != 0)[0]:
            others = inverted[column]
            least[others] += np.minimum(encoded[i, column], encoded[others, column])
        jaccard[i] = 1 - least / (2 - least)
    return (jaccard * (1 - share) + original * share)[:, len(queries) :]


def diffusion(queries, images, n_trunc, kd):
    """The scores [Q, G]."""
    import faiss
    from scipy import sparse
    from scipy.sparse import linalg

    rows = np.ascontiguousarray(np.concatenate([queries, images]))
    count, n_trunc = len(rows), min(n_trunc, len(rows))
    faiss.omp_set_num_threads(args.threads)
    index = faiss.IndexFlatIP(rows.shape[1])
    index.add(rows)
    similarities, ids = index.search(rows, n_trunc)

    near, near_ids = np.maximum(similarities[:, :kd], 0) ** 3, ids[:, :kd]
    line, column, weight = [], [], []
    for i in range(count):
        mutual = np.isin(near_ids[near_ids[i]], i).any(axis=1)
        mutual[0] = False
        line.append(np.full(mutual.sum(), i))
        column.append(near_ids[i][mutual])
        weight.append(near[i][mutual])
    joined = (np.concatenate(weight), (np.concatenate(line), np.concatenate(column)))
    affinity = sparse.csr_matrix(joined, shape=(count, count), dtype=np.float32)
    degree = np.asarray(affinity.sum(axis=1)).ravel() + 1e-12
    scale = sparse.diags(degree**-0.5, format="csr", dtype=np.float32)
    laplacian = (sparse.eye(count, dtype=np.float32) - 0.99 * (scale @ affinity @ scale)).tocsr()

    unit = np.zeros(n_trunc)
    unit[0] = 1
    values = np.empty((count, n_trunc), np.float32)
    for i in range(count):
        part = laplacian[ids[i]][:, ids[i]]
        values[i] = linalg.cg(part, unit, rtol=1e-6, maxiter=20)[0]
    starts = np.arange(0, count * n_trunc + 1, n_trunc)
    offline = sparse.csr_matrix((values.ravel(), ids.ravel(), starts), shape=(count, count))
    lengths = np.sqrt(np.asarray(offline.multiply(offline).sum(axis=1)).ravel())
    offline = sparse.diags(1 / np.maximum(lengths, 1e-12), dtype=np.float32) @ offline
    return (offline[: len(queries)] @ offline[len(queries) :].T).toarray()


centres = args.centres if args.centres is not None else args.images // 10
images = clusters(0, args.images, args.dim, centres, 22, np.arange(args.images))
queries = clusters(0, args.queries, args.dim, centres, 23, np.arange(args.queries) * 7919)
start, before = time.perf_counter(), time.process_time()
if args.method == "k-reciprocal":
    scores = -k_reciprocal(queries, images, args.k1, args.k2, args.share)
else:
    scores = diffusion(queries, images, args.n_trunc, args.kd)
seconds, cpu = time.perf_counter() - start, time.process_time() - before
best = np.argsort(-scores, axis=1, kind="stable")[:, :10]
right = best % centres == (np.arange(args.queries) * 7919 % centres)[:, None]
print(
    json.dumps(
        {
            "method": args.method,
            "images": args.images,
            "dim": args.dim,
            "queries": args.queries,
            "s": seconds,
            "cpu_s": cpu,
            "peak_memory": peak_memory(),
            "right": float(right.mean()),
            "first": [[int(i), float(scores[0, i])] for i in best[0]],
        }
    )
)
