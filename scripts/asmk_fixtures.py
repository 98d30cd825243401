"""Writes the files of crates/sightline-local/tests/data/asmk with jenicek/asmk: pip install asmk faiss-cpu; python scripts/asmk_fixtures.py FOLDER."""
import json, pickle, sys
import numpy as np
from asmk import asmk_method, kernel, codebook, inverted_file

def uniform(name, count, seed):
    h = 0xCBF29CE484222325
    for b in name.encode():
        h = (h ^ b) * 0x100000001B3 % 2**64
    state = np.uint64(h ^ (seed * 0x9E3779B97F4A7C15 % 2**64))
    i = np.arange(1, count + 1, dtype=np.uint64)
    z = state + i * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return 2 * (z >> np.uint64(40)).astype(np.float64) / 2**24 - 1

out = sys.argv[1]
DIM, WORDS = 40, 8
params = {"index": {"gpu_id": None}, "train_codebook": {"codebook": {"size": WORDS}},
          "build_ivf": {"kernel": {"binary": True}, "ivf": {"use_idf": True}, "quantize": {"multiple_assignment": 1}, "aggregate": {}},
          "query_ivf": {"quantize": {"multiple_assignment": 3}, "aggregate": {}, "search": {"topk": None},
                        "similarity": {"similarity_threshold": 0.0, "alpha": 3.0}}}
cents = uniform("import.codebook", WORDS * DIM, 1).astype(np.float32).reshape(WORDS, DIM)
state = {"type": "Codebook", "params": {"size": WORDS}, "state": {"centroids": cents}}
pickle.dump(state, open(f"{out}/codebook.pkl", "wb"))
feats = lambda tag, n: uniform(f"import.{tag}", n * 9 * DIM, 1).astype(np.float32).reshape(-1, DIM)
for name, binary in (("binary", True), ("float", False)):
    params["build_ivf"]["kernel"]["binary"] = binary
    method = asmk_method.ASMKMethod.initialize_untrained(params).train_codebook(None, cache_path=f"{out}/codebook.pkl")
    b = method.create_ivf_builder(cache_path=f"{out}/ivf_{name}.pkl")
    db = feats("db", 12)
    ids = np.repeat(np.arange(12), 9)
    b.add(db[: 5 * 9], ids[: 5 * 9].copy())
    b.add(db[5 * 9:], ids[5 * 9:].copy())
    method = method.add_ivf_builder(b)
    q = feats("q", 2)
    _, _, ranks, scores = method.query_ivf(q, np.repeat(np.arange(2), 9))
    json.dump({"ranks": ranks.tolist(), "scores": scores.tolist()}, open(f"{out}/{name}.json", "w"))
    if binary:
        qu = method.codebook.quantize(db, ids.copy(), multiple_assignment=1)
        des, words, imids = method.kernel.aggregate(*qu)
        pickle.dump({"des": des, "word_ids": words, "image_ids": imids}, open(f"{out}/partition.pkl", "wb"))
