#!/usr/bin/env python3
"""Fits robust homographies with OpenCV's USAC to the matches of `sightline bench homography`, and prints the same columns.

    python3 -m venv venv && venv/bin/pip install numpy opencv-python-headless
    target/release/sightline bench homography
    venv/bin/python scripts/homography_in_opencv.py

The matches are made by the formula that the documentation of `sightline::bench` gives (crates/sightline/src/bench/homography.rs), so
both sides fit the same numbers. OpenCV runs on one thread.
"""

import argparse
import math
import time

import cv2
import numpy

SIZE = numpy.array([640.0, 480.0])
MOVED = 80.0
CORNERS = numpy.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * SIZE
FAILED = 10.0
METHODS = ["USAC_DEFAULT", "USAC_FAST", "USAC_ACCURATE", "USAC_MAGSAC", "RANSAC"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--matches", type=int, default=1000)
    parser.add_argument("--inliers", type=float, default=0.3)
    parser.add_argument("--noise", type=float, default=1.0)
    parser.add_argument("--pairs", type=int, default=200)
    parser.add_argument("--threshold", type=float, default=3.0)
    parser.add_argument("--confidence", type=float, default=0.999)
    parser.add_argument("--max-samples", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--methods", default=",".join(METHODS))
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    pairs = [pair(arguments, seed) for seed in range(arguments.pairs)]
    print(f"OpenCV {cv2.__version__}")
    print(f"{'method':<14} {'ms':>7} {'CPU ms':>7} {'precision':>9} {'recall':>7} {'corners px':>10} {'mean':>7} {'failed':>6}")
    for method in arguments.methods.split(","):
        wall, cpu = math.inf, math.inf
        for _ in range(arguments.rounds + 1):
            before, before_cpu = time.perf_counter(), time.process_time()
            fits = [
                cv2.findHomography(
                    start, end, getattr(cv2, method), arguments.threshold,
                    maxIters=arguments.max_samples, confidence=arguments.confidence,
                )
                for _, start, end, _ in pairs
            ]
            wall = min(wall, time.perf_counter() - before)
            cpu = min(cpu, time.process_time() - before_cpu)
        errors, found, agreed, right = [], 0, 0, 0
        for (truth, _, _, is_right), (matrix, mask) in zip(pairs, fits):
            right += is_right.sum()
            if matrix is None:
                errors.append(math.inf)
                continue
            mask = mask.ravel().astype(bool)
            found += mask.sum()
            agreed += (mask & is_right).sum()
            errors.append(numpy.linalg.norm(apply(matrix, CORNERS) - apply(truth, CORNERS), axis=1).mean())
        errors = numpy.sort(errors)
        good = errors[errors <= FAILED]
        print(
            f"{method:<14} {1e3 * wall / len(pairs):7.3f} {1e3 * cpu / len(pairs):7.3f} {agreed / max(found, 1):9.4f} "
            f"{agreed / right:7.4f} {errors[len(errors) // 2]:10.3f} {good.mean() if len(good) else math.nan:7.3f} "
            f"{len(errors) - len(good):6}"
        )


def uniform(name, seed, count):
    """Numbers in [-1, 1): splitmix64 from the FNV-1a hash of the name and the seed, the top 24 bits of each."""
    state = 0xCBF29CE484222325
    for byte in f"bench.homography.{name}".encode():
        state = ((state ^ byte) * 0x100000001B3) % 2**64
    step = 0x9E3779B97F4A7C15
    state ^= seed * step % 2**64
    with numpy.errstate(over="ignore"):
        z = numpy.uint64(state) + numpy.arange(1, count + 1, dtype=numpy.uint64) * numpy.uint64(step)
        z = (z ^ (z >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
        z ^= z >> numpy.uint64(31)
    return 2.0 * (z >> numpy.uint64(40)).astype(float) / 2**24 - 1.0


def pair(arguments, seed):
    """The true homography, the points of both pictures, and which matches are right."""
    count = arguments.matches
    truth = through(CORNERS, CORNERS + MOVED * uniform("corners", seed, 8).reshape(4, 2))
    start = SIZE * (uniform("from", seed, 2 * count).reshape(-1, 2) + 1) / 2
    wrong = SIZE * (uniform("to", seed, 2 * count).reshape(-1, 2) + 1) / 2
    noise = uniform("noise", seed, 24 * count).reshape(-1, 2, 12).sum(2) / 2
    whole = numpy.floor(numpy.arange(count + 1) * arguments.inliers)
    right = whole[1:] > whole[:-1]
    end = numpy.where(right[:, None], apply(truth, start) + arguments.noise * noise, wrong)
    return truth, start, end, right


def through(start, end):
    """The homography through four matches."""
    rows, values = [], []
    for (x, y), (u, v) in zip(start, end):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return numpy.append(numpy.linalg.solve(numpy.array(rows), numpy.array(values)), 1).reshape(3, 3)


def apply(matrix, points):
    mapped = numpy.column_stack([points, numpy.ones(len(points))]) @ matrix.T
    return mapped[:, :2] / mapped[:, 2:]


main()
